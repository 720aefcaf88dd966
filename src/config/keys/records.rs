//! The description of the keys of an input that say how its bytes become records.

use std::time::Duration;

use super::super::describe::{Absent, Key, Kind, Section};
use super::super::rules;

pub(super) static RECORDS: &[Key] = &[
    Key {
        name: "format",
        kind: Kind::Choice(&[
            (
                "auto",
                "container envelopes, timestamps and levels are recognised",
            ),
            ("bare", "the same, but lines have no envelope"),
            ("cri", "lines of a container runtime: `TIME stdout F text`"),
            ("docker", "lines of Docker's json-file"),
            (
                "plain",
                "lines are shipped as they are, and nothing is looked for in them",
            ),
        ]),
        absent: Absent::Default("auto"),
        doc: "What is around the lines and in them. `pinnace explain FILE` shows what is found in a file. An envelope is taken off; what it says of the stream goes with the record.",
        example: "plain",
    },
    Key {
        name: "multiline",
        kind: Kind::Choice(&[
            (
                "auto",
                "a line without a timestamp or a level continues the record before it, where the file's lines have them; traces of the usual languages are joined everywhere",
            ),
            ("off", "each line is a record"),
            (
                "start",
                "a line that matches `multiline_pattern` begins a record",
            ),
            (
                "continue",
                "a line that matches `multiline_pattern` continues a record",
            ),
        ]),
        absent: Absent::Default("auto"),
        doc: "Which lines make one record. Several writers that mix their lines in one file are not told apart. A record has at most `multiline_max_lines` lines and `max_line` bytes; what is longer is cut with a mark.",
        example: "off",
    },
    Key {
        name: "multiline_pattern",
        kind: Kind::Text(&rules::PATTERN),
        absent: Absent::Means("none; `multiline` is neither `start` nor `continue`"),
        doc: "The regular expression for `multiline: start` or `continue`.",
        example: "'^\\d{4}-\\d\\d-\\d\\d '",
    },
    Key {
        name: "multiline_max_lines",
        kind: Kind::Count {
            least: 1,
            most: 100_000,
        },
        absent: Absent::Default("500"),
        doc: "The most lines in one record.",
        example: "1000",
    },
    Key {
        name: "multiline_wait",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: Duration::from_mins(5),
        },
        absent: Absent::Default("500ms"),
        doc: "How long the last record of a file, when more lines may belong to it, waits for them. What comes later is a record that begins with `[continued] `, and behind a pause that is twenty times as long, and a second at least, one of its own: where it says no time, it is of the moment at which it was seen, or of the next record's if that is earlier.",
        example: "2s",
    },
    Key {
        name: "timestamp",
        kind: Kind::Choice(&[
            (
                "auto",
                "read from the text where it is known; else that of the record before",
            ),
            ("off", "the time at which the bytes were written"),
        ]),
        absent: Absent::Default("auto"),
        doc: "Where a record's time comes from. Times rise within a stream: one that is not later than the one before it comes a nanosecond after it. A time from the future is none.",
        example: "off",
    },
    Key {
        name: "timestamp_format",
        kind: Kind::Text(&rules::TIMESTAMP),
        absent: Absent::Means("the usual shapes"),
        doc: "A shape that is not among the usual ones, in the letters of `strftime` (`%Y %m %d %H %M %S %f %b %y %I %p %z %s %T %F`). It stands at the beginning of a line, perhaps behind `[`, or is the value of the time's key in JSON.",
        example: "'%d.%m.%Y %H:%M:%S'",
    },
    Key {
        name: "timezone",
        kind: Kind::Text(&rules::TIMEZONE),
        absent: Absent::Means("`TZ`, else the zone of the machine, else UTC"),
        doc: "The zone of timestamps that name none. The database of zones is inside the program. Of an hour that is lived twice the first pass is taken, until times step back; a time that clocks skip is that of a clock not put forward. Lines that are steadily off by whole quarters of an hour are told of.",
        example: "Europe/Paris",
    },
    Key {
        name: "level",
        kind: Kind::Choice(&[
            ("auto", "read from the text where it is known"),
            ("off", "not looked for"),
        ]),
        absent: Absent::Default("auto"),
        doc: "How grave a record is: trace, debug, info, warn, error or fatal. On Loki it goes with the record as structured metadata `level`, unless a label or other metadata of the output has that name (`labels: { level: \"{level}\" }` makes it a label); it is counted in `pinnace_records_by_level_total`. A record that holds what a runtime prints when a program dies (a panic, a traceback of Python, an exception that nobody caught) is an error where its head says less than warn, or nothing.",
        example: "off",
    },
    Key {
        name: "capture",
        kind: Kind::Text(&rules::CAPTURE),
        absent: Absent::Means("fields are found in JSON and in `key=value` pairs"),
        doc: "A regular expression with named groups, for texts: each group that takes part in the first match is a field of the record, for filters and for `{field.NAME}` in the templates of an output. It goes before JSON and pairs.",
        example: "'\\[(?P<thread>[^\\]]+)\\] (?P<logger>\\S+)'",
    },
    Key {
        name: "redact",
        kind: Kind::List {
            of: &Kind::Choice(&[
                ("aws_key", "access keys and secret keys of AWS"),
                ("bearer_token", "what stands behind `Bearer`"),
                ("private_key", "private keys in PEM"),
                ("url_password", "the password in `user:password@host`"),
                ("email", "addresses of e-mail"),
                (
                    "card_number",
                    "numbers of payment cards with a right check digit",
                ),
                ("iban", "numbers of bank accounts with right check digits"),
            ]),
            least: 0,
        },
        absent: Absent::Means("[aws_key, bearer_token, private_key, url_password]"),
        doc: "What is replaced by `[redacted …]` before anything leaves the process or is written to the state directory, counted in `pinnace_redacted_total`. `[]` replaces nothing.",
        example: "[aws_key, bearer_token, private_key, url_password, email]",
    },
    Key {
        name: "redact_patterns",
        kind: Kind::Map {
            keys: &rules::FIELD_NAME,
            of: &Kind::Text(&rules::PATTERN),
            most: 32,
        },
        absent: Absent::Default("{}"),
        doc: "More to replace: regular expressions, each with the name that stands in the place of what it matches.",
        example: "{ customer: 'C-\\d{6}' }",
    },
    Key {
        name: "filters",
        kind: Kind::List {
            of: &Kind::Section(&FILTER),
            least: 0,
        },
        absent: Absent::Default("[]"),
        doc: "Which records are shipped. Each filter looks at every record; the first that lets go of one decides. What is let go of is counted in `pinnace_filtered_records_total` and counts as delivered.",
        example: "[{ action: drop, level: debug }]",
    },
];

