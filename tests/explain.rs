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

#[path = "harness/snapshot.rs"]
mod snapshot;

use snapshot::matches_snapshot;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain")
}

/// Explains files of a folder, in a zone and with no variable set.
fn explain(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .current_dir(folder)
        .env_clear()
        .args(["explain", "--timezone", "Europe/Paris"])
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
        assert_eq!(output.status.code(), Some(1), "{told}");
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
