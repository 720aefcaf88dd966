//! Loki's push API: reads a push in any of its forms, gives Loki's answers, and lets what is stored be
//! read back. What is kept
//! and what is refused is decided in `loki/store.rs`.

use std::sync::PoisonError;

use super::body::{self, Unreadable};
use super::options::Backend;
use super::reply::{Asked, Reply, Tally};
use super::server::text;
use super::state::Shared;

mod json;
mod labels;
mod limits;
mod protobuf;
pub(super) mod query;
mod store;

pub(super) use store::Streams;

/// The tenant of a push that names none.
const NO_TENANT: &str = "fake";

/// One push, borrowed from the request's body.
#[derive(Debug, Default, PartialEq)]
struct Push<'a> {
    streams: Vec<Stream<'a>>,
}

#[derive(Debug, Default, PartialEq)]
struct Stream<'a> {
    /// As sent: `{a="b"}`.
    labels: std::borrow::Cow<'a, str>,
    entries: Vec<Entry<'a>>,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Entry<'a> {
    timestamp_ns: i64,
    line: &'a [u8],
    metadata: Vec<(&'a str, &'a str)>,
}

/// Answers `ready` and `push`.
pub(super) fn answer(shared: &Shared, asked: &Asked<'_>) -> Reply {
    if asked.operation == "ready" {
        return text(200, "ready\n");
    }
    let tenant = asked.header("x-scope-orgid");
    if tenant.is_empty() && shared.options.loki_auth {
        return refusal(shared, asked, 401, "unauthorized", "no org id");
    }
    let tenant = if tenant.is_empty() { NO_TENANT } else { tenant };
    let limit = shared.options.loki.max_body_bytes;
    let mut room = shared.room.lock().unwrap_or_else(PoisonError::into_inner);
    let mut inflated = Vec::new();
    let encoded = match body::decode(
        asked.header("content-encoding"),
        asked.body,
        limit,
        &mut inflated,
    ) {
        Ok(encoded) => encoded,
        Err(error) => return unreadable(shared, asked, &error),
    };
    let content_type = asked.header("content-type");
    let media = content_type.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/json") {
        if let Some(reply) = too_large(shared, encoded.len()) {
            return reply;
        }
        return match json::Document::parse(encoded) {
            Ok(document) => match document.push() {
                Ok(push) => store::store(shared, asked, tenant, &push, encoded.len()),
                Err(sentence) => refusal(shared, asked, 400, "unreadable", &sentence),
            },
            Err(error) => refusal(shared, asked, 400, "unreadable", &error.to_string()),
        };
    }
    let decoded = match body::unsnap(encoded, limit, &mut room) {
        Ok(decoded) => decoded,
        Err(error) => return unreadable(shared, asked, &error),
    };
    if let Some(reply) = too_large(shared, decoded.len()) {
        return reply;
    }
    match protobuf::push(decoded) {
        Ok(push) => store::store(shared, asked, tenant, &push, decoded.len()),
        Err(error) => refusal(shared, asked, 400, "unreadable", &error.to_string()),
    }
}

/// The answer to a push of more bytes than a fault lets through.
fn too_large(shared: &Shared, bytes: usize) -> Option<Reply> {
    let most = shared.lock().faults(Backend::Loki).faults.above_bytes?;
    (bytes as u64 > most).then(|| failure(413))
}

/// The answer when a fault or a pause says only a status.
pub(super) fn failure(status: u16) -> Reply {
    let sentence = match status {
        204 => {
            return Reply {
                status,
                ..Reply::default()
            };
        }
        260 => {
            "ingestion blocked for user fake until '2099-01-01T00:00:00Z' with status code '260'"
        }
        401 => "no org id",
        403 => "forbidden",
        404 => "404 page not found",
        413 => "request body too large",
        429 => {
            "Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting \
             to ingest, reduce log volume or contact your Loki administrator to see if the limit \
             can be increased"
        }
        500 => "rpc error: code = Unknown desc = failed to push",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "context deadline exceeded",
        _ => "this answer was asked for",
    };
    let mut reply = text(status, &format!("{sentence}\n"));
    reply.error = (status != 204).then(|| format!("status_{status}"));
    reply
}

fn unreadable(shared: &Shared, asked: &Asked<'_>, error: &Unreadable) -> Reply {
    let (status, reason) = match error {
        Unreadable::TooLarge { .. } => (413, "request_body_too_large"),
        Unreadable::Encoding(_) | Unreadable::Damaged(_) | Unreadable::Snappy(_) => {
            (400, "unreadable")
        }
    };
    refusal(shared, asked, status, reason, &error.to_string())
}

/// Refuses a request as a whole.
fn refusal(
    shared: &Shared,
    asked: &Asked<'_>,
    status: u16,
    reason: &'static str,
    sentence: &str,
) -> Reply {
    shared.change(|state| {
        let ledger = state.ledger(Backend::Loki);
        ledger.violation(asked.number, reason, || sentence.to_owned());
    });
    Reply {
        error: Some(reason.to_owned()),
        tally: Tally::default(),
        ..text(status, &format!("{sentence}\n"))
    }
}
