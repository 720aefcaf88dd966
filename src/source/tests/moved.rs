//! Files and folders that are moved, replaced or made anew in ways that their names do not tell.

use super::copies::{begin_gzip, gzip_of};
use super::*;

#[test]
fn a_folder_that_was_deleted_with_an_open_file_and_made_anew_is_found_within_a_second() {
    let mut bench = bench(&["in/*.log"]);
    for folder in 1..=3 {
        fs::create_dir(bench.path("in")).unwrap();
        bench.write("in/a.log", "one\n");
        // The system tells nothing of the folder before, as long as its file is open.
        let mut at = Moment::now();
        at.now += Duration::from_secs(folder * 2);
        bench.source.look_at_events(&mut bench.journal, at);
        bench.source.look_when_due(&mut bench.journal, at);
        let homes = bench.source.generations().filter(|it| it.is_at_home());
        assert_eq!(homes.count(), 1, "{:?}", bench.shown());
        fs::remove_dir_all(bench.path("in")).unwrap();
        bench.source.look_at_events(&mut bench.journal, at);
        let open = bench.source.generations().count();
        assert_eq!(open, usize::try_from(folder).unwrap(), "each is held");
    }
    assert!(
        bench
            .source
            .generations()
            .all(|it| it.place == Place::Deleted)
    );
}

#[test]
fn a_file_put_in_the_place_of_the_beginning_of_it_is_read_on_unless_somebody_writes_that() {
    for is_written in [false, true] {
        let mut bench = bench(&["*.log"]);
        let content = lines("one", 9000);
        bench.write("a.log", &content[..6000]);
        let id = bench.opened();
        bench.deliver(id, 6000);
        let writer = fs::OpenOptions::new()
            .append(true)
            .open(bench.path("a.log"));
        let writer = writer.ok().filter(|_| is_written);
        bench.write(".a.log.Xq7Zk2", &content);
        bench.rename(".a.log.Xq7Zk2", "a.log");
        let changes = bench.events();
        if is_written {
            assert!(
                matches!(changes[..], [Change::Opened(other)] if other > id),
                "{changes:?}"
            );
        } else if changes != [Change::Grew(id)] {
            // Only where the system says that nobody writes it.
            let file = fs::File::open(bench.path("a.log")).unwrap();
            assert_eq!(system::lease::is_written(&file), None, "{changes:?}");
        }
        drop(writer);
    }
}

#[test]
fn a_file_put_in_the_place_of_another_is_a_file_of_its_own() {
    let content = lines("one", 9000);
    let table = [
        ("what may be a banner", &content[..3000], content.clone()),
        (
            "another run of a job that writes the same",
            &content,
            content.clone(),
        ),
        (
            "one of which the end was changed",
            &content,
            content[..content.len() - 4].to_owned() + "abc\nx\n",
        ),
    ];
    for (what, before, after) in table {
        let mut bench = bench(&["*.log"]);
        bench.write("a.log", before);
        let id = bench.opened();
        bench.deliver(id, before.len() as u64);
        bench.write("new", &after);
        bench.rename("new", "a.log");
        let changes = bench.events();
        assert!(
            matches!(changes[..], [Change::Opened(other)] if other > id),
            "{what}: {changes:?}"
        );
    }
}

#[test]
fn a_rotated_file_that_is_replaced_by_the_longer_log_is_read_on() {
    // As one that brings the files of another machine does after a rotation there.
    let mut bench = bench(&["a.log*"]);
    let content = lines("one", 9000);
    bench.write("a.log", &content[..6000]);
    let id = bench.opened();
    bench.deliver(id, 6000);
    bench.write("new", "two\n");
    bench.rename("new", "a.log");
    bench.write("new", &content);
    bench.rename("new", "a.log.1");
    let changes = bench.events();
    let file = fs::File::open(bench.path("a.log.1")).unwrap();
    if system::lease::is_written(&file).is_some() {
        assert!(changes.contains(&Change::Grew(id)), "{changes:?}");
        assert_eq!(
            bench.source.get(id).unwrap().path,
            bench.path("a.log.1").into()
        );
    }
}

#[test]
fn what_was_rotated_into_a_folder_and_compressed_there_is_known() {
    for is_restarted in [false, true] {
        let globs = &["app.log", "old/*"];
        let mut bench = bench(globs);
        fs::create_dir(bench.path("old")).unwrap();
        bench.write("app.log", &lines("one", 9000));
        let id = bench.opened();
        let len = bench.source.get(id).unwrap().size;
        bench.deliver(id, len);
        bench.rename("app.log", "old/app.log.1");
        if is_restarted {
            bench.restart(globs);
        } else {
            assert_eq!(bench.walk(), []);
        }
        bench.gzip("old/app.log.1");
        bench.walk();
        let ids: Vec<_> = bench.source.generations().map(|it| it.id).collect();
        assert_eq!(ids, [id]);
        bench.source.close(id);
        bench.restart(globs);
        bench.rename("old/app.log.1.gz", "old/app.log.2.gz");
        bench.walk();
        let ids: Vec<_> = bench.source.generations().map(|it| it.id).collect();
        assert!(ids.iter().all(|it| *it == id), "{ids:?}");
    }
}

