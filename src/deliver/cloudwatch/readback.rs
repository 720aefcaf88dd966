//! Tells whether a batch is stored, by reading its stream over the batch's own time. Only the
//! comparison; the requests are the sender's.
//!
//! No two batches of a stream share a millisecond (`Encoder::clear_of`), so with one writer to a
//! stream whatever lies within a batch's time is that batch. `PutLogEvents` stores a batch whole
//! but for records that it refuses one by one.

use std::collections::HashMap;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

/// The events of a batch or of a stream, each with how often it is there.
#[derive(Debug, Default)]
pub(super) struct Events {
    counts: HashMap<(i64, u64), u32>,
    by_time: HashMap<i64, u32>,
    total: u32,
}

/// What a comparison shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The batch is there.
    Stored,
    /// Nothing of it is there.
    Absent,
    /// There are events that are not ours: another writer, or masked messages.
    Foreign,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "logEvents", borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    timestamp: i64,
    #[serde(borrow)]
    message: std::borrow::Cow<'a, str>,
}

impl Events {
    /// The events of a request body, before compression.
    pub(super) fn of_body(plain: &[u8]) -> Result<Self, serde_json::Error> {
        let body: Body<'_> = serde_json::from_slice(plain)?;
        let mut events = Self::default();
        for event in &body.events {
            events.add(event.timestamp, &event.message);
        }
        Ok(events)
    }

    /// Adds one event.
    pub(super) fn add(&mut self, timestamp: i64, message: &str) {
        let key = (timestamp, xxh3_64(message.as_bytes()));
        *self.counts.entry(key).or_default() += 1;
        *self.by_time.entry(timestamp).or_default() += 1;
        self.total += 1;
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
        if ours == self.total || (ours > 0 && foreign == 0) {
            return Finding::Stored;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(list: &[(i64, &str)]) -> Events {
        let mut events = Events::default();
        for (time, message) in list {
            events.add(*time, message);
        }
        events
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
            (&[(1, "a"), (2, "b")], Finding::Stored),
            (&[(1, "a"), (2, "other")], Finding::Foreign),
            (&[(1, "*"), (1, "*"), (2, "*")], Finding::Foreign),
            (&[(1, "other")], Finding::Absent),
        ];
        for (found, finding) in table {
            assert_eq!(batch.compare(&events(found)), *finding, "{found:?}");
        }
    }

    #[test]
    fn a_body_is_read_as_it_was_sealed() {
        let body = br#"{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":5,"message":"x \"y\" \u00e9"}]}"#;
        let events = Events::of_body(body).unwrap();
        let mut found = Events::default();
        found.add(5, "x \"y\" é");
        assert_eq!((events.len(), events.compare(&found)), (1, Finding::Stored));
    }
}
