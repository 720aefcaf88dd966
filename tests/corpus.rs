//! Log files as programs write them, each with the records that it holds. `pinnace explain` with
//! nothing configured must find every record of the first set, its time and its level; of the
//! second set, which somebody wrote who did not know how records are found, no fewer than its
//! README.md says.
//!
//! Without the usual harness, so that how many are right of each format is printed whenever it is
//! looked at.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and this one tells its figures"
)]

use std::collections::BTreeMap;
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

fn explain(log: &Path, zone: &str, written: &str) -> Value {
    let out = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(["explain", "--json"])
        .args(["--timezone", zone, "--written", written])
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
    let found = explain(log, ZONE, WRITTEN);
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

fn main() {
    let folder = folder();
    let wrong = first_set(&folder) + &second_set(&folder.join("second"));
    assert!(wrong.is_empty(), "{wrong}");
}

/// Prints how many records are right, of each format and of all.
fn tell(set: &str, formats: &[(String, usize, usize)]) {
    let sum = |of: fn(&(String, usize, usize)) -> usize| formats.iter().map(of).sum::<usize>();
    let (right, all) = (sum(|it| it.1), sum(|it| it.2));
    let percent = right as f64 / all as f64 * 100.0;
    let count = formats.len();
    println!("{set}: {right} of {all} records of {count} formats are right ({percent:.1} %)");
    let each = formats.iter();
    let each: Vec<_> = each
        .map(|(name, right, all)| format!("{name} {right}/{all}"))
        .collect();
    for some in each.chunks(4) {
        println!("  {}", some.join(", "));
    }
}

/// Every record of the corpus is found with nothing configured. Returns what is not.
fn first_set(folder: &Path) -> String {
    let logs = logs(folder);
    assert!(logs.len() >= 25, "{} formats", logs.len());
    let (mut formats, mut wrong) = (Vec::new(), String::new());
    for log in &logs {
        let (right, all, told) = compare(log);
        let name = log.file_stem().unwrap().display().to_string();
        if !told.is_empty() {
            let _ = write!(wrong, "{name}\n{told}");
        }
        formats.push((name, right, all));
    }
    tell("corpus", &formats);
    wrong
}

/// Records by the lines that they begin with.
fn by_line(records: &Value) -> BTreeMap<u64, &Value> {
    let mut line = 1;
    let records = records.as_array().unwrap().iter();
    records
        .map(|record| {
            let at = line;
            line += record["lines"].as_u64().unwrap();
            (at, record)
        })
        .collect()
}

/// A time without the zeros that a fraction may end with.
fn time_of(record: &Value) -> Option<&str> {
    let time = record["time"].as_str()?.trim_end_matches('Z');
    Some(if time.contains('.') {
        time.trim_end_matches('0').trim_end_matches('.')
    } else {
        time
    })
}

/// Which records of a file of the second set are right, each with whether its author was sure of
/// it, and what differs. One that begins elsewhere than expected is wrong.
fn judge(log: &Path) -> (Vec<(bool, bool)>, String) {
    let text = fs::read_to_string(log.with_extension("json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let text_of = |key: &str| expected[key].as_str().unwrap();
    let found = explain(log, text_of("zone"), text_of("file_modified"));
    let found = by_line(&found["records"]);
    let expected = by_line(&expected["records"]);
    let (mut records, mut told) = (Vec::new(), String::new());
    for (line, record) in &expected {
        let found = found.get(line);
        let is_right = found.is_some_and(|found| {
            found["lines"] == record["lines"]
                && time_of(found) == time_of(record)
                && found["level"] == record["level"]
        });
        records.push((is_right, record["unsure"] != true));
        if !is_right {
            let found = found.map_or_else(|| "no record".to_owned(), ToString::to_string);
            let _ = writeln!(
                told,
                "  line {line}\n    expected {record}\n    found    {found}"
            );
        }
    }
    (records, told)
}

/// The table of the second set's README.md: records, right as found, right now, of each format.
fn promised(folder: &Path) -> BTreeMap<String, [usize; 3]> {
    let text = fs::read_to_string(folder.join("README.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let name = cells.next().unwrap().trim_end_matches('`').to_owned();
        (name, [0; 3].map(|_| cells.next().unwrap().parse().unwrap()))
    })
    .collect()
}

/// As many records of the second set are found as is said. Returns where it is otherwise.
fn second_set(folder: &Path) -> String {
    let promised = promised(folder);
    let logs = logs(folder);
    assert_eq!(logs.len(), promised.len(), "formats in README.md");
    let (mut formats, mut wrong) = (Vec::new(), String::new());
    let mut sure = Vec::new();
    for log in &logs {
        let name = log.file_stem().unwrap().to_str().unwrap();
        let (judged, told) = judge(log);
        let count = |is: fn(&(bool, bool)) -> bool| judged.iter().filter(|it| is(it)).count();
        let (right, all) = (count(|it| it.0), judged.len());
        sure.extend(judged.iter().filter(|it| it.1).map(|it| it.0));
        formats.push((name.to_owned(), right, all));
        let [records, _, now] = promised[name];
        if (all, right) != (records, now) {
            let _ = write!(
                wrong,
                "{name}: {right} of {all} records are right, README.md says {now} of {records}\n{told}"
            );
        }
    }
    tell("its second set", &formats);
    let right = sure.iter().filter(|it| **it).count();
    println!(
        "  of those that its author was sure of: {right} of {}",
        sure.len()
    );
    wrong
}
