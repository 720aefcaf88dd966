//! Contents that are known again: after a restart, in copies, compressed.

use super::*;
use std::os::unix::fs::MetadataExt as _;

#[test]
fn after_a_restart_a_file_is_recognised_by_its_content() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", &lines("first", 8000));
    let id = bench.opened();
    bench.deliver(id, 5000);

    // The same name and content in another inode: the same generation.
    bench.restart(&["*.log"]);
    fs::copy(bench.path("a.log"), bench.path("copy")).unwrap();
    bench.rename("copy", "a.log");
    assert_eq!(bench.opened(), id);

    // Rotated to a name that is not meant: found beside its old one.
    bench.restart(&["*.log"]);
    bench.rename("a.log", "a.log.1");
    bench.write("a.log", &lines("second", 100));
    let changes = bench.walk();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes.contains(&Change::Opened(id)), "{changes:?}");
    assert_eq!(bench.source.get(id).unwrap().place, Place::Rotated);

    // And compressed there.
    bench.restart(&["*.log"]);
    bench.gzip("a.log.1");
    let changes = bench.walk();
    assert!(changes.contains(&Change::Opened(id)), "{changes:?}");
    assert!(
        bench.source.get(id).unwrap().size >= 8000,
        "offsets are those of the content"
    );

    // The same name and inode with other content before the cursor: a new generation.
    bench.restart(&["*.log"]);
    fs::remove_file(bench.path("a.log.1.gz")).unwrap();
    fs::write(bench.path("a.log"), lines("third", 9000)).unwrap();
    assert!(bench.opened() > id);
}

#[test]
fn a_log_that_was_compressed_under_its_own_name_is_known_there() {
    for (glob, name) in [("*.log", "a.log"), ("a-*.log", "a-20261122.log")] {
        let mut bench = bench(&[glob]);
        bench.write("a.log.gz", "history\n");
        let_the_clock_tick();
        bench.restart(&[glob]);
        bench.write(name, &lines("first", 8000));
        let id = bench.opened();
        bench.deliver(id, 5000);
        bench.restart(&[glob]);
        bench.write(name, "written while nobody looked\n");
        bench.gzip(name);
        assert_eq!(bench.opened(), id, "{name}");
        let generation = bench.source.get(id).unwrap();
        assert_eq!(*generation.origin, *bench.path(name));
        assert_eq!(generation.place, Place::Rotated);
        let all = generation.size;
        assert!(all > 8000, "{all}");
        let whereabouts = bench.whereabouts(id, Moment::now());
        assert_eq!(whereabouts, Whereabouts::Elsewhere);

        bench.deliver(id, all);
        for _ in 0..2 {
            bench.restart(&[glob]);
            assert_eq!(bench.opened(), id, "nothing is owed twice");
        }
    }
}

#[test]
fn a_log_that_was_made_and_compressed_while_nobody_looked_is_owed() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "");
    bench.opened();
    bench.restart(&["*.log"]);
    for name in ["a.log", "b.log"] {
        bench.write(name, &format!("one of {name}\n"));
        bench.gzip(name);
    }
    bench.settle();
    let shown = bench.shown();
    let rows = ["a.log", "b.log"].map(|it| row(it, &format!("{it}.gz"), Place::Rotated, 13));
    assert_eq!(shown, rows);
}

#[test]
fn a_new_file_with_the_banner_of_an_old_one_is_a_new_generation() {
    let banner = lines("banner", 2048);
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", &banner);
    let old = bench.opened();
    bench.deliver(old, banner.len() as u64);
    bench.restart(&["*.log"]);
    // Made beside it first, so that it is another inode whatever the file system does.
    bench.write("other", &(banner.clone() + "and more\n"));
    bench.rename("other", "a.log");
    assert!(bench.opened() > old);
}

#[test]
fn a_copy_is_not_read_while_its_original_is_there() {
    for glob in ["*.log", "a.log*"] {
        for (len, is_over_older) in [(300, true), (3000, true), (3000, false)] {
            let mut bench = bench(&[glob]);
            bench.write("a.log", &lines("one", len));
            let id = bench.opened();
            if is_over_older {
                // The copy is begun, and nothing is in it yet.
                fs::write(bench.path("a.log.1"), "").unwrap();
                assert_eq!(bench.events(), [], "{glob}");
            } else {
                bench.deliver(id, 1200);
            }
            fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
            bench.write("a.log", "one more line\n");
            assert_eq!(bench.events(), [Change::Grew(id)], "{glob}");
            assert_eq!(bench.walk(), [], "{glob}");
        }
    }
}