/// For a moment both are there, while no file is open any more.
#[test]
fn what_was_moved_into_a_folder_and_is_compressed_there_under_its_own_name_is_known() {
    let text = lines("one", 9000);
    let mut bench = bench(&["app.log", "old/*.log"]);
    fs::create_dir(bench.path("old")).unwrap();
    bench.write("app.log", &text);
    let id = bench.opened();
    let len = bench.source.get(id).unwrap().size;
    bench.deliver(id, len);
    bench.rename("app.log", "old/app.log");
    assert_eq!(bench.walk(), []);
    bench.source.close(id);
    fs::write(bench.path("old/app.log.gz"), gzip_of(&text)).unwrap();
    bench.look_at(
        Name::Sibling(0, bench.path("old/app.log"), bench.path("old/app.log.gz")),
        0,
    );
    fs::remove_file(bench.path("old/app.log")).unwrap();
    bench.walk();
    let ids: Vec<_> = bench.source.generations().map(|it| it.id).collect();
    assert_eq!(ids, [id]);
}

#[test]
fn beside_a_log_of_the_same_name_a_rotated_file_is_that_ones() {
    let mut bench = bench(&["app.log", "worker/app.log*"]);
    fs::create_dir(bench.path("worker")).unwrap();
    let content = lines("one", 9000);
    bench.write("app.log", &content);
    let id = bench.opened();
    bench.write("worker/app.log", "its own\n");
    bench.write("worker/app.log.1", &content);
    let changes = bench.walk();
    let opened = changes
        .iter()
        .filter(|it| matches!(it, Change::Opened(other) if *other > id));
    assert_eq!(opened.count(), 2, "{changes:?}");
}

#[test]
fn a_log_that_was_renamed_to_any_name_while_no_agent_ran_is_read_to_its_end() {
    for name in [
        "@400000006ce4b5e70a1b2c3d.s",
        "app1.log",
        "before the crash",
    ] {
        let mut bench = bench(&["current"]);
        bench.write("current", &lines("one", 9000));
        let id = bench.opened();
        bench.deliver(id, 5000);
        bench.restart(&["current"]);
        bench.rename("current", name);
        bench.write("current", "anew\n");
        bench.write("unrelated", "another\n");
        let changes = bench.walk();
        assert_eq!(changes.len(), 2, "{name}: {changes:?}");
        assert!(changes.contains(&Change::Opened(id)), "{name}: {changes:?}");
        assert_eq!(bench.source.get(id).unwrap().place, Place::Rotated);
    }
}

#[test]
fn another_content_in_a_file_that_was_renamed_to_any_name_is_not_read() {
    let mut bench = bench(&["app.log"]);
    bench.write("app.log", &lines("one", 9000));
    let id = bench.opened();
    bench.deliver(id, 5000);
    bench.restart(&["app.log"]);
    bench.rename("app.log", "notes");
    fs::write(bench.path("notes"), lines("two", 9000)).unwrap();
    assert_eq!(bench.walk(), []);
}

#[test]
fn what_a_rotation_of_current_made_unseen_is_owed() {
    let mut bench = bench(&["current"]);
    bench.write("current", &lines("one", 9000));
    let first = bench.opened();
    bench.deliver(first, 5000);
    bench.restart(&["current"]);
    for second in 7..9 {
        bench.rename("current", &format!("@400000006ce4b5e{second}0a1b2c3d.s"));
        bench.write(
            "current",
            &lines(&format!("rotation {second}"), 100 * second),
        );
        let_the_clock_tick();
    }
    bench.walk();
    let sizes: Vec<_> = bench.source.generations().map(|it| it.size / 100).collect();
    assert_eq!(sizes, [90, 7, 8]);
}

#[test]
fn a_gzip_is_no_log_while_it_has_a_name_for_the_time_in_which_it_is_made() {
    let mut bench = bench(&["app.log*"]);
    bench.write("app.log.1", &lines("one", 9000));
    let id = bench.opened();
    bench.write("app.log.1.gz.tmp", "");
    assert_eq!(bench.events(), []);
    let whole = begin_gzip(&bench, "app.log.1.gz.tmp", &lines("one", 9000));
    assert_eq!(bench.events(), []);
    fs::write(bench.path("app.log.1.gz.tmp"), whole).unwrap();
    bench.rename("app.log.1.gz.tmp", "app.log.1.gz");
    fs::remove_file(bench.path("app.log.1")).unwrap();
    assert_eq!(bench.events(), []);
    bench.write("app.log.tmp", "a log may have such a name\n");
    assert!(matches!(bench.events()[..], [Change::Opened(other)] if other > id));
}
