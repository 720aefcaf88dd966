//! The description of the keys of an input that say what its files may do to their volume.

use std::time::Duration;

use super::super::describe::{Absent, Key, Kind, Section};

/// More than any volume has.
const MOST_BYTES: u64 = 1 << 60;
const MOST_DAYS: Duration = Duration::from_hours(30 * 24);

pub(super) static HOLD_DELETED: Section = Section {
    title: "`inputs[].hold_deleted`",
    doc: "A deleted file stays open until it is delivered and nobody has it open for writing any more, which keeps its space on the volume in use. Where it cannot be found out who writes it (it is another user's, and the processes of other users or containers cannot be seen), it stays open until nothing was written to it for 5 minutes. Beyond any of these limits the oldest are let go, delivered ones first; what somebody has open for writing counts for none of them, since to close it would free nothing. A file that is owed is read on in a copy, if there is one; what is lost then is told by file in the log and in `pinnace status`, and counted in `pinnace_lost_bytes_total{reason=\"hold_deleted\"}`.",
    groups: &[&[
        Key {
            name: "max_bytes",
            kind: Kind::Size {
                least: 0,
                most: MOST_BYTES,
            },
            absent: Absent::Default("1GiB"),
            doc: "The most space that deleted files of this input may hold together, in bytes. The default bridges hours of most applications and fits on the smallest of the usual node disks.",
            example: "1GiB",
        },
        Key {
            name: "max_age",
            kind: Kind::Duration {
                least: Duration::ZERO,
                most: MOST_DAYS,
            },
            absent: Absent::Default("48h"),
            doc: "How long a file is held after it was deleted while bytes of it are owed. A file that is delivered as fast as it is written is held for as long as its writer goes on. The default bridges a destination that is down for a day, and the time to catch up.",
            example: "48h",
        },
        Key {
            name: "min_free",
            kind: Kind::Size {
                least: 0,
                most: MOST_BYTES,
            },
            absent: Absent::Default("64MiB"),
            doc: "The free space on the volume below which deleted files are let go, one each second, in bytes; on a small volume a twentieth of it. The application's next line matters more than what it has thrown away.",
            example: "64MiB",
        },
    ]],
};

pub(super) static AFTER_DELIVERY: Section = Section {
    title: "`inputs[].after_delivery`",
    doc: "Many applications begin a new file every day, and nobody deletes one. A file is past when a younger one of the same log is there: `app.log.1`, `app.log.gz`, `app.log-20261122.gz` and `app-20261122.log` beside `app.log`, `report_20261121.log` beside `report_20261122.log`. Only a past file is ever deleted, and only when every output has all of it, those of other inputs that read it too among them, nobody has it open for writing (the system says that to the owner of a file; else it is as the processes that can be seen tell), and it is as it was when that was found out. A number within a name, as in `worker-1.log`, makes no past file; nor is a file deleted whose beginning was skipped by `read_from: end`.",
    groups: &[&[
        Key {
            name: "rotated",
            kind: Kind::Choice(&[
                ("keep", "past files are left alone"),
                ("delete", "past files are deleted once they are delivered"),
            ]),
            absent: Absent::Default("keep"),
            doc: "What becomes of past files. To delete, Pinnace needs write permission on their folder.",
            example: "delete",
        },
        Key {
            name: "keep",
            kind: Kind::Count {
                least: 0,
                most: 1_000_000,
            },
            absent: Absent::Default("1"),
            doc: "So many of the youngest past files of each log stay, delivered or not. The default leaves one to look at, and to the rotator that compresses it a day later.",
            example: "3",
        },
        Key {
            name: "still_for",
            kind: Kind::Duration {
                least: Duration::ZERO,
                most: MOST_DAYS,
            },
            absent: Absent::Default("5m"),
            doc: "A file that was written less than so long ago is not deleted: its writer may not have been told yet.",
            example: "5m",
        },
    ]],
};

pub(super) static DISK: Section = Section {
    title: "`inputs[].disk`",
    doc: "A limit for what the input's files, rotated ones included, take on their volume. Deleted files that are held open have their own limits in `hold_deleted`.",
    groups: &[&[
        Key {
            name: "max_bytes",
            kind: Kind::Size {
                least: 0,
                most: MOST_BYTES,
            },
            absent: Absent::Means("no limit"),
            doc: "The limit in bytes.",
            example: "5GiB",
        },
        Key {
            name: "when_full",
            kind: Kind::Choice(&[
                (
                    "hold",
                    "nothing is deleted; the log's folder being too large is told by `/readyz` and `pinnace status`",
                ),
                (
                    "drop_oldest",
                    "past files are deleted: delivered ones first, then the oldest although they are owed, which is counted in `pinnace_lost_bytes_total{reason=\"disk_full\"}`",
                ),
            ]),
            absent: Absent::Default("hold"),
            doc: "What happens above the limit. A file that is still filled is never deleted.",
            example: "drop_oldest",
        },
    ]],
};
