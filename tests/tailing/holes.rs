//! A writer that does not append goes on where it was when its log is emptied under it: what is
//! before that is a hole of NULs, which is no line.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};

use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene, get, skipped};

const PLAIN: &str = "format: plain, multiline: \"off\"";

fn skipped_bytes(config: &Config) -> u64 {
    let (_, text) = get(config.port(), "/metrics").unwrap();
    let sample = "pinnace_hole_bytes_total ";
    let line = text.lines().find_map(|line| line.strip_prefix(sample));
    line.unwrap().parse().unwrap()
}

/// The scene of one such writer, and how many bytes it wrote at the beginning.
fn with_writer(first: u64) -> (Scene, Config, Numbered, File) {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::wide("hole", 100);
    let mut writer = File::create(scene.log("app.log")).unwrap();
    writer.write_all(series.take(first).as_bytes()).unwrap();
    (scene, config, series, writer)
}

fn copy_and_empty(scene: &Scene, rotation: u64) {
    let path = scene.log("app.log");
    fs::copy(&path, scene.log(&format!("app.log.{rotation}"))).unwrap();
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .unwrap();
}

#[test]
fn the_hole_that_a_writer_leaves_is_skipped_and_counted_whatever_its_size() {
    // Some lines, more than a chunk, and more than is read at once.
    for first in [3, 3000, 100_000] {
        let (scene, config, mut series, mut writer) = with_writer(first);
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        let mut holes = 0;
        for rotation in 1..=3 {
            holes += writer.stream_position().unwrap();
            copy_and_empty(&scene, rotation);
            writer.write_all(series.take(20).as_bytes()).unwrap();
            scene.wait_for_stored(Backend::Loki, series.next);
            writer.write_all(series.take(20).as_bytes()).unwrap();
            scene.wait_for_stored(Backend::Loki, series.next);
            config.wait_until_no_lag();
            assert_eq!(skipped_bytes(&config), holes, "{first} lines");
        }
        agent.stop_well();
        scene.assert_arrived(Backend::Loki, &series.all());
    }
}

#[test]
fn a_hole_that_is_made_while_the_agent_is_away_is_skipped_too() {
    let (scene, config, mut series, mut writer) = with_writer(3000);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    let hole = writer.stream_position().unwrap();
    copy_and_empty(&scene, 1);
    writer.write_all(series.take(20).as_bytes()).unwrap();
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, series.next);
    config.wait_until_no_lag();
    assert_eq!(skipped_bytes(&config), hole);
    agent.stop_well();
    let agent = scene.start(&config);
    writer.write_all(series.take(20).as_bytes()).unwrap();
    scene.wait_for_stored(Backend::Loki, series.next);
    config.wait_until_no_lag();
    assert_eq!(skipped_bytes(&config), 0, "behind it by now");
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_file_that_is_a_hole_alone_is_no_line_until_something_is_written_behind_it() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut writer = File::create(scene.log("app.log")).unwrap();
    writer.set_len(5 << 20).unwrap();
    writer.seek(SeekFrom::End(0)).unwrap();
    let agent = scene.start(&config);
    writer.write_all(b"behind").unwrap();
    let has_seen = || config.status_json()["files"][0]["size"] == (5 << 20) + 6;
    assert!(crate::harness::eventually(has_seen));
    writer.write_all(b" it\n").unwrap();
    scene.wait_for_stored(Backend::Loki, 1);
    config.wait_until_no_lag();
    assert_eq!(skipped_bytes(&config), 5 << 20);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &["behind it".to_owned()]);
}

#[test]
fn a_hole_in_the_midst_of_a_log_is_skipped_and_counted() {
    for (hole, format) in [(9000, ""), (20 << 20, ""), (20 << 20, PLAIN)] {
        let scene = Scene::new();
        let input = scene.input("app", &["*.log"], format);
        let mut config = scene.loki_config().serving();
        config.inputs = vec![input];
        let mut series = Numbered::wide("midst", 100);
        let mut writer = File::create(scene.log("app.log")).unwrap();
        writer.write_all(series.take(4000).as_bytes()).unwrap();
        // The power went before its end was written.
        writer
            .write_all(series.take(1).trim_end().as_bytes())
            .unwrap();
        writer.seek(SeekFrom::Current(hole)).unwrap();
        writer.write_all(series.take(20).as_bytes()).unwrap();
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, series.next);
        writer.seek(SeekFrom::Current(hole)).unwrap();
        writer.write_all(series.take(20).as_bytes()).unwrap();
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        assert_eq!(skipped_bytes(&config), 2 * hole.unsigned_abs(), "{format}");
        agent.stop_well();
        scene.assert_arrived(Backend::Loki, &series.all());
    }
}

#[test]
fn a_hole_of_which_the_file_system_knows_is_not_read() {
    const HOLE: u64 = 200 << 30;
    let (scene, config, mut series, mut writer) = with_writer(3);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, series.next);
    config.wait_until_no_lag();
    copy_and_empty(&scene, 1);
    if writer.seek(SeekFrom::Start(HOLE)).is_err()
        || writer.write_all(series.take(20).as_bytes()).is_err()
    {
        return skipped("the file system has no files of this length");
    }
    scene.wait_for_stored(Backend::Loki, series.next);
    config.wait_until_no_lag();
    assert_eq!(skipped_bytes(&config), HOLE);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}
