//! The source on real files.

use super::*;
use std::fs;

struct Bench {
    dir: tempfile::TempDir,
    journal: Journal,
    source: Source,
}

fn bench(globs: &[&str]) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("logs")).unwrap();
    let (journal, _) = Journal::open(&dir.path().join("state"), Instant::now()).unwrap();
    let source = source_of(dir.path(), globs);
    Bench {
        dir,
        journal,
        source,
    }
}

fn source_of(dir: &Path, globs: &[&str]) -> Source {
    let include: Vec<String> = globs
        .iter()
        .map(|glob| format!("{}/logs/{glob}", dir.display()))
        .collect();
    Source::new(
        std::iter::once(("app", &include[..], &[][..])),
        Instant::now(),
    )
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("logs").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        use std::io::Write as _;
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn walk(&mut self) -> Vec<Change> {
        without_touches(self.source.walk(&mut self.journal, Moment::now()))
    }

    fn events(&mut self) -> Vec<Change> {
        let moment = Moment::now();
        without_touches(self.source.look_at_events(&mut self.journal, moment))
    }

    /// What each open generation is, in order: origin, present name, place, size.
    fn shown(&self) -> Vec<(String, String, Place, u64)> {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        self.source
            .generations()
            .map(|it| (name(&it.origin), name(&it.path), it.place, it.size))
            .collect()
    }
}

/// How often a file is looked at twice within a step of its clock is left to chance.
fn without_touches(mut changes: Vec<Change>) -> Vec<Change> {
    changes.retain(|change| !matches!(change, Change::Touched(_)));
    changes
}

fn row(origin: &str, path: &str, place: Place, size: u64) -> (String, String, Place, u64) {
    (origin.into(), path.into(), place, size)
}

#[test]
fn a_rotation_chain_within_one_look_keeps_every_generation() {
    for by_events in [true, false] {
        let mut bench = bench(&["app.log"]);
        bench.write("app.log", "one\n");
        bench.walk();
        bench.rename("app.log", "app.log.1");
        bench.write("app.log", "number two\n");
        let changes = if by_events {
            bench.events()
        } else {
            bench.walk()
        };
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(
            bench.shown(),
            [
                row("app.log", "app.log", Place::Rotated, 4),
                row("app.log", "app.log", Place::Home, 11)
            ]
        );
    }
}

#[test]
fn a_file_renamed_to_another_meant_name_is_the_same_generation() {
    for by_events in [true, false] {
        let mut bench = bench(&["app.log*"]);
        bench.write("app.log", "one\n");
        bench.walk();
        bench.rename("app.log", "app.log.1");
        bench.write("app.log", "number two\n");
        if by_events {
            bench.events()
        } else {
            bench.walk()
        };
        bench.rename("app.log.1", "app.log.2");
        bench.rename("app.log", "app.log.1");
        bench.write("app.log.2", "late\n");
        let changes = if by_events {
            bench.events()
        } else {
            bench.walk()
        };
        assert!(matches!(changes[..], [Change::Grew(_)]), "{changes:?}");
        assert_eq!(
            bench.shown(),
            [
                row("app.log", "app.log.2", Place::Moved, 9),
                row("app.log", "app.log.1", Place::Moved, 11)
            ]
        );
    }
}

#[test]
fn a_deleted_file_stays_open_and_its_growth_is_seen() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "one\n");
    bench.walk();
    let mut writer = fs::OpenOptions::new()
        .append(true)
        .open(bench.path("a.log"))
        .unwrap();
    fs::remove_file(bench.path("a.log")).unwrap();
    bench.events();
    assert_eq!(bench.shown(), [row("a.log", "a.log", Place::Deleted, 4)]);
    std::io::Write::write_all(&mut writer, b"two\n").unwrap();
    assert!(matches!(bench.walk()[..], [Change::Grew(_)]));
}

