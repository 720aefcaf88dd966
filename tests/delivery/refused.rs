//! Records that a backend does not take: the others arrive once and in order, and each bad one
//! is in the dead letters once, whatever happens meanwhile.

use std::fs;
use std::time::{Duration, SystemTime};

use pinnace::receiver::{Action, Backend, Faults, LokiLimits, Options, Rate};
use serde_json::Value;

use crate::harness::{
    Account, Agent, Config, MEMORY_CEILING, Numbered, PATIENCE, Scene, append, eventually, get,
    lines_of,
};

/// What a record holds that no backend takes.
const BAD: &str = "BAD";

fn poison() -> Faults {
    Faults {
        poison: Some(BAD.to_owned()),
        ..Faults::default()
    }
}

fn config_of(scene: &Scene, backend: Backend) -> Config {
    let config = match backend {
        Backend::Loki => scene.loki_config(),
        Backend::Cloudwatch => scene.cloudwatch_config(),
    };
    config.serving()
}

fn dead_letters(config: &Config) -> Vec<Value> {
    let path = config.state_dir.join("dead-letters.ndjson");
    let text = fs::read_to_string(path).unwrap_or_default();
    // It may be read while it is written: what has no end yet is no letter.
    let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let lines = whole.lines();
    lines.map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn texts(letters: &[Value]) -> Vec<String> {
    let texts = letters.iter().map(|it| it["text"].as_str().unwrap());
    texts.map(str::to_owned).collect()
}

/// The sum of all series of a metric whose labels hold `sign`.
fn metric(config: &Config, name: &str, sign: &str) -> u64 {
    let (_, text) = get(config.port(), "/metrics").unwrap();
    let series = text
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(sign));
    series
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

/// Numbered lines, those at some places bad.
fn lines(count: usize, bad: &[usize]) -> (Vec<String>, Vec<String>) {
    let mut series = Numbered::new("line");
    let all = (0..count).map(|place| {
        let line = series.next_line().trim_end().to_owned();
        if bad.contains(&place) {
            format!("{line} {BAD}")
        } else {
            line
        }
    });
    all.partition(|line| !line.contains(BAD))
}

/// The lines as they stand in a file.
fn file_of(good: &[String], bad: &[String]) -> String {
    let mut all: Vec<_> = good.iter().chain(bad).map(String::as_str).collect();
    all.sort_unstable();
    all.join("\n") + "\n"
}

/// The good lines are stored once and in order, the bad ones are in the dead letters once.
fn assert_settled(
    scene: &Scene,
    backend: Backend,
    config: &Config,
    good: &[String],
    bad: &[String],
) {
    let arrived = lines_of(scene, backend, |_| true);
    Account::of(good, &arrived).assert_exact(backend.name());
    assert_buried(scene, backend, config, bad);
}

/// Nothing is stored twice, and the bad lines are in the dead letters once.
fn assert_buried(scene: &Scene, backend: Backend, config: &Config, bad: &[String]) {
    assert_eq!(scene.receiver.summary(backend).repeated, 0);
    let (mut buried, mut bad) = (texts(&dead_letters(config)), bad.to_vec());
    buried.sort_unstable();
    bad.sort_unstable();
    assert_eq!(buried, bad);
}

/// Writes lines of which some are bad, in one batch, and waits until all are settled: in order.
fn settle(backend: Backend, count: usize, places: &[usize]) -> (Scene, Config) {
    let (scene, config, good, bad) = settle_somehow(backend, count, places);
    assert_settled(&scene, backend, &config, &good, &bad);
    (scene, config)
}

/// The same, whatever the order.
fn settle_somehow(
    backend: Backend,
    count: usize,
    places: &[usize],
) -> (Scene, Config, Vec<String>, Vec<String>) {
    let scene = Scene::new();
    let config = config_of(&scene, backend);
    let (good, bad) = lines(count, places);
    append(&scene.log("app.log"), file_of(&good, &bad));
    scene.receiver.set_faults(backend, poison());
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    let output = format!("output=\"{}\"", backend.name());
    assert_eq!(
        metric(&config, "pinnace_dead_letters_total", &output),
        bad.len() as u64
    );
    let delivered = format!("{output},result=\"delivered\"");
    assert_eq!(
        metric(&config, "pinnace_records_total", &delivered),
        good.len() as u64
    );
    let rejected = format!("{output},result=\"rejected\"");
    assert_eq!(
        metric(&config, "pinnace_records_total", &rejected),
        bad.len() as u64
    );
    assert_eq!(get(config.port(), "/readyz").unwrap().0, 200);
    let (_, status) = config.status_text();
    assert!(status.contains("- dead letters: "), "{status}");
    let log = agent.stop_well();
    assert!(log.contains("the destination refuses records"), "{log}");
    (scene, config, good, bad)
}

#[test]
fn a_bad_record_takes_no_other_with_it_wherever_it_stands() {
    for backend in Backend::ALL {
        for places in [&[0][..], &[99], &[50], &[0, 1], &[49, 50, 98], &[3, 99]] {
            settle(backend, 100, places);
        }
    }
}

#[test]
fn one_bad_record_of_ten_thousand_costs_few_requests() {
    for backend in Backend::ALL {
        let (scene, config) = settle(backend, 10_000, &[7_001]);
        let requests = scene.receiver.summary(backend).requests;
        assert!(requests < 40, "{requests} requests to {backend}");
        let letter = dead_letters(&config).remove(0);
        assert_eq!(letter["reason"], "refused");
        assert_eq!(letter["output"], backend.name());
        assert_eq!(letter["may_be_stored"], false);
        let path = scene.log("app.log").display().to_string();
        assert_eq!(letter["spans"][0]["path"], path);
        assert!(letter["answer"].as_str().unwrap().contains("acceptable"));
    }
}

#[test]
fn a_batch_of_which_half_is_bad_is_settled_too() {
    for backend in Backend::ALL {
        let places: Vec<_> = (0..60).filter(|place| place % 2 == 0).collect();
        settle(backend, 60, &places);
    }
}

#[test]
fn more_bad_records_together_than_are_believed_in_a_row_hold_up_nothing() {
    for backend in Backend::ALL {
        let places: Vec<_> = (20..60).collect();
        let (scene, config, good, bad) = settle_somehow(backend, 100, &places);
        // A good one behind them was tried early.
        let mut arrived = lines_of(&scene, backend, |_| true);
        arrived.sort_unstable();
        Account::of(&good, &arrived).assert_exact(backend.name());
        assert_buried(&scene, backend, &config, &bad);
    }
}

#[test]
fn when_all_is_refused_it_is_held_and_not_poured_into_the_dead_letters() {
    for (backend, action) in [
        (Backend::Loki, Action::Status(400)),
        (
            Backend::Cloudwatch,
            Action::Error("InvalidParameterException".to_owned()),
        ),
    ] {
        let scene = Scene::new();
        let config = config_of(&scene, backend);
        let (good, _) = lines(300, &[]);
        append(&scene.log("app.log"), file_of(&good, &[]));
        let refusing = Faults::of(action).on("push").on("PutLogEvents");
        scene.receiver.set_faults(backend, refusing);
        let agent = scene.start(&config);
        agent.wait_for_log("it is not the records");
        let (ready, sentence) = get(config.port(), "/readyz").unwrap();
        assert_eq!(ready, 503);
        assert!(
            sentence.contains("dead_letters.when_all_refused"),
            "{sentence}"
        );
        let reason = "reason=\"all_refused\"";
        assert_eq!(metric(&config, "pinnace_output_blocked", reason), 1);
        let requests = scene.receiver.summary(backend).requests;
        assert!(requests < 100, "{requests} requests");
        scene.receiver.set_faults(backend, Faults::default());
        config.wait_until_no_lag();
        assert_eq!(get(config.port(), "/readyz").unwrap().0, 200);
        agent.stop_well();
        assert_settled(&scene, backend, &config, &good, &[]);
    }
}

#[test]
fn where_it_is_configured_all_that_is_refused_is_written() {
    let scene = Scene::new();
    let config = Config {
        top: "dead_letters: { when_all_refused: write }".to_owned(),
        ..config_of(&scene, Backend::Loki)
    };
    let (good, bad) = lines(300, &(0..300).collect::<Vec<_>>());
    append(&scene.log("app.log"), file_of(&good, &bad));
    scene.receiver.set_faults(Backend::Loki, poison());
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    agent.stop_well();
    let mut buried = texts(&dead_letters(&config));
    buried.sort_unstable();
    assert_eq!(buried, bad);
}

#[test]
fn a_single_bad_line_in_a_quiet_log_waits_for_the_next_line_alone() {
    for backend in Backend::ALL {
        let scene = Scene::new();
        let config = config_of(&scene, backend);
        scene.receiver.set_faults(backend, poison());
        let path = scene.log("app.log");
        append(&path, "first BAD\n");
        let agent = scene.start(&config);
        agent.wait_for_log("it waits for one");
        append(&path, "second BAD\n");
        let two = |it: &pinnace::receiver::Summary| it.requests >= 3;
        assert!(scene.receiver.wait_for(backend, PATIENCE, two));
        append(&path, "third\n");
        config.wait_until_no_lag();
        // Now the stream is known to work: a bad line waits for nothing.
        append(&path, "fourth BAD\n");
        let is_buried = || dead_letters(&config).len() == 3;
        assert!(eventually(is_buried));
        config.wait_until_no_lag();
        agent.stop_well();
        let good = ["third".to_owned()];
        let bad = ["first BAD", "second BAD", "fourth BAD"].map(str::to_owned);
        assert_settled(&scene, backend, &config, &good, &bad);
    }
}

#[test]
fn what_is_too_large_goes_out_in_parts_and_a_record_that_is_too_large_alone_is_bad() {
    for backend in Backend::ALL {
        let scene = Scene::new();
        let config = config_of(&scene, backend);
        let (mut good, _) = lines(200, &[]);
        let bad = vec![format!("line 00000100 {BAD} {}", "x".repeat(3000))];
        good.remove(100);
        append(&scene.log("app.log"), file_of(&good, &bad));
        let faults = Faults {
            above_bytes: Some(2000),
            ..Faults::default()
        };
        scene.receiver.set_faults(backend, faults);
        let agent = scene.start(&config);
        config.wait_until_no_lag();
        let reason = "reason=\"too_large\"";
        assert_eq!(metric(&config, "pinnace_dead_letters_total", reason), 1);
        agent.stop_well();
        assert_settled(&scene, backend, &config, &good, &bad);
    }
}

#[test]
fn a_push_above_the_burst_is_divided() {
    let rate = Rate {
        per_second: 4_000,
        burst: 4_000,
    };
    let scene = Scene::with(Options {
        loki: LokiLimits {
            tenant_rate: Some(rate),
            ..LokiLimits::default()
        },
        ..Options::default()
    });
    let config = config_of(&scene, Backend::Loki);
    let (good, _) = lines(500, &[]);
    append(&scene.log("app.log"), file_of(&good, &[]));
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 500);
    config.wait_until_no_lag();
    agent.stop_well();
    assert_settled(&scene, Backend::Loki, &config, &good, &[]);
    assert!(scene.receiver.summary(Backend::Loki).status(429) >= 3);
}

