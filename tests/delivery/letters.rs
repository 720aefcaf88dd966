//! What a dead letter says of a batch that an earlier run may have sent: whether its record may be
//! stored all the same.

use std::time::{SystemTime, UNIX_EPOCH};

use pinnace::receiver::{Action, Backend, Faults};
use serde_json::Value;

use crate::harness::{Config, PATIENCE, Scene, append, eventually, lines_of};

fn config(scene: &Scene, backend: Backend, more: &str) -> Config {
    let config = match backend {
        Backend::Loki => scene.config_of(backend, more),
        Backend::Cloudwatch => scene.config_of(backend, &format!("request_timeout: 500ms, {more}")),
    };
    config.serving()
}

/// What a backend stored, sorted.
fn stored(scene: &Scene, backend: Backend) -> Vec<String> {
    let mut lines = lines_of(scene, backend, |_| true);
    lines.sort_unstable();
    lines
}

/// Delivers the first line, then is killed with the other on its way, stored or not.
fn kill_with_a_line_on_its_way(
    scene: &Scene,
    config: &Config,
    [first, line]: [&str; 2],
    is_stored: bool,
) {
    let backend = if config.outputs[0].contains("type: loki") {
        Backend::Loki
    } else {
        Backend::Cloudwatch
    };
    let agent = scene.start(config);
    append(&scene.log("app.log"), format!("{first}\n"));
    scene.wait_for_stored(backend, 1);
    config.wait_until_no_lag();
    let hang = match backend {
        Backend::Loki => Faults::of(Action::Hang).on("push"),
        Backend::Cloudwatch => Faults::of(Action::Hang).on("PutLogEvents"),
    };
    let hang = if is_stored {
        hang.after_storing()
    } else {
        hang
    };
    scene.receiver.set_faults(backend, hang);
    append(&scene.log("app.log"), format!("{line}\n"));
    let hangs = |it: &pinnace::receiver::Summary| it.hanging > 0;
    assert!(scene.receiver.wait_for(backend, PATIENCE, hangs));
    agent.kill();
}

#[test]
fn a_letter_says_whether_the_record_may_be_stored_by_an_earlier_run() {
    let denied = || Some(Action::Error("AccessDeniedException".to_owned()));
    let (loki, cloudwatch) = (Backend::Loki, Backend::Cloudwatch);
    let table = [
        // Loki is not asked what it has; the same bytes are sent again.
        (loki, "", false, None, Some(true)),
        // What is read back and not there is not stored.
        (cloudwatch, "", false, None, Some(false)),
        // What is there needs no letter.
        (cloudwatch, "", true, None, None),
        (
            cloudwatch,
            "verify_after_error: never",
            false,
            None,
            Some(true),
        ),
        (cloudwatch, "", false, denied(), Some(true)),
    ];
    for (backend, more, is_stored, reading, expected) in table {
        let what = format!("{backend} {more} {is_stored} {reading:?}");
        let scene = Scene::new();
        let config = config(&scene, backend, more);
        kill_with_a_line_on_its_way(&scene, &config, ["first", "BAD"], is_stored);
        let faults = reading.map_or_else(Faults::default, |it| Faults::of(it).on("GetLogEvents"));
        let poison = Some("BAD".to_owned());
        scene
            .receiver
            .set_faults(backend, Faults { poison, ..faults });
        let agent = scene.start(&config);
        // One that is taken tells that it was the record.
        append(&scene.log("app.log"), "last\n");
        config.wait_until_no_lag();
        agent.stop_well();
        let letters = config.dead_letters();
        let may_be_stored: Vec<_> = letters.iter().map(|it| &it["may_be_stored"]).collect();
        let expected: Vec<_> = expected.map(Value::Bool).into_iter().collect();
        assert_eq!(may_be_stored, expected.iter().collect::<Vec<_>>(), "{what}");
        let bad = is_stored.then_some("BAD");
        let expected: Vec<_> = bad.into_iter().chain(["first", "last"]).collect();
        assert_eq!(stored(&scene, backend), expected, "{what}");
    }
}

#[test]
fn what_an_earlier_run_may_have_sent_is_no_dead_letter_for_its_age_alone() {
    for (backend, is_stored) in [
        (Backend::Cloudwatch, true),
        (Backend::Cloudwatch, false),
        (Backend::Loki, true),
        (Backend::Loki, false),
    ] {
        let scene = Scene::new();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let line = |text: &str| {
            let seconds = now.as_secs() - 2 * 3600;
            format!(r#"{{"ts":{seconds},"msg":"{text}"}}"#)
        };
        let before = config(&scene, backend, "max_age: 100h");
        kill_with_a_line_on_its_way(&scene, &before, [&line("zero"), &line("one")], is_stored);
        scene.receiver.set_faults(backend, Faults::default());
        let after = config(&scene, backend, "max_age: 1h");
        let agent = scene.start(&after);
        append(&scene.log("app.log"), format!("{}\n", line("two")));
        assert!(eventually(|| after.dead_letters().len() == 1), "{backend}");
        after.wait_until_no_lag();
        agent.stop_well();
        let letter = after.dead_letters().remove(0);
        assert_eq!(letter["text"], line("two"), "{backend} {is_stored}");
        assert_eq!(
            (&letter["reason"], &letter["may_be_stored"]),
            (&Value::from("too_old"), &Value::from(false))
        );
        let expected = [line("one"), line("zero")];
        assert_eq!(stored(&scene, backend), expected, "{is_stored}");
        scene.assert_flawless(backend);
    }
}

#[test]
fn what_was_stored_of_half_a_day_is_no_dead_letter_after_a_kill() {
    for backend in Backend::ALL {
        let scene = Scene::new();
        let config = config(&scene, backend, "");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let line = |hours: u64| {
            let seconds = now.as_secs() - hours * 3600;
            format!(r#"{{"ts":{seconds},"msg":"{hours} hours ago"}}"#)
        };
        let lines: Vec<_> = (0..12).rev().map(line).collect();
        let [first, rest @ ..] = &lines[..] else {
            panic!("there are more");
        };
        kill_with_a_line_on_its_way(&scene, &config, [first, &rest.join("\n")], true);
        scene.receiver.set_faults(backend, Faults::default());
        let agent = scene.start(&config);
        config.wait_until_no_lag();
        agent.stop_well();
        assert_eq!(config.dead_letters(), Vec::<Value>::new(), "{backend}");
        let mut lines = lines;
        lines.sort_unstable();
        assert_eq!(stored(&scene, backend), lines, "{backend}");
        scene.assert_flawless(backend);
    }
}
