//! With `--on-error=exit` a fault at the start is a sentence and an exit code.

use std::fs;
use std::net::TcpListener;

use crate::harness::{Agent, Config, PATIENCE, Scene, append};

/// Starts, waits for the end, and checks the code and that each text was said.
fn refuses(scene: &Scene, config: &Config, code: i32, texts: &[&str]) {
    let agent = Agent::launch(&scene.write(config), &["--on-error=exit"]);
    let exit = agent.wait(PATIENCE);
    assert_eq!(exit.code, Some(code), "{}", exit.log);
    for text in texts {
        assert!(exit.log.contains(text), "{text:?} is not in\n{}", exit.log);
    }
}

#[test]
fn a_wrong_configuration_ends_with_78_and_every_problem() {
    let scene = Scene::new();
    let mut config = scene.loki_config();
    config.top = "memory_limt: 16MiB".to_owned();
    config.inputs = vec!["{ name: app, include: [\"relative/*.log\"] }".to_owned()];
    let texts = ["memory_limt", "memory_limit", "relative/*.log"];
    refuses(&scene, &config, 78, &texts);
    assert!(!config.state_dir.exists(), "nothing was begun");
}

#[test]
fn a_missing_configuration_ends_with_78() {
    let scene = Scene::new();
    let missing = scene.dir().join("nowhere.yaml");
    let agent = Agent::launch(&missing, &["--on-error=exit"]);
    let exit = agent.wait(PATIENCE);
    assert_eq!(exit.code, Some(78), "{}", exit.log);
    assert!(exit.log.contains("nowhere.yaml"), "{}", exit.log);
}

#[test]
fn a_port_in_use_ends_with_69() {
    let scene = Scene::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = Config {
        port: Some(port),
        ..scene.loki_config()
    };
    let address = format!("127.0.0.1:{port}");
    refuses(&scene, &config, 69, &[&address, "server.listen"]);
}

#[test]
fn a_state_directory_that_is_a_file_ends_with_73() {
    let scene = Scene::new();
    let config = scene.loki_config();
    append(&config.state_dir, "in the way");
    let path = config.state_dir.display().to_string();
    refuses(&scene, &config, 73, &[&path]);
    assert_eq!(fs::read(&config.state_dir).unwrap(), b"in the way");
}

#[test]
fn a_state_directory_that_another_agent_holds_ends_with_73() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let first = scene.start(&config);
    refuses(&scene, &config, 73, &["another agent holds"]);
    let (code, text) = config.status_text();
    assert_eq!(code, Some(0), "the first still answers: {text}");
    first.stop_well();
}

#[test]
fn a_second_agent_with_one_configuration_is_told_of_the_state_directory_before_the_port() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let first = scene.start(&config);
    refuses(&scene, &config, 73, &["another agent holds"]);
    let second = Agent::launch(&scene.write(&config), &["--on-error=degrade"]);
    second.wait_for_log("cannot listen on");
    let log = second.log_text();
    let places = ["another agent holds", "cannot listen on"].map(|text| log.find(text));
    assert!(places[0].is_some() && places[0] < places[1], "{log}");
    second.kill();
    first.stop_well();
}

#[test]
fn a_wrong_command_line_ends_with_64() {
    let scene = Scene::new();
    let config = scene.write(&scene.loki_config());
    let exit = Agent::launch(&config, &["--on-eror=exit"]).wait(PATIENCE);
    assert_eq!(exit.code, Some(64), "{}", exit.log);
    assert!(exit.log.contains("--on-error"), "{}", exit.log);
}
