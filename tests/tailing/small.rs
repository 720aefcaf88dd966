//! Files so small that their bytes prove nothing: two bytes, none at all, or the banner that all of
//! them begin with. What arrives is counted, since nothing tells the lines apart.

use std::fs::{self, File};

use pinnace::receiver::Backend;

use super::containers::gzip;
use crate::harness::{Config, Scene, append};

fn config(scene: &Scene, globs: &[&str]) -> Config {
    Config {
        inputs: vec![scene.input("app", globs, "")],
        ..scene.loki_config().serving()
    }
}

/// Exactly so many lines are stored once there is nothing left to deliver.
fn assert_stored(scene: &Scene, config: &Config, count: u64) {
    scene.wait_for_stored(Backend::Loki, count);
    config.wait_until_no_lag();
    assert_eq!(scene.receiver.summary(Backend::Loki).stored, count);
}

#[test]
fn a_file_of_two_bytes_is_followed_as_it_appears_grows_and_is_rotated() {
    for glob in ["app.log", "app.log*"] {
        let scene = Scene::new();
        let config = config(&scene, &[glob]);
        let path = scene.log("app.log");
        let agent = scene.start(&config);
        append(&path, "a\n");
        assert_stored(&scene, &config, 1);
        append(&path, "a\n");
        assert_stored(&scene, &config, 2);
        scene.rotate(0);
        append(&path, "a\n");
        assert_stored(&scene, &config, 3);
        scene.rotate(1);
        append(&path, "a\n");
        assert_stored(&scene, &config, 4);
        agent.stop_well();
        let agent = scene.start(&config);
        append(&path, "b\n");
        assert_stored(&scene, &config, 5);
        agent.stop_well();
        scene.assert_flawless(Backend::Loki);
    }
}

#[test]
fn a_file_of_two_bytes_that_is_rotated_while_the_agent_is_away_is_told_from_its_like() {
    let scene = Scene::new();
    let config = config(&scene, &["app.log*"]);
    let path = scene.log("app.log");
    append(&path, "a\n");
    let agent = scene.start(&config);
    assert_stored(&scene, &config, 1);
    agent.stop_well();
    fs::rename(&path, scene.log("app.log.1")).unwrap();
    append(&path, "a\n");
    let agent = scene.start(&config);
    assert_stored(&scene, &config, 2);
    append(&path, "a\n");
    assert_stored(&scene, &config, 3);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn files_that_begin_with_the_two_bytes_of_another_are_files_of_their_own() {
    let scene = Scene::new();
    let config = config(&scene, &["*.log"]);
    let agent = scene.start(&config);
    append(&scene.log("a.log"), "a\n");
    assert_stored(&scene, &config, 1);
    append(&scene.log("b.log"), "a\n");
    append(&scene.log("c.log"), "a\nand more\n");
    assert_stored(&scene, &config, 4);
    append(&scene.log("a.log"), "and more\n");
    assert_stored(&scene, &config, 5);
    agent.stop_well();
    let agent = scene.start(&config);
    for name in ["a.log", "b.log", "c.log"] {
        append(&scene.log(name), "b\n");
    }
    assert_stored(&scene, &config, 8);
    agent.stop_well();
    let summary = scene.receiver.summary(Backend::Loki);
    for (name, lines) in [("a.log", 3), ("b.log", 2), ("c.log", 3)] {
        let stream = summary.stream(&scene.loki_stream_of(name, "app"));
        assert_eq!(stream.unwrap().digest.lines, lines, "{name}");
    }
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn two_bytes_that_are_emptied_and_written_anew_are_two_lines_more() {
    let scene = Scene::new();
    let config = config(&scene, &["*.log"]);
    let path = scene.log("app.log");
    append(&path, "a\n");
    let agent = scene.start(&config);
    assert_stored(&scene, &config, 1);
    // Shorter for a moment, and then other bytes of the same length.
    fs::write(&path, "b\n").unwrap();
    assert_stored(&scene, &config, 2);
    fs::write(&path, "c\nd\n").unwrap();
    assert_stored(&scene, &config, 4);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn empty_files_are_rotated_and_deleted_without_anything_coming_of_it() {
    for glob in ["app.log", "app.log*"] {
        let scene = Scene::new();
        let config = config(&scene, &[glob]);
        let path = scene.log("app.log");
        append(&path, "");
        let agent = scene.start(&config);
        for _ in 0..3 {
            fs::rename(&path, scene.log("app.log.1")).unwrap();
            append(&path, "");
        }
        append(&path, "one\n");
        assert_stored(&scene, &config, 1);
        fs::rename(&path, scene.log("app.log.1")).unwrap();
        append(&path, "");
        fs::remove_file(&path).unwrap();
        append(&path, "two\n");
        assert_stored(&scene, &config, 2);
        agent.stop_well();
        let agent = scene.start(&config);
        append(&path, "three\n");
        assert_stored(&scene, &config, 3);
        agent.stop_well();
        scene.assert_flawless(Backend::Loki);
    }
}

#[test]
fn files_of_the_same_banner_alone_are_as_many_as_there_are() {
    for glob in ["app.log", "app.log*"] {
        let scene = Scene::new();
        let config = config(&scene, &[glob]);
        let path = scene.log("app.log");
        let banner = format!("{:=<127}\n", "# banner ").repeat(16);
        let agent = scene.start(&config);
        for rotated in 0..4 {
            append(&path, &banner);
            assert_stored(&scene, &config, (u64::from(rotated) + 1) * 16);
            scene.rotate(rotated);
        }
        append(&path, &banner);
        assert_stored(&scene, &config, 80);
        agent.stop_well();
        let agent = scene.start(&config);
        append(&path, "one\n");
        assert_stored(&scene, &config, 81);
        agent.stop_well();
        scene.assert_flawless(Backend::Loki);
    }
}

#[test]
fn the_last_line_of_a_gzip_arrives_without_a_line_end_and_padding_is_none_of_it() {
    let scene = Scene::new();
    let config = config(&scene, &["*.gz"]);
    for (name, padding) in [("one", 0), ("two", 512)] {
        let (plain, compressed) = (scene.log(name), scene.log(&format!("{name}.gz")));
        append(&plain, format!("first of {name}\nlast of {name}"));
        gzip(&plain, &compressed);
        let file = File::options().append(true).open(&compressed).unwrap();
        let len = file.metadata().unwrap().len();
        file.set_len(len + padding).unwrap();
    }
    let agent = scene.start(&config);
    assert_stored(&scene, &config, 4);
    agent.stop_well();
    let lines = ["first of one", "last of one", "first of two", "last of two"];
    scene.assert_arrived(Backend::Loki, &lines.map(String::from));
}
