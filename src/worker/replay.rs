//! After a start: batches that an earlier run sealed and that are not known to be delivered go
//! out again, byte for byte, before anything new of their streams.

use super::Worker;
use crate::crash_point;
use crate::journal::{Entry, Seal};

impl Worker {
    pub(super) fn take_up_batches(&mut self) {
        let sealed: Vec<_> = self
            .journal
            .state()
            .unacknowledged()
            .map(|(id, seal)| (id, seal.clone()))
            .collect();
        for (id, seal) in sealed {
            // Once a batch cannot be sent as it was, those behind it are given up with it.
            if !self.journal.state().is_unacknowledged(id) {
                continue;
            }
            let output = self.outputs.iter_mut().find(|it| {
                it.dispatcher.name() == seal.output && it.dispatcher.can_send(&seal.stream)
            });
            let Some(output) = output else {
                tell(
                    &seal,
                    "its output is no longer configured: what was on its way is given up",
                );
                self.journal.append(&Entry::Unseal(id));
                continue;
            };
            let Some(body) = self.journal.body_of(&seal) else {
                tell(
                    &seal,
                    "its body was not kept: its lines are read and sent again",
                );
                self.journal.append(&Entry::Unseal(id));
                continue;
            };
            let parts = self.journal.state().parts_of(id).cloned();
            let parts = parts.unwrap_or_default();
            let batch = output.dispatcher.restore(id, &seal, parts, body);
            // As many as were in flight before have room now.
            if output.batches.try_send(batch).is_err() {
                tracing::error!(
                    output = seal.output,
                    "no room for a batch of an earlier run"
                );
            }
            crash_point::pass("taken_up");
        }
    }
}

fn tell(seal: &Seal, why: &str) {
    tracing::warn!(output = seal.output, stream = %seal.stream, records = seal.records, "a batch of an earlier run cannot be sent as it was; {why}");
}
