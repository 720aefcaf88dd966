//! `pinnace check --live`: whether an agent could begin, beside one that runs too.

use std::fs;
use std::net::TcpListener;

use crate::harness::{Config, Scene};
use crate::live::{check, fails, line};

#[test]
fn a_state_directory_that_can_be_made_and_an_address_that_is_free_hold_and_nothing_is_made() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let (code, text) = check(&scene, &config, &[]);
    assert_eq!(code, Some(0), "{text}");
    let made = line(&text, "ok state_dir");
    assert!(made.contains("can be made, in"), "{made}");
    assert!(line(&text, "ok listen").ends_with("is free"), "{text}");
    assert!(!config.state_dir.exists());
    fs::create_dir(&config.state_dir).unwrap();
    let (_, text) = check(&scene, &config, &[]);
    let free = line(&text, "ok state_dir");
    assert!(
        free.ends_with("can be written, and no agent holds it"),
        "{free}"
    );
    let left = fs::read_dir(&config.state_dir).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
}

#[test]
fn an_agent_that_runs_is_known_by_both_and_not_disturbed() {
    let scene = Scene::new();
    fs::write(scene.log("app.log"), "").unwrap();
    let config = scene.loki_config().serving();
    let agent = scene.start(&config);
    let (code, text) = check(&scene, &config, &[]);
    assert_eq!(code, Some(0), "{text}");
    let held = line(&text, "ok state_dir");
    assert!(held.ends_with("the agent that runs holds it"), "{held}");
    let served = line(&text, "ok listen");
    assert!(
        served.ends_with("is that of the agent that runs"),
        "{served}"
    );
    let (code, status) = config.status_text();
    assert_eq!(code, Some(0), "{status}");
    let log = agent.stop_well();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    let (_, text) = check(&scene, &config, &[]);
    let free = line(&text, "ok state_dir");
    assert!(free.ends_with("no agent holds it"), "{free}");
}

#[test]
fn what_would_keep_an_agent_from_beginning_fails_with_its_mending() {
    let scene = Scene::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let config = Config {
        port: Some(taken.local_addr().unwrap().port()),
        ..scene.loki_config()
    };
    let sentence = "set server.listen to a free address, or to off";
    fails(&scene, &config, "FAIL listen", sentence);
    let config = Config {
        state_dir: scene.dir().join("file/state"),
        ..scene.loki_config()
    };
    fs::write(scene.dir().join("file"), "in the way").unwrap();
    fails(
        &scene,
        &config,
        "FAIL state_dir",
        "a part of the path is a file",
    );
}
