//! SIGTERM: what was written before it is delivered, nothing is cut in two, and time is kept.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pinnace::receiver::{Action, Backend, Faults};

use super::degraded::assert_says;
use crate::harness::{Account, Agent, Config, Numbered, PATIENCE, Scene, append, lines_of, pass};

/// An application that never stops writing, and often writes half a line first.
struct Writing {
    stop: Arc<AtomicBool>,
    whole_lines: Arc<AtomicU64>,
    thread: Option<JoinHandle<Numbered>>,
}

impl Writing {
    fn to(path: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let whole_lines = Arc::new(AtomicU64::new(0));
        let (told, count) = (Arc::clone(&stop), Arc::clone(&whole_lines));
        let thread = std::thread::spawn(move || {
            let mut series = Numbered::wide("busy", 80);
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
            while !told.load(Ordering::Relaxed) {
                let line = series.next_line();
                let cut = usize::try_from(series.next).unwrap() * 7 % line.len();
                file.write_all(&line.as_bytes()[..cut]).unwrap();
                pass(Duration::from_micros(200));
                file.write_all(&line.as_bytes()[cut..]).unwrap();
                count.store(series.next, Ordering::Release);
            }
            series
        });
        Self {
            stop,
            whole_lines,
            thread: Some(thread),
        }
    }

    fn whole_lines(&self) -> u64 {
        self.whole_lines.load(Ordering::Acquire)
    }

