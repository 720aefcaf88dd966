//! Which records have been stored, by the hash of all that makes them the same. Built for
//! streams that mostly go forward in time: then a record is noted at the end of a list, where a
//! hash table of millions would miss the cache each time.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// From this many records of one timestamp on, the newest of them are looked up by hash.
const LONG_RUN: usize = 32;

type Hashes = HashSet<u64, BuildHasherDefault<AlreadyHashed>>;

/// What has been stored, of every stream of a backend.
#[derive(Debug, Default)]
pub(super) struct Seen {
    streams: Vec<Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    /// Timestamp and identity, by timestamp.
    forward: Vec<(i64, u64)>,
    /// Where the records of the newest timestamp begin.
    newest_run: usize,
    /// The identities of the newest timestamp, once there are many.
    newest: Hashes,
    /// Those that came behind the newest timestamp.
    behind: Hashes,
}

impl Seen {
    /// Whether this record has been stored.
    pub(super) fn knows(&self, stream: usize, timestamp_ns: i64, identity: u64) -> bool {
        let stream = self.streams.get(stream);
        stream.is_some_and(|stream| stream.knows(timestamp_ns, identity))
    }

    /// Notes a record; false when it is there already.
    pub(super) fn learn(&mut self, stream: usize, timestamp_ns: i64, identity: u64) -> bool {
        if self.streams.len() <= stream {
            self.streams.resize_with(stream + 1, Stream::default);
        }
        let stream = &mut self.streams[stream];
        if stream.knows(timestamp_ns, identity) {
            return false;
        }
        stream.note(timestamp_ns, identity);
        true
    }
}

impl Stream {
    fn knows(&self, timestamp_ns: i64, identity: u64) -> bool {
        let Some((newest, _)) = self.forward.last() else {
            return false;
        };
        if timestamp_ns > *newest {
            return false;
        }
        let run = if timestamp_ns < *newest {
            let start = self.forward.partition_point(|(at, _)| *at < timestamp_ns);
            let end = self.forward.partition_point(|(at, _)| *at <= timestamp_ns);
            start..end
        } else if self.newest.is_empty() {
            self.newest_run..self.forward.len()
        } else {
            return self.newest.contains(&identity) || self.behind.contains(&identity);
        };
        self.forward[run]
            .iter()
            .any(|(_, other)| *other == identity)
            || self.behind.contains(&identity)
    }

    fn note(&mut self, timestamp_ns: i64, identity: u64) {
        match self.forward.last() {
            Some((newest, _)) if timestamp_ns < *newest => {
                self.behind.insert(identity);
                return;
            }
            Some((newest, _)) if timestamp_ns == *newest => {}
            _ => {
                self.newest_run = self.forward.len();
                if !self.newest.is_empty() {
                    self.newest = Hashes::default();
                }
            }
        }
        self.forward.push((timestamp_ns, identity));
        if !self.newest.is_empty() {
            self.newest.insert(identity);
        } else if self.forward.len() - self.newest_run > LONG_RUN {
            let run = &self.forward[self.newest_run..];
            self.newest
                .extend(run.iter().map(|(_, identity)| *identity));
        }
    }
}

/// The identities are hashes already: hashing them once more would only cost time.
#[derive(Debug, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    /// Never reached with 64-bit keys, but right for any.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_exactly_what_it_learned(
            records in proptest::collection::vec((0_usize..2, 0_i64..6, 0_u64..60), 0..600)
        ) {
            let mut seen = Seen::default();
            let mut oracle = HashSet::new();
            for (stream, timestamp_ns, number) in records {
                // An identity holds its timestamp, so it never comes with another.
                let identity = number * 10 + timestamp_ns.cast_unsigned();
                let known = oracle.contains(&(stream, identity));
                prop_assert_eq!(seen.knows(stream, timestamp_ns, identity), known);
                let new = seen.learn(stream, timestamp_ns, identity);
                prop_assert_eq!(new, oracle.insert((stream, identity)));
            }
        }
    }
}
