//! Log groups and log streams that are not there: who creates them when many come at once, what
//! the waiting for it costs, and what is told where nothing may be created.

use pinnace::receiver::{Action, Backend, CloudwatchLimits, Faults, Options, Rate, Summary};
use serde_json::json;

use crate::aws::{cloudwatch_at, delivers};
use crate::harness::{Config, Numbered, PATIENCE, Scene, ask_aws, eventually, get};

/// Like [`cloudwatch_at`], at the receiver of another scene and with these keys of `create`.
fn creating_at(scene: &Scene, receiver: &Scene, create: &str) -> Config {
    let mut config = cloudwatch_at(scene, &receiver.receiver.cloudwatch_url(), "");
    config.outputs[0] = config.outputs[0].replace(
        "create: { log_group: true }",
        &format!("create: {{ {create} }}"),
    );
    config
}

/// Nothing in a log is more than a piece of news.
fn assert_calm(log: &str) {
    for level in ["WARN", "ERROR"] {
        assert!(!log.contains(level), "{log}");
    }
}

#[test]
fn two_agents_that_create_the_same_group_and_stream_at_once_both_deliver() {
    let (one, other) = (Scene::new(), Scene::new());
    let hang = |operation| {
        let faults = Faults::of(Action::Hang).on(operation);
        one.receiver.set_faults(Backend::Cloudwatch, faults);
    };
    let wait_for = |what: &str, condition: &dyn Fn(&Summary) -> bool| {
        let is_so = one
            .receiver
            .wait_for(Backend::Cloudwatch, PATIENCE, condition);
        assert!(is_so, "{what} were not asked for at once");
    };
    hang("CreateLogGroup");
    let (mut lines, mut agents) = (Vec::new(), Vec::new());
    for (scene, name) in [(&one, "one"), (&other, "other")] {
        let mut series = Numbered::new(name);
        series.append_to(&scene.log("app.log"), 100);
        lines.push(series);
        let config = creating_at(scene, &one, "log_group: true");
        agents.push(scene.start(&config));
    }
    wait_for("two groups", &|it| {
        it.operation("CreateLogGroup") == 2 && it.hanging == 2
    });
    // Each asked for the stream before, and found that there is no group.
    hang("CreateLogStream");
    wait_for("two streams", &|it| {
        it.operation("CreateLogStream") == 4 && it.hanging == 2
    });
    one.receiver
        .set_faults(Backend::Cloudwatch, Faults::default());
    one.wait_for_stored(Backend::Cloudwatch, 200);
    for agent in agents {
        assert_calm(&agent.stop_well());
    }
    let summary = one.receiver.summary(Backend::Cloudwatch);
    assert_eq!(summary.by_error["ResourceAlreadyExistsException"], 2);
    assert_eq!(summary.streams.len(), 1);
    assert_eq!((summary.stored, summary.repeated), (200, 0));
    // Each found nothing once, and put once more what it had.
    assert_eq!(summary.operation("PutLogEvents"), 4);
    for series in &lines {
        one.assert_series_arrived(Backend::Cloudwatch, series);
    }
}

#[test]
fn waiting_for_ones_turn_to_create_is_no_error() {
    for (code, operation) in [
        ("ThrottlingException", "CreateLogGroup"),
        ("ThrottlingException", "CreateLogStream"),
        ("OperationAbortedException", "CreateLogGroup"),
        ("LimitExceededException", "CreateLogStream"),
    ] {
        let scene = Scene::new();
        let faults = Faults::of(Action::Error(code.to_owned())).times(2);
        scene
            .receiver
            .set_faults(Backend::Cloudwatch, faults.on(operation));
        let config = creating_at(&scene, &scene, "log_group: true");
        let log = delivers(&scene, &config, &[]);
        let summary = scene.receiver.summary(Backend::Cloudwatch);
        assert_eq!(summary.by_error[code], 2);
        assert_calm(&log);
        assert!(log.contains("waiting for its turn to create"), "{log}");
    }
}

#[test]
fn a_creation_without_a_sure_answer_leaves_no_line_in_doubt() {
    for action in [Action::Status(500), Action::Reset] {
        for operation in ["CreateLogGroup", "CreateLogStream"] {
            let scene = Scene::new();
            let faults = Faults::of(action.clone()).times(2).on(operation);
            scene
                .receiver
                .set_faults(Backend::Cloudwatch, faults.after_storing());
            let never = "verify_after_error: never";
            let config = cloudwatch_at(&scene, &scene.receiver.cloudwatch_url(), never);
            let log = delivers(&scene, &config, &[]);
            assert!(log.contains("not delivered; nothing is lost"), "{log}");
            // The put before it was answered with "not found".
            assert!(!log.contains("may be stored already"), "{log}");
        }
    }
}

/// Agents of the fleet, and files of each, with a stream for each file.
const AGENTS: usize = 3;
const FILES: usize = 12;
const LINES: u64 = 20;

