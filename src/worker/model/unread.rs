//! Logs that nobody could open before they were deleted: what was seen of them is counted, unless it may
//! lie elsewhere.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::acts::Setup;
use super::lost::{LATER, SOON, append, lines, setup, stage};
use super::stage::Stage;
use crate::source::system::denied;

/// An agent that has seen a log which it cannot open, and what is in it.
fn unopened() -> (Stage, PathBuf, String) {
    let mut stage = stage();
    // A folder without files may stand in for another one.
    append(&stage.path("other.log"), "stays\n");
    let (log, mut text) = (stage.path("a.log"), lines("one", 10));
    append(&log, &text);
    denied::set(fs::metadata(&log).unwrap().ino());
    stage.pass(SOON);
    append(&log, "and more\n");
    text.push_str("and more\n");
    stage.pass(SOON);
    (stage, log, text)
}

/// How much an agent says to be lost in the end.
fn said(mut stage: Stage) -> u64 {
    stage.pass(LATER);
    stage.answer_all(0);
    stage.stop([true, true]);
    stage.said_lost
}

#[test]
fn what_was_seen_of_a_log_that_is_deleted_before_it_could_be_opened_is_counted_once() {
    let (mut stage, log, text) = unopened();
    fs::remove_file(&log).unwrap();
    append(&log, "another one\n");
    stage.pass(LATER);
    stage.kill();
    assert_eq!(stage.said_lost, text.len() as u64);
    stage.start(setup().labels());
    assert_eq!(said(stage), text.len() as u64);
}

#[test]
fn what_was_seen_of_it_is_counted_by_the_next_run_when_it_is_deleted_in_between() {
    for is_renamed in [false, true] {
        let (mut stage, mut log, text) = unopened();
        if is_renamed {
            let to = stage.path("a.log.1");
            fs::rename(&log, &to).unwrap();
            log = to;
        }
        stage.pass(LATER);
        stage.kill();
        assert_eq!(stage.said_lost, 0);
        fs::remove_file(&log).unwrap();
        stage.start(setup().labels());
        assert_eq!(said(stage), text.len() as u64);
    }
}

#[test]
fn it_is_not_counted_while_it_may_lie_elsewhere() {
    type Meanwhile = fn(&mut Stage, &PathBuf, &str);
    let table: [(&str, Meanwhile); 7] = [
        ("nothing happens", |_, _, _| {}),
        ("it is renamed", |stage, log, _| {
            fs::rename(log, stage.path("a.log.1")).unwrap();
            append(log, "anew\n");
            stage.pass(LATER);
            fs::rename(stage.path("a.log.1"), stage.path("a.log.2")).unwrap();
        }),
        ("it has a name that says nothing", |stage, log, _| {
            fs::rename(log, stage.path("aside")).unwrap();
        }),
        ("it is compressed", |stage, log, text| {
            let to = fs::File::create(stage.path("a.log.1.gz")).unwrap();
            let mut gzip = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
            gzip.write_all(text.as_bytes()).unwrap();
            gzip.finish().unwrap();
            fs::remove_file(log).unwrap();
        }),
        ("it is copied", |stage, log, _| {
            fs::copy(log, stage.path("a.log.1")).unwrap();
            fs::remove_file(log).unwrap();
        }),
        ("it is read at last", |stage, log, _| {
            denied::clear();
            stage.pass(LATER);
            stage.answer_all(0);
            stage.pass(LATER);
            fs::remove_file(log).unwrap();
        }),
        ("its folder is away", |stage, _, _| {
            for is_empty in [false, true] {
                stage.take_folder_away(is_empty);
                stage.pass(LATER);
                stage.bring_folder_back();
            }
        }),
    ];
    for (what, meanwhile) in table {
        for is_restarted in [false, true] {
            let (mut stage, log, text) = unopened();
            meanwhile(&mut stage, &log, &text);
            if is_restarted {
                // What holds it is delivered by then.
                stage.pass(SOON);
                stage.answer_all(0);
                stage.kill();
                stage.start(setup().labels());
            }
            assert_eq!(said(stage), 0, "{what}, restarted: {is_restarted}");
        }
    }
}

#[test]
fn what_was_read_of_it_before_is_not_counted() {
    let mut stage = stage();
    append(&stage.path("other.log"), "stays\n");
    let log = stage.path("a.log");
    append(&log, &lines("one", 10));
    stage.pass(LATER);
    for _ in 0..3 {
        stage.answer_all(0);
        stage.pass(LATER);
    }
    stage.kill();
    denied::set(fs::metadata(&log).unwrap().ino());
    stage.start(setup().labels());
    append(&log, "late\n");
    stage.pass(LATER);
    fs::remove_file(&log).unwrap();
    assert_eq!(said(stage), 5);
}

#[test]
fn a_copy_that_nobody_could_open_is_no_loss_although_its_name_is_meant() {
    let mut stage = Stage::new(Setup {
        means_all: true,
        ..setup()
    });
    let (log, copy) = (stage.path("a.log"), stage.path("a.log.1"));
    append(&log, &lines("one", 10));
    stage.pass(SOON);
    fs::copy(&log, &copy).unwrap();
    denied::set(fs::metadata(&copy).unwrap().ino());
    stage.pass(LATER);
    fs::remove_file(&copy).unwrap();
    assert_eq!(said(stage), 0);
}
