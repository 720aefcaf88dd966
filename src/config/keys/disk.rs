//! The description of the keys of an input that say what its files may do to their volume.

use std::time::Duration;

use super::super::describe::{Absent, Key, Kind, Section};

/// More than any volume has.
const MOST_BYTES: u64 = 1 << 60;
const MOST_DAYS: Duration = Duration::from_hours(30 * 24);

pub(super) static HOLD_DELETED: Section = Section {
    title: "`inputs[].hold_deleted`",
    doc: "A deleted file stays open until it is delivered, which keeps its space on the volume in use. Beyond any of these limits the oldest are let go, unless a copy of them is there to be read on; what is lost then is told by file in the log and in `pinnace status`, and counted in `pinnace_lost_bytes_total{reason=\"hold_deleted\"}`.",
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
