//! The `CloudWatch` Logs API in AWS JSON 1.1: finds the operation, checks the signature's
//! presence, and gives AWS's answers and errors. Each operation stands in a file below.

use hyper::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::body::{self, Unreadable};
use super::options::Backend;
use super::reply::{Asked, Reply, Tally};
use super::state::Shared;

mod groups;
mod put;
mod read;
mod rules;

pub(super) use groups::Groups;

/// The media type of every answer.
pub(super) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

const TARGET: &str = "Logs_20140328.";

/// Bytes of a request body after decompression: room for the largest batch with every byte
/// escaped.
const MOST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// An error of AWS: its code, and its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    code: String,
    message: String,
    /// Whether the request broke a limit, so that it counts as a violation.
    violation: bool,
}

impl Failure {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            violation: false,
        }
    }

    /// A request that no well-made client sends.
    fn broken(code: &str, message: impl Into<String>) -> Self {
        Self {
            violation: true,
            ..Self::new(code, message)
        }
    }

    fn parameter(message: impl Into<String>) -> Self {
        Self::broken("InvalidParameterException", message)
    }

    fn throttled() -> Self {
        Self::broken("ThrottlingException", "Rate exceeded")
    }

    fn group_not_found() -> Self {
        Self::new(
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        )
    }

    fn stream_not_found() -> Self {
        Self::new(
            "ResourceNotFoundException",
            "The specified log stream does not exist.",
        )
    }

    fn reply(self) -> Reply {
        let body = json!({ "__type": self.code, "message": self.message });
        Reply {
            status: status_of(&self.code),
            content_type: CONTENT_TYPE,
            body: body.to_string().into_bytes(),
            error: Some(self.code),
            message: Some(self.message),
            ..Reply::default()
        }
    }
}

/// The operation that a request asks for.
pub(super) fn operation(headers: &HeaderMap) -> String {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    target.strip_prefix(TARGET).unwrap_or(target).to_owned()
}

/// Answers any operation.
pub(super) fn answer(shared: &Shared, asked: &Asked<'_>) -> Reply {
    let mut inflated = Vec::new();
    let outcome = check_signature(shared, asked)
        .and_then(|()| check_rate(shared, asked))
        .and_then(|()| {
            let encoding = asked.header("content-encoding");
            body::decode(encoding, asked.body, MOST_BODY_BYTES, &mut inflated)
                .map_err(|error| unreadable(&error))
        })
        .and_then(|body| {
            let mut tally = Tally {
                decoded_bytes: body.len() as u64,
                ..Tally::default()
            };
            dispatch(shared, asked, body, &mut tally).map(|value| (value, tally))
        });
    match outcome {
        Ok((value, tally)) => Reply {
            status: 200,
            content_type: CONTENT_TYPE,
            body: value.map_or_else(Vec::new, |value| value.to_string().into_bytes()),
            tally,
            ..Reply::default()
        },
        Err(failure) => {
            if failure.violation {
                shared.change(|state| {
                    let ledger = state.ledger(Backend::Cloudwatch);
                    ledger.violation(asked.number, rule_of(&failure.code), || {
                        format!("{}: {}", asked.operation, failure.message)
                    });
                });
            }
            failure.reply()
        }
    }
}

/// The answer when a fault or a pause says only a status.
pub(super) fn failure(status: u16) -> Reply {
    let code = match status {
        403 => "AccessDeniedException",
        408 => "RequestTimeout",
        429 => "ThrottlingException",
        500 => "InternalFailure",
        502..=504 => "ServiceUnavailableException",
        _ => "UnknownError",
    };
    Reply {
        status,
        ..failure_of(code)
    }
}

/// The answer when a fault says an error code.
pub(super) fn failure_of(code: &str) -> Reply {
    let message = match code {
        "ThrottlingException" => "Rate exceeded",
        "ServiceUnavailableException" => "The service cannot complete the request.",
        "ResourceNotFoundException" => "The specified log stream does not exist.",
        "UnrecognizedClientException" => "The security token included in the request is invalid.",
        "ExpiredTokenException" => "The security token included in the request is expired",
        "InvalidSignatureException" => {
            "The request signature we calculated does not match the signature you provided."
        }
        "AccessDeniedException" => "User is not authorized to perform: logs:PutLogEvents",
        _ => "This answer was asked for.",
    };
    Failure::new(code, message).reply()
}

