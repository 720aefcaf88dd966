//! The account of one backend: what was stored, and every count about it. Knows nothing of
//! protocols and never decides what is refused.

use std::collections::VecDeque;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::options::Keep;
use super::seen::Seen;
use super::summary::{Digest, Record, StreamSummary, Summary, Violation};

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) summary: Summary,
    keep: Keep,
    kept: VecDeque<Record>,
    seen: Seen,
    /// Requests begun since the start; `clear` does not set it back.
    begun: u64,
    /// Records stored since the start; `clear` does not set it back.
    pub(super) arrived: u64,
}

/// One record on its way into the ledger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) request: u64,
    pub(super) stream: usize,
    pub(super) timestamp_ns: i64,
    pub(super) line: &'a [u8],
    pub(super) metadata: &'a [(&'a str, &'a str)],
}

impl Arrival<'_> {
    /// The hash of the line alone.
    pub(super) fn line_hash(&self) -> u64 {
        xxh3_64(self.line)
    }

    /// The hash of all that the backends compare: stream, time, line, metadata.
    pub(super) fn identity(&self, line_hash: u64) -> u64 {
        let mut seed = (self.stream as u64)
            .wrapping_mul(0xA24B_AED4_963E_E407)
            .wrapping_add(self.timestamp_ns.cast_unsigned())
            .wrapping_mul(0x9FB2_1C65_1E98_DF25);
        for (name, value) in self.metadata {
            seed = xxh3_64_with_seed(name.as_bytes(), seed);
            seed = xxh3_64_with_seed(value.as_bytes(), seed);
        }
        // Both are hashes: one multiplication and a fold mix them well enough.
        let mixed = u128::from(line_hash ^ seed) * 0xD6E8_FEB8_6659_FD93_u128;
        #[expect(clippy::cast_possible_truncation, reason = "the halves are folded")]
        let folded = (mixed ^ (mixed >> 64)) as u64;
        folded ^ seed.rotate_left(32)
    }
}

