//! Looks at files at rest, of whose changes no event tells.

use super::*;

const GLOBS: [&str; 3] = ["*.log", "*/x.log", "*.gz"];

/// Files that were looked at since they were written, whose names are remembered.
fn bench_at_rest() -> Bench {
    let mut bench = bench(&GLOBS);
    for folder in ["d", "of-others", "../stored"] {
        fs::create_dir(bench.path(folder)).unwrap();
    }
    let in_folders = ["d", "../stored"].map(|it| [format!("{it}/x.log.1"), format!("{it}/x.log")]);
    let names = ["a.log.1", "a.log", "b.log", "notes"].into_iter();
    let names = names.chain(in_folders.iter().flatten().map(String::as_str));
    for (number, name) in (0..).zip(names) {
        bench.write(name, &format!("{name}\n"));
        // The order in which they are opened.
        let written = SystemTime::UNIX_EPOCH + Duration::from_hours(number);
        let file = fs::File::open(bench.path(name)).unwrap();
        file.set_modified(written).unwrap();
    }
    // A gzip of which that cannot be said yet.
    bench.write("packed.gz", "\x1f");
    // What was made before the look before the last one is no news.
    for _ in 0..3 {
        bench.walk();
        let_the_clock_tick();
    }
    assert!(bench.source.rest.is_known());
    let unheld = Name::Meant(0, bench.path("packed.gz"));
    let names = bench
        .source
        .names_at_rest(&mut BTreeSet::new(), &bench.journal);
    assert_eq!(names, Some(vec![unheld]));
    bench
}

fn replace(bench: &Bench, name: &str, text: &str) {
    fs::write(bench.path("fresh"), text).unwrap();
    bench.rename("fresh", name);
}

fn gzip(bench: &Bench, name: &str) {
    bench.write("fresh", "two\n");
    bench.gzip("fresh");
    bench.rename("fresh.gz", name);
}

type Event = (&'static str, fn(&mut Bench));

#[test]
fn a_look_at_files_at_rest_sees_what_a_look_at_everything_sees() {
    let events: [Event; 16] = [
        ("grows", |it| it.write("a.log", "two\n")),
        ("shrinks", |it| fs::write(it.path("a.log"), "o").unwrap()),
        ("is as long", |it| {
            fs::write(it.path("a.log"), "A.LOG\n").unwrap();
        }),
        ("is replaced", |it| replace(it, "d/x.log", "two\n")),
        ("vanishes", |it| fs::remove_file(it.path("b.log")).unwrap()),
        ("is news", |it| it.write("c.log", "two\n")),
        ("is news in a folder of no use so far", |it| {
            it.write("of-others/x.log", "two\n");
        }),
        ("is news in a new folder", |it| {
            fs::create_dir(it.path("e")).unwrap();
            it.write("e/x.log", "two\n");
        }),
        ("is rotated", |it| {
            it.rename("a.log", "a.log.2");
            it.write("a.log", "number two\n");
        }),
        ("is rotated and only renamed", |it| {
            it.rename("a.log", "c.log");
        }),
        ("was rotated unseen", |it| {
            replace(it, "a.log.1", "number two\n");
        }),
        ("is whole", |it| gzip(it, "packed.gz")),
        ("leaves nothing", |it| {
            for name in ["d/x.log", "d/x.log.1"] {
                fs::remove_file(it.path(name)).unwrap();
            }
        }),
        ("comes with another folder", |it| {
            it.rename("d", "../gone");
            it.rename("../stored", "d");
        }),
        ("comes back", |it| {
            it.rename("a.log", "../kept");
            it.events();
            it.rename("../kept", "a.log");
        }),
        ("loses its folder", |it| {
            fs::remove_dir_all(it.path("d")).unwrap();
        }),
    ];
    for (what, event) in events {
        let mut seen = Vec::new();
        for remembers in [true, false] {
            let mut bench = bench_at_rest();
            if !remembers {
                drop(std::mem::take(&mut bench.source.rest));
            }
            event(&mut bench);
            let before = bench.shown();
            let changes = bench.source.walk(&mut bench.journal, Moment::now());
            let after = bench.shown();
            assert!(before != after || !changes.is_empty(), "{what}");
            seen.push((changes, after));
        }
        assert_eq!(seen[0], seen[1], "{what}");
    }
}

#[test]
fn names_that_came_are_remembered_once_they_stay() {
    let mut bench = bench_at_rest();
    bench.write("c.log", "one\n");
    let is_known = [(); 3].map(|()| {
        bench.walk();
        bench.source.rest.is_known()
    });
    assert_eq!(is_known, [false, true, true]);
    // Where files are only written, no name comes.
    bench.write("c.log", "two\n");
    assert_eq!(bench.events().len(), 1);
    bench.walk();
    assert!(bench.source.rest.is_known());
}

/// Where they lead is only found out by following them.
#[test]
fn nothing_is_remembered_where_links_lead_to_files() {
    let links: [Event; 3] = [
        ("a name", |it| {
            it.rename("a.log", "notes");
            std::os::unix::fs::symlink("notes", it.path("a.log")).unwrap();
        }),
        ("a folder", |it| {
            it.rename("d", "of-others/d");
            std::os::unix::fs::symlink("of-others/d", it.path("d")).unwrap();
        }),
        ("a folder above", |it| {
            it.rename("", "../elsewhere");
            std::os::unix::fs::symlink("elsewhere", it.dir.path().join("logs")).unwrap();
        }),
    ];
    for (what, link) in links {
        let mut bench = bench_at_rest();
        link(&mut bench);
        for _ in 0..3 {
            bench.walk();
            assert!(!bench.source.links.is_empty(), "{what}");
            assert!(!bench.source.rest.is_known(), "{what}");
        }
    }
    // One of a name that is not meant leads to nothing that is.
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", "one\n");
    std::os::unix::fs::symlink("a.log", bench.path("current")).unwrap();
    bench.walk();
    assert!(bench.source.rest.is_known());
}
