//! Files that other programs put in the place of what they held, folders that are made anew, and
//! names that do not tell where a file comes from.

use std::fs;

use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene};

#[test]
fn a_log_that_is_brought_from_elsewhere_again_and_again_arrives_once() {
    let scene = Scene::new();
    let agent = scene.start(&scene.loki_config());
    let mut series = Numbered::wide("brought", 100);
    let mut content = String::new();
    for _ in 0..5 {
        content += &series.take(100);
        // As rsync does.
        fs::write(scene.log(".app.log.Xq7Zk2"), &content).unwrap();
        fs::rename(scene.log(".app.log.Xq7Zk2"), scene.log("app.log")).unwrap();
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn what_was_renamed_to_any_name_while_the_agent_was_killed_is_read_to_its_end() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("app", &["current"], "")],
        ..scene.loki_config()
    };
    let mut series = Numbered::wide("renamed", 100);
    for name in ["@400000006ce4b5e70a1b2c3d.s", "current.before the move"] {
        let agent = scene.start(&config);
        series.append_to(&scene.log("current"), 50);
        scene.wait_for_stored(Backend::Loki, series.next);
        agent.kill();
        series.append_to(&scene.log("current"), 50);
        fs::rename(scene.log("current"), scene.log(name)).unwrap();
        series.append_to(&scene.log("current"), 50);
    }
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    scene.assert_flawless(Backend::Loki);
}
