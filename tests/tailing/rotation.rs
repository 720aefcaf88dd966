//! A file's content ends: by rename, by truncation, by deletion. All of it has arrived, and what
//! comes next begins anew.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use pinnace::receiver::Backend;

use super::containers::gzip;
use crate::harness::{Agent, Config, Numbered, Scene, append, eventually, lines_of, pass};

#[test]
fn a_file_renamed_to_a_name_that_is_not_meant_is_read_to_its_end() {
    let scene = Scene::new();
    let mut series = Numbered::new("unmatched");
    let path = scene.log("app.log");
    series.append_to(&path, 50);
    let agent = scene.start(&scene.loki_config());
    scene.wait_for_stored(Backend::Loki, 50);
    let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
    series.append_to(&path, 50);
    fs::rename(&path, scene.log("app.log.1")).unwrap();
    // The application has not been told yet, and goes on in the renamed file.
    writer.write_all(series.take(50).as_bytes()).unwrap();
    scene.wait_for_stored(Backend::Loki, 150);
    series.append_to(&path, 50);
    scene.wait_for_stored(Backend::Loki, 200);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
    let name = scene.loki_stream_of("app.log", "app");
    let summary = scene.receiver.summary(Backend::Loki);
    assert_eq!(summary.streams.len(), 1);
    assert_eq!(&*summary.streams[0].name, name);
}

#[test]
fn a_file_renamed_to_a_name_that_is_meant_too_arrives_once() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("app", &["app.log*"], "")],
        ..scene.loki_config()
    };
    let mut series = Numbered::new("matched");
    let path = scene.log("app.log");
    let agent = scene.start(&config);
    for rotated in 0..4 {
        series.append_to(&path, 25);
        scene.rotate(rotated);
        series.append_to(&path, 25);
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    agent.stop_well();
    let agent = scene.start(&config);
    series.append_to(&path, 1);
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn rotations_that_follow_each_other_without_a_pause_lose_nothing() {
    for glob in ["app.log", "app.log*"] {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("app", &[glob], "")],
            ..scene.loki_config()
        };
        let mut series = Numbered::wide("fast", 100);
        let path = scene.log("app.log");
        append(&path, series.take(10));
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, 10);
        // As fast as a rotator can that leaves each file in place for a moment: until the agent
        // has opened it. Anything faster is the subject of another promise.
        for rotation in 1..=30 {
            series.append_to(&path, 200);
            let stored = series.next - 100;
            scene.wait_for_stored(Backend::Loki, stored);
            fs::rename(&path, scene.log(&format!("app.log.{rotation}"))).unwrap();
            series.append_to(&path, 1);
        }
        scene.wait_for_stored(Backend::Loki, series.next);
        agent.stop_well();
        scene.assert_series_arrived(Backend::Loki, &series);
        scene.assert_flawless(Backend::Loki);
    }
}

#[test]
fn rotations_within_a_single_look_lose_nothing_when_all_names_are_meant() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("app", &["app.log*"], "")],
        ..scene.loki_config()
    };
    let path = scene.log("app.log");
    let mut series = Numbered::new("burst");
    let agent = scene.start(&config);
    for rotation in 1..=20 {
        series.append_to(&path, 5);
        fs::rename(&path, scene.log(&format!("app.log.{rotation}"))).unwrap();
    }
    series.append_to(&path, 5);
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    let mut arrived = lines_of(&scene, Backend::Loki, |_| true);
    arrived.sort();
    assert_eq!(arrived, series.all());
}

#[test]
fn a_file_rotated_while_the_agent_was_away_is_read_to_its_end() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let mut series = Numbered::wide("away", 60);
    let path = scene.log("app.log");
    series.append_to(&path, 50);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 50);
    agent.stop_well();
    series.append_to(&path, 50);
    fs::rename(&path, scene.log("app.log.1")).unwrap();
    series.append_to(&path, 50);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 150);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn a_file_that_its_writer_empties_when_all_is_delivered_begins_anew() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::new("emptied");
    let path = scene.log("app.log");
    let agent = scene.start(&config);
    for round in 1..=5 {
        // Shorter, equal and longer than before.
        series.append_to(&path, [30, 10, 10, 50, 5][round - 1]);
        scene.wait_for_stored(Backend::Loki, series.next);
        fs::copy(&path, scene.log("app.log.1")).unwrap();
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&path)
            .unwrap();
    }
    series.append_to(&path, 1);
    scene.wait_for_stored(Backend::Loki, series.next);
    assert_eq!(truncated(&config), Some(0));
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

/// Bytes that are counted as lost because a file was emptied.
fn truncated(config: &Config) -> Option<u64> {
    config.metric("pinnace_lost_bytes_total{reason=\"truncated\"}")
}

/// An agent that has delivered the first ten lines of `app.log`.
fn start_delivered(scene: &Scene, config: &Config, series: &mut Numbered) -> Agent {
    series.append_to(&scene.log("app.log"), 10);
    let agent = scene.start(config);
    scene.wait_for_stored(Backend::Loki, 10);
    config.wait_until_no_lag();
    agent
}