/// The HTTP status that belongs to an error code.
fn status_of(code: &str) -> u16 {
    match code {
        "ServiceUnavailableException" | "InternalFailure" | "InternalServerException" => 500,
        "RequestEntityTooLarge" => 413,
        _ => 400,
    }
}

fn dispatch(
    shared: &Shared,
    asked: &Asked<'_>,
    body: &[u8],
    tally: &mut Tally,
) -> Result<Option<Value>, Failure> {
    match asked.operation {
        "PutLogEvents" => put::put_log_events(shared, asked, body, tally).map(Some),
        "GetLogEvents" => read::get_log_events(shared, asked, &parse(body)?).map(Some),
        "CreateLogGroup" => groups::create_group(shared, asked, &parse(body)?).map(|()| None),
        "CreateLogStream" => groups::create_stream(shared, asked, &parse(body)?).map(|()| None),
        "PutRetentionPolicy" => groups::put_retention(shared, &parse(body)?).map(|()| None),
        "DescribeLogGroups" => groups::describe_groups(shared, &parse(body)?).map(Some),
        "DescribeLogStreams" => groups::describe_streams(shared, &parse(body)?).map(Some),
        other => Err(Failure::broken(
            "UnknownOperationException",
            format!("the operation {other:?} is not one of CloudWatch Logs that is served here"),
        )),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> Failure {
    Failure::broken("SerializationException", error.to_string())
}

fn unreadable(error: &Unreadable) -> Failure {
    let code = match error {
        Unreadable::TooLarge { .. } => "RequestEntityTooLarge",
        _ => "SerializationException",
    };
    Failure::broken(code, error.to_string())
}

fn check_rate(shared: &Shared, asked: &Asked<'_>) -> Result<(), Failure> {
    let rates = &shared.options.cloudwatch.rates;
    let Some((name, rate)) = rates.iter().find(|(name, _)| *name == asked.operation) else {
        return Ok(());
    };
    let mut state = shared.lock();
    let bucket = state.cloudwatch.buckets.entry(name).or_default();
    if bucket.take(Some(*rate), 1, asked.now_ns) {
        Ok(())
    } else {
        Err(Failure::throttled())
    }
}

/// A signature must be there and complete; whether it is right is not computed.
fn check_signature(shared: &Shared, asked: &Asked<'_>) -> Result<(), Failure> {
    if !shared.options.cloudwatch.require_signature {
        return Ok(());
    }
    let authorization = asked.header("authorization");
    let Some(parts) = authorization.strip_prefix("AWS4-HMAC-SHA256 ") else {
        let code = "MissingAuthenticationTokenException";
        return Err(Failure::broken(code, "Missing Authentication Token"));
    };
    for name in ["Credential", "SignedHeaders", "Signature"] {
        let there = parts.split(',').any(|part| {
            let pair = part.trim().split_once('=');
            pair.is_some_and(|(key, value)| key == name && !value.is_empty())
        });
        if !there {
            return Err(Failure::broken(
                "IncompleteSignatureException",
                format!("Authorization header requires '{name}' parameter."),
            ));
        }
    }
    if asked.header("x-amz-date").is_empty() && asked.header("date").is_empty() {
        return Err(Failure::broken(
            "IncompleteSignatureException",
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ));
    }
    Ok(())
}

/// The word under which a broken request is listed.
fn rule_of(code: &str) -> &'static str {
    match code {
        "InvalidParameterException" => "invalid_parameter",
        "SerializationException" => "unreadable",
        "UnknownOperationException" => "unknown_operation",
        "RequestEntityTooLarge" => "too_large",
        "ThrottlingException" => "rate",
        "InvalidOperationException" => "invalid_operation",
        _ => "signature",
    }
}
