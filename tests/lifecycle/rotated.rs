//! What becomes of rotated files once they are delivered, and of all of them when they take more
//! than they may.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene, append, eventually};

/// These globs to Loki, with these further keys of the input.
fn config_with(scene: &Scene, globs: &[&str], keys: &str) -> Config {
    Config {
        inputs: vec![scene.input("app", globs, keys)],
        ..scene.loki_config().serving()
    }
}

fn deleted(config: &Config, input: &str) -> u64 {
    let sample = format!("pinnace_deleted_files_total{{input=\"{input}\"}}");
    config.metric(&sample).unwrap_or(0)
}

/// Files of these names, made one after the other, each with ten lines of its own.
fn write_each(scene: &Scene, names: &[&str]) -> Vec<Numbered> {
    let mut all = Vec::new();
    for name in names {
        let mut series = Numbered::new(&name.replace('.', "-"));
        series.append_to(&scene.log(name), 10);
        set_age(&scene.log(name), all.len() as u64);
        all.push(series);
    }
    all
}

/// Gives a file a modification time that many seconds after a time an hour ago.
fn set_age(path: &Path, seconds: u64) {
    static HOUR_AGO: LazyLock<SystemTime> =
        LazyLock::new(|| SystemTime::now() - Duration::from_hours(1));
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(*HOUR_AGO + Duration::from_secs(seconds))
        .unwrap();
}

fn is_gone(path: &Path) -> bool {
    eventually(|| !path.exists())
}

const DELETE: &str = "after_delivery: { rotated: delete, keep: 1 }";

#[test]
fn dated_files_are_deleted_once_every_output_has_them_but_the_youngest_past_one_and_the_live_one() {
    let scene = Scene::new();
    let mut config = config_with(&scene, &["report_*.log"], DELETE);
    let witness = scene.input(
        "witness",
        &["witness*"],
        "after_delivery: { rotated: delete, keep: 0 }",
    );
    config.inputs.push(witness);
    config
        .outputs
        .push(scene.cloudwatch("log_stream: all, inputs: [app]"));
    let days = [
        "report_20261119.log",
        "report_20261120.log",
        "report_20261121.log",
        "report_20261122.log",
    ];
    let series = write_each(&scene, &days);
    write_each(&scene, &["witness.1", "witness"]);
    scene.receiver.pause(Backend::Cloudwatch);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 60);
    assert!(
        is_gone(&scene.log("witness.1")),
        "delivered to all its outputs"
    );
    assert!(
        days.iter().all(|day| scene.log(day).exists()),
        "owed to one"
    );
    scene.receiver.resume(Backend::Cloudwatch);
    assert!(is_gone(&scene.log(days[0])) && is_gone(&scene.log(days[1])));
    assert!(eventually(|| deleted(&config, "app") == 2));
    // The next day makes the last past.
    append(&scene.log("report_20261123.log"), "a new day\n");
    assert!(is_gone(&scene.log(days[2])));
    assert!(scene.log(days[3]).exists());
    assert!(scene.log("witness").exists());
    agent.stop_well();
    for series in series {
        scene.assert_series_arrived(Backend::Loki, &series);
        scene.assert_series_arrived(Backend::Cloudwatch, &series);
    }
}

#[test]
fn a_past_file_is_kept_until_the_outputs_of_another_input_that_reads_it_have_it_too() {
    let scene = Scene::new();
    let careful = "after_delivery: { rotated: delete, keep: 0, still_for: 0s }";
    // The same folder by another name.
    let link = scene.dir().join("link");
    std::os::unix::fs::symlink("logs", &link).unwrap();
    let linked = link.join("app*.log").display().to_string();
    let config = Config {
        inputs: vec![
            scene.input("a", &["app*.log", "witness*"], careful),
            scene.input("b", &[&linked], ""),
        ],
        outputs: vec![
            scene.loki("inputs: [a]"),
            scene.cloudwatch("log_stream: all, inputs: [b]"),
        ],
        ..scene.loki_config().serving()
    };
    let days = ["app_20261121.log", "app_20261122.log"];
    let series = write_each(&scene, &days);
    scene.receiver.pause(Backend::Cloudwatch);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 20);
    let is_acknowledged = || {
        let status = config.status_json();
        let files = status["files"].as_array().unwrap().iter();
        let mut of_a = files.filter(|it| it["input"] == "a");
        of_a.all(|it| it["delivered"][0]["bytes"] == it["size"])
    };
    assert!(eventually(is_acknowledged), "{:#}", config.status_json());
    // It has looked for what to delete since then.
    write_each(&scene, &["witness.1", "witness"]);
    assert!(is_gone(&scene.log("witness.1")));
    assert!(scene.log(days[0]).exists(), "owed to the output of b");
    agent.kill();
    scene.receiver.resume(Backend::Cloudwatch);
    let agent = scene.start(&config);
    assert!(is_gone(&scene.log(days[0])));
    scene.wait_for_stored(Backend::Cloudwatch, 20);
    agent.stop_well();
    for series in series {
        scene.assert_series_arrived(Backend::Cloudwatch, &series);
    }
}

