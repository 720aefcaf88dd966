//! Files and folders that are moved, replaced or made anew in ways that their names do not tell.

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