#[test]
fn what_a_backend_rejects_one_by_one_is_accounted_for_and_nothing_is_sent_again() {
    for backend in Backend::ALL {
        let scene = Scene::new();
        let config = config_of(&scene, backend);
        let path = scene.log("app.log");
        append(&path, "before\n");
        let agent = scene.start(&config);
        scene.wait_for_stored(backend, 1);
        let before = scene.receiver.summary(backend).operation("PutLogEvents");
        let faults = Faults::of(Action::Reject(0.1)).times(1);
        let faults = faults.on("push").on("PutLogEvents");
        scene.receiver.set_faults(backend, faults);
        let (all, _) = lines(100, &[]);
        append(&path, file_of(&all, &[]));
        scene.wait_for_stored(backend, 91);
        config.wait_until_no_lag();
        let reason = "reason=\"too_old\"";
        let letters = metric(&config, "pinnace_dead_letters_total", reason);
        agent.stop_well();
        let summary = scene.receiver.summary(backend);
        let rejected = summary.rejected_total();
        // Loki says only how many of one second: where not all of them are meant they are found
        // by halving, and then taken.
        assert!(letters == rejected || backend == Backend::Loki, "{letters}");
        if backend == Backend::Cloudwatch {
            assert_eq!((letters, summary.stored), (10, 91));
            assert_eq!(texts(&dead_letters(&config)), all[..10]);
            let puts = summary.operation("PutLogEvents") - before;
            assert_eq!(puts, 1, "nothing is sent again");
        }
        let buried = texts(&dead_letters(&config));
        let arrived = lines_of(&scene, backend, |_| true);
        assert_eq!(buried.len() + arrived.len(), 101);
        assert_eq!(summary.repeated, 0);
    }
}