#[test]
fn a_past_file_that_somebody_writes_is_deleted_only_when_that_ends_and_all_of_it_is_delivered() {
    let scene = Scene::new();
    let config = config_with(
        &scene,
        &["*.log"],
        "after_delivery: { rotated: delete, keep: 0, still_for: 0s }",
    );
    let names = [
        "a_20261120.log",
        "b_20261120.log",
        "a_20261121.log",
        "b_20261121.log",
    ];
    write_each(&scene, &names);
    let held = scene.log("a_20261120.log");
    let mut writer = fs::OpenOptions::new().append(true).open(&held).unwrap();
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 40);
    assert!(is_gone(&scene.log("b_20261120.log")), "nobody writes it");
    assert!(held.exists());
    std::io::Write::write_all(&mut writer, b"one more\n").unwrap();
    set_age(&held, 0);
    drop(writer);
    scene.wait_for_stored(Backend::Loki, 41);
    assert!(is_gone(&held));
    agent.stop_well();
}

#[test]
fn what_an_earlier_run_delivered_is_deleted_and_what_was_written_since_is_delivered_first() {
    let scene = Scene::new();
    let before = config_with(&scene, &["*.log"], "");
    let names = ["app_20261120.log", "app_20261121.log", "app_20261122.log"];
    write_each(&scene, &names);
    let agent = scene.start(&before);
    scene.wait_for_stored(Backend::Loki, 30);
    agent.stop_well();
    append(&scene.log(names[1]), "written while away\n");
    set_age(&scene.log(names[1]), 1);
    scene.receiver.pause(Backend::Loki);
    let config = config_with(
        &scene,
        &["*.log"],
        "after_delivery: { rotated: delete, keep: 0 }",
    );
    let agent = scene.start(&config);
    assert!(
        is_gone(&scene.log(names[0])),
        "the journal knows it as delivered"
    );
    assert!(scene.log(names[1]).exists(), "a line of it is owed");
    scene.receiver.resume(Backend::Loki);
    assert!(is_gone(&scene.log(names[1])));
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    assert!(records.iter().any(|it| it.line == "written while away"));
    assert_eq!(records.len(), 31);
}

