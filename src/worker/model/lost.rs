//! Lives of which it is known what is lost: that is counted, to the byte.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::acts::Setup;
use super::files::stamp;
use super::stage::Stage;

/// Within this everything is seen, and nothing is decided yet.
pub(super) const SOON: Duration = Duration::from_millis(50);
/// Within this it is decided what is lost.
pub(super) const LATER: Duration = Duration::from_secs(30);

/// An agent with one output that answers nothing, and small batches, so that little is read.
pub(super) fn setup() -> Setup {
    Setup {
        means_all: false,
        banner_lines: 0,
        own_lines: 12,
        batch_bytes: 700,
        max_wait: 0,
        has_records: false,
        takers: [true, false],
    }
}

/// Where it plays.
pub(super) fn stage() -> Stage {
    Stage::new(setup())
}

pub(super) fn append(path: &Path, text: &str) {
    let mut file = fs::File::options().append(true).create(true).open(path);
    file.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
}

pub(super) fn lines(name: &str, count: usize) -> String {
    let line = |number| format!("{name} line {number:090}");
    let lines: Vec<_> = (0..count).map(line).collect();
    lines.join("\n") + "\n"
}

/// Ends it. All that is on its way is answered; returns how much of a text is in no batch.
fn end(mut stage: Stage, text: &str) -> (u64, u64) {
    stage.stop([true, true]);
    let sealed = &stage.backends[0].sealed;
    let unread = text.lines().filter(|line| !sealed.contains_key(*line));
    let unread = unread.map(|line| line.len() as u64 + 1).sum();
    (stage.said_lost, unread)
}

#[test]
fn what_was_seen_of_an_emptied_log_and_not_read_is_counted() {
    let mut stage = stage();
    let (log, text) = (stage.path("a.log"), lines("one", 100));
    append(&log, &text);
    stage.pass(SOON);
    fs::write(&log, "").unwrap();
    stage.pass(LATER);
    let (said, unread) = end(stage, &text);
    assert!(unread > 0);
    assert_eq!(said, unread);
}

#[test]
fn what_a_copy_lacks_is_counted_when_the_copy_is_overwritten_too() {
    let mut stage = stage();
    let (log, mut text) = (stage.path("a.log"), lines("one", 100));
    append(&log, &text);
    stage.pass(SOON);
    fs::copy(&log, stage.path("a.log.1")).unwrap();
    append(&log, "behind the copy\n");
    text.push_str("behind the copy\n");
    stage.pass(SOON);
    fs::write(&log, "").unwrap();
    stage.pass(SOON);
    fs::write(stage.path("a.log.1"), "another\n").unwrap();
    stage.pass(LATER);
    let (said, unread) = end(stage, &text);
    assert!(unread > 1000);
    assert_eq!(said, unread);
}

/// A copy is made of a log, which is written on and then emptied. The agent dies when it has just
/// seen that, and another one finds what `meanwhile` left of the copy.
fn lost_when_killed_in_the_gap(meanwhile: impl FnOnce(&Path)) -> ((u64, u64), String) {
    let mut stage = stage();
    let (log, mut text) = (stage.path("a.log"), lines("one", 100));
    append(&log, &text);
    stage.pass(SOON);
    let copy = stage.path("a.log.1");
    fs::copy(&log, &copy).unwrap();
    let late = lines("late", 10);
    append(&log, &late);
    text.push_str(&late);
    stage.pass(SOON);
    fs::write(&log, "").unwrap();
    stage.pass(SOON);
    stage.kill();
    assert_eq!(stage.said_lost, 0);
    meanwhile(&copy);
    stage.start(setup().labels());
    stage.pass(LATER);
    (end(stage, &text), late)
}

#[test]
fn what_a_copy_lacks_is_counted_by_the_next_run_when_this_one_is_killed_at_once() {
    let ((said, unread), late) = lost_when_killed_in_the_gap(|_| {});
    assert_eq!(said, late.len() as u64);
    assert_eq!(said, unread);
}

#[test]
fn what_a_copy_lacks_is_counted_by_the_next_run_when_the_copy_is_gone_by_then() {
    let ((said, unread), late) = lost_when_killed_in_the_gap(|copy| fs::remove_file(copy).unwrap());
    assert!(said > late.len() as u64);
    assert_eq!(said, unread);
}

#[test]
fn what_a_copy_lacks_is_counted_once() {
    let mut stage = stage();
    let (log, text) = (stage.path("a.log"), lines("one", 100));
    append(&log, &text);
    stage.pass(SOON);
    fs::copy(&log, stage.path("a.log.1")).unwrap();
    append(&log, "behind the copy\n");
    stage.pass(SOON);
    fs::write(&log, "").unwrap();
    stage.pass(LATER);
    stage.kill();
    assert_eq!(stage.said_lost, 16);
    stage.start(setup().labels());
    stage.pass(LATER);
    let (said, unread) = end(stage, &text);
    assert_eq!((said, unread), (16, 0));
}

