//! The description of the keys that say how connections are made and who we are.

use std::time::Duration;

use super::super::describe::{Absent, Key, Kind, Section};
use super::super::rules;

/// Of every output.
pub(super) static TRANSPORT: [Key; 3] = [
    Key {
        name: "tls",
        kind: Kind::Section(&TLS),
        absent: Absent::Means("the system's certificates are trusted"),
        doc: "Whom to trust, and who we are. Certificates are always verified.",
        example: "{ ca_file: /etc/pinnace/ca.pem }",
    },
    Key {
        name: "proxy",
        kind: Kind::Text(&rules::PROXY),
        absent: Absent::Means("what `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say"),
        doc: "A proxy, or `off`. To `https` URLs it opens a tunnel (CONNECT). This machine and link-local addresses, such as those that give AWS credentials, are always reached without it.",
        example: "http://proxy.internal:3128",
    },
    Key {
        name: "connection",
        kind: Kind::Section(&CONNECTION),
        absent: Absent::Means("the defaults of its keys"),
        doc: "How long connections last.",
        example: "{ timeout: 5s, lifetime: 5m }",
    },
];

static TLS: Section = Section {
    title: "`tls`",
    doc: "Every file is PEM. They are read again when they change; new connections use what is new.",
    groups: &[&[
        Key {
            name: "ca_file",
            kind: Kind::Text(&rules::ABSOLUTE_PATH),
            absent: Absent::Means("none besides those of the system"),
            doc: "Certificates of the authorities to trust.",
            example: "/etc/pinnace/ca.pem",
        },
        Key {
            name: "system_roots",
            kind: Kind::Flag,
            absent: Absent::Default("true"),
            doc: "Whether the system's certificates are trusted too. `SSL_CERT_FILE` and `SSL_CERT_DIR` say where they are when they are not in the usual places.",
            example: "false",
        },
        Key {
            name: "server_name",
            kind: Kind::Text(&rules::SERVER_NAME),
            absent: Absent::Means("the host of the URL"),
            doc: "The name that the server's certificate must have.",
            example: "loki.example.com",
        },
        Key {
            name: "cert_file",
            kind: Kind::Text(&rules::ABSOLUTE_PATH),
            absent: Absent::Means("no certificate is shown"),
            doc: "Our own certificate, for servers that ask for one; then those that lead to its authority. With `key_file`.",
            example: "/etc/pinnace/client.pem",
        },
        Key {
            name: "key_file",
            kind: Kind::Text(&rules::ABSOLUTE_PATH),
            absent: Absent::Means("no certificate is shown"),
            doc: "The key of that certificate.",
            example: "/etc/pinnace/client.key",
        },
    ]],
};

static CONNECTION: Section = Section {
    title: "`connection`",
    doc: "A new connection looks the host's name up again, so a change in DNS is followed within `lifetime`.",
    groups: &[&[
        Key {
            name: "timeout",
            kind: Kind::Duration {
                least: Duration::from_millis(100),
                most: Duration::from_mins(1),
            },
            absent: Absent::Default("10s"),
            doc: "How long looking up the name, connecting, the proxy and TLS may take together.",
            example: "5s",
        },
        Key {
            name: "idle",
            kind: Kind::Duration {
                least: Duration::ZERO,
                most: Duration::from_hours(1),
            },
            absent: Absent::Default("50s"),
            doc: "A connection that was not used for so long is closed. Keep it below the idle time limit of the load balancer in between, which often is 60s.",
            example: "20s",
        },
        Key {
            name: "lifetime",
            kind: Kind::Duration {
                least: Duration::from_secs(1),
                most: Duration::from_hours(24),
            },
            absent: Absent::Default("10m"),
            doc: "A connection that is so old is not used again, give or take a tenth.",
            example: "5m",
        },
    ]],
};

pub(super) static AUTH: Section = Section {
    title: "`auth` of `type: loki`",
    doc: "One of the two.",
    groups: &[&[
        Key {
            name: "basic",
            kind: Kind::Section(&BASIC),
            absent: Absent::Means("not used"),
            doc: "A user and a password.",
            example: "{ username: pinnace, password: \"${LOKI_PASSWORD}\" }",
        },
        Key {
            name: "bearer",
            kind: Kind::Section(&BEARER),
            absent: Absent::Means("not used"),
            doc: "A token.",
            example: "{ token_file: /var/run/secrets/loki/token }",
        },
    ]],
};

static BASIC: Section = Section {
    title: "`auth.basic`",
    doc: "`password` or `password_file`.",
    groups: &[&[
        Key {
            name: "username",
            kind: Kind::Text(&rules::USERNAME),
            absent: Absent::Required,
            doc: "The user.",
            example: "pinnace",
        },
        Key {
            name: "password",
            kind: Kind::Secret(&rules::SECRET),
            absent: Absent::Means("it is in `password_file`"),
            doc: "The password.",
            example: "\"${LOKI_PASSWORD}\"",
        },
        Key {
            name: "password_file",
            kind: Kind::Text(&rules::ABSOLUTE_PATH),
            absent: Absent::Means("it is in `password`"),
            doc: "A file that holds the password. It is read again when it changes.",
            example: "/var/run/secrets/loki/password",
        },
    ]],
};

static BEARER: Section = Section {
    title: "`auth.bearer`",
    doc: "`token` or `token_file`.",
    groups: &[&[
        Key {
            name: "token",
            kind: Kind::Secret(&rules::SECRET),
            absent: Absent::Means("it is in `token_file`"),
            doc: "The token.",
            example: "\"${LOKI_TOKEN}\"",
        },
        Key {
            name: "token_file",
            kind: Kind::Text(&rules::ABSOLUTE_PATH),
            absent: Absent::Means("it is in `token`"),
            doc: "A file that holds the token. It is read again when it changes.",
            example: "/var/run/secrets/loki/token",
        },
    ]],
};

pub(super) static ASSUME_ROLE: Section = Section {
    title: "`assume_role` of `type: cloudwatch_logs`",
    doc: "The role is taken on with the credentials that were found, and again before they expire. Those credentials need `sts:AssumeRole` on it, and the role must trust them.",
    groups: &[&[
        Key {
            name: "role_arn",
            kind: Kind::Text(&rules::ROLE_ARN),
            absent: Absent::Required,
            doc: "The role.",
            example: "arn:aws:iam::123456789012:role/logs",
        },
        Key {
            name: "external_id",
            kind: Kind::Text(&rules::EXTERNAL_ID),
            absent: Absent::Means("none is sent"),
            doc: "What the trust policy of the role asks for in `sts:ExternalId`.",
            example: "checkout-7f3a",
        },
        Key {
            name: "session_name",
            kind: Kind::Text(&rules::SESSION_NAME),
            absent: Absent::Means("`pinnace`"),
            doc: "How the session is called in AWS's own records.",
            example: "pinnace-checkout",
        },
    ]],
};
