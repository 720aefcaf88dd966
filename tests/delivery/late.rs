//! Puts that are carried out after the agent that sent them is gone, or goes on by another
//! configuration: they are waited for as long as they may be at work, and found.

use std::time::{Duration, Instant};

use pinnace::receiver::{Action, Backend, Faults, Summary};

use crate::harness::{Agent, Config, Numbered, PATIENCE, Scene, eventually};

/// What was stored is taken to be visible after this; until then "not seen" means nothing.
const VISIBLE_AFTER_MS: u64 = 5000;

/// A configuration with this time limit for a request.
fn config(scene: &Scene, limit_ms: u64) -> Config {
    let more = format!("request_timeout: {limit_ms}ms");
    Config {
        shutdown: "timeout: 200ms, quiet_for: 50ms".to_owned(),
        ..scene.config_of(Backend::Cloudwatch, &more)
    }
}

/// A put of an agent with a long time limit lands after so many milliseconds, when `next` has put
/// another agent, or configuration, in its place that has a short limit.
fn outlive(late_ms: u64, limit_ms: u64, next: impl FnOnce(&Scene, Agent, &Config) -> Agent) {
    let scene = Scene::new();
    let mut series = Numbered::new("late");
    let first = config(&scene, limit_ms).serving();
    let agent = scene.start(&first);
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Cloudwatch, 10);
    let faults = Faults {
        late_ms: Some(late_ms),
        ..Faults::of(Action::Hang).times(1).on("PutLogEvents")
    };
    scene.receiver.set_faults(Backend::Cloudwatch, faults);
    series.append_to(&scene.log("app.log"), 10);
    let hangs = |it: &Summary| it.hanging > 0;
    let receiver = &scene.receiver;
    assert!(receiver.wait_for(Backend::Cloudwatch, PATIENCE, hangs));
    let put_at = Instant::now();
    let second = Config {
        port: first.port,
        ..config(&scene, 500)
    };
    let agent = next(&scene, agent, &second);
    series.append_to(&scene.log("app.log"), 10);
    second.wait_until_no_lag();
    assert_eq!(second.metric_sum("pinnace_replayed_batches_total", ""), 1);
    assert_eq!(second.metric_sum("pinnace_doubtful_resends_total", ""), 0);
    agent.stop_well();
    // Where it was not waited for it lands now.
    let has_landed = || put_at.elapsed() > Duration::from_millis(late_ms + 500);
    assert!(eventually(has_landed));
    assert_eq!(receiver.summary(Backend::Cloudwatch).repeated, 0);
    scene.assert_series_arrived(Backend::Cloudwatch, &series);
}

#[test]
fn a_put_that_lands_long_after_a_kill_is_found_and_not_sent_again() {
    outlive(VISIBLE_AFTER_MS + 2000, 8000, |scene, agent, second| {
        agent.kill();
        scene.start(second)
    });
}

#[test]
fn a_put_that_lands_long_after_a_stop_is_found_and_not_sent_again() {
    outlive(VISIBLE_AFTER_MS + 2000, 8000, |scene, agent, second| {
        let log = agent.stop_well();
        assert!(log.contains("not delivered"), "{log}");
        scene.start(second)
    });
}

#[test]
fn a_put_that_lands_long_after_another_configuration_is_found_and_not_sent_again() {
    // A change waits 3 s for answers first.
    outlive(VISIBLE_AFTER_MS + 4500, 10_000, |scene, agent, second| {
        scene.change(&agent, second);
        agent
    });
}
