//! Backends that fail: outages, throttling, hanging, broken connections. Nothing is missing and
//! nothing is there twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pinnace::receiver::{Action, Backend, Faults};

use crate::harness::{Front, MEMORY_CEILING, Numbered, PATIENCE, Scene, Verdict, eventually, get};

#[test]
fn an_outage_over_five_rotations_loses_nothing_at_loki() {
    outage_over_five_rotations(Backend::Loki);
}

#[test]
fn an_outage_over_five_rotations_loses_nothing_at_cloudwatch() {
    outage_over_five_rotations(Backend::Cloudwatch);
}

/// The rotated names are not among those that the input means. The backend is back once all is
/// written and rotated, so the outage is as long as that takes.
fn outage_over_five_rotations(backend: Backend) {
    let scene = Scene::of_digests();
    let config = scene.config_of(backend, "").serving();
    let mut series = Numbered::wide("outage", 199);
    let path = scene.log("app.log");
    let agent = scene.start(&config);
    series.append_to(&path, 1000);
    scene.wait_for_stored(backend, 1000);
    scene.receiver.pause(backend);
    for rotated in 0..5 {
        series.append_to(&path, 8000);
        scene.rotate(rotated);
        series.append_to(&path, 1);
        // Each rotation is one that the agent sees while it cannot deliver.
        let open = usize::try_from(rotated).unwrap() + 2;
        let is_seen = || config.status_json()["files"].as_array().map(Vec::len) == Some(open);
        assert!(eventually(is_seen), "{:#}", config.status_json());
    }
    agent.wait_for_log("not delivered; nothing is lost");
    let (health, _) = get(config.port(), "/healthz").unwrap();
    let (ready, sentence) = get(config.port(), "/readyz").unwrap();
    assert_eq!((health, ready), (200, 503), "{sentence}");
    assert!(sentence.contains("has not delivered since"), "{sentence}");
    scene.receiver.resume(backend);
    scene.wait_for_stored(backend, series.next);
    config.wait_until_no_lag();
    assert_eq!(get(config.port(), "/readyz").unwrap().0, 200);
    let peak = agent.peak_memory();
    agent.stop_well();
    let summary = scene.receiver.summary(backend);
    assert_eq!(summary.stored, series.next);
    assert_eq!(summary.replayed, 0);
    scene.assert_flawless(backend);
    let expected = crate::harness::expected_digest(&series, series.next);
    assert_eq!(summary.streams[0].digest, expected, "the lines in order");
    assert!(
        peak < MEMORY_CEILING,
        "{peak} bytes of memory at the peak, the ceiling is {MEMORY_CEILING}"
    );
}

/// Writes some lines, lets the backend misbehave, writes more, and compares.
fn with_faults(backend: Backend, faults: Faults, more: &str) -> (Scene, String) {
    let scene = Scene::new();
    let config = scene.config_of(backend, more).serving();
    let mut series = Numbered::new("faulty");
    series.append_to(&scene.log("app.log"), 300);
    let agent = scene.start(&config);
    scene.wait_for_stored(backend, 300);
    scene.receiver.set_faults(backend, faults);
    for _ in 0..3 {
        let before = scene.receiver.summary(backend).requests;
        series.append_to(&scene.log("app.log"), 100);
        scene
            .receiver
            .wait_for(backend, PATIENCE, |it| it.requests > before);
    }
    scene.wait_for_stored(backend, series.next);
    config.wait_until_no_lag();
    let (ready, sentence) = get(config.port(), "/readyz").unwrap();
    assert_eq!(ready, 200, "{sentence}");
    let log = agent.stop_well();
    scene.assert_arrived(backend, &series.all());
    (scene, log)
}

#[test]
fn a_backend_that_answers_500_for_a_while_gets_the_same_again() {
    for backend in Backend::ALL {
        let (scene, log) = with_faults(backend, Faults::of(Action::Status(500)).times(3), "");
        assert_eq!(scene.receiver.summary(backend).status(500), 3);
        assert!(log.contains("not delivered; nothing is lost"), "{log}");
    }
}

