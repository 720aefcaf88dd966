//! Log files as programs write them, each with the records that it holds. `pinnace explain` with
//! nothing configured must find every record, its time and its level.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The zone of the timestamps that name none, and when the files were last written.
const ZONE: &str = "Europe/Paris";
const WRITTEN: &str = "2026-11-22T21:10:00Z";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The log files of the corpus, in order.
fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut logs: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "log"))
        .collect();
    logs.sort();
    logs
}

fn explain(log: &Path) -> Value {
    let out = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args([
            "explain",
            "--json",
            "--timezone",
            ZONE,
            "--written",
            WRITTEN,
        ])
        .arg(log)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

fn expected(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log.with_extension("expected")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How many of the expected records were found as they are, and what differs.
fn compare(log: &Path) -> (usize, usize, String) {
    let found = explain(log);
    let found = found["records"].as_array().unwrap();
    let expected = expected(log);
    let mut right = 0;
    let mut told = String::new();
    for (number, record) in expected.iter().enumerate() {
        let keys = ["text", "lines", "time", "level"];
        let is_right = found
            .get(number)
            .is_some_and(|found| keys.iter().all(|key| found[key] == record[key]));
        right += usize::from(is_right);
        if !is_right {
            let found = found.get(number).unwrap_or(&Value::Null);
            let _ = write!(
                told,
                "  record {number}\n    expected {record}\n    found    {found}\n"
            );
        }
    }
    if found.len() > expected.len() {
        let _ = writeln!(
            told,
            "  {} records, {} expected",
            found.len(),
            expected.len()
        );
    }
    (right, expected.len(), told)
}

#[test]
fn every_record_of_the_corpus_is_found_with_nothing_configured() {
    let logs = logs(&folder());
    assert!(logs.len() >= 25, "{} formats", logs.len());
    let (mut right, mut all, mut wrong) = (0, 0, String::new());
    for log in &logs {
        let (right_here, all_here, told) = compare(log);
        right += right_here;
        all += all_here;
        if !told.is_empty() {
            let _ = write!(wrong, "{}\n{told}", log.file_name().unwrap().display());
        }
    }
    println!("{right} of {all} records of {} formats", logs.len());
    assert!(
        wrong.is_empty(),
        "{right} of {all} records are right\n{wrong}"
    );
}
