//! Tells whether a batch is stored, by reading its stream over the batch's own time. Only the
//! comparison; the requests are the sender's.
//!
//! No two batches of a stream share a millisecond (`Encoder::clear_of`), so with one writer to a
//! stream whatever lies within a batch's time is that batch. `PutLogEvents` stores a batch whole
//! but for records that it refuses one by one, for their times. What does not fit to that was
//! written by somebody else, and then equal lines prove nothing: they may be his.

use std::collections::HashMap;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::batch::opened::Opened;

/// Records are refused for their age when they are older than this, in milliseconds: the shortest
/// retention is a day; clocks differ by minutes.
const OLD: i64 = (24 * 60 - 10) * 60_000;
/// They are refused as too new when they lie further ahead than this, in milliseconds.
const NEW: i64 = (2 * 60 - 10) * 60_000;

/// Whether an event of this time may have been refused by itself until now; both in milliseconds.
pub(super) fn may_be_refused(time: i64, now: i64) -> bool {
    time < now - OLD || time > now + NEW
}

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
    /// It is there but for these of its events, which may have been refused, and nothing else is
    /// there.
    StoredBut(Vec<Range<u32>>),
    /// Nothing but some of it is there, and what is missing cannot have been refused: the rest is
    /// not to be seen yet, or what is there is another writer's.
    Partly,
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

    fn count(&self, key: &Key) -> u32 {
        self.counts.get(key).copied().unwrap_or_default()
    }

    /// Compares the events of a batch, or a part of one, with what was found in its time. Those of
    /// other parts are there `perhaps`.
    pub(super) fn compare(
        &self,
        found: &Self,
        perhaps: &Self,
        may_be_refused: impl Fn(i64) -> bool,
    ) -> Finding {
        let (mut ours, mut foreign) = (0, 0);
        for (key, count) in &found.counts {
            let (wanted, other) = (self.count(key), perhaps.count(key));
            ours += *count.min(&wanted);
            foreign += count.saturating_sub(wanted + other);
        }
        // Whoever else writes here may have written the same.
        if ours > 0 && foreign > 0 {
            return Finding::Foreign;
        }
        if ours == self.total {
            return Finding::Stored;
        }
        if ours > 0 {
            let missing = self.missing_from(found);
            let mut numbers = missing.iter().flat_map(Range::clone);
            let is_refused =
                numbers.all(|number| self.time_of(number).is_some_and(&may_be_refused));
            return if is_refused {
                Finding::StoredBut(missing)
            } else {
                Finding::Partly
            };
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

    fn time_of(&self, place: u32) -> Option<i64> {
        let key = self.keys.get(usize::try_from(place).ok()?);
        key.map(|(time, _)| *time)
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

    fn compare(batch: &Events, found: &Events) -> Finding {
        let perhaps = Events::default();
        batch.compare(found, &perhaps, |time| time < 10)
    }

    #[test]
    fn what_is_found_tells_whether_the_batch_is_stored() {
        // What is before 10 may have been refused.
        let batch = events(&[(1, "a"), (1, "a"), (12, "b")]);
        let stored_but = |missing| Finding::StoredBut(vec![missing]);
        let table: &[(&[(i64, &str)], Finding)] = &[
            (&[], Finding::Absent),
            (&[(1, "a"), (1, "a"), (12, "b")], Finding::Stored),
            (
                &[(1, "a"), (1, "a"), (12, "b"), (12, "other")],
                Finding::Foreign,
            ),
            (
                &[(1, "a"), (1, "a"), (12, "b"), (12, "b")],
                Finding::Foreign,
            ),
            (&[(1, "a"), (12, "b")], stored_but(1..2)),
            (&[(12, "b")], stored_but(0..2)),
            (&[(1, "a")], Finding::Partly),
            (&[(1, "a"), (1, "a")], Finding::Partly),
            (&[(1, "a"), (2, "other")], Finding::Foreign),
            (&[(1, "*"), (1, "*"), (12, "*")], Finding::Foreign),
            (&[(1, "other")], Finding::Absent),
        ];
        for (found, finding) in table {
            assert_eq!(compare(&batch, &events(found)), *finding, "{found:?}");
        }
    }

    #[test]
    fn what_is_stored_beside_a_part_is_not_taken_for_it() {
        let part = events(&[(1, "a"), (1, "a"), (2, "b")]);
        let found = || events(&[(1, "a"), (1, "a"), (1, "x")]);
        assert_eq!(compare(&part, &found()), Finding::Foreign);
        let mut without = found();
        for text in ["a", "a", "x", "never there"] {
            without.take_out(1, text);
        }
        assert_eq!(
            (without.len(), compare(&part, &without)),
            (0, Finding::Absent)
        );
    }

    #[test]
    fn what_may_be_stored_beside_a_part_is_nobody_elses() {
        let part = events(&[(11, "a"), (12, "b")]);
        let perhaps = events(&[(12, "b"), (12, "c")]);
        let compare = |found: &[(i64, &str)]| part.compare(&events(found), &perhaps, |_| false);
        let both = [(11, "a"), (12, "b"), (12, "b"), (12, "c")];
        assert_eq!(compare(&both), Finding::Stored);
        assert_eq!(compare(&both[..2]), Finding::Stored);
        assert_eq!(compare(&[(12, "c")]), Finding::Absent);
        let with_another = [&both[..], &[(12, "c")]].concat();
        assert_eq!(compare(&with_another), Finding::Foreign);
    }

    #[test]
    fn only_what_is_old_or_ahead_may_have_been_refused_by_itself() {
        let hour = 3_600_000;
        for (time, expected) in [(-25, true), (-23, false), (0, false), (1, false), (3, true)] {
            assert_eq!(may_be_refused(time * hour, 0), expected, "{time} h");
        }
    }
}
