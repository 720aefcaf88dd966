//! What Python's own handlers do to a log: rotated by size (renamed in a chain, or compressed), by
//! time, by somebody else. The agent is killed and started again meanwhile.

use std::fs;
use std::process::{Child, Command};

use pinnace::receiver::Backend;

use crate::harness::{Account, Config, Scene, lines_of};

const RECORDS: u64 = 8000;

/// Starts a script that logs with one of the handlers, to `app.log`.
fn log_with(handler: &str, scene: &Scene) -> Child {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tailing/handlers.py");
    Command::new("python3")
        .args([script, handler])
        .arg(scene.log("app.log"))
        .arg(scene.dir().join("truth"))
        .arg(RECORDS.to_string())
        .spawn()
        .unwrap()
}

/// The records of a text, each with its traceback.
fn records(text: &str) -> Vec<String> {
    let mut records: Vec<String> = Vec::new();
    for line in text.lines() {
        match records.last_mut() {
            Some(last) if !line.contains(" - report - ") => {
                last.push('\n');
                last.push_str(line);
            }
            _ => records.push(line.to_owned()),
        }
    }
    records
}

fn assert_all_arrives(handler: &str, globs: &[&str]) {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("app", globs, "")],
        outputs: vec![scene.loki(""), scene.cloudwatch("log_stream: all")],
        ..scene.empty_config()
    };
    let mut agent = scene.start(&config);
    let mut script = log_with(handler, &scene);
    for quarter in 1..4 {
        scene.wait_for_stored(Backend::Loki, quarter * RECORDS / 4);
        agent.kill();
        agent = scene.start(&config);
    }
    assert!(script.wait().unwrap().success());
    let truth = records(&fs::read_to_string(scene.dir().join("truth")).unwrap());
    assert_eq!(truth.len() as u64, RECORDS);
    for backend in [Backend::Loki, Backend::Cloudwatch] {
        scene.wait_for_stored(backend, RECORDS);
    }
    agent.stop_well();
    for backend in [Backend::Loki, Backend::Cloudwatch] {
        let mut arrived = lines_of(&scene, backend, |_| true);
        arrived.sort_by_key(|line| line.split_once("record ").map(|it| it.1.to_owned()));
        let context = format!("{handler} {globs:?} {backend}");
        Account::of(&truth, &arrived).assert_exact(&context);
        scene.assert_flawless(backend);
    }
}

#[test]
fn a_log_that_python_rotates_by_size_arrives_once() {
    assert_all_arrives("by_size", &["app.log"]);
    assert_all_arrives("by_size", &["app.log*"]);
}

#[test]
fn a_log_that_python_rotates_by_size_and_compresses_arrives_once() {
    assert_all_arrives("by_size_compressed", &["app.log"]);
    assert_all_arrives("by_size_compressed", &["app.log*"]);
}

#[test]
fn a_log_that_python_rotates_by_time_arrives_once() {
    assert_all_arrives("by_time", &["app.log"]);
    assert_all_arrives("by_time", &["app.log*"]);
}

#[test]
fn a_log_that_python_follows_when_others_rename_it_arrives_once() {
    assert_all_arrives("by_another", &["app.log"]);
    assert_all_arrives("by_another", &["app.log*"]);
}
