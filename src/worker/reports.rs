//! What the sending side tells: batches delivered, divided, refused. The journal is written here,
//! and what is answered to the sending side is in it before.

use std::time::Instant;

use super::Worker;
use crate::batch::parts::Fate;
use crate::crash_point;
use crate::dead_letters::{Bytes, Occasion};
use crate::deliver::{Refused, Report};
use crate::journal::Entry;
use crate::observe::metrics::{OfRefused, RecordResult, Records};
use crate::source::Moment;

impl Worker {
    pub(super) fn take_report(&mut self, report: Report, at: Moment) {
        match report {
            Report::Done(done) => {
                if let Some(output) = self.outputs.get_mut(done.output) {
                    output
                        .dispatcher
                        .delivered(done.stream, done.batch, &mut self.journal, at.now);
                }
            }
            Report::Cut {
                batch,
                at: cut,
                noted,
            } => {
                self.journal.append(&Entry::Cut(batch, cut));
                self.journal.commit(at.now);
                crash_point::pass("cut");
                // Nobody waits any more when the sending side has ended.
                let _ = noted.send(());
            }
            Report::Delivered { batch, records } => {
                let entry = Entry::Settle(batch, records, Fate::Delivered);
                self.journal.append(&entry);
                self.journal.commit(at.now);
                crash_point::pass("part_settled");
            }
            Report::Refused(refused) => self.bury(refused, at),
            Report::Stuck(stuck) => {
                if let Some(output) = self.outputs.get_mut(stuck.output) {
                    output.dispatcher.stuck(stuck.stream, stuck.batch, at.now);
                }
            }
            Report::Waits { batch, is_put_away } => {
                let is_in_journal = self.journal.has_body_of(batch.batch);
                let output = self.outputs.get_mut(batch.output);
                let is_away = output.is_some_and(|it| {
                    let dispatcher = &mut it.dispatcher;
                    dispatcher.waits(batch.stream, batch.batch, is_in_journal)
                });
                if is_away {
                    self.journal.put_away(batch.batch);
                }
                let _ = is_put_away.send(is_away);
            }
            Report::Asks { batch, body } => {
                let _ = body.send(self.journal.body_of(batch));
            }
            Report::Ahead(batches) => self.take_ahead(batches),
        }
    }

    /// Writes refused records to the dead letters, and then into the journal that they are settled.
    fn bury(&mut self, refused: Refused, at: Moment) {
        let Some(occasion) = self.occasion(&refused) else {
            return;
        };
        let written = self.dead_letters.write(&occasion, &refused.letters);
        crash_point::pass("buried");
        let done = refused.letters.get(..written.done).unwrap_or_default();
        if let (Some(first), Some(last)) = (done.first(), done.last()) {
            let records = first.record..last.record + 1;
            let entry = Entry::Settle(refused.batch, records, Fate::Refused);
            self.journal.append(&entry);
            self.journal.commit(at.now);
            crash_point::pass("burial_noted");
            self.count_refused(&occasion, done.len(), written.dropped);
            let buried = done.len() - written.dropped;
            self.refused.note(&occasion, buried, written.dropped, at);
        }
        let _ = refused.written.send(written);
    }

    /// What the letters of a batch have in common; nothing when there is no such batch.
    fn occasion(&self, refused: &Refused) -> Option<Occasion> {
        let state = self.journal.state();
        let seal = state.seal_of(refused.batch)?;
        let spans = seal.spans.iter().map(|span| {
            let known = state.generations.get(&span.generation);
            let path = known.map(|known| known.identity.path.display().to_string());
            Bytes {
                path: path.unwrap_or_default(),
                generation: span.generation.0,
                start: span.start,
                end: span.end.offset,
            }
        });
        Some(Occasion {
            batch: refused.batch,
            output: seal.output.clone(),
            stream: refused.stream.clone(),
            reason: refused.reason,
            answer: refused.answer.clone(),
            may_be_stored: refused.may_be_stored,
            spans: spans.collect(),
            is_replay: refused.is_replay,
        })
    }

    fn count_refused(&self, occasion: &Occasion, done: usize, dropped: usize) {
        let label = || OfRefused {
            output: occasion.output.clone(),
            reason: occasion.reason,
        };
        let metrics = &self.metrics;
        if done > dropped {
            let letters = metrics.dead_letters.get_or_create(&label());
            letters.inc_by((done - dropped) as u64);
        }
        if dropped > 0 {
            let counter = metrics.dropped.get_or_create(&label());
            counter.inc_by(dropped as u64);
        }
        let records = Records {
            output: occasion.output.clone(),
            result: RecordResult::rejected,
        };
        metrics.records.get_or_create(&records).inc_by(done as u64);
    }

    /// Tells the log what was refused, where that is due.
    pub(super) fn tell_refused(&mut self, now: Instant) {
        let file = self.dead_letters.path();
        self.refused.tell(now, |it| {
            tracing::warn!(
                output = it.output,
                stream = it.stream,
                reason = it.reason,
                answer = it.answer,
                file = %file.display(),
                buried = it.buried,
                dropped = it.dropped,
                "the destination refuses records by themselves: they are in the dead letters, the others are delivered"
            );
        });
    }
}
