//! A backlog of many ages: files of twenty days in any order, lines without a time among them.
//! Every line is accounted for at both backends, whether old ones are moved up or refused. And a
//! stream that is fed by several files.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append, eventually, get};

const HOUR: u64 = 3600;
/// Files, each of so many hours.
const FILES: u64 = 40;
const HOURS: u64 = 12;
/// Records with a time in each file, and lines without one.
const TIMED: u64 = 40;
const UNTIMED: u64 = 10;

/// What was written: of each line when it says that it was written, in milliseconds.
fn write(scene: &Scene) -> BTreeMap<String, Option<u64>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let apart = HOURS * HOUR / TIMED;
    // No record comes to the age of a limit while the test runs: each is half a step from it.
    let first = now.as_secs() - FILES * HOURS * HOUR + apart / 2;
    let mut written = BTreeMap::new();
    for place in 0..FILES {
        // Every file once, in no order.
        let file = place * 17 % FILES;
        let mut text = String::new();
        for line in 0..TIMED {
            let seconds = first + file * HOURS * HOUR + line * apart;
            let record =
                format!(r#"{{"ts":{seconds}.25,"level":"info","msg":"{file:02} {line:03}"}}"#);
            text.push_str(&record);
            text.push('\n');
            written.insert(record, Some(seconds * 1000 + 250));
            if line % (TIMED / UNTIMED) == 2 {
                let plain = format!("no time {file:02} {line:03}");
                text.push_str(&plain);
                text.push('\n');
                written.insert(plain, None);
            }
        }
        append(&scene.log(&format!("{file:02}.log")), text);
    }
    written
}

fn config(scene: &Scene, ages: &str) -> Config {
    Config {
        outputs: vec![
            scene.loki(ages),
            scene.cloudwatch(&format!("log_stream: \"{{file}}\", {ages}")),
        ],
        ..scene.loki_config()
    }
}

/// The lines that a backend stored, with the times of their records in milliseconds.
fn stored(scene: &Scene, backend: Backend) -> Vec<(String, u64)> {
    let records = scene.receiver.records(backend).into_iter();
    records
        .flat_map(|record| {
            let time = u64::try_from(record.timestamp_ns / 1_000_000).unwrap();
            let lines = record.line.lines().map(str::to_owned);
            lines.map(|line| (line, time)).collect::<Vec<_>>()
        })
        .collect()
}

