//! After a start: batches that an earlier run sealed and that are not known to be delivered go
//! out again, byte for byte, before anything new of their streams. What cannot go out so is given
//! up, and its lines are read again.

use std::time::Instant;

use super::Worker;
use crate::batch::BatchId;
use crate::crash_point;
use crate::dispatch::Dispatcher;
use crate::journal::{Entry, Seal};
use crate::observe::metrics::OfOutput;

impl Worker {
    /// Gives up what cannot be sent as it was. Where an output begins in a file is known after
    /// that only.
    pub(super) fn give_up_batches(&mut self) {
        let before = self.sealed();
        for (id, seal) in &before {
            let id = *id;
            // Once a batch cannot be sent as it was, those behind it are given up with it.
            if !self.journal.state().is_unacknowledged(id) {
                continue;
            }
            if let Some(why) = self.why_not(id, seal) {
                tracing::warn!(output = seal.output, stream = %seal.stream, records = seal.records, "a batch cannot be sent as it was; {why}");
                self.journal.append(&Entry::Unseal(id));
            }
        }
        self.count_given_up(&before);
        self.ahead.clear();
    }

    /// Counts batches whose lines are read again although they may have been sent. Of those that
    /// are ahead of the clock it is known what was answered, and they were counted.
    fn count_given_up(&self, before: &[(BatchId, Seal)]) {
        let state = self.journal.state();
        let given_up = before.iter().filter(|(id, seal)| {
            let mut outputs = self.outputs.iter();
            !state.is_unacknowledged(*id)
                && !self.ahead.contains(id)
                && outputs.any(|it| is_of(&it.dispatcher, seal))
        });
        for (_, seal) in given_up {
            let output = seal.output.clone();
            let doubtful = &self.metrics.doubtful;
            doubtful.get_or_create(&OfOutput { output }).inc();
        }
    }

    fn sealed(&self) -> Vec<(BatchId, Seal)> {
        let sealed = self.journal.state().unacknowledged();
        sealed.map(|(id, seal)| (id, seal.clone())).collect()
    }

    /// Why a batch cannot be sent as it was.
    fn why_not(&mut self, id: BatchId, seal: &Seal) -> Option<&'static str> {
        let mut outputs = self.outputs.iter();
        if !outputs.any(|it| is_of(&it.dispatcher, seal)) {
            return Some("its output is no longer configured: what was on its way is given up");
        }
        if self.journal.body_of(id).is_none() {
            return Some(
                "its body was not kept: its lines are read and sent again, and if the destination has them already, it gets them twice",
            );
        }
        self.ahead.contains(&id).then_some(
            "the destination refused it as too new, and it is ahead of our own clock since that was set back: its lines are read again, with the time of now",
        )
    }

    /// A still later run must know how long the requests of this one may be carried out, before
    /// any goes out.
    pub(super) fn note_deadlines(&mut self, now: Instant) {
        for (id, mut seal) in self.sealed() {
            let mut outputs = self.outputs.iter();
            let output = outputs.find(|it| is_of(&it.dispatcher, &seal));
            let deadline = output.map(|it| it.dispatcher.deadline().into());
            if let Some(deadline) = deadline.filter(|it| *it > seal.request_timeout) {
                seal.request_timeout = deadline;
                self.journal.append(&Entry::Seal(id, Box::new(seal)));
            }
        }
        self.journal.commit(now);
    }

    /// Sends what is not given up.
    pub(super) fn take_up_batches(&mut self) {
        for (id, seal) in self.sealed() {
            let mut outputs = self.outputs.iter_mut();
            let output = outputs.find(|it| is_of(&it.dispatcher, &seal));
            let (Some(output), Some(body)) = (output, self.journal.body_of(id)) else {
                continue;
            };
            let parts = self.journal.state().parts_of(id).cloned();
            let parts = parts.unwrap_or_default();
            let is_kept = self.journal.has_body_of(id);
            let dispatcher = &mut output.dispatcher;
            let batch = dispatcher.restore(id, &seal, parts, body.clone(), is_kept);
            if !batch.sealed.body.is_empty() {
                self.journal.take_in_hand(id, body);
            }
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

/// Whether a batch is one of this output.
fn is_of(dispatcher: &Dispatcher, seal: &Seal) -> bool {
    dispatcher.name() == seal.output && dispatcher.can_send(&seal.stream)
}
