//! What goes out in one request: the limits of a batch and its encoding. Lines are written
//! straight into the output's wire form; nothing is kept for each line. Pure: time comes in as
//! a value, nothing here reads or sends.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::record::{Line, Time};

pub(crate) mod cloudwatch;
pub(crate) mod loki;
pub(crate) mod opened;
mod order;
pub(crate) mod parts;
mod push_request;

/// Where a batch belongs at its destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamName {
    /// A Loki stream.
    Loki {
        /// The label set as Loki writes it: `{a="b", c="d"}`.
        labels: String,
    },
    /// A CloudWatch Logs stream.
    CloudWatch {
        /// Name of the log group.
        group: String,
        /// Name of the log stream in it.
        stream: String,
    },
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loki { labels } => f.write_str(labels),
            Self::CloudWatch { group, stream } => write!(f, "{group}:{stream}"),
        }
    }
}

/// Names a batch; never used again in one state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct BatchId(pub(crate) u64);

/// Names a stream of one output within one run of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId(pub(crate) u32);

/// A sealed batch: it never changes again, however often it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Its number.
    pub(crate) id: BatchId,
    /// The stream it belongs to.
    pub(crate) stream_id: StreamId,
    /// What that stream is called.
    pub(crate) stream: Arc<StreamName>,
    /// The encoded body and what is known of it.
    pub(crate) sealed: Sealed,
    /// How it is divided, and what of it is settled.
    pub(crate) parts: parts::Parts,
    /// An earlier run of the agent may have sent it.
    pub(crate) is_replay: bool,
    /// So long after it went out a request with it may still be carried out; zero where a second
    /// one does no harm.
    pub(crate) deadline: Duration,
}

/// The encoded body of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    /// The body as it goes over the wire.
    pub(crate) body: Bytes,
    /// How the body is compressed: the `Content-Encoding` where the protocol names one.
    pub(crate) is_gzip: bool,
    /// How many records it holds.
    pub(crate) records: u32,
    /// How long the body was before compression, in bytes.
    pub(crate) uncompressed: usize,
    /// How many records held bytes that were not UTF-8 and were replaced.
    pub(crate) replaced: u32,
    /// How many records are pieces of a longer line.
    pub(crate) cut: u32,
    /// Time of the first record, the earliest of all.
    pub(crate) first_time: Time,
    /// Time of the last record, the latest of all.
    pub(crate) last_time: Time,
    /// Where labels differ by record: what each label set has of the batch, in order. Each share
    /// is a request of its own. Empty where the body is one request.
    pub(crate) shares: Vec<Share>,
}

/// What one label set has of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// How many records.
    pub(crate) records: u32,
    /// How long its request is in the body, in bytes.
    pub(crate) len: usize,
    /// How long that was before compression, in bytes.
    pub(crate) uncompressed: usize,
}

impl Sealed {
    /// The request that holds a record, and which records of the batch it holds.
    pub(crate) fn request_of(&self, record: u32) -> Option<(Range<u32>, Self)> {
        if self.shares.is_empty() {
            return Some((0..self.records, self.clone()));
        }
        let (mut first, mut at) = (0u32, 0usize);
        for share in &self.shares {
            let records = first..first.checked_add(share.records)?;
            let end = at.checked_add(share.len)?;
            if records.contains(&record) {
                let bytes = (end <= self.body.len()).then(|| self.body.slice(at..end))?;
                let request = Self {
                    body: bytes,
                    records: share.records,
                    uncompressed: share.uncompressed,
                    shares: Vec::new(),
                    // They are counted with the batch.
                    replaced: 0,
                    cut: 0,
                    ..*self
                };
                return Some((records, request));
            }
            (first, at) = (records.end, end);
        }
        None
    }

    /// How a batch is divided before anything of it was sent.
    pub(crate) fn parts(&self) -> parts::Parts {
        divided(&self.shares)
    }
}

/// How a batch of these shares is divided.
pub(crate) fn divided(shares: &[Share]) -> parts::Parts {
    let mut parts = parts::Parts::default();
    let mut at = 0u32;
    for share in shares {
        parts.cut(at);
        at = at.saturating_add(share.records);
    }
    parts
}

/// What became of a line that was offered to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    /// It is in the batch.
    Taken,
    /// It does not fit any more: seal, begin anew, and offer it again.
    Full,
}

