//! Makes the batches that are due: asks which stream is, and seals what is taken of it.

use std::sync::Arc;

use super::placing::Turns;
use super::taking::{Taken, Taking};
use super::{Dispatcher, Next, Place};
use crate::batch::{Batch, StreamId};
use crate::journal::{Cursor, Entry, Journal, Seal};
use crate::record::Time;
use crate::source::generation::reader::Reader;
use crate::source::{Moment, Source};
use crate::span::GenerationId;

/// So often in a row something is read of which no record is kept, before others have their turn.
const MOST_EMPTY: usize = 16;

impl Dispatcher {
    /// Makes the next batch that is due.
    pub(crate) fn next_batch(
        &mut self,
        source: &Source,
        reader: &mut Reader,
        journal: &mut Journal,
        at: Moment,
    ) -> Next {
        if let Some(trouble) = self.troubles.pop_front() {
            return trouble;
        }
        self.release_held(source, at.now);
        for _ in 0..MOST_EMPTY {
            let Some(&(due, id)) = self.schedule.first() else {
                break;
            };
            if due > at.now || !self.room.has_room() {
                return Next::Nothing;
            }
            match self.fill_stream(id, source, reader, journal, at) {
                Next::Nothing => self.reschedule(id, at.now),
                next => {
                    self.reschedule(id, at.now);
                    return next;
                }
            }
        }
        Next::Nothing
    }

    /// Makes a batch of what a stream has; none when there is no complete line after all.
    fn fill_stream(
        &mut self,
        id: StreamId,
        source: &Source,
        reader: &mut Reader,
        journal: &mut Journal,
        at: Moment,
    ) -> Next {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Next::Nothing;
        };
        let Self { plan, lanes, .. } = self;
        let mut taken = Taking::begin(plan, lanes, stream, (source, reader), at).take();
        self.has_unreadable |= taken.is_unreadable;
        self.troubles.extend(taken.troubles.drain(..));
        for (generation_id, until) in taken.held.drain(..) {
            self.hold(generation_id, until);
        }
        if self.plan.encoder.is_empty() {
            for span in taken.spans {
                self.move_cursor(span.generation, journal);
            }
            return self.troubles.pop_front().unwrap_or(Next::Nothing);
        }
        self.seal(id, taken, journal, at)
    }

    /// Seals what was taken of a stream.
    fn seal(&mut self, id: StreamId, taken: Taken, journal: &mut Journal, at: Moment) -> Next {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Next::Nothing;
        };
        let sealed = self.plan.encoder.seal();
        for span in &taken.spans {
            if let Some(lane) = self.lanes.get_mut(&span.generation) {
                lane.spanned = span.end.offset;
                lane.batches = lane.batches.saturating_add(1);
            }
        }
        let seal = Seal {
            output: self.plan.name.clone(),
            stream: (*stream.name).clone(),
            spans: taken.spans.clone(),
            records: sealed.records,
            uncompressed: sealed.uncompressed,
            replaced: sealed.replaced,
            cut: sealed.cut,
            is_gzip: sealed.is_gzip,
            first_time: sealed.first_time,
            last_time: sealed.last_time,
            body: None,
            shares: sealed.shares.clone(),
            request_timeout: self.plan.deadline.into(),
        };
        let batch_id = journal.seal(seal, &sealed.body, at.now);
        stream.last_time = sealed.last_time.max(taken.newest);
        stream.ahead = Turns::ahead_after(sealed.first_time, sealed.last_time, taken.files);
        stream.sent(batch_id, taken.spans, sealed.body.len(), Place::Going);
        self.room.add(sealed.body.len(), Place::Going);
        Next::Batch(Batch {
            id: batch_id,
            stream_id: id,
            stream: Arc::clone(&stream.name),
            parts: sealed.parts(),
            sealed,
            is_replay: false,
            deadline: self.plan.deadline,
        })
    }

    /// Moves the cursor over what was read of a generation and came to no record, once nothing of
    /// it is on its way.
    pub(super) fn move_cursor(&mut self, id: GenerationId, journal: &mut Journal) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        // There can be thousands of streams: they are asked where something is to be moved.
        if lane.is_gone
            || lane.read.offset <= lane.done
            || self.streams.values().any(|it| it.is_in_flight(id))
        {
            return;
        }
        let last_time = self
            .streams
            .get(&lane.stream)
            .map_or(Time::default(), |stream| stream.last_time);
        let cursor = Cursor {
            position: lane.read,
            last_time,
            learned: lane.learned,
        };
        lane.done = lane.read.offset;
        lane.spanned = lane.read.offset;
        journal.append(&Entry::Cursor(id, self.plan.name.clone(), cursor));
    }
}
