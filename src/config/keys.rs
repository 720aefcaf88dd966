//! The one description of every key: its kind, its default, what it means, an example. Decoding,
//! `docs/configuration.schema.json` and `docs/configuration.md` come from here; no key is told
//! anywhere else.

use std::time::Duration;

use super::describe::{Absent, Key, Kind, Section};
use super::rules;

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
/// Entries of structured metadata that Loki takes with one line.
pub(crate) const LOKI_MAX_METADATA: usize = 128;

/// The days for which CloudWatch Logs can keep events.
pub(crate) const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

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
            absent: Absent::Default("/var/lib/pinnace"),
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
    ]],
};

static SERVER: Section = Section {
    title: "`server`",
    doc: "Serves `/metrics`, `/healthz` and `/readyz`; nothing secret.",
    groups: &[&[Key {
        name: "listen",
        kind: Kind::Listen,
        absent: Absent::Default("0.0.0.0:9899"),
        doc: "The IP address and port to listen on, or `off`.",
        example: "\"127.0.0.1:9899\"",
    }]],
};

static INPUT: Section = Section {
    title: "`inputs[]`",
    doc: "A set of files, and how their bytes become lines.",
    groups: &[&[
        Key {
            name: "name",
            kind: Kind::Text(&rules::NAME),
            absent: Absent::Required,
            doc: "The input's name, unique among the inputs. Outputs and metrics refer to it.",
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
                ("beginning", "files never seen before are read whole"),
                ("end", "only what is appended to them from now on"),
            ]),
            absent: Absent::Default("beginning"),
            doc: "Where to begin in files that were never seen before.",
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
    ]],
};

/// What every output has.
static OUTPUT: [Key; 3] = [
    Key {
        name: "name",
        kind: Kind::Text(&rules::NAME),
        absent: Absent::Required,
        doc: "The output's name, unique among the outputs. What is delivered is remembered under it: under a new name everything is owed anew.",
        example: "loki",
    },
    Key {
        name: "type",
        kind: Kind::Choice(&[
            ("loki", "a Loki push endpoint"),
            ("cloudwatch_logs", "AWS CloudWatch Logs"),
        ]),
        absent: Absent::Required,
        doc: "What kind of backend it is.",
        example: "loki",
    },
    Key {
        name: "inputs",
        kind: Kind::List {
            of: &Kind::Text(&rules::NAME),
            least: 1,
        },
        absent: Absent::Means("all inputs"),
        doc: "The names of the inputs whose lines go here.",
        example: "[app]",
    },
];

static LOKI: Section = Section {
    title: "`outputs[]` with `type: loki`",
    doc: "Pushes protobuf with snappy to Loki.",
    groups: &[
        &OUTPUT,
        &[
            Key {
                name: "url",
                kind: Kind::Text(&rules::PUSH_URL),
                absent: Absent::Required,
                doc: "The URL of Loki or of the gateway before it. The path `/loki/api/v1/push` is added unless it is there.",
                example: "http://loki-gateway.loki.svc",
            },
            Key {
                name: "tenant_id",
                kind: Kind::Text(&rules::TENANT),
                absent: Absent::Means("no tenant is named"),
                doc: "The tenant, sent as `X-Scope-OrgID`.",
                example: "team-a",
            },
            Key {
                name: "labels",
                kind: Kind::Map {
                    keys: &rules::LABEL_NAME,
                    of: &Kind::Template(&rules::LABEL_VALUE),
                    most: LOKI_MAX_LABELS,
                },
                absent: Absent::Means(
                    "`service_name` from the field `service` (from the input's name unless all inputs have that field), and `filename` from `{path}`",
                ),
                doc: "The labels of the stream, 1 to 15. Keep `filename: \"{path}\"` among them: with one stream for each file no file's backlog makes another's lines too old.",
                example: "{ service_name: \"{service}\", filename: \"{path}\" }",
            },
            Key {
                name: "structured_metadata",
                kind: Kind::Map {
                    keys: &rules::LABEL_NAME,
                    of: &Kind::Template(&rules::LABEL_VALUE),
                    most: LOKI_MAX_METADATA,
                },
                absent: Absent::Default("{}"),
                doc: "Sent with every line and not indexed: the place for what has many values.",
                example: "{ pod: \"${POD_NAME}\" }",
            },
            Key {
                name: "compression",
                kind: Kind::Choice(&[
                    ("snappy", "compressed"),
                    (
                        "none",
                        "a snappy block of literals: costs no CPU, saves no bytes",
                    ),
                ]),
                absent: Absent::Default("snappy"),
                doc: "How a request's body is packed.",
                example: "none",
            },
            Key {
                name: "batch",
                kind: Kind::Section(&LOKI_BATCH),
                absent: Absent::Means("the defaults of its keys"),
                doc: "How much goes into one request.",
                example: "{ max_bytes: 1MiB, max_wait: 1s }",
            },
            REQUEST_TIMEOUT,
        ],
    ],
};

