//! Tells whether a batch is stored, by reading its stream over the batch's own time. Only the
//! comparison; the requests are the sender's.
//!
//! No two batches of a stream share a millisecond (`Encoder::clear_of`), so with one writer to a
//! stream whatever lies within a batch's time is that batch. `PutLogEvents` stores a batch whole
//! but for records that it refuses one by one.

use std::collections::HashMap;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::batch::opened::Opened;

/// An event's time and the hash of its text.
type Key = (i64, u64);

/// The events of a batch or of a stream.
#[derive(Debug, Default)]
pub(super) struct Events {
    counts: HashMap<Key, u32>,
    by_time: HashMap<i64, u32>,
    /// In order, for a batch.
    keys: Vec<Key>,
    total: u32,
}

/// What a comparison shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// The batch is there.
    Stored,
    /// It is there but for these of its events, and nothing else is there.
    StoredBut(Vec<Range<u32>>),
    /// Nothing of it is there.
    Absent,
    /// There are events that are not ours: another writer, or masked messages.
    Foreign,
}

impl Events {
    /// The events of a batch.
    pub(super) fn of(opened: &Opened) -> Self {
        let mut events = Self::default();
        for record in opened.records() {
            let time = record.time.millis();
            events.add(time, &record.text);
            events.keys.push((time, xxh3_64(record.text.as_bytes())));
        }
        events
    }

    /// Adds one event.
    pub(super) fn add(&mut self, timestamp: i64, message: &str) {
        let key = (timestamp, xxh3_64(message.as_bytes()));
        *self.counts.entry(key).or_default() += 1;
        *self.by_time.entry(timestamp).or_default() += 1;
        self.total += 1;
    }

    /// Takes out one event, if it is there.
    pub(super) fn take_out(&mut self, timestamp: i64, message: &str) {
        let key = (timestamp, xxh3_64(message.as_bytes()));
        if let Some(count) = self.counts.get_mut(&key).filter(|count| **count > 0) {
            *count -= 1;
            self.total -= 1;
            if let Some(count) = self.by_time.get_mut(&timestamp) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.total
    }

    /// Compares the events of a batch with what was found in its time.
    pub(super) fn compare(&self, found: &Self) -> Finding {
        let ours: u32 = self
            .counts
            .iter()
            .map(|(key, count)| *count.min(found.counts.get(key).unwrap_or(&0)))
            .sum();
        let foreign = found.total.saturating_sub(ours);
        if ours == self.total {
            return Finding::Stored;
        }
        if ours > 0 && foreign == 0 {
            return Finding::StoredBut(self.missing_from(found));
        }
        if ours > 0 {
            return Finding::Foreign;
        }
        // Masked messages keep their times.
        let could_be_masked = foreign > 0
            && self
                .by_time
                .iter()
                .all(|(time, count)| found.by_time.get(time).is_some_and(|it| it >= count));
        if could_be_masked {
            Finding::Foreign
        } else {
            Finding::Absent
        }
    }

    /// Which events, by their places, are not among those that were found.
    fn missing_from(&self, found: &Self) -> Vec<Range<u32>> {
        let mut left = found.counts.clone();
        let mut missing: Vec<Range<u32>> = Vec::new();
        for (place, key) in (0..).zip(&self.keys) {
            match (left.get_mut(key), missing.last_mut()) {
                (Some(count), _) if *count > 0 => *count -= 1,
                (_, Some(last)) if last.end == place => last.end += 1,
                _ => missing.push(place..place + 1),
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(list: &[(i64, &str)]) -> Events {
        let mut events = Events::default();
        for (time, message) in list {
            events.add(*time, message);
            events.keys.push((*time, xxh3_64(message.as_bytes())));
        }
        events
    }

    fn stored_but(missing: Range<u32>) -> Finding {
        Finding::StoredBut([missing].into())
    }

    #[test]
    fn what_is_found_tells_whether_the_batch_is_stored() {
        let batch = events(&[(1, "a"), (1, "a"), (2, "b")]);
        let table: &[(&[(i64, &str)], Finding)] = &[
            (&[], Finding::Absent),
            (&[(1, "a"), (1, "a"), (2, "b")], Finding::Stored),
            (
                &[(1, "a"), (1, "a"), (2, "b"), (2, "other")],
                Finding::Stored,
            ),
            (&[(1, "a"), (2, "b")], stored_but(1..2)),
            (&[(1, "a")], stored_but(1..3)),
            (&[(1, "a"), (2, "other")], Finding::Foreign),
            (&[(1, "*"), (1, "*"), (2, "*")], Finding::Foreign),
            (&[(1, "other")], Finding::Absent),
        ];
        for (found, finding) in table {
            assert_eq!(batch.compare(&events(found)), *finding, "{found:?}");
        }
    }

    #[test]
    fn what_is_stored_beside_a_part_is_not_taken_for_it() {
        let part = events(&[(1, "a"), (1, "a"), (2, "b")]);
        let found = || events(&[(1, "a"), (1, "a"), (1, "x")]);
        assert_eq!(part.compare(&found()), Finding::Foreign);
        let mut without = found();
        for text in ["a", "a", "x", "never there"] {
            without.take_out(1, text);
        }
        assert_eq!(
            (without.len(), part.compare(&without)),
            (0, Finding::Absent)
        );
    }
}
