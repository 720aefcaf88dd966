//! Records that a backend does not take: the others arrive once and in order, and each bad one
//! is in the dead letters once, whatever happens meanwhile.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pinnace::receiver::{Action, Backend, Faults, LokiLimits, Options, Rate};
use serde_json::Value;

use crate::harness::{Account, Config, Numbered, Scene, append, eventually, get, lines_of};

/// What a record holds that no backend takes.
pub(crate) const BAD: &str = "BAD";

pub(crate) fn poison() -> Faults {
    Faults {
        poison: Some(BAD.to_owned()),
        ..Faults::default()
    }
}

pub(crate) fn texts(letters: &[Value]) -> Vec<String> {
    let texts = letters.iter().map(|it| it["text"].as_str().unwrap());
    texts.map(str::to_owned).collect()
}

/// Numbered lines, those at some places bad.
pub(crate) fn lines(count: usize, bad: &[usize]) -> (Vec<String>, Vec<String>) {
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
pub(crate) fn file_of(good: &[String], bad: &[String]) -> String {
    let mut all: Vec<_> = good.iter().chain(bad).map(String::as_str).collect();
    all.sort_unstable();
    all.join("\n") + "\n"
}

/// Writes lines without a time into a file that says so many days ago.
pub(crate) fn append_old(path: &Path, lines: &[String], days: u64) {
    append(path, file_of(lines, &[]));
    let file = fs::File::options().append(true).open(path).unwrap();
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
    file.set_modified(then).unwrap();
}

/// The good lines are stored once and in order, the bad ones are in the dead letters once.
pub(crate) fn assert_settled(
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
pub(crate) fn assert_buried(scene: &Scene, backend: Backend, config: &Config, bad: &[String]) {
    assert_eq!(scene.receiver.summary(backend).repeated, 0);
    let (mut buried, mut bad) = (texts(&config.dead_letters()), bad.to_vec());
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
    let config = scene.config_of(backend, "").serving();
    let (good, bad) = lines(count, places);
    append(&scene.log("app.log"), file_of(&good, &bad));
    scene.receiver.set_faults(backend, poison());
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    let output = format!("output=\"{}\"", backend.name());
    assert_eq!(
        config.metric_sum("pinnace_dead_letters_total", &output),
        bad.len() as u64
    );
    let delivered = format!("{output},result=\"delivered\"");
    assert_eq!(
        config.metric_sum("pinnace_records_total", &delivered),
        good.len() as u64
    );
    let rejected = format!("{output},result=\"rejected\"");
    assert_eq!(
        config.metric_sum("pinnace_records_total", &rejected),
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
        let letter = config.dead_letters().remove(0);
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
fn what_is_too_large_goes_out_in_parts_and_a_record_that_is_too_large_alone_is_bad() {
    for backend in Backend::ALL {
        let scene = Scene::new();
        let config = scene.config_of(backend, "").serving();
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
        assert_eq!(config.metric_sum("pinnace_dead_letters_total", reason), 1);
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
    let config = scene.config_of(Backend::Loki, "").serving();
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
        let config = scene.config_of(backend, "").serving();
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
        let letters = config.metric_sum("pinnace_dead_letters_total", reason);
        agent.stop_well();
        let summary = scene.receiver.summary(backend);
        let rejected = summary.rejected_total();
        // Loki says only how many of one second: where not all of them are meant they are found
        // by halving, and then taken.
        assert!(letters == rejected || backend == Backend::Loki, "{letters}");
        if backend == Backend::Cloudwatch {
            assert_eq!((letters, summary.stored), (10, 91));
            assert_eq!(texts(&config.dead_letters()), all[..10]);
            for letter in config.dead_letters() {
                let answer = letter["answer"].as_str().unwrap();
                assert!(answer.ends_with("older than 14 days"), "{answer}");
            }
            let puts = summary.operation("PutLogEvents") - before;
            assert_eq!(puts, 1, "nothing is sent again");
        }
        let buried = texts(&config.dead_letters());
        let arrived = lines_of(&scene, backend, |_| true);
        assert_eq!(buried.len() + arrived.len(), 101);
        assert_eq!(summary.repeated, 0);
    }
}

#[test]
fn lines_that_are_older_than_the_backend_takes_are_dead_letters_and_hold_up_nothing() {
    for (backend, days) in [(Backend::Loki, 8), (Backend::Cloudwatch, 20)] {
        let scene = Scene::new();
        let config = scene.config_of(backend, "").serving();
        let path = scene.log("app.log");
        let (old, _) = lines(2_000, &[]);
        append_old(&path, &old, days);
        let agent = scene.start(&config);
        let is_buried = || config.dead_letters().len() == old.len();
        assert!(eventually(is_buried), "{}", config.dead_letters().len());
        append(&path, "live\n");
        scene.wait_for_stored(backend, 1);
        config.wait_until_no_lag();
        let reason = "reason=\"too_old\"";
        assert_eq!(
            config.metric_sum("pinnace_dead_letters_total", reason),
            2_000
        );
        agent.stop_well();
        assert_settled(&scene, backend, &config, &["live".to_owned()], &old);
        let requests = scene.receiver.summary(backend).requests;
        assert!(requests < 20, "{requests} requests");
    }
}
