//! Files that an earlier run had open and that no name leads to: gone, emptied, or held by another.

use super::copies::{begin_gzip, gzip_of};
use super::*;

impl Bench {
    pub(super) fn whereabouts(&self, id: GenerationId, at: Moment) -> Whereabouts {
        let identity = &self.journal.state().generations[&id].identity;
        let folders = &mut Folders::default();
        self.source
            .whereabouts((id, identity), folders, &self.journal, at)
    }
}

/// A log of which 9000 bytes were seen and 5000 delivered. The agent died, and began again, and has
/// not looked yet.
fn killed(content: &str) -> (Bench, GenerationId) {
    let mut bench = bench(&["app.log"]);
    bench.write("app.log", content);
    let id = bench.opened();
    bench.deliver(id, 5000);
    bench.restart(&["app.log"]);
    (bench, id)
}

#[test]
fn a_compressed_file_may_be_what_is_missing_until_its_content_says_that_it_is_not() {
    let own = lines("one", 9000);
    let whole = gzip_of(&own);
    let half = whole[..whole.len() / 2].to_vec();
    let nothing = Vec::new();
    let other = gzip_of(&lines("two", 9000));
    let broken = [&whole[..20], &[0xFF; 2000]].concat();
    let (nowhere, unknown) = (Whereabouts::Nowhere, Whereabouts::Unknown);
    let table = [
        (
            "whole, and not met yet",
            "app.log.1.gz",
            &whole,
            [unknown; 2],
        ),
        ("and renamed again", "app.log.3.gz", &whole, [unknown; 2]),
        ("under its own name", "app.log.gz", &whole, [unknown; 2]),
        ("in the making", "app.log.1.gz", &half, [unknown, nowhere]),
        ("just begun", "app.log.1.gz", &nothing, [unknown, nowhere]),
        ("another content", "app.log.1.gz", &other, [nowhere; 2]),
        ("broken", "app.log.1.gz", &broken, [nowhere; 2]),
        ("of another log", "other.log.1.gz", &half, [nowhere; 2]),
    ];
    for (what, name, bytes, expected) in table {
        let (bench, id) = killed(&own);
        fs::remove_file(bench.path("app.log")).unwrap();
        bench.write("app.log", "anew\n");
        fs::write(bench.path(name), bytes).unwrap();
        let found = [1, 100].map(|seconds| bench.whereabouts(id, in_seconds(seconds)));
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn what_lies_under_a_name_at_which_nobody_looks_is_missing() {
    let own = lines("one", 9000);
    let mut bench = bench(&["app-*.log"]);
    bench.write("app-20261122.log", &own);
    let id = bench.opened();
    bench.deliver(id, 5000);
    bench.restart(&["app-*.log"]);
    bench.gzip("app-20261122.log");
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Unknown);
    bench.rename("app-20261122.log.gz", "app.log.gz");
    assert_eq!(bench.walk(), []);
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Nowhere);
}

#[test]
fn what_waits_to_be_looked_at_may_be_what_is_missing() {
    let (mut bench, id) = killed(&lines("one", 9000));
    fs::remove_file(bench.path("app.log")).unwrap();
    bench.write("app.log", "anew\n");
    bench.write("app.log.1", "it may go on in a shorter copy\n");
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Nowhere);
    let name = (0, bench.path("app.log.1"));
    bench.source.deferred.insert(name);
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Unknown);
}

#[test]
fn what_is_renamed_while_it_is_looked_for_is_not_missing() {
    let own = lines("one", 9000);
    let (bench, id) = killed(&own);
    fs::remove_file(bench.path("app.log")).unwrap();
    bench.write("app.log", "anew\n");
    fs::write(bench.path("app.log.1.gz"), gzip_of(&own)).unwrap();
    let (from, to) = (bench.path("app.log.1.gz"), bench.path("app.log.2.gz"));
    meanwhile::let_happen(meanwhile::After::Listing, || fs::rename(from, to).unwrap());
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Unknown);
}

/// Of a log that was seen when it was no more than a banner nobody can tell which of those that begin
/// alike it became.
#[test]
fn what_is_read_as_another_content_is_not_missing() {
    let mut bench = bench(&["app.log*"]);
    bench.write("app.log.1", &lines("banner", 2000));
    let id = bench.opened();
    bench.restart(&["app.log*"]);
    bench.write("app.log.1", &lines("one", 9000));
    bench.gzip("app.log.1");
    bench.rename("app.log.1.gz", "app.log.2.gz");
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Unknown);
    bench.settle();
    assert!(bench.source.get(id).is_none());
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Elsewhere);
}

#[test]
fn a_log_that_was_emptied_is_told_from_one_that_is_there() {
    let own = lines("one", 9000);
    let (mut bench, id) = killed(&own);
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Unknown);
    fs::write(bench.path("app.log"), "anew\n").unwrap();
    bench.settle();
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Emptied);
    begin_gzip(&bench, "app.log.1.gz", &own);
    assert_eq!(bench.whereabouts(id, Moment::now()), Whereabouts::Unknown);
}

/// As after a start without the state directory, in which a log was taken for a new one.
#[test]
fn a_log_that_was_opened_before_anybody_knew_of_it_is_neither_emptied_nor_deleted() {
    let own = lines("one", 9000);
    for name in ["app.log", "app.log.1.gz"] {
        let (mut bench, id) = killed(&own);
        if name != "app.log" {
            fs::write(bench.path(name), gzip_of(&own)).unwrap();
            fs::remove_file(bench.path("app.log")).unwrap();
        }
        let path = bench.path(name);
        let opened = identity::opened::Opened::at(&path).unwrap();
        let (origin, at) = (path.as_path().into(), Moment::now());
        let journal = &mut bench.journal;
        bench
            .source
            .take(0, &path, origin, opened, None, (journal, at));
        assert_eq!(bench.whereabouts(id, at), Whereabouts::Elsewhere, "{name}");
    }
}
