//! Agents that die, or have little memory, while they divide batches to find the bad records.

use pinnace::receiver::{Backend, Faults};

use crate::harness::{Agent, Config, MEMORY_CEILING, Numbered, PATIENCE, Scene, append, lines_of};
use crate::refused::{BAD, assert_settled, file_of, lines, poison, texts};

/// What an earlier run sent may be carried out for as long, so each start waits for it.
const QUICK: &str = "request_timeout: 2s";

#[test]
fn killed_while_it_looks_for_the_bad_ones_it_loses_and_doubles_nothing() {
    // Reading back after a start takes its time.
    for (backend, kills, requests) in [(Backend::Loki, 8, 4), (Backend::Cloudwatch, 3, 9)] {
        let scene = Scene::new();
        let config = scene.config_of(backend, QUICK).serving();
        let (good, bad) = lines(64, &[0, 13, 14, 40, 63]);
        append(&scene.log("app.log"), file_of(&good, &bad));
        let faults = Faults {
            latency_ms: 20,
            ..poison()
        };
        scene.receiver.set_faults(backend, faults);
        for _ in 0..kills {
            let agent = Agent::launch(&scene.write(&config), &["--on-error=exit"]);
            let more = scene.receiver.summary(backend).requests + requests;
            let reached = |it: &pinnace::receiver::Summary| it.requests >= more;
            assert!(scene.receiver.wait_for(backend, PATIENCE, reached));
            agent.kill();
        }
        let agent = scene.start(&config);
        config.wait_until_no_lag();
        let replayed = config.metric_sum("pinnace_replayed_batches_total", "");
        assert_eq!(replayed, 1, "the last kill met no batch on its way");
        agent.stop_well();
        assert_settled(&scene, backend, &config, &good, &bad);
    }
}

/// Lets the agent die again and again at a named place of its code while it looks for bad lines
/// between good ones, many of which are equal.
fn die_at(backend: Backend, place: &str, deaths: u64) {
    let scene = Scene::new();
    let config = scene.config_of(backend, QUICK).serving();
    let bad: Vec<_> = (0..400).filter(|place| place % 7 == 3).collect();
    let (good, bad) = lines(400, &bad);
    let mut text = String::new();
    let mut expected = Vec::new();
    for line in file_of(&good, &bad).lines() {
        let is_equal = line.ends_with(['1', '2', '3']) && !line.contains(BAD);
        let line = if is_equal { "the same" } else { line };
        text.push_str(line);
        text.push('\n');
        if !line.contains(BAD) {
            expected.push(line.to_owned());
        }
    }
    append(&scene.log("app.log"), text);
    scene.receiver.set_faults(backend, poison());
    let path = scene.write(&config);
    for death in 0..deaths {
        let at = format!("{place}:{}", 1 + death % 3);
        let agent = Agent::launch_to_die(&path, &["--on-error=exit"], &at);
        let exit = agent.wait(PATIENCE);
        assert_eq!(exit.code, None, "it has not died at {at}: {}", exit.log);
    }
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    agent.stop_well();
    let mut arrived = lines_of(&scene, backend, |_| true);
    arrived.sort_unstable();
    expected.sort_unstable();
    assert_eq!(arrived, expected, "{backend}, {place}");
    let mut buried = texts(&config.dead_letters());
    buried.sort_unstable();
    assert_eq!(buried, bad, "{backend}, {place}");
}

#[test]
fn wherever_it_dies_while_it_divides_a_batch_nothing_is_lost_and_nothing_is_there_twice() {
    if !cfg!(debug_assertions) {
        return;
    }
    for place in ["cut", "stored", "part_settled", "buried", "burial_noted"] {
        die_at(Backend::Loki, place, 20);
    }
}

#[test]
fn wherever_it_dies_while_it_divides_a_batch_cloudwatch_is_read_back_part_by_part() {
    if !cfg!(debug_assertions) {
        return;
    }
    // Each start waits until what was put before must be visible.
    std::thread::scope(|scope| {
        for place in ["cut", "stored", "part_settled", "buried", "burial_noted"] {
            scope.spawn(move || die_at(Backend::Cloudwatch, place, 3));
        }
    });
}

#[test]
fn dividing_many_batches_at_once_stays_within_the_memory_ceiling() {
    for backend in Backend::ALL {
        let scene = Scene::of_digests();
        let config = match backend {
            Backend::Loki => scene.config_of(backend, "").serving(),
            // Packed, as it goes to AWS.
            Backend::Cloudwatch => Config {
                outputs: vec![scene.cloudwatch("log_stream: \"{file}\", compression: gzip")],
                ..scene.config_of(backend, "").serving()
            },
        };
        scene.receiver.set_faults(backend, poison());
        for file in 0..12 {
            let mut series = Numbered::wide(&format!("file-{file}"), 200);
            let path = scene.log(&format!("{file}.log"));
            series.append_to(&path, 6_000);
            append(&path, format!("{file} {BAD}\n"));
            series.append_to(&path, 6_000);
        }
        let agent = scene.start(&config);
        scene.wait_for_stored(backend, 12 * 12_000);
        config.wait_until_no_lag();
        let peak = agent.peak_memory();
        agent.stop_well();
        assert_eq!(config.dead_letters().len(), 12);
        assert_eq!(scene.receiver.summary(backend).stored, 12 * 12_000);
        assert!(peak < MEMORY_CEILING, "{peak} bytes at {backend}");
    }
}
