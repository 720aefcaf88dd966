//! Batches of outputs that the configuration no longer has. They wait in the journal: should their
//! output come back under its name, they go out as they are, as after a restart. So it is not sent
//! again what it may have. What is kept has bounds, and is given up in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::Worker;
use crate::batch::BatchId;
use crate::journal::Seal;
use crate::record::Time;
use crate::source::Moment;
use crate::span::GenerationId;

/// Their bodies take at most so many bytes of the state directory.
const MOST_BYTES: u64 = 32 << 20;
/// They are kept until their records are so old, in nanoseconds: CloudWatch Logs takes nothing that
/// is older than 14 days, and few Lokis do.
const KEPT_FOR: i64 = 14 * 24 * 3600 * 1_000_000_000;

/// The batches that wait for their outputs.
#[derive(Debug, Default)]
pub(super) struct Idle {
    ids: BTreeSet<BatchId>,
    bytes: u64,
    /// How many there are, by output.
    counts: BTreeMap<String, u64>,
}

impl Idle {
    /// Lets a batch wait, if it can be sent later and there is room for it. Says whether it waits.
    pub(super) fn take(&mut self, id: BatchId, seal: &Seal, now: Time) -> bool {
        let Some(body) = seal.body.filter(|_| !is_too_old(seal, now)) else {
            return false;
        };
        let bytes = self.bytes.saturating_add(body.len);
        let is_room = bytes <= MOST_BYTES;
        if is_room {
            self.bytes = bytes;
            self.ids.insert(id);
            *self.counts.entry(seal.output.clone()).or_default() += 1;
        }
        is_room
    }
}

fn is_too_old(seal: &Seal, now: Time) -> bool {
    now.nanos_since(seal.last_time) > KEPT_FOR
}

impl Worker {
    /// Lets these wait for their outputs, and no others.
    pub(super) fn keep_idle(&mut self, idle: Idle) {
        for (output, batches) in idle.counts {
            tracing::info!(
                output,
                batches,
                "batches wait for an output that is configured no longer: they go out as they are if it comes back under this name"
            );
        }
        self.journal.set_idle(idle.ids);
    }

    /// Gives up what has waited for too long.
    pub(super) fn give_up_old_idle(&mut self, at: Moment) {
        self.give_up_idle_if(|seal| is_too_old(seal, at.time));
    }

    /// The file of a generation has lost its end: what waits of it would leave a hole.
    pub(super) fn give_up_idle_of(&mut self, id: GenerationId) {
        self.give_up_idle_if(|seal| seal.spans.iter().any(|span| span.generation == id));
    }

    fn give_up_idle_if(&mut self, is_it: impl Fn(&Seal) -> bool) {
        let idle = self.journal.idle().filter(|(_, seal)| is_it(seal));
        let idle: Vec<_> = idle.map(|(id, seal)| (id, seal.clone())).collect();
        for (id, seal) in idle {
            self.give_up_idle(id, &seal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_700_000_000_000_000_000);

    /// A batch with a body of this length, whose last record is so many nanoseconds old.
    fn seal(len: u64, age: i64) -> Seal {
        serde_json::from_value(serde_json::json!({
            "output": "out",
            "stream": {"loki": {"labels": "{}"}},
            "spans": [],
            "records": 1,
            "uncompressed": 1,
            "replaced": 0,
            "cut": 0,
            "is_gzip": false,
            "first_time": Time(0),
            "last_time": Time(NOW.0 - age),
            "body": {"offset": 0, "len": len, "checksum": 0},
        }))
        .unwrap()
    }

    #[test]
    fn batches_wait_while_they_are_young_and_there_is_room() {
        let mut idle = Idle::default();
        let mut waits = |id, seal: &Seal| idle.take(BatchId(id), seal, NOW);
        assert!(waits(1, &seal(1, KEPT_FOR)));
        assert!(!waits(2, &seal(1, KEPT_FOR + 1)), "it is too old");
        assert!(!waits(3, &seal(MOST_BYTES, 0)), "one byte too many");
        assert!(waits(4, &seal(MOST_BYTES - 1, 0)));
        let unwritten = Seal {
            body: None,
            ..seal(0, 0)
        };
        assert!(!waits(5, &unwritten), "its body is nowhere");
        assert_eq!(idle.ids, [BatchId(1), BatchId(4)].into());
    }
}
