//! `pinnace check --live` where something is not permitted, not found or out of time: each is told
//! with its mending.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use pinnace::receiver::{Action, Backend, Faults};

use crate::aws::cloudwatch_at;
use crate::harness::{Config, Front, Scene, append, header, skipped};
use crate::live::{check, command, fails, line, without};
use crate::tls::loki_at;

/// With `--write` this step fails with this sentence, and nothing is stored.
fn cannot_write(scene: &Scene, config: &Config, start: &str, sentence: &str) {
    let (code, text) = check(scene, config, &["--write"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        line(&text, start).contains(sentence),
        "{sentence:?} in\n{text}"
    );
    for backend in Backend::ALL {
        assert_eq!(scene.receiver.summary(backend).stored, 0, "{text}");
    }
}

#[test]
fn a_test_record_that_may_not_be_written_is_told_with_what_to_permit() {
    for (operation, start) in [
        ("PutLogEvents", "FAIL put"),
        ("CreateLogStream", "FAIL write"),
        ("CreateLogGroup", "FAIL write"),
    ] {
        let scene = Scene::new();
        let front = without(&scene, operation);
        let config = cloudwatch_at(&scene, &front.url("http"), "");
        let sentence = format!("add logs:{operation} to the policy");
        cannot_write(&scene, &config, start, &sentence);
    }
    let scene = Scene::new();
    let denied = Faults::of(Action::Status(403));
    scene.receiver.set_faults(Backend::Loki, denied);
    let config = loki_at(&scene, &scene.receiver.loki_url(), "");
    cannot_write(
        &scene,
        &config,
        "FAIL push",
        "these credentials may not push",
    );
}

#[test]
fn a_policy_that_lets_only_empty_puts_through_is_found_by_writing() {
    let scene = Scene::new();
    let front = Front::judging(
        scene.receiver.address(),
        Box::new(|parts, body| {
            let is_put = header(parts, "x-amz-target").ends_with("PutLogEvents");
            let is_empty = !String::from_utf8_lossy(body).contains("test record");
            let refusal = r#"{"__type":"AccessDeniedException","message":"not authorized"}"#;
            (is_put && !is_empty).then(|| (400, refusal.to_owned()))
        }),
    );
    let config = cloudwatch_at(&scene, &front.url("http"), "");
    assert_eq!(check(&scene, &config, &[]).0, Some(0));
    let sentence = "add logs:PutLogEvents to the policy";
    cannot_write(&scene, &config, "FAIL write", sentence);
}

#[test]
fn a_name_that_has_no_address_is_told() {
    let scene = Scene::new();
    let sentence = "cannot find the address of logs.hidden.test";
    for config in [
        loki_at(&scene, "http://logs.hidden.test", ""),
        cloudwatch_at(&scene, "https://logs.hidden.test", ""),
    ] {
        fails(&scene, &config, "FAIL name", sentence);
        fails(&scene, &config, "FAIL name", "this machine's DNS");
    }
}

#[test]
fn a_clock_that_is_wrong_is_told_by_the_date_of_the_answer() {
    let scene = Scene::new();
    for (code, start) in [
        // What an empty put is answered where all else is right.
        ("InvalidParameterException", "FAIL clock"),
        ("InvalidSignatureException", "FAIL put"),
    ] {
        let front = Front::answering(move |_, _| {
            (
                400,
                format!(r#"{{"__type":"{code}","message":"so it is"}}"#),
            )
        });
        let config = cloudwatch_at(&scene, &front.url("http"), "");
        for (date, way) in [
            ("Fri, 27 Nov 2020 00:00:00 GMT", "ahead of"),
            ("Fri, 27 Nov 2071 00:00:00 GMT", "behind"),
        ] {
            front.set_date(date);
            let (status, text) = check(&scene, &config, &[]);
            assert_eq!(status, Some(1), "{text}");
            let told = line(&text, start);
            assert!(told.contains(way) && told.contains("set it"), "{told}");
        }
    }
}

/// What is told of the inputs to a user who owns nothing; nothing where that user cannot run the
/// program.
fn told_to_nobody(scene: &Scene, config: &Config) -> Option<String> {
    const NOBODY: u32 = 65534;
    fs::set_permissions(scene.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command(scene, config, &[]);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let Ok(output) = command.output() else {
        skipped("the built program is not reachable for another user");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    Some(line(&text, "FAIL permission").to_owned())
}

/// Gives a file or folder another mode as long as something goes on.
fn with_mode<T>(path: &Path, mode: u32, during: impl FnOnce() -> T) -> T {
    let earlier = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let result = during();
    fs::set_permissions(path, earlier).unwrap();
    result
}

#[test]
fn what_cannot_be_read_is_told_with_its_owner_and_the_mending() {
    let scene = Scene::new();
    let folder = scene.log("in/it");
    fs::create_dir_all(&folder).unwrap();
    append(&folder.join("app.log"), "a line\n");
    let config = Config {
        inputs: vec![scene.input("app", &["in/it/*.log"], "")],
        ..scene.loki_config()
    };
    let above = scene.log("in");
    let barred_by = |path: &Path| format!("the folder {} belongs to", path.display());
    let own = || "it belongs to".to_owned();
    // Modes that keep out their owner and anybody else.
    for (closed, mode, action, whose) in [
        (folder.join("app.log"), 0o000, "cannot open", own()),
        (folder.clone(), 0o300, "cannot list", own()),
        (folder.clone(), 0o604, "cannot open", barred_by(&folder)),
        (above.clone(), 0o600, "cannot list", barred_by(&above)),
    ] {
        let told = with_mode(&closed, mode, || told_to_nobody(&scene, &config));
        let Some(told) = told else { return };
        for part in [
            action,
            &whose,
            &format!("mode {mode:04o}"),
            "this process runs as uid",
            "fsGroup",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}
