//! What every answer means, as tables: the senders go by them, and `docs/answers.md` is printed
//! from them. Pure.

use super::Class;
use crate::connect::failure::Kind;

/// Some answers of a backend, and what they mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// AWS's codes; none where the HTTP status alone tells.
    codes: &'static [&'static str],
    /// The HTTP statuses, both included.
    statuses: (u16, u16),
    /// What it means.
    pub(super) class: Class,
    /// Why, in a word for metrics.
    pub(super) reason: &'static str,
    /// What would mend it, for the operator; `{action}` stands for the refused action of AWS.
    pub(super) mending: &'static str,
    /// What else follows.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the document alone"))]
    note: &'static str,
}

/// A failure of the connection, and what it means.
#[derive(Debug)]
pub(super) struct OfConnection {
    kind: Kind,
    pub(super) class: Class,
    pub(super) reason: &'static str,
    /// What happened.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the document alone"))]
    words: &'static str,
}

const ANY: (u16, u16) = (0, u16::MAX);

const fn status(
    statuses: (u16, u16),
    class: Class,
    reason: &'static str,
    mending: &'static str,
) -> Row {
    Row {
        codes: &[],
        statuses,
        class,
        reason,
        mending,
        note: "",
    }
}

const fn one(status: u16) -> (u16, u16) {
    (status, status)
}

const fn codes(
    codes: &'static [&'static str],
    class: Class,
    reason: &'static str,
    mending: &'static str,
) -> Row {
    Row {
        codes,
        statuses: ANY,
        class,
        reason,
        mending,
        note: "",
    }
}

const fn noted(row: Row, note: &'static str) -> Row {
    Row { note, ..row }
}

/// The answers of Loki; the first row that fits counts.
pub(super) static LOKI: [Row; 14] = [
    status(one(204), Class::Delivered, "", ""),
    status(
        (200, 299),
        Class::Hold,
        "ingestion",
        "only 204 says that it is stored: look whether ingestion is blocked for this tenant",
    ),
    status(
        (300, 399),
        Class::Hold,
        "config",
        "url must name the push endpoint itself, not a redirect",
    ),
    noted(
        status(
            one(400),
            Class::Refused,
            "refused",
            "Loki refuses records of this batch: see its limits",
        ),
        "When its text names all refused records, the others are stored: *partial*.",
    ),
    status(
        one(401),
        Class::Hold,
        "credentials",
        "look at auth, and at tenant_id",
    ),
    status(
        one(403),
        Class::Hold,
        "credentials",
        "these credentials may not push: look at the gateway's rules and tenant_id",
    ),
    status(
        one(404),
        Class::Hold,
        "config",
        "there is no push endpoint at this url",
    ),
    status(one(405), Class::Hold, "config", "this url takes no push"),
    status(
        one(408),
        Class::Open,
        "timeout",
        "the server gave up waiting",
    ),
    status(
        one(413),
        Class::Split,
        "too_large",
        "make batch.max_bytes smaller",
    ),
    status(
        one(422),
        Class::Refused,
        "refused",
        "the server refuses what is in this request",
    ),
    noted(
        status(
            one(429),
            Class::Retry,
            "throttled",
            "the tenant's rate limit is reached: raise ingestion_rate_mb, or ship less",
        ),
        "Divided after the third in a row that says a rate below the request's own size, or none.",
    ),
    status(
        (402, 499),
        Class::Hold,
        "config",
        "the server refuses this request: look at url and at what stands before Loki",
    ),
    status(
        ANY,
        Class::Open,
        "server_error",
        "look at the server's own log",
    ),
];

/// The answers of CloudWatch Logs; the first row that fits counts.
pub(super) static CLOUDWATCH: [Row; 14] = [
    codes(
        &[
            "ThrottlingException",
            "LimitExceededException",
            "OperationAbortedException",
        ],
        Class::Retry,
        "throttled",
        "",
    ),
    noted(
        codes(&["ResourceNotFoundException"], Class::Hold, "not_found", ""),
        "Where `create` permits it, the stream, and the group before it, is created and the batch put again.",
    ),
    noted(
        codes(
            &[
                "DataAlreadyAcceptedException",
                "InvalidSequenceTokenException",
            ],
            Class::Delivered,
            "",
            "",
        ),
        "AWS no longer says so; an emulator may.",
    ),
    codes(
        &[
            "InvalidParameterException",
            "SerializationException",
            "ValidationException",
        ],
        Class::Refused,
        "refused",
        "",
    ),
    codes(
        &["AccessDeniedException"],
        Class::Hold,
        "credentials",
        "add logs:{action} to the policy of our role (pinnace iam prints all that is needed)",
    ),
    codes(
        &[
            "UnrecognizedClientException",
            "ExpiredTokenException",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "IncompleteSignatureException",
            "SignatureDoesNotMatch",
        ],
        Class::Hold,
        "credentials",
        "look at the AWS credentials and at the clock",
    ),
    status(one(413), Class::Split, "too_large", ""),
    status(one(429), Class::Retry, "throttled", ""),
    codes(
        &[
            "ServiceUnavailableException",
            "RequestTimeout",
            "RequestTimeoutException",
        ],
        Class::Open,
        "server_error",
        "",
    ),
    status(one(408), Class::Open, "server_error", ""),
    status((500, u16::MAX), Class::Open, "server_error", ""),
    status(
        one(401),
        Class::Hold,
        "credentials",
        "look at the AWS credentials",
    ),
    status(
        one(403),
        Class::Hold,
        "credentials",
        "look at the AWS credentials",
    ),
    status(ANY, Class::Refused, "refused", ""),
];

static CONNECTION: [OfConnection; 5] = [
    OfConnection {
        kind: Kind::Settings,
        class: Class::Hold,
        reason: "config",
        words: "a key or a file that is needed for the connection cannot be used",
    },
    OfConnection {
        kind: Kind::Unreachable,
        class: Class::Retry,
        reason: "unreachable",
        words: "no address, no connection, or none in time",
    },
    OfConnection {
        kind: Kind::Proxy,
        class: Class::Hold,
        reason: "proxy",
        words: "the proxy does not let us through",
    },
    OfConnection {
        kind: Kind::Tls,
        class: Class::Hold,
        reason: "tls",
        words: "no TLS: not trusted, expired, another name, a certificate asked for",
    },
    OfConnection {
        kind: Kind::Broken,
        class: Class::Open,
        reason: "connection",
        words: "the connection broke after something was sent",
    },
];

/// The row for an answer.
pub(super) fn find(table: &'static [Row], code: &str, status: u16) -> &'static Row {
    let fits = |row: &&Row| {
        let (least, most) = row.statuses;
        (row.codes.is_empty() || row.codes.contains(&code)) && (least..=most).contains(&status)
    };
    let last = &table[table.len() - 1];
    table.iter().find(fits).unwrap_or(last)
}

/// What a failure of the connection means.
pub(super) fn of_connection(kind: Kind) -> &'static OfConnection {
    let last = &CONNECTION[CONNECTION.len() - 1];
    CONNECTION.iter().find(|it| it.kind == kind).unwrap_or(last)
}

#[cfg(test)]
mod tests;
