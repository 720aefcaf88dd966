//! What goes between the server and the two backends: a request with its body read, and the
//! answer to it.

use hyper::HeaderMap;

/// A request to a backend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) number: u64,
    pub(super) operation: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// The share of its records that a fault refuses.
    pub(super) reject: f64,
    pub(super) now_ns: i64,
}

impl<'a> Asked<'a> {
    /// A header's text; empty when it is missing or unreadable.
    pub(super) fn header(&self, name: &str) -> &'a str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// How many of so many records a fault refuses: the first ones.
    pub(super) fn refused(&self, records: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count of records in memory"
        )]
        let refused = (self.reject.clamp(0.0, 1.0) * records as f64).ceil() as usize;
        refused.min(records)
    }
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    /// The AWS error code or Loki's reason.
    pub(super) error: Option<String>,
    /// The sentence of an error.
    pub(super) message: Option<String>,
    pub(super) retry_after: Option<u64>,
    pub(super) tally: Tally,
}

/// What became of the records of one request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) stored: u64,
    pub(super) replayed: u64,
    pub(super) rejected: u64,
    pub(super) decoded_bytes: u64,
}