/// An agent that has read more than a banner, and a log of 200 lines.
fn half_read() -> (Stage, PathBuf, String) {
    let mut stage = Stage::new(Setup {
        batch_bytes: 6000,
        ..setup()
    });
    let (log, text) = (stage.path("a.log"), lines("one", 200));
    append(&log, &text);
    stage.pass(LATER);
    (stage, log, text)
}

fn cut(log: &Path, len: usize) {
    let file = fs::File::options().write(true).open(log).unwrap();
    file.set_len(len as u64).unwrap();
}

#[test]
fn what_is_cut_off_a_log_behind_what_was_read_is_counted_once() {
    let (mut stage, log, text) = half_read();
    let left = lines("one", 150).len();
    cut(&log, left);
    stage.pass(LATER);
    let late = lines("late", 100);
    append(&log, &late);
    stage.answer_all(0);
    stage.pass(LATER);
    stage.kill();
    assert_eq!(stage.said_lost, (text.len() - left) as u64);
    stage.start(setup().labels());
    stage.pass(LATER);
    let (said, unread) = end(stage, &(text + &late));
    assert_eq!(said, unread);
}

#[test]
fn what_is_cut_off_a_log_is_counted_by_the_next_run_when_this_one_is_killed_at_once() {
    let (mut stage, log, text) = half_read();
    let left = lines("one", 150).len();
    cut(&log, left);
    stage.pass(SOON);
    stage.kill();
    assert_eq!(stage.said_lost, 0);
    stage.start(setup().labels());
    stage.pass(LATER);
    let (said, unread) = end(stage, &text);
    assert_eq!((said, unread), ((text.len() - left) as u64, said));
}

#[test]
fn what_is_cut_off_a_log_while_no_agent_runs_is_counted() {
    let (mut stage, log, text) = half_read();
    stage.kill();
    let left = lines("one", 150).len();
    cut(&log, left);
    stage.start(setup().labels());
    stage.pass(LATER);
    let late = lines("late", 100);
    append(&log, &late);
    stage.answer_all(0);
    let (said, unread) = end(stage, &(text.clone() + &late));
    assert_eq!((said, unread), ((text.len() - left) as u64, said));
}

/// All that is left is read by then: nothing but the copy itself tells that there was more.
#[test]
fn what_is_cut_off_a_log_while_no_agent_runs_is_read_in_a_copy_that_was_met_before() {
    let (mut stage, log, text) = half_read();
    let [read, _] = stage.read_up_to(fs::metadata(&log).unwrap().ino());
    fs::copy(&log, stage.path("a.log.1")).unwrap();
    stage.pass(SOON);
    stage.kill();
    cut(&log, usize::try_from(read).unwrap());
    // So that no look finds it written.
    stamp(&stage, &fs::File::open(&log).unwrap(), false);
    stage.pass(SOON);
    stage.start(setup().labels());
    for _ in 0..3 {
        stage.answer_all(0);
        stage.pass(LATER);
    }
    let (said, unread) = end(stage, &text);
    assert_eq!((said, unread), (0, 0));
}

#[test]
fn a_line_without_an_end_that_its_writer_takes_back_is_not_counted() {
    let (mut stage, log, text) = half_read();
    append(&log, "one that is never ended");
    stage.answer_all(0);
    stage.pass(LATER);
    cut(&log, text.len());
    stage.pass(LATER);
    append(&log, "another\n");
    stage.answer_all(0);
    let (said, unread) = end(stage, &(text + "another\n"));
    assert_eq!((said, unread), (0, 0));
}

#[test]
fn what_is_written_anew_as_it_was_after_it_was_cut_off_is_not_counted() {
    let (mut stage, log, text) = half_read();
    let left = lines("one", 150).len();
    cut(&log, left);
    stage.pass(SOON);
    append(&log, &text[left..]);
    stage.pass(LATER);
    let (said, unread) = end(stage, &text);
    assert_eq!((said, unread), (0, 0));
}

#[test]
fn what_was_made_and_rotated_under_an_agent_that_died_before_its_first_look_is_read() {
    let mut stage = stage();
    stage.kill();
    fs::remove_dir_all(stage.folder("state")).unwrap();
    stage.launch(setup().labels());
    let (log, text) = (stage.path("a.log"), lines("one", 10));
    append(&log, &text);
    stamp(&stage, &fs::File::open(&log).unwrap(), true);
    fs::rename(&log, stage.path("a.log.1")).unwrap();
    stage.kill();
    stage.pass(LATER);
    stage.start(setup().labels());
    stage.pass(LATER);
    let (said, unread) = end(stage, &text);
    assert_eq!((said, unread), (0, 0));
}
