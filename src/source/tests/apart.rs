//! Rotation into a folder that is neither that of the log nor below it.

use super::copies::begin_gzip;
use super::*;

/// What is meant where only logs are, and where rotated ones are too.
const GLOBS: [&str; 2] = ["*/*.log", "*/*"];

fn bench_of(glob: &str) -> Bench {
    let mut bench = bench(&[glob]);
    bench.journal.append(&Entry::Route(crate::journal::Route {
        input: "app".into(),
        output: "out".into(),
    }));
    for folder in ["app", "old", "other"] {
        fs::create_dir(bench.path(folder)).unwrap();
    }
    bench
}

/// A log with this in it, which is delivered.
fn delivered(bench: &mut Bench, text: &str) -> GenerationId {
    bench.write("app/app.log", text);
    let id = bench.opened();
    bench.deliver(id, text.len() as u64);
    id
}

/// How many generations are open but for this one and one that holds so little.
fn others(bench: &Bench, id: GenerationId, but: u64) -> usize {
    let open = bench.source.generations();
    open.filter(|it| it.id != id && it.size != but).count()
}

#[test]
fn what_was_rotated_into_a_folder_beside_and_compressed_there_is_known() {
    for glob in GLOBS {
        for (is_seen_between, is_restarted) in [(true, false), (false, false), (false, true)] {
            let mut bench = bench_of(glob);
            let id = delivered(&mut bench, &lines("one", 9000));
            if is_restarted {
                bench.restart(&[glob]);
            }
            bench.rename("app/app.log", "old/app.log.1");
            bench.write("app/app.log", "two\n");
            if is_seen_between {
                bench.settle();
            }
            bench.gzip("old/app.log.1");
            bench.settle();
            assert_eq!(others(&bench, id, 4), 0, "{glob} {:?}", bench.shown());
            // The next rotation, and the next run.
            bench.rename("old/app.log.1.gz", "old/app.log.2.gz");
            bench.settle();
            assert_eq!(others(&bench, id, 4), 0, "{glob} {:?}", bench.shown());
            bench.source.close(id);
            bench.restart(&[glob]);
            bench.settle();
            assert_eq!(others(&bench, id, 4), 0, "{glob} {:?}", bench.shown());
        }
    }
}

#[test]
fn what_is_owed_of_a_log_that_was_compressed_in_a_folder_beside_is_read_there() {
    for glob in GLOBS {
        let mut bench = bench_of(glob);
        let text = lines("one", 9000);
        bench.write("app/app.log", &text);
        let id = bench.opened();
        bench.deliver(id, 5000);
        bench.restart(&[glob]);
        bench.rename("app/app.log", "old/app.log.1");
        bench.gzip("old/app.log.1");
        assert_eq!(bench.opened(), id, "{glob}");
        let generation = bench.source.get(id).unwrap();
        assert_eq!(generation.size, text.len() as u64);
        assert_eq!(*generation.origin, *bench.path("app/app.log"));
    }
}

#[test]
fn a_copy_in_a_folder_beside_is_not_read_again_when_its_original_was_emptied() {
    for glob in GLOBS {
        for when in ["before", "after", "away"] {
            let mut bench = bench_of(glob);
            let id = delivered(&mut bench, &lines("one", 9000));
            if when == "away" {
                bench.restart(&[glob]);
            }
            let from = bench.path("app/app.log");
            fs::copy(&from, bench.path("old/app.log.1")).unwrap();
            if when == "before" {
                assert_eq!(bench.walk(), [], "{glob}");
                bench.write("app/app.log", "behind the copy\n");
                bench.walk();
                let len = fs::metadata(&from).unwrap().len();
                bench.deliver(id, len);
            }
            fs::write(&from, "two\n").unwrap();
            bench.settle();
            assert_eq!(
                others(&bench, id, 4),
                0,
                "{glob} {when} {:?}",
                bench.shown()
            );
            bench.gzip("old/app.log.1");
            bench.settle();
            assert_eq!(
                others(&bench, id, 4),
                0,
                "{glob} {when} {:?}",
                bench.shown()
            );
            bench.restart(&[glob]);
            bench.settle();
            assert_eq!(
                others(&bench, id, 4),
                0,
                "{glob} {when} {:?}",
                bench.shown()
            );
        }
    }
}

#[test]
fn a_copy_that_is_made_in_a_folder_beside_is_waited_for() {
    for glob in GLOBS {
        let mut bench = bench_of(glob);
        let text = lines("one", 9000);
        delivered(&mut bench, &text);
        for len in [0, 500, 2000, 6000, text.len()] {
            fs::write(bench.path("old/app.log.1"), &text[..len]).unwrap();
            assert_eq!(bench.walk(), [], "{glob} {len}");
        }
        assert!(!bench.source.has_deferred(), "{glob}");
    }
}

#[test]
fn a_log_that_begins_as_one_of_the_same_name_in_another_folder_is_a_log_of_its_own() {
    let banner = lines("banner", 6000);
    let more = banner.clone() + "and more\n";
    let short = lines("short", 300);
    // What the log in the other folder holds, and what was rotated unseen.
    let table = [
        ("short ones", &short, &short),
        ("the banner alone", &more, &banner),
        ("more than that", &banner, &more),
    ];
    for glob in GLOBS {
        for (what, other, rotated) in table {
            for is_compressed in [false, true] {
                let mut bench = bench_of(glob);
                let id = delivered(&mut bench, other);
                let_the_clock_tick();
                bench.walk();
                if is_compressed {
                    bench.write("other/app.log.1", rotated);
                    bench.gzip("other/app.log.1");
                } else {
                    bench.write("other/app.log.1", rotated);
                }
                bench.walk();
                let at = in_seconds(2);
                bench.source.walk(&mut bench.journal, at);
                assert_eq!(
                    others(&bench, id, 0),
                    1,
                    "{glob} {what} {:?}",
                    bench.shown()
                );
            }
        }
    }
}

#[test]
fn what_is_known_beside_it_is_not_looked_for_elsewhere() {
    for glob in GLOBS {
        let mut bench = bench_of(glob);
        let text = lines("the same", 9000);
        delivered(&mut bench, &text);
        bench.write("other/app.log", &text);
        let other = bench.opened();
        bench.deliver(other, 5000);
        bench.restart(&[glob]);
        // Nothing is written into it any more.
        bench.rename("other/app.log", "other/app.log.1");
        bench.gzip("other/app.log.1");
        let changes = bench.walk();
        assert!(changes.contains(&Change::Opened(other)), "{changes:?}");
    }
}

#[test]
fn where_too_many_logs_begin_alike_none_is_taken_for_another() {
    let mut bench = bench(&["*/*.log"]);
    let text = lines("the same", 9000);
    for number in 0..20 {
        fs::create_dir(bench.path(&format!("{number}"))).unwrap();
        bench.write(&format!("{number}/app.log"), &text);
    }
    bench.walk();
    fs::create_dir(bench.path("old")).unwrap();
    bench.walk();
    begin_gzip(&bench, "old/app.log.1.gz", &text);
    assert_eq!(bench.walk(), []);
    bench.write("old/app.log.1", &text);
    bench.gzip("old/app.log.1");
    assert!(matches!(bench.walk()[..], [Change::Opened(_)]));
}
