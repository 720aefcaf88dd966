//! For how long a log group keeps its events: set where we made the group, tried again until it
//! holds, and never in the way of the lines.

use pinnace::receiver::{Action, Backend, Faults};
use serde_json::Value;

use crate::harness::{Agent, Config, PATIENCE, Scene, append, eventually, get};

const OPERATION: &str = "PutRetentionPolicy";

fn config(scene: &Scene, stream: &str) -> Config {
    let create = "create: { log_group: true, retention_in_days: 7 }";
    let output = scene.cloudwatch(&format!("log_stream: {stream}"));
    let output = output.replace("create: { log_group: true }", create);
    scene.config_to(output).serving()
}

/// The retention of the only group, in days.
fn retention(scene: &Scene) -> Value {
    let port = scene.receiver.address().port();
    let (_, groups) = get(port, "/_receiver/streams").unwrap();
    let groups: Value = serde_json::from_str(&groups).unwrap();
    groups["cloudwatch"]["groups"][0]["retention_in_days"].clone()
}

fn attempts(scene: &Scene) -> u64 {
    scene
        .receiver
        .summary(Backend::Cloudwatch)
        .operation(OPERATION)
}

fn fail_with(scene: &Scene, faults: Faults) {
    scene
        .receiver
        .set_faults(Backend::Cloudwatch, faults.on(OPERATION));
}

/// Writes a line and waits until it is delivered.
fn deliver(scene: &Scene, config: &Config, line: u64) -> Agent {
    append(&scene.log("app.log"), format!("{line}\n"));
    let agent = scene.start(config);
    scene.wait_for_stored(Backend::Cloudwatch, line);
    config.wait_until_no_lag();
    agent
}

fn error(code: &str) -> Faults {
    Faults::of(Action::Error(code.to_owned()))
}

#[test]
fn a_retention_that_cannot_be_set_is_tried_again_until_it_holds_and_then_left_alone() {
    let scene = Scene::new();
    let config = config(&scene, "all");
    fail_with(&scene, error("ServiceUnavailableException").times(3));
    let agent = deliver(&scene, &config, 1);
    assert!(eventually(|| retention(&scene) == 7));
    assert_eq!(attempts(&scene), 4);
    let log = agent.stop_well();
    let told = log
        .matches("cannot set for how long the log group keeps")
        .count();
    assert_eq!(told, 1, "{log}");
    deliver(&scene, &config, 2).stop_well();
    assert_eq!(attempts(&scene), 4, "it holds");
}

#[test]
fn a_retention_that_hangs_holds_up_no_line() {
    let scene = Scene::new();
    let config = config(&scene, "all");
    fail_with(&scene, Faults::of(Action::Hang));
    let agent = deliver(&scene, &config, 1);
    let hangs = |it: &pinnace::receiver::Summary| it.hanging > 0;
    assert!(
        scene
            .receiver
            .wait_for(Backend::Cloudwatch, PATIENCE, hangs)
    );
    assert_eq!(retention(&scene), Value::Null);
    append(&scene.log("app.log"), "2\n");
    scene.wait_for_stored(Backend::Cloudwatch, 2);
    config.wait_until_no_lag();
    scene
        .receiver
        .set_faults(Backend::Cloudwatch, Faults::default());
    assert!(eventually(|| retention(&scene) == 7));
    agent.stop_well();
}

#[test]
fn a_missing_permission_is_named_and_the_next_run_goes_on_with_what_is_owed() {
    let scene = Scene::new();
    let config = config(&scene, "all");
    fail_with(&scene, error("AccessDeniedException"));
    let agent = deliver(&scene, &config, 1);
    let line = agent.wait_for_log("cannot set for how long the log group keeps its events");
    for part in [
        "group=\"/apps/test\"",
        "add logs:PutRetentionPolicy to the policy of our role",
    ] {
        assert!(line.contains(part), "{line}");
    }
    agent.kill();
    let notes = config.state_dir.join("retention-cloudwatch.json");
    assert!(notes.exists());
    scene
        .receiver
        .set_faults(Backend::Cloudwatch, Faults::default());
    // Nothing is written any more: it is owed all the same.
    let agent = scene.start(&config);
    assert!(eventually(|| retention(&scene) == 7));
    assert!(eventually(|| !notes.exists()));
    agent.stop_well();
}

#[test]
fn a_group_that_somebody_else_made_keeps_its_retention() {
    let scene = Scene::new();
    deliver(&scene, &scene.cloudwatch_config().serving(), 1).stop_well();
    deliver(&scene, &config(&scene, "another"), 2).stop_well();
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert_eq!(summary.operation("CreateLogStream"), 3);
    assert_eq!((attempts(&scene), retention(&scene)), (0, Value::Null));
}