static FILTER: Section = Section {
    title: "`inputs[].filters[]`",
    doc: "All that a filter asks for must hold: a level, a pattern, a field, or several of them.",
    groups: &[&[
        Key {
            name: "action",
            kind: Kind::Choice(&[
                ("drop", "what matches is not shipped"),
                ("keep", "what does not match is not shipped"),
                ("sample", "one in `one_in` of what matches is shipped"),
            ]),
            absent: Absent::Required,
            doc: "What to do with what matches.",
            example: "drop",
        },
        Key {
            name: "level",
            kind: Kind::Choice(&[
                ("trace", "the steps of a program"),
                ("debug", "for whoever looks for a fault"),
                ("info", "what happens in the normal way"),
                ("warn", "what may become a fault"),
                ("error", "something did not work"),
                ("fatal", "the program ends, or should"),
            ]),
            absent: Absent::Means("any level"),
            doc: "With `keep` this level and graver ones match, else this level and lighter ones. A record of which no level is known is never let go of for its level.",
            example: "debug",
        },
        Key {
            name: "field",
            kind: Kind::Text(&rules::FIELD),
            absent: Absent::Means("the pattern is for the text"),
            doc: "A member of the record's JSON (`a.b` leads into an object), a key of its `key=value` pairs, or a named group of `capture`. Without a pattern it must be there.",
            example: "user.id",
        },
        Key {
            name: "pattern",
            kind: Kind::Text(&rules::PATTERN),
            absent: Absent::Means("anything"),
            doc: "A regular expression that the field, or the text, matches.",
            example: "'GET /healthz'",
        },
        Key {
            name: "one_in",
            kind: Kind::Count {
                least: 1,
                most: 1_000_000,
            },
            absent: Absent::Default("10"),
            doc: "With `sample`: one in so many is shipped. Which ones, their text and their place in the file decide, so a restart changes nothing.",
            example: "100",
        },
    ]],
};
