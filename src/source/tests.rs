//! The source on real files.

use super::*;
use crate::journal::Entry;
use std::fs;
use std::time::SystemTime;

mod apart;
mod copies;
mod emptied;
mod lost_ends;
mod missing;
mod moved;
mod overtaken;
mod renames;
mod rest;
mod room;
mod unmet;

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
        Moment::now(),
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

/// How often a file is looked at twice, within a step of its clock or when a copy is compared with
/// it, is left to chance.
fn without_touches(mut changes: Vec<Change>) -> Vec<Change> {
    changes.retain(|change| !matches!(change, Change::Touched(_) | Change::Doubted(_)));
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
    let journal = &mut bench.journal;
    let anew = bench.source.begin_anew(old, &[], journal, Moment::now());
    assert!(!anew.goes_on_in_copy);
    let changes = anew.changes;
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
    moment.time = system::file::modified(&fs::metadata(bench.path("a.log")).unwrap());
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

/// Waits until files get a later time than those made before.
fn let_the_clock_tick() {
    let before = SystemTime::now();
    while before.elapsed().unwrap() < Duration::from_millis(30) {
        std::thread::yield_now();
    }
}

/// Lines that are like no others, `len` bytes or a little more.
fn lines(name: &str, len: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= len {
            break;
        }
        writeln!(text, "{name} line {number}").unwrap();
    }
    text
}

impl Bench {
    /// All of a generation up to `offset` is delivered.
    fn deliver(&mut self, id: GenerationId, offset: u64) {
        let generation = self.source.get(id).unwrap();
        let position = generation.position(offset).unwrap();
        generation.note_reached(position);
        let cursor = crate::journal::Cursor {
            position,
            last_time: Time(1),
            ..Default::default()
        };
        self.journal
            .append(&Entry::Cursor(id, "out".into(), cursor));
    }

    /// Looks until nothing waits any more; what holds another content begins anew.
    fn settle(&mut self) {
        let mut changes = self.source.walk(&mut self.journal, Moment::now());
        while !changes.is_empty() || self.source.has_deferred() {
            let at = Moment::now();
            for change in std::mem::take(&mut changes) {
                if let Change::Shrunk(id) | Change::Touched(id) | Change::Doubted(id) = change
                    && self.source.get(id).is_some_and(Generation::is_another)
                {
                    self.source.begin_anew(id, &[], &mut self.journal, at);
                }
            }
            changes = self.source.walk(&mut self.journal, at);
        }
    }

    /// As after a restart of the agent.
    fn restart(&mut self, globs: &[&str]) {
        if let Some(looked_at) = self.source.looked_at() {
            self.journal.append(&Entry::Looked(looked_at));
        }
        self.source = source_of(self.dir.path(), globs);
    }

    fn gzip(&self, name: &str) {
        use std::io::Write as _;
        let file = fs::File::create(self.path(&format!("{name}.gz"))).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gzip.write_all(&fs::read(self.path(name)).unwrap()).unwrap();
        gzip.finish().unwrap();
        fs::remove_file(self.path(name)).unwrap();
    }

    fn opened(&mut self) -> GenerationId {
        match self.walk()[..] {
            [Change::Opened(id)] => id,
            ref other => panic!("{other:?}"),
        }
    }
}

#[test]
fn rotations_that_nobody_saw_are_owed_oldest_first() {
    for is_away in [false, true] {
        let mut bench = bench(&["*.log"]);
        // History from before the first start is nobody's debt; what is made from then on is.
        bench.write("a.log.7", "history\n");
        let_the_clock_tick();
        bench.restart(&["*.log"]);
        bench.write("a.log", &lines("one", 100));
        let first = bench.opened();
        bench.deliver(first, 50);
        if is_away {
            bench.restart(&["*.log"]);
        }
        bench.rename("a.log", "a.log.1");
        bench.write("a.log", "two\n");
        bench.rename("a.log.1", "a.log.2");
        bench.rename("a.log", "a.log.1");
        bench.gzip("a.log.1");
        bench.write("a.log", "number three\n");
        bench.rename("a.log.1.gz", "a.log.2.gz");
        bench.rename("a.log", "a.log.1");
        bench.write("a.log", "finally four\n");
        if is_away {
            bench.walk()
        } else {
            bench.events()
        };
        let sizes: Vec<_> = bench
            .shown()
            .into_iter()
            .map(|it| (it.0, it.2, it.3))
            .collect();
        let first_size = lines("one", 100).len() as u64;
        assert_eq!(
            sizes,
            [
                ("a.log".into(), Place::Rotated, first_size),
                ("a.log".into(), Place::Rotated, 4),
                ("a.log".into(), Place::Rotated, 13),
                ("a.log".into(), Place::Home, 13)
            ],
            "away: {is_away}"
        );
        assert_eq!(bench.walk(), [], "nothing is owed twice");
    }
}

