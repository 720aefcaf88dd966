//! Backends that throttle: the rate at which an output sends falls to what is permitted, and climbs
//! back when no throttle comes any more.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use pinnace::receiver::{
    Action, Backend, CloudwatchLimits, Faults, LokiLimits, Observer, Options, Rate,
};

use crate::harness::{Config, Numbered, Scene};

const MIB: u64 = 1 << 20;

/// One backend alone, in requests of so many bytes.
fn in_requests_of(scene: &Scene, backend: Backend, max_bytes: &str) -> Config {
    let mut config = scene.config_of(backend, "");
    config.inputs = vec![scene.input("app", &["*.log"], "max_line: 16KiB")];
    let larger = format!("max_wait: 20ms, max_bytes: {max_bytes}");
    config.outputs[0] = config.outputs[0].replace("max_wait: 20ms", &larger);
    config
}

/// Ships a backlog to a backend with these limits. Of its answers few are throttles: who waits after
/// each, but does not slow down, is throttled half as often as taken.
fn ships_without_hammering(options: Options, backend: Backend, max_bytes: &str, lines: u64) {
    let scene = Scene::with(options);
    let config = in_requests_of(&scene, backend, max_bytes);
    let mut series = Numbered::wide("paced", 199);
    series.append_to(&scene.log("app.log"), lines);
    let agent = scene.start(&config);
    scene.wait_for_stored(backend, series.next);
    config.wait_until_no_lag();
    agent.stop_well();
    scene.assert_series_arrived(backend, &series);
    let summary = scene.receiver.summary(backend);
    let taken = summary.batches;
    let throttled = match backend {
        Backend::Loki => summary.status(429),
        Backend::Cloudwatch => summary.by_error["ThrottlingException"],
    };
    assert!(throttled > 0, "the limit was never reached");
    assert!(
        throttled <= taken / 4,
        "{throttled} requests were throttled, {taken} taken"
    );
}

fn loki_is_not_hammered(loki: LokiLimits) {
    let options = Options {
        loki,
        ..Options::default()
    };
    ships_without_hammering(options, Backend::Loki, "256KiB", 40_000);
}

fn cloudwatch_is_not_hammered(cloudwatch: CloudwatchLimits) {
    let options = Options {
        cloudwatch,
        ..Options::default()
    };
    ships_without_hammering(options, Backend::Cloudwatch, "256KiB", 40_000);
}

fn a_second(count: u64) -> Rate {
    Rate {
        per_second: count,
        burst: count,
    }
}

#[test]
fn a_backlog_comes_near_the_rate_that_loki_permits_to_a_tenant() {
    let loki = LokiLimits {
        tenant_rate: Some(a_second(MIB)),
        ..LokiLimits::default()
    };
    loki_is_not_hammered(loki);
}

#[test]
fn a_backlog_comes_near_the_rate_that_loki_permits_to_a_stream() {
    let loki = LokiLimits {
        stream_rate: Some(a_second(MIB)),
        ..LokiLimits::default()
    };
    loki_is_not_hammered(loki);
}

#[test]
fn a_backlog_comes_near_the_rate_that_cloudwatch_logs_permits_to_an_account() {
    let cloudwatch = CloudwatchLimits {
        rates: vec![("PutLogEvents", a_second(4))],
        ..CloudwatchLimits::default()
    };
    cloudwatch_is_not_hammered(cloudwatch);
}

#[test]
fn a_backlog_comes_near_the_rate_that_cloudwatch_logs_permits_to_a_stream() {
    let cloudwatch = CloudwatchLimits {
        stream_puts: Some(a_second(4)),
        ..CloudwatchLimits::default()
    };
    cloudwatch_is_not_hammered(cloudwatch);
}

/// When how many bytes were taken, of bodies before compression; none with a throttle.
type Answers = Vec<(Instant, u64)>;

/// Bytes a second between two counts of bytes taken, counted from the first of the answers.
fn rate(answers: &[(Instant, u64)], from: u64, to: u64) -> f64 {
    let mut sum = 0;
    let mut sums = answers.iter().map(|&(at, bytes)| {
        sum += bytes;
        (at, sum)
    });
    let (begun, first) = sums.find(|(_, sum)| *sum >= from).unwrap();
    let (ended, last) = sums.find(|(_, sum)| *sum >= to).unwrap();
    (last - first) as f64 / (ended - begun).as_secs_f64()
}

/// The best rate of a mebibyte among those from one to another: the machine has others to serve.
fn best_rate(answers: &[(Instant, u64)], mebibytes: std::ops::Range<u64>) -> f64 {
    let rates = mebibytes.map(|at| rate(answers, at * MIB, (at + 1) * MIB));
    rates.fold(0.0, f64::max)
}

#[test]
fn after_throttles_the_rate_falls_and_climbs_back() {
    for (backend, throttle) in [
        (Backend::Loki, Action::Status(429)),
        (
            Backend::Cloudwatch,
            Action::Error("ThrottlingException".to_owned()),
        ),
    ] {
        let answers = Arc::<Mutex<Answers>>::default();
        let for_observer = Arc::clone(&answers);
        let scene = Scene::with(Options {
            observer: Some(Observer::new(move |exchange| {
                let mut answers = for_observer.lock().unwrap();
                answers.push((Instant::now(), exchange.decoded_bytes));
            })),
            ..Options::default()
        });
        // Long lines that are shipped as they are: even a busy machine takes more than is paced.
        let mut config = in_requests_of(&scene, backend, "64KiB");
        let plain = "max_line: 16KiB, format: plain, multiline: off, redact: []";
        config.inputs = vec![scene.input("app", &["*.log"], plain)];
        config.outputs[0] = config.outputs[0].replace("batch:", "compression: none, batch:");
        let mut series = Numbered::wide("climbs", 7999);
        series.append_to(&scene.log("app.log"), 500);
        let agent = scene.start(&config);
        scene.wait_for_stored(backend, series.next);
        let before = answers.lock().unwrap().clone();
        let faults = Faults::of(throttle).times(2);
        scene.receiver.set_faults(backend, faults);
        series.append_to(&scene.log("app.log"), 1500);
        scene.wait_for_stored(backend, series.next);
        agent.stop_well();
        scene.assert_series_arrived(backend, &series);
        let answers = answers.lock().unwrap();
        let last_throttle = answers.iter().rposition(|(_, bytes)| *bytes == 0).unwrap();
        let after = &answers[last_throttle + 1..];
        let free = best_rate(&before, 1..3);
        let fallen = rate(after, 0, MIB / 2);
        let climbed = best_rate(after, 5..10);
        for much in [free, climbed] {
            assert!(
                much > 2.0 * fallen,
                "{backend}: {free} bytes/s, after throttles {fallen}, then {climbed}"
            );
        }
    }
}
