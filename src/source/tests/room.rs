//! More files than may be open.

use super::*;
use crate::journal::Route;

/// A long time later, so that nothing that is there was made just now.
fn later() -> Moment {
    let mut later = Moment::now();
    later.time.0 += 100_000_000_000;
    later.now += Duration::from_secs(100);
    later
}

fn bench_with_an_output() -> Bench {
    let mut bench = bench(&["*.log"]);
    bench.journal.append(&Entry::Route(Route {
        input: "app".into(),
        output: "out".into(),
    }));
    bench
}

/// Looks at everything so often, and then so often again with room for all.
fn walk_until_there_is_room(bench: &mut Bench, walks: usize, mut at: Moment) {
    assert_eq!(bench.source.waiting(), 1);
    for _ in 0..walks {
        bench.source.walk(&mut bench.journal, at);
    }
    assert_eq!(bench.source.waiting(), 1);
    bench.source.room.limit(100);
    bench.source.admit_waiting();
    at.now += Duration::from_secs(1);
    bench.source.look_at_events(&mut bench.journal, at);
}

#[test]
fn a_rotated_file_that_is_written_while_there_is_no_room_waits_for_it() {
    for walks in [0, 1, 3] {
        let mut bench = bench_with_an_output();
        bench.write("a.log", &lines("one", 8000));
        let old = bench.opened();
        bench.rename("a.log", "a.log.1");
        let_the_clock_tick();
        bench.write("a.log", &lines("two", 5000));
        bench.events();
        bench.walk();
        let size = bench.source.get(old).unwrap().size;
        bench.deliver(old, size);
        bench.source.put_aside(old);
        bench.source.room.limit(1);
        let later = later();
        for _ in 0..3 {
            bench.source.walk(&mut bench.journal, later);
        }
        bench.write("a.log.1", "the last words\n");
        bench.source.look_at_events(&mut bench.journal, later);
        walk_until_there_is_room(&mut bench, walks, later);
        assert!(bench.source.get(old).is_some(), "{:?}", bench.shown());
    }
}

#[test]
fn a_rotated_file_that_an_earlier_run_knew_waits_for_room() {
    // The second name does not tell where it comes from.
    for (walks, name) in [(0, "a.log.1"), (1, "a.log.1"), (3, "a.log.1"), (3, "old-a")] {
        let mut bench = bench_with_an_output();
        bench.write("x.log", &lines("other", 8000));
        let other = bench.opened();
        bench.deliver(other, 5000);
        let_the_clock_tick();
        bench.write("a.log", &lines("one", 8000));
        let old = bench.opened();
        bench.deliver(old, 5000);
        let mut later = later();
        bench.source.walk(&mut bench.journal, later);
        bench.restart(&["*.log"]);
        bench.rename("a.log", name);
        bench.source.room.limit(1);
        later.time.0 += 1_000_000_000;
        bench.source.walk(&mut bench.journal, later);
        walk_until_there_is_room(&mut bench, walks, later);
        assert!(
            bench.source.get(old).is_some(),
            "{name}: {:?}",
            bench.shown()
        );
    }
}

/// No event tells of what a mapped file gets over its NULs, and no later time while its page waits to
/// be written.
#[test]
fn a_file_that_ends_in_nuls_is_not_closed_to_make_room() {
    let mut bench = bench_with_an_output();
    bench.write("a.log", &lines("one", 8000));
    let whole = bench.opened();
    let size = bench.source.get(whole).unwrap().size;
    bench.deliver(whole, size);
    assert!(bench.source.may_put_aside(whole));
    let file = fs::File::options().write(true).open(bench.path("a.log"));
    file.unwrap().set_len(1 << 16).unwrap();
    bench.events();
    assert_eq!(bench.source.get(whole).unwrap().size, size);
    assert!(!bench.source.may_put_aside(whole));
}