#[test]
fn a_fleet_that_starts_at_once_waits_for_its_turn_and_delivers_all() {
    let rate = Rate {
        per_second: 8,
        burst: 2,
    };
    let scene = Scene::with(Options {
        cloudwatch: CloudwatchLimits {
            rates: vec![("CreateLogStream", rate)],
            ..CloudwatchLimits::default()
        },
        ..Options::default()
    });
    let folders: Vec<Scene> = (0..AGENTS).map(|_| Scene::new()).collect();
    let (mut lines, mut agents) = (Vec::new(), Vec::new());
    for (agent, folder) in folders.iter().enumerate() {
        for file in 0..FILES {
            let mut series = Numbered::new(&format!("a{agent}f{file:02}"));
            series.append_to(&folder.log(&format!("{}.log", series.name)), LINES);
            lines.push(series);
        }
        let mut config = creating_at(folder, &scene, "log_group: true");
        let to_each = config.outputs[0].replace("log_stream: all", "log_stream: \"{file}\"");
        config.outputs = vec![to_each];
        agents.push(folder.start(&config));
    }
    scene.wait_for_stored(Backend::Cloudwatch, lines.len() as u64 * LINES);
    for agent in agents {
        assert_calm(&agent.stop_well());
    }
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert!(summary.by_error["ThrottlingException"] > 0, "{summary:#?}");
    assert_eq!(summary.streams.len(), AGENTS * FILES);
    assert_eq!((summary.rejected_total(), summary.repeated), (0, 0));
    let others = summary.violations.iter().filter(|it| it.rule != "rate");
    assert_eq!(others.count(), 0, "{:#?}", summary.violations);
    for series in &lines {
        scene.assert_series_arrived(Backend::Cloudwatch, series);
    }
}

#[test]
fn a_group_that_is_deleted_while_the_agent_runs_is_made_again_as_it_was() {
    let scene = Scene::new();
    let config = creating_at(&scene, &scene, "log_group: true, retention_in_days: 14");
    let mut series = Numbered::new("again");
    series.append_to(&scene.log("app.log"), 10);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Cloudwatch, 10);
    let port = scene.receiver.address().port();
    let keeps_14_days = || {
        let groups = get(port, "/_receiver/streams");
        groups.is_some_and(|(_, groups)| groups.contains("\"retention_in_days\":14"))
    };
    assert!(eventually(keeps_14_days));
    // With it goes all that was in it.
    scene.receiver.clear();
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Cloudwatch, 10);
    assert!(eventually(keeps_14_days));
    let log = agent.stop_well();
    assert_calm(&log);
    assert_eq!(log.matches("created the log group").count(), 2, "{log}");
    scene.assert_arrived(Backend::Cloudwatch, &series.all()[10..]);
}

#[test]
fn what_may_not_be_created_is_told_in_one_sentence_and_waited_for() {
    // Where the agent may make the stream itself, it does so as soon as there is a group.
    for (create, sentence, to_create) in [
        (
            "log_stream: false",
            "there is no log stream all in /apps/test: create it, or set create.log_stream: true",
            ["CreateLogGroup", "CreateLogStream"].as_slice(),
        ),
        (
            "log_group: false",
            "there is no log group /apps/test: create it, or set create.log_group: true",
            &["CreateLogGroup"],
        ),
    ] {
        let scene = Scene::new();
        let mut series = Numbered::new("waits");
        series.append_to(&scene.log("app.log"), 10);
        let agent = scene.start(&creating_at(&scene, &scene, create));
        let tried = |it: &Summary| it.operation("PutLogEvents") >= 4;
        let is_tried = scene
            .receiver
            .wait_for(Backend::Cloudwatch, PATIENCE, tried);
        assert!(is_tried);
        let log = agent.log_text();
        assert_eq!(log.matches(sentence).count(), 1, "{log}");
        let group = json!({ "logGroupName": "/apps/test" });
        let stream = json!({ "logGroupName": "/apps/test", "logStreamName": "all" });
        let bodies = [group, stream];
        for (operation, body) in to_create.iter().zip(&bodies) {
            ask_aws(scene.receiver.address(), operation, body);
        }
        scene.wait_for_stored(Backend::Cloudwatch, 10);
        agent.stop_well();
        scene.assert_arrived(Backend::Cloudwatch, &series.all());
    }
}

#[test]
fn a_group_is_made_with_its_class_and_is_never_read_back() {
    let scene = Scene::new();
    let class = "log_group: true, class: infrequent_access, retention_in_days: 7";
    let config = creating_at(&scene, &scene, class);
    let faults = Faults::of(Action::Error("ServiceUnavailableException".to_owned()));
    scene
        .receiver
        .set_faults(Backend::Cloudwatch, faults.times(1).on("PutLogEvents"));
    let log = delivers(&scene, &config, &[]);
    assert!(
        log.contains("sending a batch again that may be stored already"),
        "{log}"
    );
    let operations = &scene.receiver.summary(Backend::Cloudwatch).by_operation;
    assert!(!operations.contains_key("GetLogEvents"), "{operations:?}");
    let (_, streams) = get(scene.receiver.address().port(), "/_receiver/streams").unwrap();
    assert!(streams.contains("INFREQUENT_ACCESS"), "{streams}");
    assert!(streams.contains("\"retention_in_days\":7"), "{streams}");
}
