//! Which files are meant, from when on, and where in them reading begins.

use std::fs;

use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, append, eventually, get, lines_of, skipped};

fn with_input(scene: &Scene, globs: &[&str], more: &str) -> Config {
    Config {
        inputs: vec![scene.input("app", globs, more)],
        ..scene.loki_config()
    }
}

#[test]
fn files_and_folders_that_appear_later_are_found() {
    let scene = Scene::new();
    let config = with_input(&scene, &["*.log", "**/deep/*.log", "later/*.log"], "");
    let agent = scene.start(&config);
    let mut expected = Vec::new();
    let mut write = |name: &str| {
        append(&scene.log(name), format!("in {name}\n"));
        expected.push(format!("in {name}"));
        scene.wait_for_stored(Backend::Loki, u64::try_from(expected.len()).unwrap());
    };
    write("new.log");
    fs::create_dir(scene.log("later")).unwrap();
    write("later/one.log");
    fs::create_dir_all(scene.log("a/b/deep")).unwrap();
    write("a/b/deep/two.log");
    fs::create_dir_all(scene.log("c")).unwrap();
    fs::rename(scene.log("a"), scene.log("c/a")).unwrap();
    write("c/a/b/deep/three.log");
    fs::remove_dir_all(scene.log("later")).unwrap();
    fs::create_dir(scene.log("later")).unwrap();
    write("later/four.log");
    agent.stop_well();
    let mut arrived = lines_of(&scene, Backend::Loki, |_| true);
    arrived.sort();
    expected.sort();
    assert_eq!(arrived, expected);
}

#[test]
fn a_file_that_holds_only_the_banner_of_another_is_a_file_of_its_own() {
    let scene = Scene::new();
    let agent = scene.start(&scene.loki_config());
    let banner = Numbered::wide("banner", 127).take(16);
    append(&scene.log("app.log"), banner.clone() + "and more\n");
    scene.wait_for_stored(Backend::Loki, 17);
    // Rotation gives such names, and its bytes are those of the other file: as a copy's would be.
    append(&scene.log("app-0001.log"), banner);
    scene.wait_for_stored(Backend::Loki, 33);
    agent.stop_well();
}

#[test]
fn the_whole_path_of_an_input_may_appear_later() {
    let scene = Scene::new();
    let config = with_input(&scene, &["not/yet/there/*.log"], "");
    let agent = scene.start(&config);
    fs::create_dir_all(scene.log("not/yet/there")).unwrap();
    append(&scene.log("not/yet/there/app.log"), "at last\n");
    scene.wait_for_stored(Backend::Loki, 1);
    agent.stop_well();
}

#[test]
fn files_made_before_their_folder_is_watched_are_not_missed() {
    let scene = Scene::new();
    let config = with_input(&scene, &["*/*.log"], "");
    let agent = scene.start(&config);
    for folder in 0..40 {
        fs::create_dir(scene.log(&format!("{folder}"))).unwrap();
        append(&scene.log(&format!("{folder}/app.log")), "at once\n");
    }
    scene.wait_for_stored(Backend::Loki, 40);
    agent.stop_well();
    assert_eq!(scene.receiver.summary(Backend::Loki).stored, 40);
}

#[test]
fn excluded_files_and_other_names_are_left_alone() {
    let scene = Scene::new();
    let exclude = format!("exclude: [{:?}]", scene.log("debug-*.log"));
    let config = with_input(&scene, &["*.log"], &exclude);
    for name in ["a.log", "debug-a.log", "a.txt", ".hidden", "a.log.swp"] {
        append(&scene.log(name), format!("in {name}\n"));
    }
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 1);
    append(&scene.log("debug-b.log"), "in debug-b.log\n");
    append(&scene.log("a.log"), "again\n");
    scene.wait_for_stored(Backend::Loki, 2);
    agent.stop_well();
    let arrived = lines_of(&scene, Backend::Loki, |_| true);
    assert_eq!(arrived, ["in a.log", "again"]);
}