#[test]
fn lines_that_are_older_than_the_backend_takes_are_dead_letters_and_hold_up_nothing() {
    for (backend, days) in [(Backend::Loki, 8), (Backend::Cloudwatch, 20)] {
        let scene = Scene::new();
        let config = config_of(&scene, backend);
        let path = scene.log("app.log");
        let (old, _) = lines(2_000, &[]);
        append(&path, file_of(&old, &[]));
        let file = fs::File::options().append(true).open(&path).unwrap();
        let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        file.set_modified(then).unwrap();
        let agent = scene.start(&config);
        let is_buried = || dead_letters(&config).len() == old.len();
        assert!(eventually(is_buried), "{}", dead_letters(&config).len());
        append(&path, "live\n");
        scene.wait_for_stored(backend, 1);
        config.wait_until_no_lag();
        let reason = "reason=\"too_old\"";
        assert_eq!(metric(&config, "pinnace_dead_letters_total", reason), 2_000);
        agent.stop_well();
        assert_settled(&scene, backend, &config, &["live".to_owned()], &old);
        let requests = scene.receiver.summary(backend).requests;
        assert!(requests < 20, "{requests} requests");
    }
}

#[test]
fn killed_while_it_looks_for_the_bad_ones_it_loses_and_doubles_nothing() {
    // Reading back after a start takes its time.
    for (backend, kills, requests) in [(Backend::Loki, 8, 4), (Backend::Cloudwatch, 3, 9)] {
        let scene = Scene::new();
        let config = config_of(&scene, backend);
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
        let replayed = metric(&config, "pinnace_replayed_batches_total", "");
        assert_eq!(replayed, 1, "the last kill met no batch on its way");
        agent.stop_well();
        assert_settled(&scene, backend, &config, &good, &bad);
    }
}