#[test]
fn broken_connections_cost_nothing() {
    for backend in Backend::ALL {
        let (scene, _) = with_faults(backend, Faults::of(Action::Reset).times(3), "");
        assert_eq!(scene.receiver.summary(backend).resets, 3);
    }
}

#[test]
fn a_throttling_loki_is_left_alone_for_as_long_as_it_asks() {
    let faults = Faults {
        retry_after: Some(2),
        ..Faults::of(Action::Status(429)).times(1)
    };
    let begun = Instant::now();
    let (scene, _) = with_faults(Backend::Loki, faults, "");
    assert!(begun.elapsed() >= Duration::from_secs(2), "Retry-After");
    assert_eq!(scene.receiver.summary(Backend::Loki).status(429), 1);
}

#[test]
fn a_throttling_cloudwatch_gets_the_same_again() {
    let faults = Faults::of(Action::Error("ThrottlingException".to_owned())).times(3);
    let (scene, log) = with_faults(Backend::Cloudwatch, faults, "");
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert_eq!(summary.by_error["ThrottlingException"], 3);
    assert!(log.contains("Throttling"), "{log}");
}

#[test]
fn a_request_that_hangs_ends_at_its_time_limit_and_is_sent_again() {
    for backend in Backend::ALL {
        let (_, log) = with_faults(
            backend,
            Faults::of(Action::Hang).times(2),
            "request_timeout: 300ms",
        );
        assert!(log.contains("in time") || log.contains("within"), "{log}");
    }
}

#[test]
fn what_loki_stored_before_it_failed_is_told_apart_as_the_very_same() {
    for action in [Action::Status(500), Action::Reset, Action::Hang] {
        let faults = Faults::of(action).times(2).after_storing();
        let (scene, _) = with_faults(Backend::Loki, faults, "request_timeout: 300ms");
        let summary = scene.receiver.summary(Backend::Loki);
        assert!(summary.replayed > 0, "the fault never struck");
    }
}

#[test]
fn wrong_credentials_hold_the_lines_until_they_are_right() {
    for (backend, action) in [
        (Backend::Loki, Action::Status(401)),
        (
            Backend::Cloudwatch,
            Action::Error("ExpiredTokenException".to_owned()),
        ),
    ] {
        let (_, log) = with_faults(backend, Faults::of(action).times(2), "");
        assert!(log.contains("WARN") || log.contains("ERROR"), "{log}");
    }
}

#[test]
fn an_output_that_fails_in_turns_for_two_reasons_writes_each_once_a_minute() {
    let scene = Scene::new();
    let requests = AtomicUsize::new(0);
    let front = Front::scripted(scene.receiver.address(), move |_, _| {
        match requests.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => Verdict::Answer(500, "broken".to_owned()),
            2 => Verdict::Answer(429, "slower".to_owned()),
            _ => Verdict::PassOn,
        }
    });
    let output = scene
        .loki("")
        .replace(&scene.receiver.loki_url(), &front.url("http"));
    let config = scene.config_to(output);
    let mut series = Numbered::new("flip");
    let begun = Instant::now();
    let agent = scene.start(&config);
    for _ in 0..10 {
        series.append_to(&scene.log("app.log"), 1);
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    let log = agent.stop_well();
    let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
    for reason in ["server_error", "throttled"] {
        let reason = format!("reason=\"{reason}\" class");
        let lines = log.lines().filter(|line| line.contains(&reason)).count();
        assert!(
            (1..=1 + minutes).contains(&lines),
            "{lines} of {reason}: {log}"
        );
    }
    let ends = log.matches("delivers again").count();
    assert!((1..=2 * (1 + minutes)).contains(&ends), "{log}");
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn half_of_all_requests_failing_at_random_changes_nothing_in_what_arrives() {
    for backend in Backend::ALL {
        let faults = Faults {
            ratio: 0.5,
            seed: 11,
            count: Some(4),
            ..Faults::of(Action::Status(503))
        };
        let (scene, _) = with_faults(backend, faults, "");
        assert!(scene.receiver.summary(backend).injected > 0);
    }
}
