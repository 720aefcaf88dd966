//! What every answer means, as tables: the senders go by them, and `docs/answers.md` is printed
//! from them. Pure.

use super::Class;
use crate::connect::failure::{BROKEN_MENDING, Kind, NAME_MENDING, REFUSED_MENDING};

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

/// What came instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    /// Nothing, within `request_timeout`.
    Silence,
    /// Something that is no answer of such a backend.
    Nonsense,
    /// A failure of the connection.
    Failure(Kind),
}

/// What it means that there was no answer.
#[derive(Debug)]
pub(super) struct NoAnswer {
    without: Without,
    pub(super) class: Class,
    pub(super) reason: &'static str,
    /// What happened.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the document alone"))]
    words: &'static str,
    /// What would mend it, for the operator. A failure of the connection says it itself.
    pub(super) mending: &'static str,
}

const ANY: (u16, u16) = (0, u16::MAX);
/// An answer without a code.
const NO_CODE: &[&str] = &[""];
/// Stands for a code where a page or nothing came in the place of Loki's sentence.
pub(super) const PAGE: &str = "page";
const NO_SENTENCE: &[&str] = &[PAGE];

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

const STORED: &str = "nothing: it is stored";
const WHAT_IT_NAMES: &str = "look at what it names, and at Loki's limits_config";
const NOT_LOKI: &str =
    "it is no answer of Loki, but of a proxy or the like: look at url and at what stands before it";
const WHAT_AWS_NAMES: &str = "look at what it names, and at log_group and log_stream";
const TOO_LARGE: &str = "it is divided by itself; a smaller batch.max_bytes spares that";
const QUOTA: &str = "it passes by itself, and less is sent meanwhile; if it lasts for minutes, ask AWS for a higher quota of {action}";
const AWS_IS_ILL: &str = "it passes by itself; if it lasts for minutes, look at AWS's health page for this region, or at what endpoint_url leads to";
const CREDENTIALS: &str = "look at the AWS credentials, and at what stands before AWS";
const NOT_AWS: &str = "it is no answer of CloudWatch Logs, but of a proxy or the like: look at endpoint_url and at what stands before it";

/// The answers of Loki; the first row that fits counts.
pub(super) static LOKI: [Row; 15] = [
    status(one(204), Class::Delivered, "", STORED),
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
    status(
        one(405),
        Class::Hold,
        "config",
        "this url takes no push: correct it",
    ),
    status(
        one(408),
        Class::Open,
        "timeout",
        "the server gave up waiting: look at its load, and at what stands before it",
    ),
    status(one(413), Class::Split, "too_large", TOO_LARGE),
    noted(
        Row {
            codes: NO_SENTENCE,
            ..status((400, 422), Class::Hold, "config", NOT_LOKI)
        },
        "No record goes to the dead letters on the word of something else than Loki.",
    ),
    noted(
        status(one(400), Class::Refused, "refused", WHAT_IT_NAMES),
        "When its text names all refused records, the others are stored: *partial*. Any other text is taken for Loki's: what else speaks its API says why in words of its own.",
    ),
    status(one(422), Class::Refused, "refused", WHAT_IT_NAMES),
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
        "it passes by itself when the server is well again; look at its own log",
    ),
];

