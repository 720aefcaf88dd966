//! Names that change in the middle of a look.

use super::*;

/// The next rotation renames the copy while it is looked for: nothing of it may count as lost.
#[test]
fn a_copy_that_is_renamed_while_it_is_looked_for_is_found() {
    for after in [meanwhile::After::Listing, meanwhile::After::Opening] {
        let mut bench = bench(&["*.log"]);
        bench.write("a.log", &lines("one", 3000));
        let old = bench.opened();
        bench.deliver(old, 1200);
        fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
        fs::write(bench.path("a.log"), "anew\n").unwrap();
        assert_eq!(bench.events(), [Change::Shrunk(old)]);
        // It is younger, so it is opened first.
        let_the_clock_tick();
        bench.write("a.log.3", "another\n");
        let (from, to) = (bench.path("a.log.1"), bench.path("a.log.2"));
        meanwhile::let_happen(after, || fs::rename(from, to).unwrap());
        let reached = [bench.source.get(old).unwrap().reached()];
        let journal = &mut bench.journal;
        let anew = bench
            .source
            .begin_anew(old, &reached, journal, Moment::now());
        assert!(anew.goes_on_in_copy, "{after:?}");
        let path = &bench.source.get(old).unwrap().path;
        assert_eq!(**path, *bench.path("a.log.2"), "{after:?}");
    }
}

/// Between the question which file a name leads to and its opening, a rotation gives the name to one
/// that is open: nobody reads it a second time.
#[test]
fn a_file_that_is_given_the_name_of_another_while_that_is_opened_has_one_reader() {
    let mut bench = bench(&["app.log*"]);
    bench.write("app.log.1", "one\n");
    let id = bench.opened();
    bench.events();
    bench.write("app.log.2", "two\n");
    let [one, two, three] = ["app.log.1", "app.log.2", "app.log.3"].map(|name| bench.path(name));
    meanwhile::let_happen(meanwhile::After::Asking, move || {
        fs::rename(&two, three).unwrap();
        fs::rename(one, two).unwrap();
    });
    assert_eq!(bench.events(), []);
    assert_eq!(bench.source.generations().count(), 1, "{:?}", bench.shown());
    assert_eq!(bench.events().len(), 1);
    assert_eq!(
        bench.shown(),
        [
            row("app.log.1", "app.log.2", Place::Moved, 4),
            row("app.log.3", "app.log.3", Place::Home, 4),
        ]
    );
    assert!(bench.source.get(id).is_some());
}

#[test]
fn each_rotated_file_is_looked_at_once_however_many_names_of_its_folder_change() {
    let mut bench = bench(&["*.log"]);
    let logs: Vec<_> = (0..20).map(|number| format!("{number}.log")).collect();
    for log in &logs {
        bench.write(log, &lines(log, 100));
    }
    bench.walk();
    for log in &logs {
        bench.rename(log, &format!("{log}.1"));
        bench.write(log, &lines(&format!("a younger {log}"), 100));
    }
    bench.events();
    let paths = logs.iter().map(|log| bench.path(log));
    let names = bench.source.names_at(paths);
    assert_eq!(names.len(), 2 * logs.len(), "{names:?}");
}

/// Lets it happen when the system was asked twice which file a name leads to.
fn behind_two_questions(event: impl FnOnce() + 'static) {
    let asking = meanwhile::After::Asking;
    meanwhile::let_happen(asking, move || meanwhile::let_happen(asking, event));
}

/// At the first look of a run a rotation gives the name of an older file, which comes before the log, to
/// a copy of the log: all of the log is known still, under whichever name it lies.
#[test]
fn a_copy_that_is_given_the_name_of_an_older_file_while_names_are_looked_at_is_known() {
    for glob in ["*.log", "a.log*"] {
        for is_begun in [true, false] {
            let mut bench = bench(&[glob]);
            bench.write("a.log", &lines("zero", 8000));
            let zero = bench.opened();
            bench.rename("a.log", "a.log.1");
            let_the_clock_tick();
            bench.write("a.log", &lines("one", 8000));
            let one = bench.opened();
            bench.deliver(one, 7000);

            bench.restart(&[glob]);
            let names = ["a.log", "a.log.1", "a.log.2"];
            let [log, copy, older] = names.map(|name| bench.path(name));
            behind_two_questions(move || {
                fs::rename(&copy, older).unwrap();
                if is_begun {
                    // Nothing is in it yet.
                    fs::write(&copy, "").unwrap();
                    meanwhile::let_happen(meanwhile::After::Opening, move || {
                        fs::copy(&log, copy).unwrap();
                        fs::write(log, "").unwrap();
                    });
                } else {
                    fs::copy(log, copy).unwrap();
                }
            });
            bench.settle();

            let open = bench.source.generations();
            let open: Vec<_> = open.filter(|it| it.size > 0).map(|it| it.id).collect();
            assert_eq!(open, [zero, one], "{glob}, begun: {is_begun}");
        }
    }
}

#[test]
fn a_file_is_compared_with_those_alone_that_it_can_come_from_by_its_name() {
    let mut bench = bench(&["*.log"]);
    let logs: Vec<_> = (0..20).map(|number| format!("{number}.log")).collect();
    for log in &logs {
        bench.write(log, &lines(log, 100));
    }
    bench.walk();
    bench.rename("3.log", "3-20261122.log");
    bench.events();
    let named = finding::named::Named::of(bench.source.generations());
    for log in &logs {
        for end in ["", ".1", ".gz", ".2.gz", "-20261121", "-20261122.gz"] {
            let path = bench.path(&format!("{log}{end}"));
            let lineage = bench.source.links.lineage_of(&path);
            let can_be = bench
                .source
                .generations()
                .filter(|it| lineage.can_come_from(&it.path) || lineage.can_come_from(&it.origin));
            let can_be: BTreeSet<_> = can_be.map(|it| it.id).collect();
            assert_eq!(named.origins_of(&lineage), can_be, "{log}{end}");
        }
    }
}