#[test]
fn a_truncated_file_is_told_and_begins_a_new_life() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "one and some more\n");
    let Change::Opened(old) = bench.walk()[0] else {
        panic!("it is new")
    };
    fs::write(bench.path("a.log"), "x\n").unwrap();
    assert_eq!(bench.events(), [Change::Shrunk(old)]);
    let changes = bench.source.restart(old, &mut bench.journal, Moment::now());
    let [Change::Opened(new)] = changes[..] else {
        panic!("{changes:?}")
    };
    assert!(new > old);
    bench.source.close(old);
    assert_eq!(bench.shown(), [row("a.log", "a.log", Place::Home, 2)]);
    assert_eq!(bench.events(), [], "nothing is told twice");
    bench.write("a.log", "more\n");
    assert_eq!(bench.events(), [Change::Grew(new)]);
}

#[test]
fn a_file_emptied_and_filled_to_the_same_length_is_told() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "one\n");
    let Change::Opened(id) = bench.walk()[0] else {
        panic!("it is new")
    };
    fs::write(bench.path("a.log"), "two\n").unwrap();
    // Within the same step of the clock.
    let mut moment = Moment::now();
    moment.time = generation::modified(&fs::metadata(bench.path("a.log")).unwrap());
    let changes = bench.source.look_at_events(&mut bench.journal, moment);
    assert_eq!(changes, [Change::Touched(id)]);
    // Much later nothing of it is in doubt any more.
    for (after, told) in [(1, 1), (2, 0)] {
        let mut moment = moment;
        moment.time.0 += after * 1_000_000_000;
        let changes = bench.source.walk(&mut bench.journal, moment);
        assert_eq!(changes.len(), told, "{changes:?}");
    }
}

#[test]
fn files_and_folders_that_appear_later_are_found_by_events_alone() {
    let mut bench = bench(&["**/*.log"]);
    assert_eq!(bench.walk(), []);
    fs::create_dir(bench.path("later")).unwrap();
    bench.write("later/a.log", "one\n");
    assert!(matches!(bench.events()[..], [Change::Opened(_)]));
    bench.write("later/b.log", "one\n");
    assert!(matches!(bench.events()[..], [Change::Opened(_)]));
    bench.write("later/c.txt", "one\n");
    assert_eq!(bench.events(), []);
}

#[test]
fn after_a_restart_a_file_is_recognised_by_its_content() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "the first line\nthe second line\n");
    let Change::Opened(id) = bench.walk()[0] else {
        panic!("it is new")
    };
    let read = bench.source.get(id).unwrap();
    let before = reader::read_before(&read.file, 15).unwrap();
    let position = crate::span::Position {
        offset: 15,
        anchor: crate::span::Anchor::at_end_of(&before),
    };
    let cursor = crate::journal::Cursor {
        position,
        last_time: Time(1),
    };
    bench
        .journal
        .append(&Entry::Cursor(id, "out".into(), cursor));

    // The same name and content in another inode: the same generation.
    bench.source = source_of(bench.dir.path(), &["*.log"]);
    fs::copy(bench.path("a.log"), bench.path("copy")).unwrap();
    bench.rename("copy", "a.log");
    assert_eq!(bench.walk(), [Change::Opened(id)]);

    // Rotated to a name that is not meant: found beside its old one.
    bench.source = source_of(bench.dir.path(), &["*.log"]);
    bench.rename("a.log", "a.log.1");
    bench.write("a.log", "the first line\nbut another second line\n");
    let changes = bench.walk();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes.contains(&Change::Opened(id)), "{changes:?}");
    let holder = bench.source.get(id).unwrap();
    assert_eq!((holder.place, holder.size), (Place::Rotated, 31));

    // The same name and inode with other content before the cursor: a new generation.
    bench.source = source_of(bench.dir.path(), &["*.log"]);
    fs::remove_file(bench.path("a.log.1")).unwrap();
    fs::write(bench.path("a.log"), "other content altogether, and long\n").unwrap();
    let changes = bench.walk();
    assert!(
        matches!(changes[..], [Change::Opened(other)] if other > id),
        "{changes:?}"
    );
}

#[test]
fn what_is_no_file_is_passed_over() {
    let mut bench = bench(&["*.log"]);
    fs::create_dir(bench.path("dir.log")).unwrap();
    std::os::unix::fs::symlink("loop.log", bench.path("loop.log")).unwrap();
    assert_eq!(bench.walk(), []);
    assert_eq!(bench.source.problems().count(), 0);
}