    fn end(mut self) -> Numbered {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The writer never pauses, so each stop lasts until the time is up.
fn ten_stops_in_the_middle_of_writing(backend: Backend) {
    let scene = Scene::new();
    let mut config = match backend {
        Backend::Loki => scene.loki_config(),
        Backend::Cloudwatch => scene.cloudwatch_config(),
    };
    "timeout: 1s, quiet_for: 100ms".clone_into(&mut config.shutdown);
    // An answer that takes its time makes it likely that one is awaited when the time is up.
    scene.receiver.set_faults(
        backend,
        Faults {
            latency_ms: 20,
            ..Faults::default()
        },
    );
    let writing = Writing::to(scene.log("app.log"));
    for round in 0..10 {
        let agent = scene.start(&config);
        let enough = scene.receiver.summary(backend).stored + 50;
        scene.wait_for_stored(backend, enough);
        let before = writing.whole_lines();
        agent.stop_well();
        let stored = scene.receiver.summary(backend).stored;
        assert!(
            stored >= before,
            "round {round}: {before} lines were written before SIGTERM, {stored} had arrived at the end"
        );
    }
    let series = writing.end();
    let agent = scene.start(&config);
    scene.wait_for_stored(backend, series.next);
    agent.stop_well();
    scene.assert_arrived(backend, &series.all());
    assert_eq!(scene.receiver.summary(backend).replayed, 0);
}

#[test]
fn ten_stops_in_the_middle_of_writing_cost_nothing_at_loki() {
    ten_stops_in_the_middle_of_writing(Backend::Loki);
}

#[test]
fn ten_stops_in_the_middle_of_writing_cost_nothing_at_cloudwatch() {
    ten_stops_in_the_middle_of_writing(Backend::Cloudwatch);
}

#[test]
fn what_waits_for_its_batch_goes_out_at_once_when_told_to_stop() {
    let scene = Scene::new();
    let mut config = scene.loki_config();
    config.outputs = vec![scene.loki("").replace("max_wait: 20ms", "max_wait: 5m")];
    let mut series = Numbered::new("waiting");
    let agent = scene.start(&config);
    series.append_to(&scene.log("app.log"), 100);
    let begun = Instant::now();
    agent.stop_well();
    assert!(begun.elapsed() < Duration::from_secs(10));
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn what_comes_after_sigterm_is_delivered_until_the_files_are_quiet() {
    let scene = Scene::new();
    let mut config = scene.loki_config();
    "timeout: 30s, quiet_for: 2s".clone_into(&mut config.shutdown);
    let mut series = Numbered::new("late");
    series.append_to(&scene.log("app.log"), 10);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 10);
    agent.terminate();
    agent.wait_for_log("stopping");
    series.append_to(&scene.log("app.log"), 10);
    series.append_to(&scene.log("new.log"), 10);
    let exit = agent.wait(PATIENCE);
    assert_eq!(exit.code, Some(0), "{}", exit.log);
    assert!(
        exit.log.contains("every complete line is delivered"),
        "{}",
        exit.log
    );
    let arrived = lines_of(&scene, Backend::Loki, |_| true);
    assert_eq!(arrived.len(), 30);
    let mut sorted = arrived;
    sorted.sort();
    Account::of(&series.all(), &sorted).assert_exact("late lines");
}

#[test]
fn a_second_sigterm_ends_it_at_once() {
    let scene = Scene::new();
    let config = scene.loki_config();
    scene
        .receiver
        .set_faults(Backend::Loki, Faults::of(Action::Hang));
    append(&scene.log("app.log"), "never answered\n");
    let agent = scene.start(&config);
    assert!(
        scene
            .receiver
            .wait_for(Backend::Loki, PATIENCE, |it| it.hanging > 0)
    );
    agent.terminate();
    agent.wait_for_log("stopping");
    let begun = Instant::now();
    agent.terminate();
    let exit = agent.wait(Duration::from_secs(5));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(exit.code, Some(0), "{}", exit.log);
    assert!(exit.log.contains("asked twice"), "{}", exit.log);
}

#[test]
fn when_the_time_is_up_it_ends_and_says_what_is_left() {
    let scene = Scene::new();
    let mut config = scene.loki_config();
    "timeout: 1s, quiet_for: 10ms".clone_into(&mut config.shutdown);
    scene.receiver.pause(Backend::Loki);
    let mut series = Numbered::new("left");
    series.append_to(&scene.log("app.log"), 100);
    let bytes = std::fs::metadata(scene.log("app.log")).unwrap().len();
    let agent = scene.start(&config);
    agent.wait_for_log("not delivered; nothing is lost");
    let begun = Instant::now();
    let log = agent.stop_well();
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(log.contains("with lines not yet delivered"), "{log}");
    assert!(log.contains(&format!("bytes={bytes}")), "{log}");
    let last = log.lines().last().unwrap();
    let left = format!("stopped, not delivered: {bytes} bytes to output loki; ");
    assert!(last.contains(&left), "{log}");
    scene.receiver.resume(Backend::Loki);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 100);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn an_unfinished_last_line_waits_for_its_rest_over_a_restart() {
    let scene = Scene::new();
    let config = scene.loki_config();
    append(&scene.log("app.log"), "whole\nhalf of ");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 1);
    let log = agent.stop_well();
    assert!(
        log.contains("a last line without its line end waits"),
        "{log}"
    );
    append(&scene.log("app.log"), "a line\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 2);
    agent.stop_well();
    let arrived = lines_of(&scene, Backend::Loki, |_| true);
    assert_eq!(arrived, ["whole", "half of a line"]);
}

#[test]
fn with_shutdown_final_the_last_line_is_shipped_as_it_is() {
    let scene = Scene::new();
    let config = Config {
        shutdown: "timeout: 30s, quiet_for: 50ms, final: true".to_owned(),
        ..scene.loki_config()
    };
    append(&scene.log("app.log"), "whole\nthe last words");
    append(&scene.log("other.log"), "only words");
    let agent = scene.start(&config);
    let log = agent.stop_well();
    assert!(log.contains("every complete line is delivered"), "{log}");
    let mut arrived = lines_of(&scene, Backend::Loki, |_| true);
    arrived.sort();
    assert_eq!(arrived, ["only words", "the last words", "whole"]);
}

#[test]
fn an_agent_with_nothing_to_do_stops_within_a_second() {
    let scene = Scene::new();
    let agent = scene.start(&scene.loki_config());
    let begun = Instant::now();
    agent.stop_well();
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn what_is_left_at_the_end_stands_in_the_termination_log_with_the_reason() {
    let scene = Scene::new();
    let last_words = scene.dir().join("termination-log");
    let mut config = scene.loki_config();
    config.shutdown = format!(
        "timeout: 500ms, quiet_for: 100ms, termination_log: \"{}\"",
        last_words.display()
    );
    let mut series = Numbered::new("left");
    scene.receiver.pause(Backend::Loki);
    series.append_to(&scene.log("app.log"), 10);
    let agent = scene.start(&config);
    agent.wait_for_log("not delivered; nothing is lost");
    agent.stop_well();
    let bytes = std::fs::metadata(scene.log("app.log")).unwrap().len();
    let told = std::fs::read_to_string(&last_words).unwrap();
    let expected = format!("output loki: {bytes} bytes are not delivered: answered 503");
    assert!(told.starts_with(&expected), "{told}");
    std::fs::remove_file(&last_words).unwrap();
    scene.receiver.resume(Backend::Loki);
    scene.start(&config).stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
    assert!(!last_words.exists(), "nothing is left, and nothing is said");
}

#[test]
fn files_that_wait_for_room_are_delivered_before_the_end_once_others_were_rotated() {
    const FILES: u64 = 50;
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let name = |number: u64| scene.log(&format!("{number:02}.log"));
    let mut all: Vec<_> = (0..FILES)
        .map(|number| Numbered::new(&format!("file{number}")))
        .collect();
    let mut write = || {
        for (number, series) in (0..).zip(&mut all) {
            series.append_to(&name(number), 2);
        }
    };
    write();
    // So many as may be open.
    let agent = Agent::with_descriptors(100, &scene.write(&config));
    scene.wait_for_stored(Backend::Loki, 2 * FILES);
    for number in 0..FILES {
        let rotated = name(number).with_extension("log.1");
        std::fs::rename(name(number), rotated).unwrap();
    }
    write();
    agent.wait_for_log("not all files are read at once");
    let log = agent.stop_well();
    assert!(log.contains("every complete line is delivered"), "{log}");
    for series in &all {
        scene.assert_series_arrived(Backend::Loki, series);
    }
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn rotated_files_make_room_for_others_and_are_read_on_when_they_are_written() {
    const FILES: u64 = 50;
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let name = |number: u64| scene.log(&format!("{number:02}.log"));
    let rotated = |number: u64| name(number).with_extension("log.1");
    let mut all: Vec<_> = (0..FILES)
        .map(|number| Numbered::new(&format!("file{number}")))
        .collect();
    let agent = Agent::with_descriptors(100, &scene.write(&config));
    for round in 1..=2 {
        for (number, series) in (0..).zip(&mut all) {
            series.append_to(&name(number), 2);
        }
        scene.wait_for_stored(Backend::Loki, round * 2 * FILES);
        if round == 1 {
            for number in 0..FILES {
                std::fs::rename(name(number), rotated(number)).unwrap();
            }
        }
    }
    // By a writer who was not told yet.
    for (number, series) in (0..).zip(&mut all) {
        series.append_to(&rotated(number), 1);
    }
    scene.wait_for_stored(Backend::Loki, 5 * FILES);
    config.wait_until_no_lag();
    agent.stop_well();
    for series in &all {
        scene.assert_series_arrived(Backend::Loki, series);
    }
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn what_cannot_be_opened_is_told_at_the_end_and_does_not_hold_it_up() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let path = scene.log("app.log");
    append(&path, "one\ntwo\n");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(&path, closed).unwrap();
    let Some(agent) = scene.launch_powerless(&config, &["--on-error=degrade"]) else {
        return;
    };
    assert_says(&config, "app.log: Permission denied");
    assert_eq!(config.metric("pinnace_lag_bytes{output=\"loki\"}"), Some(8));
    let begun = Instant::now();
    let log = agent.stop_well();
    assert!(begun.elapsed() < Duration::from_secs(10), "{log}");
    assert!(!log.contains("every complete line"), "{log}");
    assert!(
        log.contains("1 file with 8 bytes cannot be opened"),
        "{log}"
    );
    assert!(
        log.contains("not delivered: 8 bytes to output loki"),
        "{log}"
    );
}