#[test]
fn what_is_no_file_is_passed_over() {
    let mut bench = bench(&["*.log"]);
    fs::create_dir(bench.path("dir.log")).unwrap();
    std::os::unix::fs::symlink("loop.log", bench.path("loop.log")).unwrap();
    assert_eq!(bench.walk(), []);
    assert_eq!(bench.source.problems().count(), 0);
}

#[test]
fn what_is_made_and_renamed_between_two_looks_is_owed_also_under_a_name_never_seen() {
    let mut bench = bench(&["*.log"]);
    assert_eq!(bench.walk(), []);
    bench.write("a.log", "one\n");
    bench.rename("a.log", "a.log.1");
    let changes = bench.events();
    assert!(matches!(changes[..], [Change::Opened(_)]), "{changes:?}");
}

#[test]
fn what_is_renamed_while_a_look_goes_on_is_owed() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "one\n");
    bench.opened();
    bench.events();
    bench.write("a.log.new", "two\n");
    bench.rename("a.log.new", "../as-during-the-look");
    let_the_clock_tick();
    bench.write("a.log", "more\n");
    assert!(!bench.events().is_empty());
    bench.rename("../as-during-the-look", "a.log.1");
    let changes = bench.events();
    assert!(matches!(changes[..], [Change::Opened(_)]), "{changes:?}");
}

/// A moment by a clock that is ahead, so that all that is there by now is older.
fn in_seconds(seconds: u64) -> Moment {
    let time = SystemTime::now() + std::time::Duration::from_secs(seconds);
    Moment {
        time: time.into(),
        ..Moment::now()
    }
}

impl Bench {
    fn look_at(&mut self, name: Name, in_so_many: u64) {
        let at = in_seconds(in_so_many);
        self.source.look_at_names(vec![name], &mut self.journal, at);
    }
}

#[test]
fn a_rotation_that_is_renamed_under_the_look_is_found_under_its_next_name() {
    let mut bench = bench(&["*.log"]);
    bench.write("app.log", "one\n");
    bench.walk();
    bench.write("app.log.1", "two\n");
    // Listed under this name, and gone from it before it was opened.
    let (home, path) = (bench.path("app.log"), bench.path("app.log.1"));
    bench.rename("app.log.1", "app.log.2");
    for seconds in [1, 2] {
        bench.look_at(Name::Sibling(0, home.clone(), path.clone()), seconds);
    }
    bench.events();
    let row = row("app.log", "app.log.2", Place::Rotated, 4);
    assert!(bench.shown().contains(&row), "{:?}", bench.shown());
}

#[test]
fn what_links_lead_to_is_followed_by_events_alone() {
    let mut bench = bench(&["here/*.log", "a.log"]);
    for folder in ["one", "two"] {
        fs::create_dir(bench.path(folder)).unwrap();
        bench.write(&format!("{folder}/a.log"), folder);
    }
    let link = |bench: &Bench, target: &str, name: &str| {
        std::os::unix::fs::symlink(target, bench.path("fresh")).unwrap();
        bench.rename("fresh", name);
    };
    link(&bench, "one", "here");
    link(&bench, "nothing", "a.log");
    let id = bench.opened();
    bench.write("one/a.log", " and more\n");
    assert_eq!(bench.events(), [Change::Grew(id)]);
    link(&bench, "two", "here");
    let changes = bench.events();
    let [Change::Opened(second)] = changes[..] else {
        panic!("{changes:?}")
    };
    bench.write("two/a.log", " and more\n");
    assert_eq!(bench.events(), [Change::Grew(second)]);
    // A link that leads to nothing yet.
    bench.write("nothing", "something\n");
    assert!(matches!(bench.events()[..], [Change::Opened(_)]));
}