#[test]
fn rotated_files_beside_a_name_are_deleted_compressed_ones_too() {
    let scene = Scene::new();
    let config = config_with(
        &scene,
        &["app.log"],
        "after_delivery: { rotated: delete, keep: 1, still_for: 0s }",
    );
    let path = scene.log("app.log");
    let mut series = Numbered::new("rotated");
    let agent = scene.start(&config);
    // logrotate: the older ones move up, the one before the last is compressed.
    for turn in 0..4 {
        series.append_to(&path, 10);
        scene.wait_for_stored(Backend::Loki, 10 * (turn + 1));
        config.wait_until_all_is_answered();
        if turn < 3 {
            let first = scene.log("app.log.1");
            if first.exists() {
                let gzip = std::process::Command::new("gzip").arg(&first).status();
                assert!(gzip.unwrap().success());
                fs::rename(
                    scene.log("app.log.1.gz"),
                    scene.log(&format!("app.log.{}.gz", 4 - turn)),
                )
                .unwrap();
            }
            fs::rename(&path, &first).unwrap();
        }
    }
    assert!(is_gone(&scene.log("app.log.2.gz")) && is_gone(&scene.log("app.log.3.gz")));
    assert!(path.exists() && scene.log("app.log.1").exists());
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_file_that_was_skipped_is_never_deleted() {
    let scene = Scene::new();
    let config = config_with(
        &scene,
        &["*.log"],
        "read_from: end, after_delivery: { rotated: delete, keep: 0, still_for: 0s }",
    );
    write_each(&scene, &["app_20261120.log", "app_20261121.log"]);
    let agent = scene.start(&config);
    // Files that are made after the first look are read whole.
    assert!(eventually(|| config.metric("pinnace_files_open") == Some(2)));
    let mut series = Numbered::new("later");
    series.append_to(&scene.log("app_20261122.log"), 10);
    scene.wait_for_stored(Backend::Loki, 10);
    append(&scene.log("app_20261123.log"), "the next\n");
    assert!(is_gone(&scene.log("app_20261122.log")), "delivered whole");
    assert!(scene.log("app_20261120.log").exists() && scene.log("app_20261121.log").exists());
    agent.stop_well();
}

#[test]
fn a_folder_in_which_nothing_can_be_deleted_is_told_counted_and_tried_again() {
    let scene = Scene::new();
    let config = config_with(&scene, &["*.log"], DELETE);
    let names = ["app_20261120.log", "app_20261121.log", "app_20261122.log"];
    write_each(&scene, &names);
    let logs = scene.dir().join("logs");
    let allow = |mode| fs::set_permissions(&logs, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    let Some(agent) = scene.launch_powerless(&config, &["--on-error=exit"]) else {
        return;
    };
    let told = agent.wait_for_log("cannot delete");
    assert!(
        told.contains(names[0]) && told.contains("Permission denied"),
        "{told}"
    );
    let (_, status) = config.status_text();
    assert!(status.contains("let this process write to"), "{status}");
    let failures: Option<u64> = config.metric("pinnace_delete_failures_total{input=\"app\"}");
    assert_eq!(failures, Some(1));
    allow(0o777);
    assert!(is_gone(&scene.log(names[0])));
    assert!(eventually(|| config.status_text().0 == Some(0)));
    agent.stop_well();
}

#[test]
fn above_its_limit_an_input_that_holds_says_so_and_deletes_nothing() {
    let scene = Scene::new();
    let config = config_with(&scene, &["app.log*"], "disk: { max_bytes: 1MiB }");
    let mut series = Numbered::wide("hold", 199);
    for name in ["app.log.2", "app.log.1", "app.log"] {
        series.append_to(&scene.log(name), 4000);
    }
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 12_000);
    let mut status = String::new();
    let is_told = eventually(|| {
        status = config.status_text().1;
        status.contains("more than disk.max_bytes (1.0 MiB)")
    });
    assert!(is_told && status.contains("when_full: hold"), "{status}");
    let taken: u64 = config.metric("pinnace_input_bytes{input=\"app\"}").unwrap();
    assert!(taken >= 2_400_000, "{taken}");
    let free: u64 = config
        .metric("pinnace_volume_free_bytes{input=\"app\"}")
        .unwrap();
    assert!(free > 0);
    assert!(scene.log("app.log.2").exists() && scene.log("app.log.1").exists());
    fs::remove_file(scene.log("app.log.2")).unwrap();
    fs::remove_file(scene.log("app.log.1")).unwrap();
    assert!(eventually(|| config.status_text().0 == Some(0)));
    agent.stop_well();
}

#[test]
fn above_its_limit_an_input_that_drops_loses_the_oldest_rotated_file_and_counts_every_byte() {
    let scene = Scene::new();
    let config = config_with(
        &scene,
        &["app.log*"],
        "disk: { max_bytes: 5MiB, when_full: drop_oldest }",
    );
    let mut series = Numbered::wide("drop", 199);
    for (age, name) in ["app.log.2", "app.log.1", "app.log"]
        .into_iter()
        .enumerate()
    {
        series.append_to(&scene.log(name), 12_000);
        set_age(&scene.log(name), age as u64);
    }
    scene.receiver.pause(Backend::Loki);
    let agent = scene.start(&config);
    let told = agent.wait_for_log("bytes were lost");
    assert!(
        told.contains("app.log.2") && told.contains("drop_oldest"),
        "{told}"
    );
    assert!(!scene.log("app.log.2").exists());
    assert!(scene.log("app.log.1").exists() && scene.log("app.log").exists());
    scene.receiver.resume(Backend::Loki);
    let written = 36_000 * 200;
    let mut account = (0, 0);
    let is_whole = eventually(|| {
        let records = scene.receiver.records(Backend::Loki);
        let stored: u64 = records.iter().map(|it| it.line.len() as u64 + 1).sum();
        let lost: u64 = config
            .metric("pinnace_lost_bytes_total{reason=\"disk_full\"}")
            .unwrap();
        account = (stored, lost);
        stored + lost == written
    });
    assert!(
        is_whole,
        "{written} written, but (stored, lost): {account:?}"
    );
    assert!(account.1 > 0);
    scene.assert_flawless(Backend::Loki);
    agent.stop_well();
}