/// Counts that every encoding keeps while a batch is open.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    records: u32,
    replaced: u32,
    cut: u32,
    /// The earliest and the latest time.
    first_time: Time,
    last_time: Time,
    /// A record is earlier than one before it.
    is_disordered: bool,
}

impl Tally {
    #[inline]
    fn add(&mut self, time: Time, line: &Line<'_>) {
        if self.records == 0 {
            self.first_time = time;
            self.last_time = time;
        } else if time >= self.last_time {
            self.last_time = time;
        } else {
            self.is_disordered = true;
            self.first_time = self.first_time.min(time);
        }
        self.records += 1;
        self.replaced += u32::from(!line.is_utf8);
        self.cut += u32::from(line.is_cut);
    }

    fn seal(self, body: Bytes, is_gzip: bool, uncompressed: usize) -> Sealed {
        Sealed {
            body,
            is_gzip,
            records: self.records,
            uncompressed,
            replaced: self.replaced,
            cut: self.cut,
            first_time: self.first_time,
            last_time: self.last_time,
            shares: Vec::new(),
        }
    }
}

/// Encodes lines for one output, one batch after the other, in a buffer that is used again.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each output, not one for each batch"
)]
pub(crate) enum Encoder {
    /// For a Loki push endpoint.
    Loki(loki::Encoder),
    /// For CloudWatch Logs.
    CloudWatch(cloudwatch::Encoder),
}

impl Encoder {
    /// Begins a batch for `stream`. `metadata` is what [`loki::encode_metadata`] made; it goes
    /// with every record on Loki and is ignored elsewhere.
    pub(crate) fn begin(&mut self, stream: &StreamName) {
        match self {
            Self::Loki(encoder) => encoder.begin(stream),
            Self::CloudWatch(encoder) => encoder.begin(stream),
        }
    }

    /// The time after which a batch may begin when the batch before it ended at `last`. On
    /// `CloudWatch` no two batches share a millisecond, so that a batch can be told from its
    /// neighbours when the stream is read back.
    pub(crate) fn clear_of(&self, last: Time) -> Time {
        match self {
            Self::Loki(_) => last,
            Self::CloudWatch(_) => last.end_of_millisecond(),
        }
    }

    /// How far a record may lie behind the latest one of its batch, in nanoseconds.
    pub(crate) fn reach(&self) -> i64 {
        match self {
            Self::Loki(_) => i64::MAX,
            Self::CloudWatch(_) => cloudwatch::REACH_MILLIS * 1_000_000,
        }
    }

    /// The latest time of a record that is to be in the batch beside those that are.
    #[inline]
    pub(crate) fn latest(&self) -> Time {
        match self {
            Self::Loki(encoder) => encoder.latest(),
            Self::CloudWatch(encoder) => encoder.latest(),
        }
    }

    /// Offers a line. When its `time` is before that of the line before it, the batch is put into
    /// order when it is sealed.
    #[inline]
    pub(crate) fn push(&mut self, time: Time, line: &Line<'_>, metadata: &[u8]) -> Push {
        match self {
            Self::Loki(encoder) => encoder.push(time, line, metadata),
            Self::CloudWatch(encoder) => encoder.push(time, line),
        }
    }

    /// Whether nothing was taken since [`Encoder::begin`].
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Loki(encoder) => encoder.is_empty(),
            Self::CloudWatch(encoder) => encoder.is_empty(),
        }
    }

    /// Ends the batch: what is returned goes out as it is.
    pub(crate) fn seal(&mut self) -> Sealed {
        match self {
            Self::Loki(encoder) => encoder.seal(),
            Self::CloudWatch(encoder) => encoder.seal(),
        }
    }

    /// Gives the buffers back to the system while there is nothing to do.
    pub(crate) fn shrink(&mut self) {
        match self {
            Self::Loki(encoder) => encoder.shrink(),
            Self::CloudWatch(encoder) => encoder.shrink(),
        }
    }

    /// The memory that making a batch takes beside its sealed body, in bytes.
    pub(crate) fn buffers(&self) -> usize {
        match self {
            Self::Loki(encoder) => encoder.buffers(),
            Self::CloudWatch(encoder) => encoder.buffers(),
        }
    }

    /// The most memory that one sealed body can take, in bytes.
    pub(crate) fn largest_body(&self) -> usize {
        match self {
            Self::Loki(encoder) => encoder.largest_body(),
            Self::CloudWatch(encoder) => encoder.largest_body(),
        }
    }
}
