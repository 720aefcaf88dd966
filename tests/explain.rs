//! `pinnace explain`: what it prints of each log in tests/explain is a snapshot, as text, in colour
//! and as JSON.
//!
//! `UPDATE=1 cargo test --test explain` rewrites the snapshots.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its files has failed"
)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

#[path = "harness/snapshot.rs"]
mod snapshot;

use snapshot::matches_snapshot;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain")
}

/// Explains files of a folder, in a zone and with no variable set.
fn explain(folder: &Path, arguments: &[&str]) -> Output {
    let zone = ["--timezone", "Europe/Paris"];
    explain_as_asked(folder, &[&zone, arguments].concat())
}

fn explain_as_asked(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .current_dir(folder)
        .env_clear()
        .arg("explain")
        .args(arguments)
        .output()
        .unwrap()
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = explain(folder, arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_log_is_explained_as_in_its_snapshots() {
    let folder = folder();
    let logs = fs::read_dir(&folder).unwrap();
    let logs = logs.map(|entry| entry.unwrap().path());
    let logs: Vec<_> = logs
        .filter(|path| path.extension().is_some_and(|it| it == "log"))
        .collect();
    assert!(logs.len() >= 5, "{logs:?}");
    for log in logs {
        let name = log.file_name().unwrap().to_str().unwrap();
        let written = ["--written", "2026-11-22T21:08:30Z", name];
        let of = |arguments: &[&str]| printed(&folder, &[arguments, &written].concat());
        let text = of(&[]);
        assert!(!text.contains('\x1b'), "{name}: no terminal, no colours");
        matches_snapshot(&log.with_extension("txt"), &text);
        let coloured = of(&["--color", "always"]);
        matches_snapshot(&log.with_extension("coloured"), &coloured);
        assert_eq!(without_colours(&coloured), text, "{name}");
        let json = of(&["--json"]);
        matches_snapshot(&log.with_extension("json"), &json);
        for secret in ["s3cr3t", "MIIEow"] {
            assert!(!text.contains(secret), "{name}: {text}");
            assert!(!json.contains(secret), "{name}: {json}");
        }
    }
}

/// A text without what sets colours.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut plain = pieces.next().unwrap().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').unwrap().1);
    }
    plain
}

#[test]
fn as_many_records_are_shown_as_asked_for_and_files_one_after_the_other() {
    let written = ["--written", "2026-11-22T21:08:30Z"];
    let arguments = [&["--records", "1"], &written[..], &["plain.log"; 2]].concat();
    let text = printed(&folder(), &arguments);
    let (first, second) = text.split_at(text.len() / 2);
    assert_eq!(first, second);
    assert!(
        first.contains("… and 2 more (--records 0 shows all)"),
        "{first}"
    );
}

#[test]
fn a_gzip_is_explained_as_what_is_packed_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = fs::read(folder().join("report.log")).unwrap();
    fs::write(dir.path().join("x.log"), &log).unwrap();
    // Rotations that were packed one by one may lie behind one another.
    let mut packed = Vec::new();
    let (first, second) = log.split_at(log.len() / 2);
    for half in [first, second] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(half).unwrap();
        packed.extend(encoder.finish().unwrap());
    }
    fs::write(dir.path().join("x.log.gz"), &packed).unwrap();
    let of = |name| {
        let text = printed(dir.path(), &["--written", "2026-11-22T21:08:30Z", name]);
        text.replace("x.log.gz", "x.log")
    };
    assert_eq!(of("x.log.gz"), of("x.log"));
    // What tar or a tape pads it with says nothing.
    let padded = [&packed[..], &[0; 1000]].concat();
    fs::write(dir.path().join("x.log.gz"), padded).unwrap();
    assert_eq!(of("x.log.gz"), of("x.log"));
    fs::write(dir.path().join("x.log.gz"), &packed[..packed.len() / 2]).unwrap();
    let output = explain(dir.path(), &["x.log.gz"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("x.log.gz cannot be read: "), "{told}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_explained_is_told_and_the_other_files_are_explained() {
    let output = explain(&folder(), &["nothing.log", "plain.log"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("nothing.log cannot be read: "), "{told}");
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("plain.log")
    );
    for (key, value) in [("--timezone", "Mars/Base"), ("--written", "yesterday")] {
        let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
            .args(["explain", key, value, "plain.log"])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(value), "{told}");
        assert_eq!(output.status.code(), Some(64), "{told}");
    }
}

#[test]
fn the_zone_that_fits_is_told_of_lines_that_are_later_or_earlier_than_their_file() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("app.log");
    fs::write(&log, "2026-11-22 22:08:23,702 - app - INFO - x\n").unwrap();
    let written_at = |seconds: u64| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = File::options().write(true).open(&log).unwrap();
        file.set_modified(time).unwrap();
        printed(dir.path(), &["app.log"])
    };
    // The line is of 21:08:23 UTC, if its zone is right.
    let right = 1_795_381_704;
    let text = written_at(right);
    assert!(!text.contains("last write"), "{text}");
    let text = written_at(right - 8 * 3600);
    assert!(
        text.contains("the last is 8 h later than the file's last write: they are written in UTC+09:00, as with timezone: Asia/Tokyo"),
        "{text}"
    );
    let text = written_at(right + 3600);
    assert!(
        text.contains("the last is 1 h earlier than the file's last write; if that wrote it, and the file is no copy: they are written in UTC+00:00, as with timezone: UTC"),
        "{text}"
    );
    let text = written_at(right - 600);
    assert!(text.contains("1 are later than the file itself"), "{text}");
}