/// Nothing but the journal knows the log: it was closed to make room for others.
#[test]
fn a_copy_in_the_making_of_a_log_that_is_not_open_is_waited_for() {
    let mut bench = bench(&["*.log"]);
    bench.journal.append(&Entry::Route(crate::journal::Route {
        input: "app".into(),
        output: "out".into(),
    }));
    bench.write("a.log", &lines("one", 8000));
    let id = bench.opened();
    let size = bench.source.get(id).unwrap().size;
    bench.deliver(id, size);
    bench.source.put_aside(id);
    for begun in [0, 500, 2000] {
        fs::write(bench.path("a.log.1"), &lines("one", 8000)[..begun]).unwrap();
        assert_eq!(bench.events(), [], "{begun}");
    }
    fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    assert_eq!(bench.events(), []);
    assert_eq!(bench.source.generations().count(), 0);
}

#[test]
fn what_was_copied_and_emptied_goes_on_in_the_copy() {
    for (glob, place) in [("*.log", Place::Rotated), ("a.log*", Place::Moved)] {
        for is_seen_between in [false, true] {
            let mut bench = bench(&[glob]);
            bench.write("a.log", &lines("one", 3000));
            let old = bench.opened();
            bench.deliver(old, 1200);
            bench.write("a.log", "seen by nobody\n");
            fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
            let size = fs::metadata(bench.path("a.log.1")).unwrap().len();
            if is_seen_between {
                bench.events();
            }
            fs::write(bench.path("a.log"), "anew\n").unwrap();
            let changes = bench.events();
            assert_eq!(changes, [Change::Shrunk(old)], "{glob}");
            let position = bench.source.get(old).unwrap().reached();
            let now = Moment::now();
            let journal = &mut bench.journal;
            let anew = bench.source.begin_anew(old, &[position], journal, now);
            assert!(anew.goes_on_in_copy, "{glob}");
            let changes = anew.changes;
            assert!(
                matches!(changes[..], [Change::Opened(new)] if new > old),
                "{changes:?}"
            );
            assert_eq!(bench.events(), [], "{glob}");
            assert_eq!(
                bench.shown(),
                [
                    row("a.log", "a.log.1", place, size),
                    row("a.log", "a.log", Place::Home, 5)
                ]
            );
        }
    }
}

/// After a restart a rotation ends in the moment in which the log is opened. It holds nothing more of
/// what the journal knows then, and must not pass for a new content, for which the copy would be
/// read a second time.
#[test]
fn what_is_emptied_while_it_is_recognised_is_no_new_content() {
    for glob in ["*.log", "a.log*"] {
        for anew in ["a banner\n", ""] {
            let mut bench = bench(&[glob]);
            bench.write("a.log", &lines("one", 8000));
            let old = bench.opened();
            bench.deliver(old, 8000);

            bench.restart(&[glob]);
            fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
            let log = bench.path("a.log");
            meanwhile::let_happen(meanwhile::After::Opening, move || {
                fs::write(log, anew).unwrap();
            });
            bench.settle();

            let copy = fs::metadata(bench.path("a.log.1")).unwrap().ino();
            let readers = bench.source.generations().filter(|it| it.key.inode == copy);
            let readers: Vec<_> = readers.map(|it| it.id).collect();
            assert_eq!(readers, [old], "{glob}, {anew:?}");
            assert_eq!(bench.source.generations().count(), 2, "{glob}, {anew:?}");
        }
    }
}

#[test]
fn a_compressed_rotation_that_begins_like_an_older_one_is_owed() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", &"the same\n".repeat(10));
    let id = bench.opened();
    bench.events();
    bench.rename("a.log", "a.log.2");
    // Written, rotated and compressed between two looks; a compressor waits a moment.
    let_the_clock_tick();
    bench.write("a.log.1", &"the same\n".repeat(2));
    bench.gzip("a.log.1");
    let mut changes = bench.events();
    let at = in_seconds(2);
    changes.extend(bench.source.walk(&mut bench.journal, at));
    let opened = changes
        .iter()
        .any(|it| matches!(it, Change::Opened(new) if *new > id));
    assert!(opened, "{changes:?}");
}

#[test]
fn a_rotated_log_that_is_compressed_in_a_way_that_is_not_read_is_no_log() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "one\n");
    bench.opened();
    for name in ["a.log.1.xz", "a.log.2.zst", "a.log-20261122.bz2"] {
        bench.write(name, "no lines\n");
        assert_eq!(bench.events(), [], "{name}");
        assert_eq!(bench.walk(), [], "{name}");
    }
}