static CLOUDWATCH_LOGS: Section = Section {
    title: "`outputs[]` with `type: cloudwatch_logs`",
    doc: "Puts events into AWS CloudWatch Logs. Credentials come from the environment, as with every AWS tool.",
    groups: &[
        &OUTPUT,
        &[
            Key {
                name: "log_group",
                kind: Kind::Template(&rules::LOG_GROUP),
                absent: Absent::Required,
                doc: "The log group.",
                example: "/apps/checkout",
            },
            Key {
                name: "log_stream",
                kind: Kind::Template(&rules::LOG_STREAM),
                absent: Absent::Default("{hostname}"),
                doc: "The log stream. Give each agent a stream of its own: after a doubtful answer Pinnace reads the stream back, and several writers to one stream make that prove nothing.",
                example: "\"${POD_NAME}\"",
            },
            Key {
                name: "region",
                kind: Kind::Text(&rules::REGION),
                absent: Absent::Means("the region of the environment (`AWS_REGION` and so on)"),
                doc: "The AWS region.",
                example: "eu-west-1",
            },
            Key {
                name: "endpoint_url",
                kind: Kind::Text(&rules::ENDPOINT_URL),
                absent: Absent::Means(
                    "that of AWS, or `AWS_ENDPOINT_URL_LOGS`, or `AWS_ENDPOINT_URL`",
                ),
                doc: "Another endpoint, such as LocalStack's.",
                example: "http://127.0.0.1:4566",
            },
            Key {
                name: "create",
                kind: Kind::Section(&CREATE),
                absent: Absent::Means("the defaults of its keys"),
                doc: "What is created when it does not exist.",
                example: "{ log_group: true, retention_in_days: 14 }",
            },
            Key {
                name: "compression",
                kind: Kind::Choice(&[("gzip", "compressed"), ("none", "as it is")]),
                absent: Absent::Default("gzip"),
                doc: "How a request's body is packed. The limits of CloudWatch Logs count what is in it, not the packed size.",
                example: "none",
            },
            Key {
                name: "verify_after_error",
                kind: Kind::Choice(&[
                    ("auto", "read back where that is possible"),
                    ("never", "never read back; send again"),
                    ("require", "hold the batch until it could be read back"),
                ]),
                absent: Absent::Default("auto"),
                doc: "What to do when an answer leaves open whether a batch was stored. CloudWatch Logs stores a batch twice when it is sent twice. Reading back needs `logs:GetLogEvents`.",
                example: "never",
            },
            Key {
                name: "batch",
                kind: Kind::Section(&CLOUDWATCH_BATCH),
                absent: Absent::Means("the defaults of its keys"),
                doc: "How much goes into one request.",
                example: "{ max_wait: 5s }",
            },
            REQUEST_TIMEOUT,
        ],
    ],
};

const REQUEST_TIMEOUT: Key = Key {
    name: "request_timeout",
    kind: Kind::Duration {
        least: Duration::from_millis(100),
        most: Duration::from_mins(5),
    },
    absent: Absent::Default("10s"),
    doc: "The time limit of one request. After it the batch is sent again.",
    example: "30s",
};

const MAX_WAIT: Kind = Kind::Duration {
    least: Duration::from_millis(10),
    most: Duration::from_mins(5),
};
const MAX_WAIT_DOC: &str = "How long the first line of a batch waits for others.";

static LOKI_BATCH: Section = Section {
    title: "`batch` of `type: loki`",
    doc: "A batch goes out when it is full or old enough.",
    groups: &[&[
        Key {
            name: "max_bytes",
            kind: Kind::Size {
                least: KIB,
                most: LOKI_MAX_BATCH,
            },
            absent: Absent::Default("1MiB"),
            doc: "The largest body of a request before compression. At least twice the `max_line` of the inputs.",
            example: "512KiB",
        },
        Key {
            name: "max_wait",
            kind: MAX_WAIT,
            absent: Absent::Default("1s"),
            doc: MAX_WAIT_DOC,
            example: "2s",
        },
    ]],
};

static CLOUDWATCH_BATCH: Section = Section {
    title: "`batch` of `type: cloudwatch_logs`",
    doc: "A batch goes out when it is full or old enough.",
    groups: &[&[
        Key {
            name: "max_bytes",
            kind: Kind::Size {
                least: KIB,
                most: CLOUDWATCH_MAX_BATCH,
            },
            absent: Absent::Default("1MiB"),
            doc: "The largest request as CloudWatch Logs counts it: the bytes of the lines and 26 for each. At least the `max_line` of the inputs and 26.",
            example: "512KiB",
        },
        Key {
            name: "max_wait",
            kind: MAX_WAIT,
            absent: Absent::Default("5s"),
            doc: MAX_WAIT_DOC,
            example: "2s",
        },
    ]],
};

static CREATE: Section = Section {
    title: "`create` of `type: cloudwatch_logs`",
    doc: "Creating needs `logs:CreateLogGroup`, `logs:PutRetentionPolicy` and `logs:CreateLogStream`.",
    groups: &[&[
        Key {
            name: "log_group",
            kind: Kind::Flag,
            absent: Absent::Default("false"),
            doc: "Whether to create the log group.",
            example: "true",
        },
        Key {
            name: "log_stream",
            kind: Kind::Flag,
            absent: Absent::Default("true"),
            doc: "Whether to create the log stream.",
            example: "true",
        },
        Key {
            name: "retention_in_days",
            kind: Kind::Number(&RETENTION_DAYS),
            absent: Absent::Means("events are kept for ever"),
            doc: "For how many days a log group keeps its events, when Pinnace creates it.",
            example: "14",
        },
    ]],
};
