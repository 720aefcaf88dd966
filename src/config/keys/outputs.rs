//! The description of the keys of outputs, one section for each type.

use std::time::Duration;

use super::super::describe::{Absent, Key, Kind, Section};
use super::super::rules;
use super::transport::{ASSUME_ROLE, AUTH, TRANSPORT};
use super::{
    CLOUDWATCH_MAX_BATCH, KIB, LOKI_MAX_BATCH, LOKI_MAX_LABELS, LOKI_MAX_METADATA, RETENTION_DAYS,
};

static INPUT_NAME: Kind = Kind::Text(&rules::NAME);

/// What every output has.
const fn output(name: &'static str, kind: &'static str) -> [Key; 3] {
    [
        Key {
            name: "name",
            kind: Kind::Text(&rules::NAME),
            absent: Absent::Required,
            doc: "The output's name, unique among the outputs. What is delivered is remembered under it: under a new name everything is owed anew.",
            example: name,
        },
        Key {
            name: "type",
            kind: Kind::Choice(&[
                ("loki", "a Loki push endpoint"),
                ("cloudwatch_logs", "AWS CloudWatch Logs"),
            ]),
            absent: Absent::Required,
            doc: "What kind of backend it is.",
            example: kind,
        },
        Key {
            name: "inputs",
            kind: Kind::List {
                of: &INPUT_NAME,
                least: 1,
            },
            absent: Absent::Means("all inputs"),
            doc: "The names of the inputs whose lines go here.",
            example: "[app]",
        },
    ]
}

static LOKI_OUTPUT: [Key; 3] = output("loki", "loki");
static CLOUDWATCH_OUTPUT: [Key; 3] = output("cloudwatch", "cloudwatch_logs");

pub(super) static LOKI: Section = Section {
    title: "`outputs[]` with `type: loki`",
    doc: "Pushes protobuf with snappy to Loki.",
    groups: &[
        &LOKI_OUTPUT,
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
                name: "auth",
                kind: Kind::Section(&AUTH),
                absent: Absent::Means("the user and the password of the `url`, or none"),
                doc: "Who we are, for the gateway before Loki.",
                example: "{ bearer: { token_file: /var/run/secrets/loki/token } }",
            },
            Key {
                name: "headers",
                kind: Kind::Map {
                    keys: &rules::HEADER_NAME,
                    of: &Kind::Secret(&rules::SECRET),
                    most: 32,
                },
                absent: Absent::Default("{}"),
                doc: "Headers that are sent with every request. Their values count as secret.",
                example: "{ X-Team: checkout }",
            },
            Key {
                name: "labels",
                kind: Kind::Map {
                    keys: &rules::LABEL_NAME,
                    of: &Kind::Template(&rules::LABEL_VALUE),
                    most: LOKI_MAX_LABELS,
                },
                absent: Absent::Means(
                    "`service_name` from the field `service` (from the input's name unless all inputs have that field), and `filename` from `{path}`; for inputs below `/containers/` or `/pods/` also `namespace`, `pod` and `container`, where the path is that of a container's log",
                ),
                doc: "The labels of the stream, 1 to 15. Keep `filename: \"{path}\"` among them: with one stream for each file no file's backlog makes another's lines too old. A label made of `{level}` or `{field.NAME}` differs by record: what one file has of each value is a request of its own, so it should have a handful of values; metadata takes any number. Files whose other labels are equal can feed the same streams and share one order, as if they were one stream.",
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
                doc: "Sent with every line and not indexed: the place for what has many values, such as `{field.request_id}`. A value is cut at 2048 bytes; one that is empty is not sent. At most 111 entries: Loki takes 128, and the others are for `level`, for `stream` and for labels that become metadata. Of more than 60,000 bytes with a line the last entries are left out.",
                example: "{ pod: \"${POD_NAME}\" }",
            },
            Key {
                name: "max_streams",
                kind: Kind::Count {
                    least: 1,
                    most: 1_000_000,
                },
                absent: Absent::Default("5000"),
                doc: "How many streams, that is label sets, may be fed within an hour; Loki's own limit for a tenant is 5000. Beyond it the lines of a file go to the stream without the labels made of `{path}`, `{file}` or `{pod}`, which are sent as structured metadata instead; and a record with a new value goes to the stream of its file without the labels that differ by record.",
                example: "500",
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
            TOO_OLD,
            max_age(
                "as long as Loki takes it; `144h` with `too_old: rescue`",
                "From which age on a record is too old. Loki refuses what is older than its `reject_old_samples_max_age`, a week unless it says otherwise: without this key it is asked. A time that is moved up should leave room for an outage.",
            ),
            REQUEST_TIMEOUT,
        ],
        &TRANSPORT,
    ],
};