/// The lines of an output's dead letters.
fn buried(config: &Config, output: &str) -> Vec<String> {
    config
        .dead_letters()
        .iter()
        .filter(|letter| letter["output"] == output)
        .flat_map(|letter| {
            let lines = letter["text"].as_str().unwrap().lines();
            lines.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// Each line once.
fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn old_records_are_moved_up_where_that_is_asked_and_younger_ones_keep_their_times() {
    let scene = Scene::new();
    let config = config(&scene, "too_old: rescue").serving();
    let written = write(&scene);
    // What says nothing is as old as its file.
    append(&scene.log("plain.log"), "plain\n");
    let plain = File::options().append(true).open(scene.log("plain.log"));
    let long_ago = SystemTime::now() - Duration::from_secs(100 * 24 * HOUR);
    plain.unwrap().set_modified(long_ago).unwrap();
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    agent.stop_well();
    assert!(!config.state_dir.join("dead-letters.ndjson").exists());
    let young = SystemTime::now() - Duration::from_secs(5 * 24 * HOUR);
    let young = u64::try_from(young.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    for backend in Backend::ALL {
        let stored = stored(&scene, backend);
        let mut kept = 0;
        for (line, time) in &stored {
            if let Some(Some(own)) = written
                .get(line)
                .filter(|own| own.is_some_and(|it| it > young))
            {
                assert_eq!(time, own, "{line} at {backend}");
                kept += 1;
            }
        }
        assert!(kept > 300, "{kept} of {backend}");
        let lines = sorted(stored.into_iter().map(|(line, _)| line));
        let all = written.keys().cloned().chain(["plain".to_owned()]);
        assert_eq!(lines, sorted(all), "{backend}");
        scene.assert_flawless(backend);
        let moved = format!("pinnace_times_moved_up_total{{output=\"{backend}\"}} ");
        assert!(!metrics.contains(&format!("{moved}0\n")), "{metrics}");
    }
}

#[test]
fn old_records_are_in_the_dead_letters_and_the_others_arrive() {
    // Whether they are sent and refused, or known to be too old.
    for (ages, is_sent) in [
        ("", [true, false]),
        ("max_age: 10000h", [true, true]),
        ("max_age: 100h", [false, false]),
    ] {
        bury(ages, is_sent);
    }
}

fn bury(ages: &str, is_sent: [bool; 2]) {
    let scene = Scene::new();
    let config = config(&scene, ages).serving();
    let written = write(&scene);
    let agent = scene.start(&config);
    let all = written.len();
    let is_accounted = eventually(|| {
        Backend::ALL.into_iter().all(|backend| {
            stored(&scene, backend).len() + buried(&config, backend.name()).len() >= all
        })
    });
    assert!(is_accounted, "{}", config.status_text().1);
    config.wait_until_no_lag();
    agent.stop_well();
    for (backend, is_sent) in Backend::ALL.into_iter().zip(is_sent) {
        let refused = scene.receiver.summary(backend).rejected_total();
        assert_eq!(refused > 0, is_sent, "{refused} at {backend} with {ages:?}");
        let buried = buried(&config, backend.name());
        assert!(buried.len() > 200, "{} of {backend}", buried.len());
        let stored = stored(&scene, backend).into_iter().map(|(line, _)| line);
        let lines = sorted(stored.chain(buried));
        assert_eq!(lines, sorted(written.keys().cloned()), "{backend}");
        assert_eq!(scene.receiver.summary(backend).repeated, 0, "{backend}");
    }
}

/// Files that feed one stream, each at its own pace, with the times of their lines in milliseconds.
fn write_uneven(scene: &Scene) -> BTreeMap<String, u64> {
    const DAYS: u64 = 4;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = (now.as_secs() - DAYS * 24 * HOUR) * 1000;
    let mut written = BTreeMap::new();
    for (file, lines) in [3000u64, 40, 900, 2000, 1].into_iter().enumerate() {
        let mut text = String::new();
        for line in 0..lines {
            let millis = first + line * DAYS * 24 * HOUR * 1000 / lines;
            let (seconds, below) = (millis / 1000, millis % 1000);
            let record = format!(
                r#"{{"ts":{seconds}.{below:03},"level":"info","msg":"{file} {line:04} {}"}}"#,
                "x".repeat(60)
            );
            text.push_str(&record);
            text.push('\n');
            written.insert(record, millis);
        }
        append(&scene.log(&format!("{file}.log")), text);
    }
    written
}

#[test]
fn files_of_one_stream_keep_their_times_however_much_of_them_waits() {
    uneven_files_keep_their_times("batch: { max_bytes: 32KiB,", (HOUR * 1000, 300));
}

/// Loki takes a batch of half an hour, CloudWatch Logs one of a day.
#[test]
fn files_of_one_stream_keep_their_times_however_long_they_are_of() {
    uneven_files_keep_their_times("batch: {", (1, 1));
}

/// Less than so many milliseconds is a time moved, and less than so many are.
fn uneven_files_keep_their_times(batch: &str, (far, many): (u64, usize)) {
    let scene = Scene::new();
    let small = |output: String| output.replace("batch: {", batch);
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], "max_line: 8KiB")],
        outputs: vec![
            small(scene.loki("labels: { app: test }")),
            small(scene.cloudwatch("log_stream: all")),
        ],
        ..scene.empty_config()
    }
    .serving();
    let written = write_uneven(&scene);
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    agent.stop_well();
    for backend in Backend::ALL {
        scene.assert_flawless(backend);
        let stored = stored(&scene, backend);
        let lines = sorted(stored.iter().map(|(line, _)| line.clone()));
        assert_eq!(lines, sorted(written.keys().cloned()), "{backend}");
        let moved: Vec<_> = stored
            .iter()
            .map(|(line, time)| time - written[line])
            .filter(|by| *by > 0)
            .collect();
        let behind = format!(
            "pinnace_times_behind_total{{output=\"{}\"}} {}\n",
            backend.name(),
            moved.len()
        );
        assert!(metrics.contains(&behind), "{behind}{metrics}");
        // Four days in many batches; one file is read ahead by a small part of a batch.
        let most = moved.iter().max().copied().unwrap_or(0);
        assert!(most < far, "{most} ms at {backend}");
        assert!(moved.len() < many, "{} of {backend}", moved.len());
    }
}