impl Ledger {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            summary: Summary::default(),
            keep,
            kept: VecDeque::new(),
            seen: Seen::default(),
            begun: 0,
            arrived: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        let fresh = Summary {
            in_flight: self.summary.in_flight,
            max_in_flight: self.summary.in_flight,
            hanging: self.summary.hanging,
            ..Summary::default()
        };
        *self = Self {
            summary: fresh,
            begun: self.begun,
            arrived: self.arrived,
            ..Self::new(self.keep)
        };
    }

    /// Counts a request in and gives it its number, from 1.
    pub(super) fn begin(&mut self, operation: &str) -> u64 {
        self.begun += 1;
        self.summary.requests += 1;
        Summary::count(&mut self.summary.by_operation, operation, 1);
        self.summary.in_flight += 1;
        self.summary.max_in_flight = self.summary.max_in_flight.max(self.summary.in_flight);
        self.begun
    }

    /// The number of a stream that is new.
    pub(super) fn add_stream(&mut self, tenant: &str, name: &str) -> usize {
        self.summary.streams.push(StreamSummary {
            tenant: Arc::from(tenant),
            name: Arc::from(name),
            digest: Digest::default(),
            disordered: 0,
            first_timestamp_ns: i64::MAX,
            last_timestamp_ns: i64::MIN,
        });
        self.summary.streams.len() - 1
    }

    /// Whether a record of this identity has been stored.
    pub(super) fn knows(&self, arrival: &Arrival<'_>, identity: u64) -> bool {
        self.seen
            .knows(arrival.stream, arrival.timestamp_ns, identity)
    }

    /// Remembers an identity; false when it was known.
    pub(super) fn learn(&mut self, arrival: &Arrival<'_>, identity: u64) -> bool {
        self.seen
            .learn(arrival.stream, arrival.timestamp_ns, identity)
    }

    /// How many records can be read back at most.
    pub(super) fn most(&self) -> usize {
        match self.keep {
            Keep::Digest => 0,
            Keep::Full => usize::MAX / 2,
            Keep::Last(most) => most,
        }
    }

    /// Stores a record and returns its arrival number.
    pub(super) fn store(&mut self, arrival: Arrival<'_>, line_hash: u64, disordered: bool) -> u64 {
        let number = self.arrived;
        self.arrived += 1;
        let most = self.most();
        self.summary.stored += 1;
        self.summary.stored_bytes += arrival.line.len() as u64;
        self.summary.digest.add_hash(line_hash, arrival.line.len());
        let Some(stream) = self.summary.streams.get_mut(arrival.stream) else {
            return number;
        };
        stream.digest.add_hash(line_hash, arrival.line.len());
        stream.disordered += u64::from(disordered);
        stream.first_timestamp_ns = stream.first_timestamp_ns.min(arrival.timestamp_ns);
        stream.last_timestamp_ns = stream.last_timestamp_ns.max(arrival.timestamp_ns);
        if most == 0 {
            return number;
        }
        let mut metadata: Vec<_> = arrival
            .metadata
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        metadata.sort();
        let record = Record {
            arrival: number,
            request: arrival.request,
            tenant: Arc::clone(&stream.tenant),
            stream: Arc::clone(&stream.name),
            timestamp_ns: arrival.timestamp_ns,
            line: String::from_utf8_lossy(arrival.line).into_owned(),
            metadata,
        };
        if self.kept.len() >= most {
            self.kept.pop_front();
        }
        self.kept.push_back(record);
        number
    }

    /// The record of this arrival number, if it is still kept.
    pub(super) fn record(&self, arrival: u64) -> Option<&Record> {
        let first = self.kept.front()?.arrival;
        let position = usize::try_from(arrival.checked_sub(first)?).ok()?;
        self.kept.get(position)
    }

    pub(super) fn records_since(&self, arrival: u64) -> Vec<Record> {
        let start = self.kept.partition_point(|record| record.arrival < arrival);
        self.kept.range(start..).cloned().collect()
    }

    pub(super) fn reject(&mut self, reason: &str, by: u64) {
        Summary::count(&mut self.summary.rejected, reason, by);
    }

    /// Notes that a limit was broken. The sentence is only made when it will be listed.
    pub(super) fn violation(
        &mut self,
        request: u64,
        rule: &'static str,
        sentence: impl FnOnce() -> String,
    ) {
        self.summary.violation_count += 1;
        if self.summary.violations.len() < Violation::LISTED {
            self.summary.violations.push(Violation {
                rule,
                sentence: sentence(),
                request,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn arrival(line: &str) -> Arrival<'_> {
        Arrival {
            request: 1,
            stream: 0,
            timestamp_ns: 5,
            line: line.as_bytes(),
            metadata: &[],
        }
    }

    #[test]
    fn what_is_kept_follows_the_choice_and_the_counts_do_not() {
        for (keep, lines) in [
            (Keep::Full, vec!["a", "b", "c"]),
            (Keep::Last(2), vec!["b", "c"]),
            (Keep::Last(0), vec![]),
            (Keep::Digest, vec![]),
        ] {
            let mut ledger = Ledger::new(keep);
            ledger.add_stream("", "s");
            for line in ["a", "b", "c"] {
                let record = arrival(line);
                ledger.store(record, record.line_hash(), false);
            }
            let kept: Vec<_> = ledger
                .records_since(0)
                .into_iter()
                .map(|r| r.line)
                .collect();
            assert_eq!(kept, lines);
            assert_eq!(ledger.summary.stored, 3);
            assert_eq!(ledger.summary.stored_bytes, 3);
            let mut expected = Digest::default();
            for line in ["a", "b", "c"] {
                expected.add(line.as_bytes());
            }
            assert_eq!(ledger.summary.digest, expected);
            assert_eq!(
                ledger.record(2).map(|record| record.line.as_str()),
                lines.last().copied()
            );
        }
    }

    #[test]
    fn the_digest_tells_order_from_content() {
        let digest = |lines: [&str; 2]| {
            let mut digest = Digest::default();
            for line in lines {
                digest.add(line.as_bytes());
            }
            digest
        };
        let (one, other) = (digest(["a", "b"]), digest(["b", "a"]));
        assert_eq!(one.sum, other.sum);
        assert_ne!(one.chain, other.chain);
    }

    #[test]
    fn everything_that_a_backend_compares_makes_another_identity() {
        let base = arrival("line");
        let variants = [
            base,
            Arrival { stream: 1, ..base },
            Arrival {
                timestamp_ns: 6,
                ..base
            },
            Arrival {
                line: b"lime",
                ..base
            },
            Arrival {
                metadata: &[("a", "b")],
                ..base
            },
            Arrival {
                metadata: &[("a", "c")],
                ..base
            },
        ];
        let distinct: HashSet<_> = variants
            .iter()
            .map(|variant| variant.identity(variant.line_hash()))
            .collect();
        assert_eq!(distinct.len(), variants.len());
        let again = Arrival { request: 9, ..base };
        assert_eq!(
            base.identity(base.line_hash()),
            again.identity(again.line_hash())
        );
    }
}
