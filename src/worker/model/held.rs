//! Files that have no name of their own any more, and whose writers go on in them, or do not.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use super::acts::Setup;
use super::stage::Stage;
use crate::source::system::sight;

/// Longer than any file without a name is held that nobody writes.
const LONG: Duration = Duration::from_mins(15);
/// As long as a deleted file is held at least.
const SHORT: Duration = Duration::from_secs(11);
/// Within this it is noticed that a file was closed.
const MOMENT: Duration = Duration::from_secs(7);

/// A log of one line that is delivered, and its writer.
struct Log {
    stage: Stage,
    writer: Option<File>,
    inode: u64,
}

impl Log {
    fn new() -> Self {
        Self::waiting(0)
    }

    /// The same where lines wait so many milliseconds for their batch.
    fn waiting(max_wait: u64) -> Self {
        let mut stage = Stage::new(Setup {
            means_all: false,
            banner_lines: 0,
            own_lines: 12,
            batch_bytes: 100_000,
            max_wait,
            has_records: false,
            takers: [true, false],
        });
        let path = stage.path("a.log");
        let writer = File::options().append(true).create(true).open(path);
        let writer = writer.unwrap();
        let inode = writer.metadata().unwrap().ino();
        stage.pass(MOMENT);
        let mut log = Self {
            stage,
            writer: Some(writer),
            inode,
        };
        log.write("first");
        assert!(log.stored().contains("first"));
        log
    }

    /// The writer writes a line, and what was made of it is delivered.
    fn write(&mut self, line: &str) {
        writeln!(self.writer.as_mut().unwrap(), "{line}").unwrap();
        self.pass(MOMENT);
    }

    fn pass(&mut self, time: Duration) {
        self.stage.pass(time);
        self.stage.answer_all(0);
    }

    fn stored(&self) -> String {
        let stored = self.stage.backends[0].stored().iter();
        let lines: Vec<_> = stored.map(|it| it.line.clone()).collect();
        lines.join("\n")
    }

    fn is_held(&self) -> bool {
        self.stage.holds(self.inode)
    }
}

fn delete(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// To where nobody looks.
fn archive(path: &Path) {
    let folder = path.parent().unwrap().with_file_name("archive");
    fs::create_dir_all(&folder).unwrap();
    fs::rename(path, folder.join("a.log")).unwrap();
}

#[test]
fn a_file_without_a_name_is_held_for_as_long_as_its_writer_has_it_open() {
    for (is_deleted, take_away) in [(true, delete as fn(&Path)), (false, archive)] {
        let mut log = Log::new();
        take_away(&log.stage.path("a.log"));
        for line in ["second", "third"] {
            log.pass(LONG);
            assert!(log.is_held());
            log.write(line);
        }
        assert_eq!(log.stored(), "first\nsecond\nthird");
        log.pass(LONG);
        log.writer = None;
        log.pass(MOMENT);
        assert!(!log.is_held(), "deleted: {is_deleted}");
    }
}

#[test]
fn what_a_writer_says_last_arrives_although_it_is_gone_at_once() {
    let mut log = Log::new();
    delete(&log.stage.path("a.log"));
    log.pass(LONG);
    let mut writer = log.writer.take().unwrap();
    writeln!(writer, "last").unwrap();
    drop(writer);
    log.stage.tidy();
    log.pass(MOMENT);
    assert_eq!(log.stored(), "first\nlast");
}

#[test]
fn a_deleted_file_whose_writer_cannot_be_seen_is_held_while_it_was_written_not_long_ago() {
    let mut log = Log::new();
    sight::lose();
    delete(&log.stage.path("a.log"));
    for line in ["second", "third"] {
        log.pass(Duration::from_mins(4));
        assert!(log.is_held());
        log.write(line);
    }
    assert_eq!(log.stored(), "first\nsecond\nthird");
    log.pass(LONG);
    assert!(!log.is_held());
    sight::regain();
}

#[test]
fn a_deleted_file_that_was_long_unwritten_is_soon_closed_although_nobody_can_be_seen() {
    let mut log = Log::new();
    sight::lose();
    log.pass(LONG);
    delete(&log.stage.path("a.log"));
    log.pass(SHORT + MOMENT);
    assert!(!log.is_held());
    sight::regain();
}

#[test]
fn a_file_that_comes_and_goes_while_changes_are_left_to_gather_is_read() {
    let mut log = Log::waiting(1000);
    writeln!(log.writer.as_mut().unwrap(), "second").unwrap();
    log.stage.turn();
    for name in ["b.log", "c.log"] {
        let path = log.stage.path(name);
        fs::write(&path, format!("of {name}\n")).unwrap();
        log.stage.blink();
        log.stage.turn();
        delete(&path);
    }
    log.pass(MOMENT);
    assert_eq!(log.stored(), "first\nsecond\nof b.log\nof c.log");
}