#[test]
fn with_read_from_end_only_what_comes_from_then_on_is_shipped() {
    let scene = Scene::new();
    let config = with_input(&scene, &["*.log"], "read_from: end");
    append(&scene.log("old.log"), "old\nold and unfin");
    let agent = scene.start(&config);
    // It has started, and looks at the files for the first time in a moment.
    let has_looked = || config.status_json()["files"].as_array().map(Vec::len) == Some(1);
    assert!(eventually(has_looked));
    append(&scene.log("old.log"), "ished\nnew\n");
    append(&scene.log("later.log"), "whole file\n");
    scene.wait_for_stored(Backend::Loki, 3);
    agent.stop_well();
    // What is written while the agent is away, it owes.
    append(&scene.log("old.log"), "away\n");
    append(&scene.log("away.log"), "whole file, away\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 5);
    agent.stop_well();
    let mut arrived = lines_of(&scene, Backend::Loki, |_| true);
    arrived.sort();
    assert_eq!(
        arrived,
        [
            "away",
            "new",
            "old and unfinished",
            "whole file",
            "whole file, away"
        ]
    );
}

#[test]
fn files_with_the_same_beginning_are_not_taken_for_each_other() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let banner = "a banner that every file has\n".repeat(100);
    let agent = scene.start(&config);
    for name in ["a.log", "b.log", "c.log"] {
        append(&scene.log(name), format!("{banner}{name}\n"));
    }
    scene.wait_for_stored(Backend::Loki, 303);
    agent.stop_well();
    fs::remove_file(scene.log("a.log")).unwrap();
    // Most likely it gets the inode of the deleted one.
    append(&scene.log("d.log"), format!("{banner}d.log\n"));
    append(&scene.log("b.log"), "more b\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 405);
    agent.stop_well();
    assert_eq!(scene.receiver.summary(Backend::Loki).stored, 405);
    for (name, lines) in [
        ("a.log", 101),
        ("b.log", 102),
        ("c.log", 101),
        ("d.log", 101),
    ] {
        let summary = scene.receiver.summary(Backend::Loki);
        let stream = scene.loki_stream_of(name, "app");
        assert_eq!(
            summary.stream(&stream).unwrap().digest.lines,
            lines,
            "{name}"
        );
    }
}

#[test]
fn a_file_made_anew_with_the_inode_and_the_beginning_of_the_deleted_one_is_another() {
    let banner = format!("{:=<127}\n", "# banner ").repeat(16);
    for is_away in [false, true] {
        let scene = Scene::new();
        let config = scene.loki_config().serving();
        let path = scene.log("app.log");
        append(&path, banner.clone() + "one\n");
        let mut agent = Some(scene.start(&config));
        scene.wait_for_stored(Backend::Loki, 17);
        config.wait_until_no_lag();
        for (count, text) in [(34, "two\n"), (52, "three and\nmore\n"), (69, "4\n")] {
            if let Some(agent) = agent.take_if(|_| is_away) {
                agent.stop_well();
            }
            fs::remove_file(&path).unwrap();
            // Most file systems give it the inode that has just become free.
            append(&path, banner.clone() + text);
            agent.get_or_insert_with(|| scene.start(&config));
            scene.wait_for_stored(Backend::Loki, count);
            config.wait_until_no_lag();
        }
        agent.unwrap().stop_well();
        let arrived = lines_of(&scene, Backend::Loki, |it| !it.line.starts_with('#'));
        assert_eq!(arrived, ["one", "two", "three and", "more", "4"]);
        assert_eq!(scene.receiver.summary(Backend::Loki).stored, 69);
    }
}

#[test]
fn without_events_from_the_system_files_are_polled_and_it_says_so() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::new("polled");
    series.append_to(&scene.log("app.log"), 10);
    let Some(agent) = Agent::without_inotify(&scene.write(&config)) else {
        skipped("no user namespace can be made here");
        return;
    };
    scene.wait_for_stored(Backend::Loki, 10);
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Loki, 20);
    fs::rename(scene.log("app.log"), scene.log("app.log.1")).unwrap();
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Loki, 30);
    let (status, text) = get(config.port(), "/readyz").unwrap();
    assert_eq!(status, 503);
    assert!(text.contains("fs.inotify.max_user_instances"), "{text}");
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}
