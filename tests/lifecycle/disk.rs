//! The volume that the logs live on: deleted files that are held, and what is let go.

use std::fs;
use std::time::{Duration, Instant};

use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, SmallVolume, eventually, skipped};

/// All `*.log` to Loki, with these further keys of the input.
fn config_with(scene: &Scene, keys: &str) -> Config {
    Config {
        inputs: vec![scene.input("app", &["*.log"], keys)],
        ..scene.loki_config().serving()
    }
}

fn lost(config: &Config, reason: &str) -> u64 {
    let sample = format!("pinnace_lost_bytes_total{{reason=\"{reason}\"}}");
    config.metric(&sample).unwrap()
}

/// An agent that has the beginnings of these files on their way, and cannot deliver them.
fn start_blocked(scene: &Scene, config: &Config) -> Agent {
    scene.receiver.pause(Backend::Loki);
    let agent = scene.start(config);
    agent.wait_for_log("not delivered; nothing is lost");
    agent
}

/// Every byte of these series is either stored once, or counted as lost.
fn assert_accounted(scene: &Scene, config: &Config, reason: &str, series: &[&Numbered]) {
    let written: u64 = series
        .iter()
        .flat_map(|it| it.all())
        .map(|line| line.len() as u64 + 1)
        .sum();
    let mut account = (0, 0);
    let is_whole = eventually(|| {
        let records = scene.receiver.records(Backend::Loki);
        let stored: u64 = records.iter().map(|it| it.line.len() as u64 + 1).sum();
        account = (stored, lost(config, reason));
        account.0 + account.1 == written
    });
    assert!(
        is_whole,
        "{written} written, but (stored, lost): {account:?}"
    );
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn deleted_files_are_let_go_beyond_max_bytes_oldest_first_and_every_byte_of_it_is_counted() {
    let scene = Scene::new();
    let config = config_with(&scene, "hold_deleted: { max_bytes: 6MiB }");
    let mut old = Numbered::wide("old", 199);
    let mut young = Numbered::wide("young", 199);
    old.append_to(&scene.log("old.log"), 20_000);
    let agent = start_blocked(&scene, &config);
    young.append_to(&scene.log("young.log"), 20_000);
    assert!(eventually(|| config.metric("pinnace_files_open") == Some(2)));
    fs::remove_file(scene.log("young.log")).unwrap();
    fs::remove_file(scene.log("old.log")).unwrap();
    let told = agent.wait_for_log("bytes were lost");
    assert!(
        told.contains("old.log") && told.contains("hold_deleted.max_bytes"),
        "{told}"
    );
    let lost = lost(&config, "hold_deleted");
    assert!(lost > 1 << 20, "{lost}");
    let (_, status) = config.status_text();
    assert!(status.contains(&format!("{lost} bytes of ")), "{status}");
    scene.receiver.resume(Backend::Loki);
    assert_accounted(&scene, &config, "hold_deleted", &[&old, &young]);
    scene.assert_series_arrived(Backend::Loki, &young);
    agent.stop_well();
}

#[test]
fn deleted_files_are_let_go_one_at_a_time_while_their_volume_is_full() {
    let scene = Scene::new();
    let config = config_with(&scene, "");
    let Some(volume) = SmallVolume::mount(&scene.log(""), 64 << 20) else {
        return skipped("no volume of one's own can be mounted here");
    };
    let names = ["first", "second", "third"];
    let mut series = names.map(|name| Numbered::wide(name, 199));
    for (name, series) in names.iter().zip(&mut series) {
        series.append_to(&volume.file(&format!("{name}.log")), 20_000);
    }
    scene.receiver.pause(Backend::Loki);
    let agent = Agent::launch_at(&volume, &scene.write(&config), &["--on-error=exit"]);
    agent.wait_for_log("not delivered; nothing is lost");
    assert!(eventually(|| config.metric("pinnace_files_open") == Some(3)));
    for name in names {
        fs::remove_file(volume.file(&format!("{name}.log"))).unwrap();
    }
    assert_eq!(lost(&config, "hold_deleted"), 0, "there is room");
    volume.fill();
    let told = agent.wait_for_log("bytes were lost");
    assert!(told.contains("hold_deleted.min_free"), "{told}");
    scene.receiver.resume(Backend::Loki);
    let [first, second, third] = &series;
    assert_accounted(&scene, &config, "hold_deleted", &[first, second, third]);
    let log = agent.stop_well();
    let let_go = log.matches("bytes were lost").count();
    assert_eq!(let_go, 1, "what it gave back was enough: {log}");
}

#[test]
fn a_deleted_file_is_let_go_when_it_was_owed_for_max_age() {
    let scene = Scene::new();
    let config = config_with(&scene, "hold_deleted: { max_age: 1s }");
    let mut series = Numbered::wide("aged", 199);
    series.append_to(&scene.log("app.log"), 20_000);
    let agent = start_blocked(&scene, &config);
    fs::remove_file(scene.log("app.log")).unwrap();
    let told = agent.wait_for_log("bytes were lost");
    assert!(told.contains("hold_deleted.max_age"), "{told}");
    scene.receiver.resume(Backend::Loki);
    assert_accounted(&scene, &config, "hold_deleted", &[&series]);
    agent.stop_well();
}

#[test]
fn a_deleted_file_that_is_delivered_as_it_is_written_outlives_max_age() {
    let scene = Scene::new();
    let config = config_with(&scene, "hold_deleted: { max_age: 1s }");
    let mut series = Numbered::new("writer");
    let path = scene.log("app.log");
    series.append_to(&path, 1);
    let mut writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 1);
    fs::remove_file(&path).unwrap();
    let deleted = Instant::now();
    let mut count = 1;
    while deleted.elapsed() < Duration::from_millis(2500) {
        count += 1;
        std::io::Write::write_all(&mut writer, series.next_line().as_bytes()).unwrap();
        scene.wait_for_stored(Backend::Loki, count);
    }
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_deleted_file_that_is_let_go_is_read_on_in_its_copy() {
    let scene = Scene::new();
    let config = config_with(&scene, "hold_deleted: { max_bytes: 0 }");
    let mut series = Numbered::wide("copied", 199);
    let path = scene.log("app.log");
    series.append_to(&path, 20_000);
    let agent = start_blocked(&scene, &config);
    fs::copy(&path, scene.log("app.log.1")).unwrap();
    fs::remove_file(&path).unwrap();
    let is_read_on = eventually(|| {
        let status = config.status_json();
        status["files"][0]["path"] == scene.log("app.log.1").display().to_string()
    });
    assert!(is_read_on, "{:#}", config.status_json());
    scene.receiver.resume(Backend::Loki);
    scene.wait_for_stored(Backend::Loki, 20_000);
    assert_eq!(lost(&config, "hold_deleted"), 0);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}
