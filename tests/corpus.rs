//! Log files as programs write them, each with the records that it holds. `pinnace explain` with
//! nothing configured must find every record of the first set, its time and its level; of the
//! second set, which somebody wrote who did not know how records are found, no fewer than its
//! README.md says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

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

/// What is right of the records of a file, or how many there are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    whole: usize,
    certain: usize,
    boundaries: usize,
    times: usize,
    levels: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.whole += other.whole;
        self.certain += other.certain;
        self.boundaries += other.boundaries;
        self.times += other.times;
        self.levels += other.levels;
    }
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

/// What is right of a file of the second set, what there is, and what differs. A record that begins
/// elsewhere than expected has nothing right.
fn judge(log: &Path) -> (Count, Count, String) {
    let text = fs::read_to_string(log.with_extension("json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let text_of = |key: &str| expected[key].as_str().unwrap();
    let found = explain(log, text_of("zone"), text_of("file_modified"));
    let found = by_line(&found["records"]);
    let (mut right, mut all, mut told) = (Count::default(), Count::default(), String::new());
    for (line, record) in by_line(&expected["records"]) {
        let is_certain = record["unsure"] != true;
        all.add(Count {
            whole: 1,
            certain: is_certain.into(),
            boundaries: 1,
            times: 1,
            levels: 1,
        });
        let found = found.get(&line);
        let is = |same: &dyn Fn(&Value) -> bool| found.is_some_and(|found| same(found));
        let boundary = is(&|found| found["lines"] == record["lines"]);
        let time = is(&|found| time_of(found) == time_of(record));
        let level = is(&|found| found["level"] == record["level"]);
        let whole = boundary && time && level;
        right.add(Count {
            whole: whole.into(),
            certain: (whole && is_certain).into(),
            boundaries: boundary.into(),
            times: time.into(),
            levels: level.into(),
        });
        if !whole {
            let found = found.map_or_else(|| "no record".to_owned(), ToString::to_string);
            let _ = writeln!(
                told,
                "  line {line}\n    expected {record}\n    found    {found}"
            );
        }
    }
    (right, all, told)
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

#[test]
fn no_fewer_records_of_the_second_set_are_found_than_is_said() {
    let folder = folder().join("second");
    let promised = promised(&folder);
    let logs = logs(&folder);
    assert_eq!(logs.len(), promised.len(), "formats in README.md");
    let (mut right, mut all, mut wrong) = (Count::default(), Count::default(), String::new());
    for log in &logs {
        let name = log.file_stem().unwrap().to_str().unwrap();
        let (right_here, all_here, told) = judge(log);
        println!("{name}: {right_here:?} of {all_here:?}");
        right.add(right_here);
        all.add(all_here);
        let [records, _, now] = promised[name];
        if (all_here.whole, right_here.whole) != (records, now) {
            let _ = write!(
                wrong,
                "{name}: {} of {} records are right, README.md says {now} of {records}\n{told}",
                right_here.whole, all_here.whole
            );
        }
    }
    println!("{right:?} of {all:?}");
    assert!(wrong.is_empty(), "{wrong}");
}
