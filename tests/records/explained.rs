//! What `pinnace explain` prints is true of the agent: with the keys that force what was found, each
//! log of the corpus becomes the same records, with their times and levels.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use jiff::Timestamp;
use pinnace::receiver::{Backend, Record};
use serde_json::Value;

use crate::harness::{Config, Scene};
use crate::level;

/// Text, level, and the microsecond where a time was found.
type Told = (String, Option<String>, Option<i64>);

/// The logs of both sets of the corpus under names of their own, and when they were last written.
fn logs() -> Vec<(String, PathBuf, Timestamp)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let sets = [
        ("first", corpus.clone(), "2026-11-22T21:10:00Z"),
        ("second", corpus.join("second"), "2026-11-27T12:00:00Z"),
    ];
    let mut logs = Vec::new();
    for (set, folder, written) in sets {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "log") {
                let name = path.file_name().unwrap().display();
                logs.push((format!("{set}-{name}"), path, written.parse().unwrap()));
            }
        }
    }
    logs
}

fn explain(log: &Path) -> Value {
    let out = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(["explain", "--json", "--timezone", "Europe/Paris"])
        .arg(log)
        .output()
        .unwrap();
    serde_json::from_slice(&out.stdout).unwrap()
}

fn told(explained: &Value) -> Vec<Told> {
    let records = explained["records"].as_array().unwrap().iter();
    let told = records.map(|record| {
        let text = record["text"].as_str().unwrap().to_owned();
        let time = record["time"].as_str().map(|time| {
            let time: Timestamp = time.parse().unwrap();
            time.as_microsecond()
        });
        (text, record["level"].as_str().map(str::to_owned), time)
    });
    told.collect()
}

/// What arrived of a record; its time where one was found.
fn arrived(record: &Record, is_timed: bool) -> Told {
    let micros = record.timestamp_ns.div_euclid(1000);
    (
        record.line.clone(),
        level(record).map(str::to_owned),
        is_timed.then_some(micros),
    )
}

#[test]
fn the_keys_that_explain_prints_make_the_records_that_it_shows() {
    let scene = Scene::of_any_time();
    let (mut inputs, mut explained) = (Vec::new(), BTreeMap::new());
    for (name, log, written) in logs() {
        let copy = scene.log(&name);
        fs::copy(log, &copy).unwrap();
        let file = File::options().write(true).open(&copy).unwrap();
        let since_epoch = written.duration_since(Timestamp::UNIX_EPOCH);
        let since_epoch = since_epoch.unsigned_abs();
        file.set_modified(SystemTime::UNIX_EPOCH + since_epoch)
            .unwrap();
        let found = explain(&copy);
        let keys = found["configuration"].as_array().unwrap().iter();
        let keys: Vec<_> = keys.map(|key| key.as_str().unwrap()).collect();
        let keys = format!("{}, multiline_wait: 50ms", keys.join(", "));
        inputs.push(scene.input(&name.replace('.', "-"), &[&name], &keys));
        explained.insert(name, (keys, told(&found)));
    }
    let keys = "too_old: rescue, max_age: 100000h, labels: { log: \"{file}\" }";
    let config = Config {
        inputs,
        outputs: vec![scene.loki(keys)],
        ..scene.empty_config()
    };
    let agent = scene.start(&config);
    let count: usize = explained.values().map(|it| it.1.len()).sum();
    scene.wait_for_stored(Backend::Loki, count as u64);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    assert_eq!(records.len(), count);
    for (name, (keys, mut expected)) in explained {
        let of_log = format!("{{log=\"{name}\"}}");
        let mut found: Vec<_> = records
            .iter()
            .filter(|record| *record.stream == *of_log)
            .map(|record| {
                let same = expected.iter().filter(|it| it.0 == record.line);
                arrived(record, same.clone().any(|it| it.2.is_some()))
            })
            .collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{name} with {keys}");
    }
}