/// A text, compressed.
pub(super) fn gzip_of(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// A compressed file of which so many bytes are there.
pub(super) fn begin_gzip(bench: &Bench, name: &str, text: &str) -> Vec<u8> {
    let whole = gzip_of(text);
    fs::write(bench.path(name), &whole[..20]).unwrap();
    whole
}

#[test]
fn a_rotation_that_is_still_being_compressed_when_it_is_first_looked_for_is_found() {
    for is_killed in [false, true] {
        let mut bench = bench(&["*.log"]);
        bench.write("app.log", "one\n");
        bench.walk();
        // Written and rotated while nobody looked; only the half of it is there.
        let whole = begin_gzip(&bench, "app.log.1.gz", "two\n");
        bench.restart(&["*.log"]);
        bench.source.walk(&mut bench.journal, in_seconds(1));
        bench.source.walk(&mut bench.journal, in_seconds(2));
        if is_killed {
            bench.restart(&["*.log"]);
            bench.source.walk(&mut bench.journal, in_seconds(3));
        }
        fs::write(bench.path("app.log.1.gz"), whole).unwrap();
        bench.events();
        let row = row("app.log", "app.log.1.gz", Place::Rotated, 4);
        assert!(bench.shown().contains(&row), "{:?}", bench.shown());
    }
}

#[test]
fn a_compressed_file_that_begins_anew_is_still_a_compressed_one() {
    let mut bench = bench(&["a.log*"]);
    let text = lines("one", 3000);
    bench.write("a.log", &text);
    bench.gzip("a.log");
    let id = bench.opened();
    let journal = &mut bench.journal;
    let anew = bench.source.begin_anew(id, &[], journal, Moment::now());
    let [Change::Opened(new)] = anew.changes[..] else {
        panic!("{:?}", anew.changes)
    };
    assert_eq!(bench.source.get(new).unwrap().size, text.len() as u64);
    // Only the half of another one is there: it is waited for.
    let whole = begin_gzip(&bench, "a.log.gz", &lines("two", 2000));
    let journal = &mut bench.journal;
    let anew = bench.source.begin_anew(new, &[], journal, Moment::now());
    assert_eq!(anew.changes, []);
    assert_eq!(bench.source.problems().count(), 0);
    fs::write(bench.path("a.log.gz"), &whole).unwrap();
    let changes = bench.events();
    assert!(matches!(changes[..], [Change::Opened(_)]), "{changes:?}");
}

#[test]
fn a_file_that_was_rotated_behind_its_link_is_known_there_and_not_missing() {
    let mut bench = bench(&["a.log"]);
    for folder in ["hop", "end"] {
        fs::create_dir(bench.path(folder)).unwrap();
    }
    std::os::unix::fs::symlink("hop/b.log", bench.path("a.log")).unwrap();
    std::os::unix::fs::symlink("../end/c.log", bench.path("hop/b.log")).unwrap();
    bench.write("end/c.log", &lines("first", 8000));
    let id = bench.opened();
    bench.deliver(id, 5000);

    bench.restart(&["a.log"]);
    bench.rename("end/c.log", "end/c.log.1");
    assert_eq!(bench.opened(), id);
    let generation = bench.source.get(id).unwrap();
    assert_eq!(*generation.origin, *bench.path("a.log"));
    assert_eq!(generation.place, Place::Rotated);
    let whereabouts = |bench: &Bench| bench.whereabouts(id, Moment::now());
    assert_eq!(whereabouts(&bench), Whereabouts::Elsewhere);
    // An empty folder may stand in for another; a file that is at no name of it is gone.
    bench.rename("end", "away");
    fs::create_dir(bench.path("end")).unwrap();
    assert_eq!(whereabouts(&bench), Whereabouts::Unknown);
    bench.write("end/c.log", "another\n");
    assert_eq!(whereabouts(&bench), Whereabouts::Nowhere);
}

/// Of compressed logs that nobody has read yet only their ends tell them apart, where all begin with
/// the same banner. One that is not found for a moment must not be taken for another.
#[test]
fn an_unread_compressed_rotation_is_taken_for_no_other_with_its_banner() {
    for glob in ["*.log", "a.log*"] {
        let mut bench = bench(&[glob]);
        let banner = lines("banner", 3000);
        bench.write("a.log", &(banner.clone() + &lines("one", 9000)));
        let first = bench.opened();
        bench.rename("a.log", "a.log.1");
        bench.gzip("a.log.1");
        bench.write("a.log", &(banner.clone() + &lines("two", 7000)));

        bench.restart(&[glob]);
        bench.settle();
        let inode = |bench: &Bench, name| fs::metadata(bench.path(name)).unwrap().ino();
        let holder = |bench: &Bench, inode| {
            let mut all = bench.source.generations();
            all.find(|it| it.key.inode == inode).map(|it| it.id)
        };
        let compressed = inode(&bench, "a.log.1.gz");
        assert_eq!(holder(&bench, compressed), Some(first), "{glob}");
        let second = holder(&bench, inode(&bench, "a.log")).unwrap();

        // It is renamed while its names are looked at, and so not found.
        bench.rename("a.log.1.gz", "between");
        bench.rename("a.log", "a.log.1");
        bench.gzip("a.log.1");
        bench.write("a.log", &(banner + &lines("three", 5000)));
        bench.restart(&[glob]);
        bench.settle();
        let compressed = inode(&bench, "a.log.1.gz");
        assert_eq!(holder(&bench, compressed), Some(second), "{glob}");
    }
}
