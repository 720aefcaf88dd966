//! The one description of every key: its kind, its default, what it means, an example. Decoding,
//! `docs/configuration.schema.json` and `docs/configuration.md` come from here; no key is told
//! anywhere else.

use std::time::Duration;

use super::describe::{Absent, Key, Kind, Section};
use super::rules;

mod disk;
mod outputs;
mod records;
mod transport;

use outputs::{CLOUDWATCH_LOGS, LOKI};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The most that CloudWatch Logs takes in one event, without the 26 bytes it adds to each.
pub(crate) const CLOUDWATCH_MAX_EVENT: u64 = CLOUDWATCH_MAX_BATCH - 26;
/// The most that CloudWatch Logs takes in one request, 26 bytes for each event counted in.
pub(crate) const CLOUDWATCH_MAX_BATCH: u64 = MIB;
/// What Loki takes in one request with default limits of the gRPC behind its door.
pub(crate) const LOKI_MAX_BATCH: u64 = 4 * MIB;
/// The longest line that Loki takes with its default limits.
pub(crate) const LOKI_DEFAULT_MAX_LINE: u64 = 256 * KIB;
/// Labels that Loki takes in one stream.
pub(crate) const LOKI_MAX_LABELS: usize = 15;
/// Entries of structured metadata that may be configured: Loki takes 128 with one line, and beside
/// these there may be every label, as metadata, and what a record tells of itself, its level and
/// its pipe.
pub(crate) const LOKI_MAX_METADATA: usize = 128 - LOKI_MAX_LABELS - 2;

/// The days for which CloudWatch Logs can keep events.
pub(crate) const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// The state directory unless another is set.
pub(crate) const DEFAULT_STATE_DIR: &str = "/var/lib/pinnace";
/// The HTTP address unless another is set.
pub(crate) const DEFAULT_LISTEN: &str = "0.0.0.0:9899";

pub(crate) static ROOT: Section = Section {
    title: "Top level",
    doc: "The whole configuration.",
    groups: &[&[
        Key {
            name: "version",
            kind: Kind::Number(&[1]),
            absent: Absent::Default("1"),
            doc: "The version of this format.",
            example: "1",
        },
        Key {
            name: "state_dir",
            kind: Kind::Text(&rules::ABSOLUTE_PATH),
            absent: Absent::Default(DEFAULT_STATE_DIR),
            doc: "The folder in which Pinnace remembers what is delivered, and where its control socket is. One agent for each folder. It must outlive a restart of the container.",
            example: "/var/lib/pinnace",
        },
        Key {
            name: "memory_limit",
            kind: Kind::Size {
                least: 4 * MIB,
                most: 4096 * MIB,
            },
            absent: Absent::Default("16MiB"),
            doc: "The ceiling for the data in memory, whatever the backlog. It must hold two batches of every output and one line of `max_line`.",
            example: "16MiB",
        },
        Key {
            name: "dead_letters",
            kind: Kind::Section(&DEAD_LETTERS),
            absent: Absent::Means("the defaults of its keys"),
            doc: "Where records go that a destination does not take while it takes others.",
            example: "{ max_bytes: 64MiB, when_full: hold }",
        },
        Key {
            name: "shutdown",
            kind: Kind::Section(&SHUTDOWN),
            absent: Absent::Means("the defaults of its keys"),
            doc: "What happens between SIGTERM and the end.",
            example: "{ timeout: 25s, quiet_for: 500ms }",
        },
        Key {
            name: "server",
            kind: Kind::Section(&SERVER),
            absent: Absent::Means("the defaults of its keys"),
            doc: "The HTTP endpoint.",
            example: "{ listen: \"0.0.0.0:9899\" }",
        },
        Key {
            name: "inputs",
            kind: Kind::List {
                of: &Kind::Section(&INPUT),
                least: 1,
            },
            absent: Absent::Required,
            doc: "Which files are read.",
            example: "[{ name: app, include: [\"/var/log/app/*.log\"] }]",
        },
        Key {
            name: "outputs",
            kind: Kind::List {
                of: &Kind::ByType(&[("loki", &LOKI), ("cloudwatch_logs", &CLOUDWATCH_LOGS)]),
                least: 1,
            },
            absent: Absent::Required,
            doc: "Where the lines go. Each output remembers by itself how far it is; a slow one never holds up another.",
            example: "[{ name: loki, type: loki, url: http://loki-gateway.loki.svc }]",
        },
    ]],
};

static DEAD_LETTERS: Section = Section {
    title: "`dead_letters`",
    doc: "A record that a destination refuses for what it is goes to `dead-letters.ndjson` in the state directory, one line of JSON for each; the records beside it are delivered.",
    groups: &[&[
        Key {
            name: "max_bytes",
            kind: Kind::Size {
                least: 64 * KIB,
                most: 64 * 1024 * MIB,
            },
            absent: Absent::Default("64MiB"),
            doc: "How large the file becomes at most. Move it away or delete it at any time to make room.",
            example: "1GiB",
        },
        Key {
            name: "when_full",
            kind: Kind::Choice(&[
                ("hold", "the stream waits until there is room"),
                ("drop", "further refused records are dropped, and counted"),
            ]),
            absent: Absent::Default("hold"),
            doc: "What to do when the file is full.",
            example: "drop",
        },
        Key {
            name: "when_all_refused",
            kind: Kind::Choice(&[
                ("hold", "the stream waits, and tries again slowly"),
                ("write", "all of them go to the dead letters"),
            ]),
            absent: Absent::Default("hold"),
            doc: "What to do when a destination refuses one record of a stream after the other and takes none: most often it is not the records then, but the configuration or the destination's limits.",
            example: "write",
        },
    ]],
};