pub(super) static CLOUDWATCH_LOGS: Section = Section {
    title: "`outputs[]` with `type: cloudwatch_logs`",
    doc: "Puts events into AWS CloudWatch Logs. Credentials come from where every AWS tool looks for them, in this order: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; the profile; `AWS_WEB_IDENTITY_TOKEN_FILE` (IRSA); `AWS_CONTAINER_CREDENTIALS_FULL_URI` and `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` (EKS Pod Identity, ECS); the instance's own service (IMDS). When AWS refuses them they are looked for anew. `pinnace iam` prints the policy that they need.",
    groups: &[
        &CLOUDWATCH_OUTPUT,
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
                doc: "The log stream. Give each agent a stream of its own: after a doubtful answer Pinnace reads the stream back, and several writers to one stream make that prove nothing: the batch is sent again, or, where another writer stored nothing but the very same lines at the same milliseconds, taken for stored.",
                example: "\"${POD_NAME}\"",
            },
            Key {
                name: "region",
                kind: Kind::Text(&rules::REGION),
                absent: Absent::Means(
                    "`AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's, or the instance's",
                ),
                doc: "The AWS region.",
                example: "eu-west-1",
            },
            Key {
                name: "profile",
                kind: Kind::Text(&rules::PROFILE),
                absent: Absent::Means("`AWS_PROFILE`, or `default`"),
                doc: "A profile of AWS's configuration files. When it is set, credentials come from it alone. For one that signs in by SSO, name another one here that holds `credential_process = aws configure export-credentials --profile NAME --format process`.",
                example: "logs",
            },
            Key {
                name: "assume_role",
                kind: Kind::Section(&ASSUME_ROLE),
                absent: Absent::Means("the credentials are used as they are"),
                doc: "A role that is taken on, for log groups of another account.",
                example: "{ role_arn: \"arn:aws:iam::123456789012:role/logs\" }",
            },
            Key {
                name: "endpoint_url",
                kind: Kind::Text(&rules::ENDPOINT_URL),
                absent: Absent::Means(
                    "that of AWS, or `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`, `AWS_ENDPOINT_URL_LOGS`, `AWS_ENDPOINT_URL`",
                ),
                doc: "Another endpoint of CloudWatch Logs, such as LocalStack's. For another one of STS set `AWS_ENDPOINT_URL_STS`.",
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
                absent: Absent::Means("gzip; none when `endpoint_url` is on this machine"),
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
            TOO_OLD,
            max_age(
                "`336h`; `312h` with `too_old: rescue`",
                "From which age on a record is too old. CloudWatch Logs refuses what is older than 14 days, or than the retention of the group. A time that is moved up should leave room for an outage.",
            ),
            REQUEST_TIMEOUT,
        ],
        &TRANSPORT,
    ],
};

const TOO_OLD: Key = Key {
    name: "too_old",
    kind: Kind::Choice(&[
        (
            "dead_letter",
            "the record goes to the dead letters, and those beside it are delivered",
        ),
        (
            "rescue",
            "its time is moved up to `max_age`, so that it is taken all the same; its text keeps the time, and it is counted in `pinnace_times_moved_up_total`",
        ),
    ]),
    absent: Absent::Default("dead_letter"),
    doc: "What becomes of a record that is older than the destination takes. Dead letters are bounded by `dead_letters.max_bytes`: for a large old backlog choose `rescue`.",
    example: "rescue",
};

/// How old a record may be.
const fn max_age(usual: &'static str, doc: &'static str) -> Key {
    Key {
        name: "max_age",
        kind: Kind::Duration {
            least: Duration::from_mins(1),
            most: Duration::from_hours(24 * 366 * 100),
        },
        absent: Absent::Means(usual),
        doc,
        example: "48h",
    }
}

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
    doc: "Only what is not found is created. That needs `logs:CreateLogGroup`, `logs:PutRetentionPolicy` and `logs:CreateLogStream`; `pinnace iam` prints what this configuration needs.",
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
            name: "class",
            kind: Kind::Choice(&[
                ("standard", "all that CloudWatch Logs can do"),
                (
                    "infrequent_access",
                    "cheaper; it cannot be read back after an error",
                ),
                (
                    "delivery",
                    "for events that are handed on to other services, kept for a day; it cannot be read back after an error",
                ),
            ]),
            absent: Absent::Default("standard"),
            doc: "The class of a log group that Pinnace creates; it never changes.",
            example: "infrequent_access",
        },
        Key {
            name: "retention_in_days",
            kind: Kind::Number(&RETENTION_DAYS),
            absent: Absent::Means("events are kept for ever"),
            doc: "For how many days a log group keeps its events, when Pinnace creates it. It is tried again until it holds, after a restart too; a group that something else created is left alone.",
            example: "14",
        },
    ]],
};