#[test]
fn a_file_emptied_before_it_was_delivered_is_counted_as_lost_and_read_on() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let path = scene.log("app.log");
    let agent = start_delivered(&scene, &config, &mut Numbered::new("before"));
    append(&path, "an unfinished line that is lost");
    let has_seen = || config.status_json()["outputs"][0]["lag_bytes"] == 31;
    assert!(eventually(has_seen));
    fs::write(&path, "after\n").unwrap();
    scene.wait_for_stored(Backend::Loki, 11);
    assert!(eventually(|| truncated(&config) == Some(31)));
    let log = agent.stop_well();
    assert!(log.contains("bytes were lost"), "{log}");
    let arrived = lines_of(&scene, Backend::Loki, |_| true);
    assert_eq!(arrived.last().unwrap(), "after");
}

#[test]
fn what_is_written_between_a_copy_and_the_emptying_is_counted_as_lost() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let path = scene.log("app.log");
    let mut series = Numbered::new("gap");
    let agent = start_delivered(&scene, &config, &mut series);
    scene.receiver.pause(Backend::Loki);
    series.append_to(&path, 100);
    agent.wait_for_log("not delivered; nothing is lost");
    // More than is on its way, so that some of it is still to be read when the file is emptied.
    series.append_to(&path, 50_000);
    fs::copy(&path, scene.log("app.log.1")).unwrap();
    append(&path, "this stands in no file any more\n");
    let len = fs::metadata(&path).unwrap().len();
    let has_seen = || config.status_json()["files"][0]["size"] == len;
    assert!(eventually(has_seen), "{:#}", config.status_json());
    fs::write(&path, "").unwrap();
    append(&path, "after\n");
    scene.receiver.resume(Backend::Loki);
    scene.wait_for_stored(Backend::Loki, series.next + 1);
    config.wait_until_no_lag();
    assert!(eventually(|| truncated(&config) == Some(32)));
    agent.stop_well();
    let mut written = series.all();
    written.push("after".to_owned());
    scene.assert_arrived(Backend::Loki, &written);
}

