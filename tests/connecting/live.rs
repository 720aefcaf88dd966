//! `pinnace check --live`: what holds and what does not, each in a line, and nothing written.

use std::process::Command;

use pinnace::receiver::{Action, Backend, Faults};

use crate::authority::Authority;
use crate::harness::{Config, Front, Scene, append, free_port, header};
use crate::tls::loki_at;

/// The command, without anything of the environment of the test.
pub(crate) fn command(scene: &Scene, config: &Config, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinnace"));
    command
        .args(["check", "--live", "--config"])
        .arg(scene.write(config))
        .args(arguments)
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// The exit code and the checklist.
pub(crate) fn check(scene: &Scene, config: &Config, arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(scene, config, arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

/// The one line of the checklist that begins so.
pub(crate) fn line<'t>(text: &'t str, start: &str) -> &'t str {
    let mut found = text.lines().map(str::trim).filter(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.join(" ").starts_with(start)
    });
    let line = found.next();
    assert!(
        line.is_some() && found.next().is_none(),
        "{start:?} in\n{text}"
    );
    line.unwrap()
}

/// One thing fails, and is told so.
pub(crate) fn fails(scene: &Scene, config: &Config, start: &str, sentence: &str) {
    let (code, text) = check(scene, config, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        line(&text, start).contains(sentence),
        "{sentence:?} in\n{text}"
    );
}

fn both(scene: &Scene) -> Config {
    Config {
        outputs: vec![scene.loki(""), scene.cloudwatch("log_stream: all")],
        ..scene.loki_config()
    }
}

#[test]
fn what_holds_is_listed_and_nothing_is_written() {
    let scene = Scene::new();
    append(&scene.log("app.log"), "a line\n");
    let (code, text) = check(&scene, &both(&scene), &[]);
    assert_eq!(code, Some(0), "{text}");
    for start in [
        "input app",
        "ok match 1 files match",
        "output loki: Loki at http://127.0.0.1",
        "ok push our pushes are let in",
        "output cloudwatch: CloudWatch Logs, /apps/test, stream all",
        "ok put the credentials are taken",
        "note create",
        "ok read back",
    ] {
        line(&text, start);
    }
    for backend in Backend::ALL {
        assert_eq!(scene.receiver.summary(backend).stored, 0);
    }
    assert!(
        !scene.dir().join("state").exists(),
        "no state directory was made"
    );
}

#[test]
fn one_record_is_written_when_that_is_asked_for() {
    let scene = Scene::new();
    let (code, text) = check(&scene, &both(&scene), &["--write"]);
    assert_eq!(code, Some(0), "{text}");
    for backend in Backend::ALL {
        let records = scene.receiver.records(backend);
        assert_eq!(records.len(), 1, "{text}");
        assert!(records[0].line.contains("a test record, to be ignored"));
    }
    let (code, text) = check(&scene, &both(&scene), &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        !text.contains("create"),
        "group and stream are there: {text}"
    );
}

#[test]
fn each_step_to_loki_that_fails_is_told() {
    let scene = Scene::new();
    let port = free_port();
    let at = |url: &str| loki_at(&scene, url, "");
    let none = format!("http://127.0.0.1:{port}");
    fails(&scene, &at(&none), "FAIL connection", "Connection refused");
    let authority = Authority::new("ours");
    let tls = authority.signs(&["localhost"]).server(None);
    let front = Front::before(scene.receiver.address(), Some(tls));
    let other = Authority::new("other").write(scene.dir().join("other.pem"));
    let trust = |path: &std::path::Path| format!("tls: {{ ca_file: \"{}\" }}", path.display());
    let config = loki_at(&scene, &front.url("https"), &trust(&other));
    fails(&scene, &config, "FAIL tls", "set tls.ca_file");
    let ca = authority.write(scene.dir().join("ca.pem"));
    let (code, text) = check(
        &scene,
        &loki_at(&scene, &front.url("https"), &trust(&ca)),
        &[],
    );
    assert_eq!(code, Some(0), "{text}");
    line(&text, "ok tls TLS 1.3");
    for (status, sentence) in [
        (401, "look at auth"),
        (404, "no push endpoint"),
        (503, "answered 503"),
    ] {
        scene
            .receiver
            .set_faults(Backend::Loki, Faults::of(Action::Status(status)));
        fails(
            &scene,
            &at(&scene.receiver.loki_url()),
            "FAIL push",
            sentence,
        );
    }
    let late = Front::answering(|_, _| (204, String::new()));
    late.set_date("Fri, 27 Nov 2020 00:00:00 GMT");
    fails(
        &scene,
        &at(&late.url("http")),
        "FAIL clock",
        "ahead of the server's: set it",
    );
}

/// A front that refuses one operation.
pub(crate) fn without(scene: &Scene, operation: &'static str) -> Front {
    Front::judging(
        scene.receiver.address(),
        Box::new(move |parts, _| {
            let is_meant = header(parts, "x-amz-target").ends_with(operation);
            let refusal = r#"{"__type":"AccessDeniedException","message":"not authorized"}"#;
            is_meant.then(|| (400, refusal.to_owned()))
        }),
    )
}

#[test]
fn each_step_to_cloudwatch_logs_that_fails_is_told() {
    let scene = Scene::new();
    let at = |url: &str, more: &str| Config {
        outputs: vec![format!(
            "{{ name: aws, type: cloudwatch_logs, endpoint_url: \"{url}\", region: eu-west-1, log_group: /g, log_stream: s, {more} }}"
        )],
        ..scene.cloudwatch_config()
    };
    let url = scene.receiver.cloudwatch_url();
    let denied = without(&scene, "PutLogEvents");
    fails(
        &scene,
        &at(&denied.url("http"), ""),
        "FAIL put",
        "add logs:PutLogEvents to the policy",
    );
    fails(
        &scene,
        &at(&url, ""),
        "FAIL create",
        "set create.log_group: true",
    );
    fails(
        &scene,
        &at(&url, "profile: absent"),
        "FAIL put",
        "the profile absent is in none of AWS's files",
    );
    let blind = without(&scene, "GetLogEvents");
    let create = "create: { log_group: true }";
    let require = format!("{create}, verify_after_error: require");
    fails(
        &scene,
        &at(&blind.url("http"), &require),
        "FAIL read back",
        "add logs:GetLogEvents",
    );
    let (code, text) = check(&scene, &at(&blind.url("http"), create), &[]);
    assert_eq!(code, Some(0), "{text}");
    line(&text, "note read back");
    let mut nowhere = at(&url, "");
    nowhere.outputs[0] = nowhere.outputs[0]
        .replace("region: eu-west-1, ", "")
        .replace(&format!("endpoint_url: \"{url}\", "), "");
    fails(&scene, &nowhere, "FAIL settings", "no AWS region is known");
}

#[test]
fn writing_without_trying_is_a_wrong_command_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(["check", "--write"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
}
