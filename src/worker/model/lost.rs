//! Lives of which it is known what is lost: that is counted, to the byte.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::acts::Setup;
use super::stage::Stage;

/// Within this everything is seen, and nothing is decided yet.
const SOON: Duration = Duration::from_millis(50);
/// Within this it is decided what is lost.
const LATER: Duration = Duration::from_secs(30);

/// An agent with one output that answers nothing, and small batches, so that little is read.
fn stage() -> Stage {
    Stage::new(Setup {
        means_all: false,
        banner_lines: 0,
        own_lines: 12,
        batch_bytes: 700,
        max_wait: 0,
        has_records: false,
        takers: [true, false],
    })
}

fn append(path: &Path, text: &str) {
    let mut file = fs::File::options().append(true).create(true).open(path);
    file.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
}

fn lines(name: &str, count: usize) -> String {
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
