//! After a start, and after a change of the configuration: batches that were sealed before and are
//! not known to be delivered go out again, byte for byte, before anything new of their streams. What
//! cannot go out so is given up, and its lines are read again; never where they are in no file.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Worker;
use super::idle::Idle;
use crate::batch::BatchId;
use crate::crash_point;
use crate::deliver::Ahead;
use crate::dispatch::Dispatcher;
use crate::journal::{Entry, Identity, Seal};
use crate::source::Moment;
use crate::span::Span;

/// Why a batch is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// No output can send it, and it cannot wait for one.
    NoOutput,
    /// An earlier run sealed it, and its body was not kept whole.
    NoBody,
    /// It is too new for its destination, and ahead of our clock.
    Ahead,
}

impl Why {
    fn sentence(self) -> &'static str {
        match self {
            Self::NoOutput => {
                "its output is no longer configured: what was on its way is given up, and its lines are read and sent again if the output comes back"
            }
            Self::NoBody => {
                "its body was not kept: its lines are read and sent again, and if the destination has them already, it gets them twice"
            }
            Self::Ahead => {
                "the destination refused it as too new, and it is ahead of our own clock since that was set back: its lines are read again, with the time of now"
            }
        }
    }
}

impl Worker {
    /// Gives up what cannot be sent as it was. Where an output begins in a file is known after
    /// that only.
    pub(super) fn give_up_batches(&mut self, at: Moment) {
        let ahead = std::mem::take(&mut self.ahead);
        let mut idle = Idle::default();
        for (id, seal) in self.sealed() {
            // Once a batch cannot be sent as it was, those behind it are given up with it.
            if !self.journal.state().is_unacknowledged(id) {
                continue;
            }
            let mut outputs = self.outputs.iter();
            let is_configured = outputs.any(|it| it.dispatcher.name() == seal.output);
            let why = if is_configured {
                self.why_not(id, &seal, &ahead)
            } else {
                (!idle.take(id, &seal, at.time)).then_some(Why::NoOutput)
            };
            if let Some(why) = why {
                self.give_up(id, &seal, why, &ahead);
            }
        }
        self.keep_idle(idle);
    }

    /// Gives up a batch that waits for its output.
    pub(super) fn give_up_idle(&mut self, id: BatchId, seal: &Seal) {
        // It may be given up with one before it.
        if self.journal.state().is_unacknowledged(id) {
            self.give_up(id, seal, Why::NoOutput, &BTreeMap::new());
        }
    }

    fn give_up(&mut self, id: BatchId, seal: &Seal, why: Why, ahead: &BTreeMap<BatchId, Ahead>) {
        let why_not = why.sentence();
        tracing::warn!(output = seal.output, stream = %seal.stream, records = seal.records, "a batch cannot be sent as it was; {why_not}");
        match why {
            Why::NoOutput => self.count_in_doubt(id, seal, |_| true),
            Why::NoBody => {
                self.note_what_was_read(id);
                self.count_in_doubt(id, seal, |_| true);
            }
            // Of those that are ahead it is known what was answered.
            Why::Ahead => self.count_in_doubt(id, seal, |id| {
                ahead.get(&id).is_none_or(|it| it.may_be_stored)
            }),
        }
        self.journal.append(&Entry::Unseal(id));
    }

    fn sealed(&self) -> Vec<(BatchId, Seal)> {
        let sealed = self.journal.state().unacknowledged();
        sealed.map(|(id, seal)| (id, seal.clone())).collect()
    }

    /// Why a batch cannot be sent as it was.
    fn why_not(
        &mut self,
        id: BatchId,
        seal: &Seal,
        ahead: &BTreeMap<BatchId, Ahead>,
    ) -> Option<Why> {
        let mut outputs = self.outputs.iter();
        if !outputs.any(|it| is_of(&it.dispatcher, seal)) {
            return Some(Why::NoOutput);
        }
        if self.journal.body_of(id).is_none() {
            return Some(Why::NoBody);
        }
        let is_ahead = ahead.contains_key(&id) && self.can_be_read_again(id);
        is_ahead.then_some(Why::Ahead)
    }

    /// Batches of a stream were refused as too new, and lie ahead of our own clock. They are given
    /// up where all of them can be read again; else they wait, since what is behind one of them goes
    /// on at its time.
    pub(super) fn take_ahead(&mut self, batches: Vec<Ahead>) {
        if batches.iter().all(|it| self.can_be_read_again(it.batch)) {
            self.ahead
                .extend(batches.into_iter().map(|it| (it.batch, it)));
            self.health.ask_to_begin_anew();
        } else {
            tracing::warn!(
                batches = batches.len(),
                "the clock was set back, and what was sealed ahead of it is too new for its destination. Its lines are in no file any more: it waits until the clock has caught up"
            );
        }
    }

    /// Whether all that would be given up with a batch is in files that are open.
    fn can_be_read_again(&self, id: BatchId) -> bool {
        let mut spans = self.spans_with(id);
        spans.all(|span| {
            let generation = self.source.get(span.generation);
            generation.is_some_and(|it| it.holds_up_to(span.end.offset))
        })
    }

    /// The bytes that would be read again with a batch.
    fn spans_with(&self, id: BatchId) -> impl Iterator<Item = &Span> {
        let state = self.journal.state();
        let given_up = state.goes_with(id).into_iter();
        given_up
            .filter(|id| state.is_unacknowledged(*id))
            .filter_map(|id| state.seal_of(id))
            .flat_map(|seal| &seal.spans)
    }

    /// Notes how much of the files of a batch was seen, and of those that are given up with it:
    /// should one be there no more, what it held is counted as lost.
    fn note_what_was_read(&mut self, id: BatchId) {
        let mut seen: BTreeMap<_, u64> = BTreeMap::new();
        for span in self.spans_with(id) {
            let seen = seen.entry(span.generation).or_default();
            *seen = span.end.offset.max(*seen);
        }
        for (generation, seen) in seen {
            if let Some(known) = self.journal.state().generations.get(&generation) {
                let identity = Identity {
                    size: known.identity.size.max(Some(seen)),
                    ..known.identity.clone()
                };
                self.journal
                    .append(&Entry::Generation(generation, identity));
            }
        }
    }

    /// Counts what is given up with a batch although it may be stored, or is: also what is delivered
    /// before an earlier batch.
    fn count_in_doubt(&self, id: BatchId, seal: &Seal, may_be_stored: impl Fn(BatchId) -> bool) {
        let state = self.journal.state();
        let given_up = state.goes_with(id).into_iter();
        let in_doubt = given_up.filter(|id| may_be_stored(*id)).count() as u64;
        if in_doubt > 0 {
            self.metrics.count_doubtful(&seal.output, in_doubt);
            tracing::warn!(output = seal.output, stream = %seal.stream, batches = in_doubt, "what is read again may be stored already: its records may be there twice");
        }
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
            if batch.sealed.body.is_empty() {
                self.journal.put_away(id);
            } else {
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