#[test]
fn a_file_emptied_and_grown_again_while_the_agent_was_away_begins_anew() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let path = scene.log("app.log");
    let mut series = Numbered::new("regrown");
    series.append_to(&path, 20);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 20);
    agent.stop_well();
    // Longer than what was delivered.
    fs::write(&path, series.take(100)).unwrap();
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 120);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_file_that_was_emptied_and_has_grown_past_the_cursor_begins_anew() {
    let scene = Scene::new();
    let path = scene.log("app.log");
    let mut series = Numbered::new("past");
    let mut file = File::create(&path).unwrap();
    file.write_all(series.take(20).as_bytes()).unwrap();
    let agent = scene.start(&scene.loki_config());
    scene.wait_for_stored(Backend::Loki, 20);
    // Between two looks, so only the content can tell.
    fs::write(&path, series.take(100)).unwrap();
    scene.wait_for_stored(Backend::Loki, 120);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_deleted_file_that_is_still_written_is_read_to_its_end() {
    let scene = Scene::new();
    let path = scene.log("app.log");
    let mut series = Numbered::new("deleted");
    series.append_to(&path, 10);
    let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
    let agent = scene.start(&scene.loki_config());
    scene.wait_for_stored(Backend::Loki, 10);
    fs::remove_file(&path).unwrap();
    for _ in 0..3 {
        writer.write_all(series.take(10).as_bytes()).unwrap();
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_deleted_and_a_new_file_of_the_same_name_are_two_contents() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let path = scene.log("app.log");
    let mut series = Numbered::new("replaced");
    let agent = scene.start(&config);
    for _ in 0..5 {
        series.append_to(&path, 20);
        scene.wait_for_stored(Backend::Loki, series.next);
        fs::remove_file(&path).unwrap();
    }
    series.append_to(&path, 20);
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn the_last_line_without_a_line_end_goes_out_when_its_file_is_over() {
    let scene = Scene::new();
    let agent = scene.start(&scene.loki_config());
    for name in ["rotated.log", "deleted.log", "living.log"] {
        append(&scene.log(name), format!("first of {name}\nlast of {name}"));
    }
    scene.wait_for_stored(Backend::Loki, 3);
    fs::rename(scene.log("rotated.log"), scene.log("rotated.log.1")).unwrap();
    fs::remove_file(scene.log("deleted.log")).unwrap();
    scene.wait_for_stored(Backend::Loki, 5);
    append(&scene.log("living.log"), " goes on\n");
    scene.wait_for_stored(Backend::Loki, 6);
    agent.stop_well();
    let mut arrived = lines_of(&scene, Backend::Loki, |_| true);
    arrived.sort();
    assert_eq!(
        arrived,
        [
            "first of deleted.log",
            "first of living.log",
            "first of rotated.log",
            "last of deleted.log",
            "last of living.log goes on",
            "last of rotated.log",
        ]
    );
}

#[test]
fn a_file_emptied_and_filled_and_gone_between_two_looks_is_read_to_its_end() {
    for is_deleted in [true, false] {
        let scene = Scene::new();
        let path = scene.log("app.log");
        let mut series = Numbered::new("gone");
        series.append_to(&path, 20);
        let agent = scene.start(&scene.loki_config());
        scene.wait_for_stored(Backend::Loki, 20);
        for round in 0..5 {
            fs::write(&path, series.take(100)).unwrap();
            if is_deleted {
                fs::remove_file(&path).unwrap();
            } else {
                fs::rename(&path, scene.log(&format!("app.log.{round}"))).unwrap();
            }
            series.append_to(&path, 10);
            scene.wait_for_stored(Backend::Loki, series.next);
        }
        agent.stop_well();
        // Only by reading it is seen that the content is another one, and then the next file is
        // open already: which of the two goes first is left open.
        let mut arrived = lines_of(&scene, Backend::Loki, |_| true);
        arrived.sort();
        assert_eq!(arrived, series.all());
        scene.assert_flawless(Backend::Loki);
    }
}

#[test]
fn a_rotation_that_nobody_saw_and_that_cannot_be_opened_is_read_once_it_can_be() {
    let scene = Scene::new();
    let (path, rotated) = (scene.log("app.log"), scene.log("app.log.1"));
    let mut series = Numbered::new("unopened");
    series.append_to(&path, 10);
    let Some(agent) = scene.launch_powerless(&scene.loki_config(), &["--on-error=exit"]) else {
        return;
    };
    scene.wait_for_stored(Backend::Loki, 10);
    agent.freeze();
    scene.rotate(0);
    let mut unopened = Numbered::new("rotated");
    unopened.append_to(&path, 10);
    scene.rotate(1);
    let allow = |mode| fs::set_permissions(&rotated, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    series.append_to(&path, 10);
    agent.thaw();
    scene.wait_for_stored(Backend::Loki, 20);
    // Others are looked at meanwhile.
    for _ in 0..3 {
        series.append_to(&path, 10);
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    let told = agent.wait_for_log("cannot open");
    assert!(told.contains("app.log.1"), "{told}");
    allow(0o644);
    scene.wait_for_stored(Backend::Loki, series.next + 10);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    scene.assert_series_arrived(Backend::Loki, &unopened);
}

#[test]
fn the_copy_of_a_log_with_a_date_in_its_own_name_is_a_copy() {
    for (log, copy) in [
        ("access_log.2026-11-22", "access_log.2026-11-22.1"),
        ("app-2026-11-22.log", "app-2026-11-22.1.log"),
    ] {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("app", &["a*"], "")],
            ..scene.loki_config()
        }
        .serving();
        let mut series = Numbered::wide("dated", 100);
        let agent = scene.start(&config);
        series.append_to(&scene.log(log), 100);
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        fs::copy(scene.log(log), scene.log(copy)).unwrap();
        fs::write(scene.log(log), "").unwrap();
        series.append_to(&scene.log(log), 100);
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        agent.stop_well();
        assert_eq!(scene.receiver.summary(Backend::Loki).stored, series.next);
        scene.assert_series_arrived(Backend::Loki, &series);
    }
}

#[test]
fn a_log_that_is_compressed_under_its_own_name_arrives_after_a_kill() {
    for is_seen in [true, false] {
        let scene = Scene::new();
        let config = scene.loki_config().serving();
        let path = scene.log("app.log");
        let mut series = Numbered::wide("packed", 100);
        let agent = start_delivered(&scene, &config, &mut series);
        let write_more = |series: &mut Numbered| series.append_to(&path, 20_000);
        if is_seen {
            scene.receiver.pause(Backend::Loki);
            write_more(&mut series);
            agent.wait_for_log("not delivered; nothing is lost");
        }
        agent.kill();
        if !is_seen {
            write_more(&mut series);
        }
        gzip(&path, &scene.log("app.log.gz"));
        fs::remove_file(&path).unwrap();
        scene.receiver.resume(Backend::Loki);
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        agent.stop_well();
        scene.assert_series_arrived(Backend::Loki, &series);
        assert_eq!(scene.receiver.summary(Backend::Loki).stored, series.next);
    }
}

#[test]
fn a_log_that_was_made_and_copied_while_no_agent_ran_arrives_once() {
    for glob in ["app.log", "app.log*"] {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("app", &[glob], "")],
            ..scene.loki_config()
        };
        scene.start(&config).kill();
        let path = scene.log("app.log");
        let mut series = Numbered::wide("copied", 100);
        series.append_to(&path, 200);
        // By when they were made the copies are younger than the log.
        pass(Duration::from_millis(30));
        for rotated in (1..=3).rev() {
            // The older copy is looked at before the younger one, and both before their log.
            series.append_to(&path, 200);
            fs::copy(&path, scene.log(&format!("app.log.{rotated}"))).unwrap();
        }
        series.append_to(&path, 50);
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, series.next);
        agent.stop_well();
        scene.assert_series_arrived(Backend::Loki, &series);
        scene.assert_flawless(Backend::Loki);
    }
}
