//! Makes the batches that are due: takes a stream's generations in turn and fills one batch from
//! them.

use std::sync::Arc;

use super::fill::{Ended, Filler};
use super::placing::{Placing, Turns};
use super::{Dispatcher, Next, Place, READ_AGAIN_AFTER};
use crate::batch::{Batch, StreamId};
use crate::journal::{Cursor, Entry, Journal, Seal};
use crate::record::Time;
use crate::record::cut::Behind;
use crate::source::reader::Reader;
use crate::source::{Moment, Source};
use crate::span::{GenerationId, Span};

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
        let Self {
            plan,
            lanes,
            streams,
            troubles,
            has_unreadable,
            ..
        } = self;
        let Some(stream) = streams.get_mut(&id) else {
            return Next::Nothing;
        };
        plan.encoder.begin(&stream.name);
        stream.last_time = plan.encoder.clear_of(stream.last_time);
        let mut placing = Placing::new(stream.last_time, plan.encoder.reach());
        let by_time = stream.pending >= plan.max_bytes || stream.may_be_of_long(at.now);
        let turns = stream.take_ready().into_iter().map(|origin| {
            let of_path = stream.generations_of(&origin);
            let mut of_path = of_path.iter().filter_map(|id| lanes.get(id));
            let first = of_path.find(|lane| lane.counted > 0);
            let next_time = first.and_then(|lane| lane.next_time);
            (next_time.unwrap_or(Turns::UNKNOWN), origin)
        });
        let turns: Vec<_> = turns.collect();
        let files = turns.len();
        let mut turns = Turns::new(turns, by_time.then_some(stream.ahead));
        let mut spans: Vec<Span> = Vec::new();
        let mut held = Vec::new();
        let mut full = None;
        while full.is_none()
            && let Some((origin, until)) = turns.next()
        {
            let mut older_time = Time::default();
            for generation_id in stream.generations_of(&origin) {
                let (Some(lane), Some(generation)) =
                    (lanes.get_mut(&generation_id), source.get(generation_id))
                else {
                    continue;
                };
                let Some(Some(reading)) = plan.readings.get_mut(generation.input) else {
                    continue;
                };
                if lane.counted == 0 || lane.not_before.is_some_and(|time| time > at.now) {
                    // The younger ones of this path wait until this one's last line is complete.
                    // One that stands at its name is itself the youngest.
                    if lane.unfinished_at == Some(generation.size)
                        && !lane.is_gone
                        && !generation.is_over
                        && !generation.is_at_home()
                    {
                        break;
                    }
                    older_time = older_time.max(lane.last_time);
                    continue;
                }
                // Behind the last line more may come that belongs to its record, for a while.
                let patient_until = generation.still_since() + reading.wait;
                let behind = if generation.is_over {
                    Behind::Nothing
                } else if at.now >= patient_until {
                    Behind::Silence
                } else {
                    Behind::End
                };
                // What a younger file of a path says without a time is not from before the older.
                lane.last_time = lane.last_time.max(older_time);
                let mut filler = Filler {
                    encoder: &mut plan.encoder,
                    reader,
                    reading,
                    metadata: &lane.metadata,
                    varying: lane.varying.as_deref(),
                    streams: plan.naming.streams(),
                    placing: &mut placing,
                    last_time: &mut lane.last_time,
                    until,
                    skew: &mut lane.skew,
                    at,
                };
                let done = match filler.fill(generation, lane.read, lane.learned, behind) {
                    Ok(done) => done,
                    Err(error) => {
                        lane.not_before = Some(at.now + READ_AGAIN_AFTER);
                        *has_unreadable = true;
                        troubles.push_back(Next::Unreadable(generation_id, error));
                        continue;
                    }
                };
                if done.hole > 0 {
                    let begins = !lane.read.is_behind_nuls();
                    troubles.push_back(Next::Hole(generation_id, done.hole, begins));
                }
                if (done.end.offset, done.learned) != (lane.read.offset, lane.learned) {
                    spans.push(Span {
                        generation: generation_id,
                        start: lane.spanned,
                        end: done.end,
                        learned: done.learned,
                    });
                    lane.read = done.end;
                    lane.learned = done.learned;
                    generation.note_reached(done.end);
                }
                older_time = lane.last_time;
                lane.next_time = match done.ended {
                    Ended::Later(time) | Ended::TooLate(time) => Some(time),
                    _ => None,
                };
                let is_drained = matches!(done.ended, Ended::Drained { .. });
                let is_held = done.ended == Ended::Drained { is_held: true };
                held.push((generation_id, is_held.then_some(patient_until)));
                let is_stuck = is_drained && done.end.offset < generation.size;
                lane.unfinished_at = is_stuck.then_some(generation.size);
                let pending = match done.ended {
                    Ended::Full | Ended::Later(_) | Ended::TooLate(_) => {
                        generation.size.saturating_sub(done.end.offset).max(1)
                    }
                    Ended::Drained { .. } | Ended::OtherContent => 0,
                };
                stream.pending = stream.pending - lane.counted + pending;
                lane.counted = pending;
                match done.ended {
                    Ended::Full => {
                        full = Some(Arc::clone(&origin));
                        break;
                    }
                    Ended::Later(time) => {
                        turns.again(time, Arc::clone(&origin));
                        break;
                    }
                    Ended::TooLate(_) => {
                        turns.put_off(Arc::clone(&origin));
                        break;
                    }
                    Ended::OtherContent => {
                        troubles.push_back(Next::OtherContent(generation_id));
                    }
                    Ended::Drained { .. }
                        if is_stuck && !generation.is_over && !generation.is_at_home() =>
                    {
                        break;
                    }
                    Ended::Drained { .. } => {}
                }
            }
        }
        let is_put_off = turns.has_put_off();
        for origin in turns.left().chain(full) {
            stream.make_ready(&origin);
        }
        // What belongs to the next batch waits for nothing else.
        let since = at.now.checked_sub(plan.max_wait).filter(|_| is_put_off);
        stream.pending_since = (stream.has_ready()).then(|| since.unwrap_or(at.now));
        stream.is_behind = stream.has_ready();
        let sealed = (!plan.encoder.is_empty()).then(|| plan.encoder.seal());
        if let Some(sealed) = &sealed {
            stream.last_time = sealed.last_time.max(placing.newest());
            stream.ahead = Turns::ahead_after(sealed.first_time, sealed.last_time, files);
        }
        let name = Arc::clone(&stream.name);
        for (generation_id, until) in held {
            self.hold(generation_id, until);
        }
        let Some(sealed) = sealed else {
            for span in spans {
                self.move_cursor(span.generation, journal);
            }
            return self.troubles.pop_front().unwrap_or(Next::Nothing);
        };
        for span in &spans {
            if let Some(lane) = self.lanes.get_mut(&span.generation) {
                lane.spanned = span.end.offset;
                lane.batches = lane.batches.saturating_add(1);
            }
        }
        let seal = Seal {
            output: self.plan.name.clone(),
            stream: (*name).clone(),
            spans: spans.clone(),
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
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.sent(batch_id, spans, sealed.body.len(), Place::Going);
        }
        self.room.add(sealed.body.len(), Place::Going);
        Next::Batch(Batch {
            id: batch_id,
            stream_id: id,
            stream: name,
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