/// The answers of CloudWatch Logs; the first row that fits counts.
pub(super) static CLOUDWATCH: [Row; 20] = [
    codes(&["ThrottlingException"], Class::Retry, "throttled", QUOTA),
    codes(
        &["LimitExceededException"],
        Class::Retry,
        "throttled",
        "a limit of the account is reached: delete log groups or log streams that nobody needs, or ask AWS for a higher quota",
    ),
    codes(
        &["OperationAbortedException"],
        Class::Retry,
        "throttled",
        "it passes by itself: somebody else changes the same log group at this moment",
    ),
    noted(
        codes(
            &["ResourceNotFoundException"],
            Class::Hold,
            "not_found",
            "create the log group and the log stream, or let create.log_group and create.log_stream do it",
        ),
        "Where `create` permits it, the stream, and the group before it, is created and the batch put again.",
    ),
    noted(
        codes(
            &["DataAlreadyAcceptedException"],
            Class::Delivered,
            "",
            STORED,
        ),
        "AWS no longer says so; an emulator may.",
    ),
    noted(
        codes(
            &["InvalidSequenceTokenException"],
            Class::Open,
            "server_error",
            "use a server that asks for no sequence token: AWS asks for none since 2023",
        ),
        "AWS no longer says so, and an emulator that does stores nothing.",
    ),
    codes(
        &[
            "InvalidParameterException",
            "SerializationException",
            "ValidationException",
        ],
        Class::Refused,
        "refused",
        WHAT_AWS_NAMES,
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
    status(one(413), Class::Split, "too_large", TOO_LARGE),
    status(one(429), Class::Retry, "throttled", QUOTA),
    codes(
        &[
            "ServiceUnavailableException",
            "RequestTimeout",
            "RequestTimeoutException",
        ],
        Class::Open,
        "server_error",
        AWS_IS_ILL,
    ),
    status(one(408), Class::Open, "server_error", AWS_IS_ILL),
    status((500, u16::MAX), Class::Open, "server_error", AWS_IS_ILL),
    status(one(401), Class::Hold, "credentials", CREDENTIALS),
    status(one(403), Class::Hold, "credentials", CREDENTIALS),
    status(
        (300, 399),
        Class::Open,
        "config",
        "endpoint_url must name the endpoint itself, not a redirect",
    ),
    noted(
        Row {
            codes: NO_CODE,
            ..status((400, 499), Class::Hold, "config", NOT_AWS)
        },
        "No record goes to the dead letters on the word of something else than AWS.",
    ),
    status((400, 499), Class::Refused, "refused", WHAT_AWS_NAMES),
    noted(
        status(ANY, Class::Open, "server_error", NOT_AWS),
        "No record counts as delivered on the word of something else than AWS.",
    ),
];

static WITHOUT: [NoAnswer; 9] = [
    NoAnswer {
        without: Without::Silence,
        class: Class::Open,
        reason: "timeout",
        words: "no answer within `request_timeout`",
        mending: "it passes by itself when the server is less busy; if it lasts, look at its load and at what stands before it, or raise request_timeout",
    },
    NoAnswer {
        without: Without::Nonsense,
        class: Class::Open,
        reason: "server_error",
        words: "a success of CloudWatch Logs that cannot be read",
        mending: NOT_AWS,
    },
    NoAnswer {
        without: Without::Failure(Kind::Settings),
        class: Class::Hold,
        reason: "config",
        words: "a key or a file that is needed for the connection cannot be used",
        mending: "the sentence names it",
    },
    NoAnswer {
        without: Without::Failure(Kind::Name),
        class: Class::Retry,
        reason: "unreachable",
        words: "the server's name has no address",
        mending: NAME_MENDING,
    },
    NoAnswer {
        without: Without::Failure(Kind::Connect),
        class: Class::Retry,
        reason: "unreachable",
        words: "nobody takes the connection",
        mending: REFUSED_MENDING,
    },
    NoAnswer {
        without: Without::Failure(Kind::Slow),
        class: Class::Retry,
        reason: "unreachable",
        words: "no connection within `connection.timeout`",
        mending: "the sentence names the step that took too long, and what to look at",
    },
    NoAnswer {
        without: Without::Failure(Kind::Proxy),
        class: Class::Hold,
        reason: "proxy",
        words: "the proxy does not let us through",
        mending: "look at proxy, and at the proxy's rules and its log",
    },
    NoAnswer {
        without: Without::Failure(Kind::Tls),
        class: Class::Hold,
        reason: "tls",
        words: "no TLS: not trusted, expired, another name, a certificate asked for",
        mending: "the sentence names the key to set, or what to renew",
    },
    NoAnswer {
        without: Without::Failure(Kind::Broken),
        class: Class::Open,
        reason: "connection",
        words: "the connection broke after something was sent",
        mending: BROKEN_MENDING,
    },
];

/// The row for an answer; the code is empty where none came with it.
pub(super) fn find(table: &'static [Row], code: &str, status: u16) -> &'static Row {
    let fits = |row: &&Row| {
        let (least, most) = row.statuses;
        (row.codes.is_empty() || row.codes.contains(&code)) && (least..=most).contains(&status)
    };
    let any_other = &table[table.len() - 1];
    table.iter().find(fits).unwrap_or(any_other)
}

/// What it means that there was no answer.
pub(super) fn without(without: Without) -> &'static NoAnswer {
    let last = &WITHOUT[WITHOUT.len() - 1];
    WITHOUT
        .iter()
        .find(|it| it.without == without)
        .unwrap_or(last)
}

#[cfg(test)]
mod tests;
