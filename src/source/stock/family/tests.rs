//! Tables of names and of families.

use super::*;

#[test]
fn a_name_tells_its_family_its_date_and_its_number() {
    let table = [
        ("app.log", "app.log", "", 0),
        ("app.log.1", "app.log", "", 1),
        ("app.log.12.gz", "app.log", "", 12),
        ("app.log.old", "app.log", "", 1),
        ("app.log-20261122", "app.log", "20261122", 0),
        ("app.log-20261122.gz", "app.log", "20261122", 0),
        (
            "app.log-20261122-1763800000.gz",
            "app.log",
            "202611221763800000",
            0,
        ),
        (
            "app.log.2026-11-22_10-00-00",
            "app.log",
            "20261122100000",
            0,
        ),
        (
            "app-2026-11-22T10:00:00Z.log",
            "app.log",
            "20261122100000",
            0,
        ),
        ("report_20261122.log", "report.log", "20261122", 0),
        ("report_20261122.log.2", "report.log", "20261122", 2),
        ("20261122.log", "log", "20261122", 0),
        ("app-2026_11_22.log", "app.log", "20261122", 0),
        ("messages.1", "messages", "", 1),
        // These may all be alive at once.
        ("worker-1.log", "worker-1.log", "", 0),
        ("app.1.log", "app.1.log", "", 0),
        ("job-20261122-7.log", "job-7.log", "20261122", 0),
        ("job-20261122-07.log", "job-07.log", "20261122", 0),
        ("id-20261399.log", "id-20261399.log", "", 0),
        ("id-202611223.log", "id-202611223.log", "", 0),
        ("id-12026112.log", "id-12026112.log", "", 0),
        ("id-2026-1122.log", "id-2026-1122.log", "", 0),
        ("app.log.12345", "app.log.12345", "", 0),
        (".1", ".1", "", 0),
    ];
    for (name, base, date, number) in table {
        let kin = Kin::of(&Path::new("/logs").join(name));
        let date = (!date.is_empty()).then(|| date.as_bytes().to_vec());
        assert_eq!(kin.base, Path::new("/logs").join(base), "{name}");
        assert_eq!((kin.date, kin.number), (date, number), "{name}");
    }
}

/// A delivered file of 10 bytes that was last written at that second.
fn file(name: &str, second: i64) -> Member {
    let path = Path::new("/logs").join(name);
    Member {
        kin: Kin::of(&path),
        path,
        modified: Time(second * 1_000_000_000),
        bytes: 10,
        is_delivered: true,
        is_written: false,
    }
}

fn owed(member: Member) -> Member {
    Member {
        is_delivered: false,
        ..member
    }
}

fn written(member: Member) -> Member {
    Member {
        is_written: true,
        ..member
    }
}

fn names(paths: &[&Path]) -> Vec<String> {
    let name = |path: &&Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(name).collect()
}

type Case = (&'static str, Vec<Member>, usize, &'static [&'static str]);

#[test]
fn only_what_is_past_delivered_still_and_not_written_may_be_deleted() {
    let table: &[Case] = &[
        ("nothing", vec![], 0, &[]),
        ("a live one alone", vec![file("app.log", 1)], 0, &[]),
        (
            "rotated by number",
            vec![
                file("app.log", 90),
                file("app.log.1", 2),
                file("app.log.2.gz", 1),
            ],
            0,
            &["app.log.2.gz", "app.log.1"],
        ),
        (
            "the youngest stay",
            vec![
                file("app.log", 90),
                file("app.log.1", 3),
                file("app.log.2", 2),
                file("app.log.3", 1),
            ],
            2,
            &["app.log.3"],
        ),
        (
            "an owed one counts among the youngest, and is not touched",
            vec![
                file("app.log", 90),
                owed(file("app.log.1", 3)),
                file("app.log.2", 2),
                owed(file("app.log.3", 1)),
            ],
            1,
            &["app.log.2"],
        ),
        (
            "dated away by a younger date",
            vec![
                file("report_20261120.log", 1),
                file("report_20261121.log", 2),
                file("report_20261122.log", 3),
            ],
            0,
            &["report_20261120.log", "report_20261121.log"],
        ),
        (
            "the youngest date is alive though another was written last",
            vec![
                file("report_20261120.log", 1),
                file("report_20261121.log", 4),
                file("report_20261122.log", 3),
            ],
            0,
            &["report_20261120.log"],
        ),
        (
            "dates beside a name without one",
            vec![
                file("app.log", 9),
                file("app-20261122.log", 2),
                file("app.log-20261121", 1),
            ],
            0,
            &["app.log-20261121", "app-20261122.log"],
        ),
        (
            "numbers without the name they were given to",
            vec![file("app.1", 1), file("app.2", 2), file("app.3", 3)],
            0,
            &[],
        ),
        (
            "writers side by side",
            vec![
                file("worker-1.log", 1),
                file("worker-2.log", 2),
                file("worker.log", 3),
            ],
            0,
            &[],
        ),
        (
            "still written, or a moment ago",
            vec![
                file("app.log", 99),
                written(file("app.log.2", 1)),
                file("app.log.1", 95),
            ],
            0,
            &[],
        ),
        (
            "written after the live one: its writer has not been told",
            vec![file("app.log", 1), file("app.log.1", 2)],
            0,
            &[],
        ),
        (
            "two families",
            vec![
                file("a.log", 9),
                file("a.log.1", 1),
                file("b.log", 9),
                file("b.log.1", 2),
            ],
            0,
            &["a.log.1", "b.log.1"],
        ),
    ];
    for (what, members, keep, expected) in table {
        let now = Time(100 * 1_000_000_000);
        let found = may_delete(members, *keep, Duration::from_secs(10), now);
        assert_eq!(names(&found), *expected, "{what}");
    }
}

#[test]
fn a_full_volume_costs_what_is_delivered_first_and_then_the_oldest() {
    let members = [
        file("app.log", 90),
        owed(file("app.log.1", 5)),
        file("app.log.2", 4),
        owed(file("app.log.3", 3)),
        file("app.log.4", 2),
        written(owed(file("app.log.5", 1))),
    ];
    let table: &[(u64, &[&str])] = &[
        (60, &[]),
        (59, &["app.log.4"]),
        (40, &["app.log.4", "app.log.2"]),
        (30, &["app.log.4", "app.log.2", "app.log.3"]),
        (0, &["app.log.4", "app.log.2", "app.log.3", "app.log.1"]),
    ];
    for (most, expected) in table {
        assert_eq!(names(&to_drop(&members, *most)), *expected, "{most}");
    }
}
