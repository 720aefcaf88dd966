//! Rotations while an output is not answered: reading waits, opening goes on, and all that was
//! rotated meanwhile is delivered in order afterwards.

use std::fs;

use pinnace::receiver::{Action, Backend, Faults, Summary};
use serde_json::Value;

use crate::harness::{Agent, Config, Numbered, PATIENCE, Scene, eventually, lines_of};

/// These names to Loki, with a short time limit.
fn config_of(scene: &Scene, glob: &str) -> Config {
    Config {
        inputs: vec![scene.input("app", &[glob], "")],
        outputs: vec![scene.loki("request_timeout: 1s")],
        ..scene.loki_config()
    }
}

/// An agent with a request on its way that is not answered.
fn start_hanging(scene: &Scene, config: &Config, series: &mut Numbered) -> Agent {
    let path = scene.log("app.log");
    series.append_to(&path, 10);
    let agent = scene.start(config);
    scene.wait_for_stored(Backend::Loki, 10);
    let hang = Faults::of(Action::Hang).on("push");
    scene.receiver.set_faults(Backend::Loki, hang);
    series.append_to(&path, 100);
    let hangs = |it: &Summary| it.hanging > 0;
    let hangs = scene.receiver.wait_for(Backend::Loki, PATIENCE, hangs);
    assert!(hangs, "nothing is on its way");
    agent
}

fn wait_until_open(config: &Config, count: usize) {
    let open = |it: &Value| it["files"].as_array().map(Vec::len) == Some(count);
    let is_so = eventually(|| open(&config.status_json()));
    assert!(is_so, "not {count} files: {:#}", config.status_json());
}

#[test]
fn rotations_between_two_looks_while_no_request_is_answered_are_delivered_in_order() {
    for glob in ["app.log", "app.log*"] {
        let scene = Scene::new();
        let config = config_of(&scene, glob);
        let mut series = Numbered::wide("hanging", 100);
        let agent = start_hanging(&scene, &config, &mut series);
        let mut rotations = 0;
        for _ in 0..8 {
            agent.freeze();
            for _ in 0..5 {
                scene.rotate(rotations);
                rotations += 1;
                series.append_to(&scene.log("app.log"), 100);
            }
            agent.thaw();
            // Reading waits; opening does not.
            wait_until_open(&config, usize::try_from(rotations + 1).unwrap());
        }
        scene.receiver.set_faults(Backend::Loki, Faults::default());
        scene.wait_for_stored(Backend::Loki, series.next);
        agent.stop_well();
        if glob == "app.log" {
            scene.assert_arrived(Backend::Loki, &series.all());
        } else {
            // What is first seen under a name that is meant has a stream of that name.
            scene.assert_series_arrived(Backend::Loki, &series);
            scene.assert_flawless(Backend::Loki);
        }
    }
}

#[test]
fn rotated_files_that_are_deleted_while_no_request_is_answered_are_delivered_in_order() {
    let scene = Scene::new();
    let config = config_of(&scene, "app.log");
    let mut series = Numbered::wide("deleted", 100);
    let agent = start_hanging(&scene, &config, &mut series);
    for count in 1..=30 {
        wait_until_open(&config, count);
        fs::remove_file(scene.log("app.log.1")).unwrap_or_default();
        scene.rotate(0);
        series.append_to(&scene.log("app.log"), 100);
    }
    scene.receiver.set_faults(Backend::Loki, Faults::default());
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn rotations_under_the_look_while_no_request_is_answered_are_all_delivered() {
    for glob in ["app.log", "app.log*"] {
        let scene = Scene::new();
        let config = config_of(&scene, glob);
        let mut series = Numbered::wide("hanging", 100);
        let agent = start_hanging(&scene, &config, &mut series);
        for rotated in 0..60 {
            scene.rotate(rotated);
            series.append_to(&scene.log("app.log"), 100);
        }
        wait_until_open(&config, 61);
        scene.receiver.set_faults(Backend::Loki, Faults::default());
        scene.wait_for_stored(Backend::Loki, series.next);
        agent.stop_well();
        // Of names that change while they are looked at, which is the older is left open.
        let mut arrived = lines_of(&scene, Backend::Loki, |_| true);
        arrived.sort();
        assert_eq!(arrived, series.all(), "{glob}");
        scene.assert_flawless(Backend::Loki);
    }
}