static SHUTDOWN: Section = Section {
    title: "`shutdown`",
    doc: "At SIGTERM Pinnace delivers what the files hold, then ends. A second SIGTERM ends it at once.",
    groups: &[&[
        Key {
            name: "timeout",
            kind: Kind::Duration {
                least: Duration::ZERO,
                most: Duration::from_hours(1),
            },
            absent: Absent::Default("25s"),
            doc: "How long delivery may go on after SIGTERM. In Kubernetes keep it below `terminationGracePeriodSeconds`.",
            example: "25s",
        },
        Key {
            name: "quiet_for",
            kind: Kind::Duration {
                least: Duration::ZERO,
                most: Duration::from_mins(1),
            },
            absent: Absent::Default("500ms"),
            doc: "When all is delivered and no file has grown for so long, Pinnace ends. At most `timeout`.",
            example: "500ms",
        },
        Key {
            name: "final",
            kind: Kind::Flag,
            absent: Absent::Default("false"),
            doc: "Whether the writers are gone for good when SIGTERM comes, as in a pod that ends. Then a last line without a line end is shipped as it is. Otherwise it waits for its rest and the next start.",
            example: "true",
        },
        Key {
            name: "termination_log",
            kind: Kind::Text(&rules::ABSOLUTE_PATH),
            absent: Absent::Means("`/dev/termination-log`, where that is there"),
            doc: "A file for what is left at the end and why, which Kubernetes shows as the container's last message. It is written only when something is left. `/dev/null` switches it off.",
            example: "/dev/null",
        },
    ]],
};

static SERVER: Section = Section {
    title: "`server`",
    doc: "Serves `/metrics`, `/healthz` and `/readyz`; nothing secret.",
    groups: &[&[Key {
        name: "listen",
        kind: Kind::Listen,
        absent: Absent::Default(DEFAULT_LISTEN),
        doc: "The IP address and port to listen on, or `off`.",
        example: "\"127.0.0.1:9899\"",
    }]],
};

static INPUT: Section = Section {
    title: "`inputs[]`",
    doc: "A set of files, and how their bytes become lines.",
    groups: &[
        &[
            Key {
                name: "name",
                kind: Kind::Text(&rules::NAME),
                absent: Absent::Required,
                doc: "The input's name, unique among the inputs. Outputs and metrics refer to it. What is delivered of its files is remembered under it: under a new name everything is owed anew. A file that two inputs match is shipped once for each.",
                example: "app",
            },
            Key {
                name: "include",
                kind: Kind::List {
                    of: &Kind::Text(&rules::GLOB),
                    least: 1,
                },
                absent: Absent::Required,
                doc: "Globs of the files to read. Files and folders may appear later. `*` stays within one folder, `**` crosses them.",
                example: "[\"/var/log/app/*.log\"]",
            },
            Key {
                name: "exclude",
                kind: Kind::List {
                    of: &Kind::Text(&rules::GLOB),
                    least: 0,
                },
                absent: Absent::Default("[]"),
                doc: "Globs of files to leave alone although `include` matches them.",
                example: "[\"/var/log/app/debug-*.log\"]",
            },
            Key {
                name: "read_from",
                kind: Kind::Choice(&[
                    ("beginning", "they are read whole"),
                    ("end", "only what is appended to them from then on"),
                ]),
                absent: Absent::Default("beginning"),
                doc: "Where an output begins in files that are there when it first reads this input: at the first start, and when the output or the input is added later. Files that appear after that are read from their beginning.",
                example: "end",
            },
            Key {
                name: "max_line",
                kind: Kind::Size {
                    least: 64,
                    most: CLOUDWATCH_MAX_EVENT,
                },
                absent: Absent::Default("256KiB"),
                doc: "The longest line in bytes. A longer one is cut into pieces with a mark, never dropped. At most half of each output's `batch.max_bytes`, or all of it but 26 bytes with CloudWatch Logs; Loki takes 256KiB unless its own `max_line_size` says more.",
                example: "64KiB",
            },
            Key {
                name: "fields",
                kind: Kind::Map {
                    keys: &rules::FIELD_NAME,
                    of: &Kind::Text(&rules::FIELD_VALUE),
                    most: 64,
                },
                absent: Absent::Default("{}"),
                doc: "Texts that templates may use as `{name}`.",
                example: "{ service: checkout }",
            },
            Key {
                name: "hold_deleted",
                kind: Kind::Section(&disk::HOLD_DELETED),
                absent: Absent::Means("the defaults of its keys"),
                doc: "How long deleted files are held open until they are delivered.",
                example: "{ max_bytes: 1GiB, max_age: 48h }",
            },
            Key {
                name: "after_delivery",
                kind: Kind::Section(&disk::AFTER_DELIVERY),
                absent: Absent::Means("the defaults of its keys"),
                doc: "What becomes of rotated files once they are delivered.",
                example: "{ rotated: delete, keep: 3 }",
            },
            Key {
                name: "disk",
                kind: Kind::Section(&disk::DISK),
                absent: Absent::Means("the defaults of its keys"),
                doc: "How much the input's files may take on their volume.",
                example: "{ max_bytes: 5GiB, when_full: drop_oldest }",
            },
        ],
        records::RECORDS,
    ],
};

#[cfg(test)]
mod tests;
