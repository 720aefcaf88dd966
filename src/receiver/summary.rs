//! What the receiver tells about what arrived: records, digests, counts, violations.
//! Values only; the ledger fills them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::options::Backend;

/// The account of a backend since its start or the last `clear`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Requests that were answered or dropped.
    pub requests: u64,
    /// Requests by operation: `push`, `ready`, or the name of the AWS operation.
    pub by_operation: BTreeMap<String, u64>,
    /// Answers by HTTP status.
    pub by_status: BTreeMap<u16, u64>,
    /// Answers that were errors, by AWS error code or by Loki's reason.
    pub by_error: BTreeMap<String, u64>,
    /// Pushes and puts of which at least one record was taken or recognised.
    pub batches: u64,
    /// Records stored.
    pub stored: u64,
    /// Bytes of the lines stored.
    pub stored_bytes: u64,
    /// Records dropped because the very same was there already: only Loki can tell.
    pub replayed: u64,
    /// Records stored although an equal one was there from an earlier request: `CloudWatch`
    /// Logs stores every copy. Equal lines of one millisecond in two batches count too.
    pub repeated: u64,
    /// Records refused one by one, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Bytes of the request bodies as they came over the wire.
    pub body_bytes: u64,
    /// Bytes of the request bodies after decompression.
    pub decoded_bytes: u64,
    /// Requests begun and not yet over.
    pub in_flight: u64,
    /// The most of them at one time.
    pub max_in_flight: u64,
    /// Requests that hang at the moment.
    pub hanging: u64,
    /// Answers that were made up by a fault or a pause.
    pub injected: u64,
    /// Connections dropped without an answer by a fault.
    pub resets: u64,
    /// How often a limit was broken.
    pub violation_count: u64,
    /// The first of these, at most [`Violation::LISTED`].
    pub violations: Vec<Violation>,
    /// All lines stored, over all streams, in order of arrival.
    pub digest: Digest,
    /// One entry for each stream, in order of appearance.
    pub streams: Vec<StreamSummary>,
}

impl Summary {
    /// Records that were refused, whatever the reason.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// How often this status was answered.
    pub fn status(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or_default()
    }

    /// How often this operation was asked for.
    pub fn operation(&self, name: &str) -> u64 {
        self.by_operation.get(name).copied().unwrap_or_default()
    }

    /// The stream of this name, in whatever tenant.
    pub fn stream(&self, name: &str) -> Option<&StreamSummary> {
        self.streams.iter().find(|stream| &*stream.name == name)
    }

    pub(super) fn count(map: &mut BTreeMap<String, u64>, key: &str, by: u64) {
        if let Some(count) = map.get_mut(key) {
            *count += by;
        } else {
            map.insert(key.to_owned(), by);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        for (mine, theirs) in [
            (&mut self.by_operation, &other.by_operation),
            (&mut self.by_error, &other.by_error),
            (&mut self.rejected, &other.rejected),
        ] {
            for (key, count) in theirs {
                Self::count(mine, key, *count);
            }
        }
        for (status, count) in &other.by_status {
            *self.by_status.entry(*status).or_default() += count;
        }
        self.batches += other.batches;
        self.stored += other.stored;
        self.stored_bytes += other.stored_bytes;
        self.replayed += other.replayed;
        self.repeated += other.repeated;
        self.body_bytes += other.body_bytes;
        self.decoded_bytes += other.decoded_bytes;
        self.in_flight += other.in_flight;
        self.max_in_flight = self.max_in_flight.max(other.max_in_flight);
        self.hanging += other.hanging;
        self.injected += other.injected;
        self.resets += other.resets;
        self.violation_count += other.violation_count;
        self.violations.extend_from_slice(&other.violations);
        self.digest.merge(&other.digest);
        self.streams.extend_from_slice(&other.streams);
    }
}

/// The account of one stream.
#[derive(Debug, Clone, Serialize)]
pub struct StreamSummary {
    /// Loki: the tenant (`fake` without one). `CloudWatch` Logs: empty.
    #[serde(serialize_with = "text")]
    pub tenant: Arc<str>,
    /// Loki: the labels, sorted, as in `{a="b"}`. `CloudWatch` Logs: `group:stream`.
    #[serde(serialize_with = "text")]
    pub name: Arc<str>,
    /// Records stored and their bytes, with hashes of them.
    pub digest: Digest,
    /// Records that came with a timestamp below the one stored before them.
    pub disordered: u64,
    /// Lowest timestamp stored, nanoseconds since 1970.
    pub first_timestamp_ns: i64,
    /// Highest timestamp stored, nanoseconds since 1970.
    pub last_timestamp_ns: i64,
}

/// Hashes by which many lines can be compared without keeping one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// How many lines.
    pub lines: u64,
    /// Bytes of the lines, without newlines.
    pub bytes: u64,
    /// The same for the same lines in any order.
    pub sum: u64,
    /// The same only for the same lines in the same order.
    pub chain: u64,
}

impl Digest {
    /// Adds one line.
    pub fn add(&mut self, line: &[u8]) {
        self.add_hash(xxh3_64(line), line.len());
    }

    pub(super) fn add_hash(&mut self, hash: u64, bytes: usize) {
        self.lines += 1;
        self.bytes += bytes as u64;
        self.sum = self.sum.wrapping_add(hash);
        // Rotating before the multiplication makes the order count.
        self.chain = (self.chain.rotate_left(23) ^ hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn merge(&mut self, other: &Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.sum = self.sum.wrapping_add(other.sum);
        self.chain ^= other.chain;
    }
}

/// One record as it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// How many records this backend had stored before it, since the start; `clear` does not
    /// set it back.
    pub arrival: u64,
    /// The number of the request it came with.
    pub request: u64,
    /// Loki: the tenant (`fake` without one). `CloudWatch` Logs: empty.
    #[serde(serialize_with = "text")]
    pub tenant: Arc<str>,
    /// Loki: the labels, sorted, as in `{a="b"}`. `CloudWatch` Logs: `group:stream`.
    #[serde(serialize_with = "text")]
    pub stream: Arc<str>,
    /// Nanoseconds since 1970.
    pub timestamp_ns: i64,
    /// The line or message.
    pub line: String,
    /// Structured metadata, sorted by name.
    pub metadata: Vec<(String, String)>,
}

/// A limit that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which one, in a word.
    pub rule: &'static str,
    /// What happened.
    pub sentence: String,
    /// The number of the request.
    pub request: u64,
}

impl Violation {
    /// How many are listed; further ones are only counted.
    pub const LISTED: usize = 100;
}

/// One finished request, for who wants to watch.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// Whose request.
    pub backend: Backend,
    /// Its number.
    pub request: u64,
    /// `push`, `ready`, or the name of the AWS operation.
    pub operation: String,
    /// What was answered; `None` when the connection was dropped.
    pub status: Option<u16>,
    /// The AWS error code or Loki's reason.
    pub error: Option<String>,
    /// The answer's text when it was an error.
    pub message: Option<String>,
    /// Whether a fault or a pause made up the answer.
    pub injected: bool,
    /// Records stored.
    pub stored: u64,
    /// Records dropped as known.
    pub replayed: u64,
    /// Records refused.
    pub rejected: u64,
    /// Records that the backend had stored by then, since the start: those with a lower
    /// [`Record::arrival`] came with this request or before it.
    pub arrivals: u64,
    /// Bytes of the body on the wire.
    pub body_bytes: u64,
    /// Bytes of the body after decompression.
    pub decoded_bytes: u64,
}

fn text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