/// A folder with two logs, and a configuration whose inputs read them differently.
fn configured() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display();
    let text = format!(
        r"inputs:
  - name: orders
    include: ['{folder}/orders.log']
    timezone: Asia/Tokyo
    multiline: start
    multiline_pattern: '^\d{{4}}-'
    capture: 'customer (?P<customer>\S+)'
    redact_patterns: {{ customer: 'C-\d+' }}
    filters: [{{ action: drop, level: debug }}]
  - {{ name: all, include: ['{folder}/*.txt'] }}
  - {{ name: again, include: ['{folder}/twice.txt'], format: plain, multiline: off }}
outputs:
  - {{ name: out, type: loki, url: 'http://127.0.0.1:9', labels: {{ app: a }} }}
"
    );
    fs::write(dir.path().join("pinnace.yaml"), text).unwrap();
    let log = "2026-11-22 10:00:00,123 - app - DEBUG - step\n\
               2026-11-22 10:00:01,123 - app - INFO - customer C-12\nERROR is no head here\n";
    for name in ["orders.log", "elsewhere.log", "twice.txt"] {
        fs::write(dir.path().join(name), log).unwrap();
    }
    dir
}

/// What is printed as JSON, one value for each line.
fn values(dir: &TempDir, arguments: &[&str]) -> Vec<Value> {
    let written = ["--written", "2026-11-22T21:08:30Z", "--json"];
    let by = ["--config", "pinnace.yaml"];
    let arguments = [&written[..], &by, arguments].concat();
    let output = explain_as_asked(dir.path(), &arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.as_str()), (Some(0), ""));
    let printed = String::from_utf8(output.stdout).unwrap();
    let values = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    values.collect()
}

#[test]
fn a_log_is_explained_by_the_input_that_reads_it() {
    let dir = configured();
    let [explained] = &values(&dir, &["orders.log"])[..] else {
        panic!("one input reads it");
    };
    assert_eq!(explained["input"], "orders");
    assert_eq!(explained["timezone"], "Asia/Tokyo");
    let records = explained["records"].as_array().unwrap();
    let [step, order] = &records[..] else {
        panic!("two records: {records:#?}");
    };
    assert_eq!(step["let_go_by"], "drop");
    assert_eq!(order["let_go_by"], Value::Null);
    assert_eq!(order["time"], "2026-11-22T01:00:01.123Z");
    assert_eq!(
        order["text"],
        "2026-11-22 10:00:01,123 - app - INFO - customer [redacted customer]\nERROR is no head here"
    );
    assert_eq!(order["redacted"][0], "customer");
    assert!(order["fields"]["customer"].is_string(), "{order:#}");
    let text = explain_as_asked(dir.path(), &["-c", "pinnace.yaml", "orders.log"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("  input       orders\n"), "{text}");
    assert!(
        text.contains("  filtered    1 records are not shipped\n"),
        "{text}"
    );
    assert!(text.contains("(not shipped)"), "{text}");
}

#[test]
fn a_log_is_explained_by_each_input_that_reads_it_or_its_original_else_by_the_one_named() {
    let dir = configured();
    let twice = values(&dir, &["twice.txt"]);
    let of = |value: &Value| {
        (
            value["input"].clone(),
            value["records"].as_array().unwrap().len(),
        )
    };
    let found: Vec<_> = twice.iter().map(of).collect();
    assert_eq!(found, [("all".into(), 3), ("again".into(), 3)]);
    for rotated in [
        "orders.log.1",
        "orders.log-20261122",
        "orders-2026-11-22.log",
    ] {
        fs::copy(dir.path().join("orders.log"), dir.path().join(rotated)).unwrap();
        let found: Vec<_> = values(&dir, &[rotated]).iter().map(of).collect();
        assert_eq!(found, [("orders".into(), 2)]);
    }
    let named = values(&dir, &["--input", "orders", "elsewhere.log"]);
    assert_eq!(of(&named[0]), ("orders".into(), 2));
    let other_zone = ["--input", "orders", "--timezone", "UTC", "elsewhere.log"];
    let named = values(&dir, &other_zone);
    assert_eq!(named[0]["records"][1]["time"], "2026-11-22T10:00:01.123Z");
}

#[test]
fn what_of_a_configuration_keeps_a_log_from_being_explained_is_told() {
    let dir = configured();
    fs::write(dir.path().join("wrong.yaml"), "inputs: 7\n").unwrap();
    for (arguments, code, told) in [
        (
            &["--config", "pinnace.yaml", "elsewhere.log"][..],
            1,
            "elsewhere.log: no input of pinnace.yaml reads it; name one with --input to explain it by that (orders, all, again)",
        ),
        (
            &["--config", "pinnace.yaml", "--input", "order", "orders.log"],
            64,
            "pinnace.yaml has no input \"order\": its inputs are orders, all, again",
        ),
        (&["--config", "wrong.yaml", "orders.log"], 78, "inputs"),
        (&["--input", "orders", "orders.log"], 64, "--config"),
    ] {
        let output = explain_as_asked(dir.path(), arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(told), "{said}");
    }
}