#[test]
fn full_dead_letters_hold_the_stream_until_there_is_room() {
    let scene = Scene::new();
    let config = Config {
        top: "dead_letters: { max_bytes: 64KiB }".to_owned(),
        ..config_of(&scene, Backend::Loki)
    };
    scene.receiver.set_faults(Backend::Loki, poison());
    let path = scene.log("app.log");
    let bad: Vec<_> = (0..3)
        .map(|number| format!("{number} {BAD} {}", "y".repeat(30_000)))
        .collect();
    append(&path, format!("good\n{}\nlast\n", bad.join("\n")));
    let agent = scene.start(&config);
    let said = agent.wait_for_log("dead_letters.max_bytes");
    assert!(said.contains("move the file away"), "{said}");
    assert_eq!(dead_letters(&config).len(), 2);
    let (ready, sentence) = get(config.port(), "/readyz").unwrap();
    assert_eq!(ready, 503, "{sentence}");
    let letters = config.state_dir.join("dead-letters.ndjson");
    fs::rename(&letters, scene.dir().join("moved")).unwrap();
    config.wait_until_no_lag();
    assert_eq!(get(config.port(), "/readyz").unwrap().0, 200);
    agent.stop_well();
    assert_eq!(texts(&dead_letters(&config)), bad[2..]);
    let good = ["good", "last"].map(str::to_owned);
    let arrived = lines_of(&scene, Backend::Loki, |_| true);
    Account::of(&good, &arrived).assert_exact("loki");
}

#[test]
fn full_dead_letters_drop_and_count_where_that_is_configured() {
    let scene = Scene::new();
    let config = Config {
        top: "dead_letters: { max_bytes: 64KiB, when_full: drop }".to_owned(),
        ..config_of(&scene, Backend::Cloudwatch)
    };
    scene.receiver.set_faults(Backend::Cloudwatch, poison());
    let bad: Vec<_> = (0..4)
        .map(|number| format!("{number} {BAD} {}", "y".repeat(30_000)))
        .collect();
    let text = format!("good\n{}\nlast\n", bad.join("\n"));
    append(&scene.log("app.log"), text);
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    assert_eq!(metric(&config, "pinnace_dead_letters_total", "refused"), 2);
    let dropped = "pinnace_dead_letters_dropped_total";
    assert_eq!(metric(&config, dropped, "refused"), 2);
    agent.stop_well();
    assert_eq!(texts(&dead_letters(&config)), bad[..2]);
}

#[test]
fn a_stream_that_is_refused_holds_up_no_other() {
    let scene = Scene::new();
    let config = Config {
        outputs: vec![scene.loki("structured_metadata: { file: \"{path}\" }")],
        ..config_of(&scene, Backend::Loki)
    };
    scene.receiver.set_faults(Backend::Loki, poison());
    let (good, _) = lines(50, &[]);
    let (_, bad) = lines(50, &(0..50).collect::<Vec<_>>());
    append(&scene.log("bad.log"), file_of(&[], &bad));
    append(&scene.log("good.log"), file_of(&good, &[]));
    let agent = scene.start(&config);
    agent.wait_for_log("it is not the records");
    scene.wait_for_stored(Backend::Loki, 50);
    append(&scene.log("good.log"), "one more\n");
    scene.wait_for_stored(Backend::Loki, 51);
    let (ready, sentence) = get(config.port(), "/readyz").unwrap();
    assert_eq!(ready, 503, "one stream waits, and that is said: {sentence}");
    assert_eq!(dead_letters(&config).len(), 0);
    agent.kill();
}

/// Lets the agent die again and again at a named place of its code while it looks for bad lines
/// between good ones, many of which are equal.
fn die_at(backend: Backend, place: &str, deaths: u64) {
    let scene = Scene::new();
    let config = config_of(&scene, backend);
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
    let mut buried = texts(&dead_letters(&config));
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
            Backend::Loki => config_of(&scene, backend),
            // Packed, as it goes to AWS.
            Backend::Cloudwatch => Config {
                outputs: vec![scene.cloudwatch("log_stream: \"{file}\", compression: gzip")],
                ..config_of(&scene, backend)
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
        assert_eq!(dead_letters(&config).len(), 12);
        assert_eq!(scene.receiver.summary(backend).stored, 12 * 12_000);
        assert!(peak < MEMORY_CEILING, "{peak} bytes at {backend}");
    }
}
