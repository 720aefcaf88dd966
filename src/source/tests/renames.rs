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
