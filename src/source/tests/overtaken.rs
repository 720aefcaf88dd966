//! Copies that were made before their original was read further: who has read less goes on in them, and
//! nobody reads them again.

use super::*;
use crate::journal::Cursor;
use crate::span::Position;

#[test]
fn a_copy_that_was_overtaken_before_its_original_was_emptied_is_not_read_again() {
    for glob in ["*.log", "a.log*"] {
        let mut bench = bench(&[glob]);
        bench.journal.append(&Entry::Route(crate::journal::Route {
            input: "app".into(),
            output: "out".into(),
        }));
        bench.write("a.log", &lines("one", 3000));
        let id = bench.opened();
        fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
        bench.events();
        bench.write("a.log", "written behind the copy\n");
        bench.events();
        let size = bench.source.get(id).unwrap().size;
        bench.deliver(id, size);
        fs::write(bench.path("a.log"), "anew\n").unwrap();
        assert_eq!(bench.events(), [Change::Shrunk(id)], "{glob}");
        let reached = [bench.source.get(id).unwrap().reached()];
        let journal = &mut bench.journal;
        let anew = bench
            .source
            .begin_anew(id, &reached, journal, Moment::now());
        assert!(
            !anew.goes_on_in_copy,
            "nothing of it is owed to anyone: {glob}"
        );
        let [Change::Opened(new)] = anew.changes[..] else {
            panic!("{:?}", anew.changes)
        };
        assert_eq!(bench.events(), [], "{glob}");
        assert_eq!(bench.walk(), [], "{glob}");
        // And under another name and compressed, in another run.
        bench.restart(&[glob]);
        bench.rename("a.log.1", "a.log.2");
        bench.gzip("a.log.2");
        assert_eq!(bench.walk(), [Change::Opened(new)], "{glob}");
    }
}

#[test]
fn a_copy_that_one_output_has_overtaken_is_read_on_by_the_others() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", &lines("one", 3000));
    let id = bench.opened();
    fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    let copied = fs::metadata(bench.path("a.log.1")).unwrap().len();
    bench.events();
    let generation = bench.source.get(id).unwrap();
    let behind = generation.position(1000).unwrap();
    bench.write("a.log", "written behind the copy\n");
    bench.events();
    let generation = bench.source.get(id).unwrap();
    let front = generation.position(generation.size).unwrap();
    generation.note_reached(front);
    fs::write(bench.path("a.log"), "anew\n").unwrap();
    bench.events();
    let journal = &mut bench.journal;
    let anew = bench
        .source
        .begin_anew(id, &[behind, front], journal, Moment::now());
    assert!(anew.goes_on_in_copy);
    let generation = bench.source.get(id).unwrap();
    assert_eq!(
        (generation.size, generation.reached().offset),
        (copied, copied)
    );
    assert!(generation.is_as_seen());
}

#[test]
fn a_small_copy_that_was_overtaken_is_settled_once() {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "one\n");
    let id = bench.opened();
    fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    bench.events();
    bench.write("a.log", "two\n");
    bench.events();
    let generation = bench.source.get(id).unwrap();
    let (behind, front) = (Position::default(), generation.position(8).unwrap());
    generation.note_reached(front);
    fs::write(bench.path("a.log"), "anew\n").unwrap();
    bench.events();
    let journal = &mut bench.journal;
    let anew = bench
        .source
        .begin_anew(id, &[behind, front], journal, Moment::now());
    assert!(anew.goes_on_in_copy);
    // Else it would be begun anew again and again.
    assert!(bench.source.get(id).unwrap().is_as_seen());
}

#[test]
fn a_copy_that_was_overtaken_before_it_was_looked_at_is_not_read_again() {
    let mut bench = bench(&["*.log"]);
    bench.journal.append(&Entry::Route(crate::journal::Route {
        input: "app".into(),
        output: "out".into(),
    }));
    bench.write("a.log", &lines("one", 8000));
    let id = bench.opened();
    bench.deliver(id, 7000);
    // All of it between two looks: copied, written, read, emptied.
    fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    bench.write("a.log", "written behind the copy\n");
    let size = fs::metadata(bench.path("a.log")).unwrap().len();
    bench.deliver(id, size);
    let reached = bench.source.get(id).unwrap().reached();
    fs::write(bench.path("a.log"), "anew\n").unwrap();
    let mut changes = bench.events();
    let journal = &mut bench.journal;
    let anew = bench
        .source
        .begin_anew(id, &[reached], journal, Moment::now());
    changes.extend(anew.changes);
    changes.extend(bench.events());
    let at = in_seconds(3);
    changes.extend(bench.source.walk(&mut bench.journal, at));
    let opened = changes.iter().filter(|it| matches!(it, Change::Opened(_)));
    assert_eq!(opened.count(), 1, "the copy holds nothing new: {changes:?}");
}

/// Logs that these outputs take.
fn taken_by(outputs: [&str; 2]) -> Bench {
    let mut bench = bench(&["*.log"]);
    for output in outputs {
        bench.journal.append(&Entry::Route(crate::journal::Route {
            input: "app".into(),
            output: output.into(),
        }));
    }
    bench
}

/// A log is read beyond what was copied of it, the agent is killed before it meets the copy, and the
/// log is emptied: it goes on in the copy.
fn assert_goes_on_in_copy(mut bench: Bench, id: GenerationId, copied: &str) {
    bench.write("a.log", "written behind the copy\n");
    bench.events();
    let size = bench.source.get(id).unwrap().size;
    bench.deliver(id, size);
    // It is killed before it meets the copy.
    bench.restart(&["*.log"]);
    fs::write(bench.path("a.log.1"), copied).unwrap();
    fs::write(bench.path("a.log"), "anew\n").unwrap();
    let changes = bench.walk();
    assert!(changes.contains(&Change::Opened(id)), "{changes:?}");
    assert_eq!(changes.len(), 2, "{changes:?}");
    let known = bench.source.get(id).unwrap();
    assert_eq!(*known.path, *bench.path("a.log.1"));
}

#[test]
fn a_copy_that_was_overtaken_before_a_kill_is_known_by_who_has_read_less() {
    let mut bench = taken_by(["out", "other"]);
    let copied = lines("one", 8000);
    bench.write("a.log", &copied);
    let id = bench.opened();
    let position = bench.source.get(id).unwrap().position(5000).unwrap();
    let cursor = Cursor {
        position,
        ..Cursor::default()
    };
    bench
        .journal
        .append(&Entry::Cursor(id, "other".into(), cursor));
    assert_goes_on_in_copy(bench, id, &copied);
}

#[test]
fn a_copy_that_was_overtaken_before_a_kill_is_known_by_an_early_cursor() {
    let mut bench = taken_by(["out", "slow"]);
    let copied = lines("one", 8000);
    bench.write("a.log", &copied);
    let id = bench.opened();
    bench.deliver(id, 5000);
    assert_goes_on_in_copy(bench, id, &copied);
}
