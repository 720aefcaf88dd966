//! What is taken into one batch of a stream: its files have their turns, and of each file its
//! generations, the oldest first.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fill::{Ended, Filled, Filler};
use super::placing::{Placing, Turns};
use super::stream::Stream;
use super::{Lane, Next, Plan, READ_AGAIN_AFTER};
use crate::record::Time;
use crate::record::cut::Behind;
use crate::source::generation::reader::Reader;
use crate::source::{Generation, Moment, Source};
use crate::span::{GenerationId, Span};

/// Behind a pause that is so many times as long as a record is waited for, and no shorter than the
/// other, another one begins.
const LONG_STILL: u32 = 20;
const LEAST_STILL: Duration = Duration::from_secs(1);

/// What was taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Of which bytes the records in the batch are.
    pub(super) spans: Vec<Span>,
    /// The time of the latest record; that of the batches before where there is none.
    pub(super) newest: Time,
    /// How many files had something.
    pub(super) files: usize,
    /// Whose last record may go on, and until when that is waited for.
    pub(super) held: Vec<(GenerationId, Option<Instant>)>,
    /// What went wrong on the way.
    pub(super) troubles: Vec<Next>,
    /// Whether a file could not be read.
    pub(super) is_unreadable: bool,
}

/// A batch in the making.
pub(super) struct Taking<'a> {
    plan: &'a mut Plan,
    lanes: &'a mut HashMap<GenerationId, Box<Lane>>,
    stream: &'a mut Stream,
    source: &'a Source,
    reader: &'a mut Reader,
    at: Moment,
    placing: Placing,
    taken: Taken,
}

impl<'a> Taking<'a> {
    /// Begins a batch.
    pub(super) fn begin(
        plan: &'a mut Plan,
        lanes: &'a mut HashMap<GenerationId, Box<Lane>>,
        stream: &'a mut Stream,
        (source, reader): (&'a Source, &'a mut Reader),
        at: Moment,
    ) -> Self {
        plan.encoder.begin(&stream.name);
        stream.last_time = plan.encoder.clear_of(stream.last_time);
        let placing = Placing::new(stream.last_time, plan.encoder.reach());
        Self {
            plan,
            lanes,
            stream,
            source,
            reader,
            at,
            placing,
            taken: Taken::default(),
        }
    }

    /// Takes what there is, until the batch is full.
    pub(super) fn take(mut self) -> Taken {
        let mut turns = self.turns();
        let mut full = None;
        while full.is_none()
            && let Some((origin, until)) = turns.next()
        {
            match self.take_path(&origin, until) {
                Some(Ended::Full) => full = Some(origin),
                Some(Ended::Later(time)) => turns.again(time, origin),
                Some(Ended::TooLate(_)) => turns.put_off(origin),
                Some(Ended::Drained { .. } | Ended::OtherContent) | None => {}
            }
        }
        let is_put_off = turns.has_put_off();
        let stream = self.stream;
        for origin in turns.left().chain(full) {
            stream.make_ready(&origin);
        }
        // What belongs to the next batch waits for nothing else.
        let now = self.at.now;
        let since = now.checked_sub(self.plan.max_wait).filter(|_| is_put_off);
        stream.pending_since = stream.has_ready().then(|| since.unwrap_or(now));
        stream.is_behind = stream.has_ready();
        Taken {
            newest: self.placing.newest(),
            ..self.taken
        }
    }

    /// The turns of the files that have something.
    fn turns(&mut self) -> Turns {
        let stream = &mut *self.stream;
        let by_time = stream.pending >= self.plan.max_bytes || stream.may_be_of_long(self.at.now);
        let ready = stream.take_ready().into_iter().map(|origin| {
            let of_path = stream.generations_of(&origin);
            let mut of_path = of_path.iter().filter_map(|id| self.lanes.get(id));
            let first = of_path.find(|lane| lane.counted > 0);
            let next_time = first.and_then(|lane| lane.next_time);
            (next_time.unwrap_or(Turns::UNKNOWN), origin)
        });
        let ready: Vec<_> = ready.collect();
        self.taken.files = ready.len();
        Turns::new(ready, by_time.then_some(stream.ahead))
    }

    /// Takes of a path what is of no later time than `until`. Returns why its turn ended; nothing
    /// where there is no more.
    fn take_path(&mut self, origin: &Arc<Path>, until: Time) -> Option<Ended> {
        let mut older_time = Time::default();
        for id in self.stream.generations_of(origin) {
            if let ControlFlow::Break(ended) = self.take_generation(id, until, &mut older_time) {
                return ended;
            }
        }
        None
    }

    /// Takes of one generation, of which the path's older ones reached up to `older_time`. The younger
    /// ones have their turn unless the flow is broken.
    fn take_generation(
        &mut self,
        id: GenerationId,
        until: Time,
        older_time: &mut Time,
    ) -> ControlFlow<Option<Ended>> {
        let (Some(lane), Some(generation)) = (self.lanes.get_mut(&id), self.source.get(id)) else {
            return ControlFlow::Continue(());
        };
        let Some(Some(reading)) = self.plan.readings.get_mut(generation.input) else {
            return ControlFlow::Continue(());
        };
        let now = self.at.now;
        // Its last line may still be completed. One that stands at its name is itself the youngest.
        let may_go_on = !generation.is_over && !generation.is_at_home();
        if lane.counted == 0 || lane.not_before.is_some_and(|time| time > now) {
            let is_unfinished = lane.unfinished_at == Some(generation.size) && !lane.is_gone;
            if is_unfinished && may_go_on {
                return ControlFlow::Break(None);
            }
            *older_time = lane.last_time.max(*older_time);
            return ControlFlow::Continue(());
        }
        let patient_until = generation.still_since() + reading.wait;
        // What a younger file of a path says without a time is not from before the older.
        lane.last_time = lane.last_time.max(*older_time);
        lane.resume(generation, reading.wait);
        let mut filler = Filler {
            encoder: &mut self.plan.encoder,
            reader: self.reader,
            reading,
            metadata: &lane.metadata,
            varying: lane.varying.as_deref(),
            streams: self.plan.naming.streams(),
            placing: &mut self.placing,
            last_time: &mut lane.last_time,
            until,
            skew: &mut lane.skew,
            at: self.at,
        };
        let behind = behind(generation, patient_until, now);
        let done = match filler.fill(generation, lane.read, lane.learned, behind) {
            Ok(done) => done,
            Err(error) => {
                lane.not_before = Some(now + READ_AGAIN_AFTER);
                self.taken.is_unreadable = true;
                self.taken.troubles.push(Next::Unreadable(id, error));
                return ControlFlow::Continue(());
            }
        };
        if done.hole > 0 {
            let begins = !lane.read.is_behind_nuls();
            self.taken.troubles.push(Next::Hole(id, done.hole, begins));
        }
        let is_moved = (done.end.offset, done.learned) != (lane.read.offset, lane.learned);
        if is_moved {
            self.taken.spans.push(Span {
                generation: id,
                start: lane.spanned,
                end: done.end,
                learned: done.learned,
            });
            lane.read = done.end;
            lane.learned = done.learned;
            generation.note_reached(done.end);
        }
        *older_time = lane.last_time;
        lane.note_rest(&done, is_moved, self.at.time);
        let is_held = done.ended == Ended::Drained { is_held: true };
        self.taken.held.push((id, is_held.then_some(patient_until)));
        let is_drained = matches!(done.ended, Ended::Drained { .. });
        let is_stuck = is_drained && done.end.offset < generation.size;
        lane.unfinished_at = is_stuck.then_some(generation.size);
        let has_more = matches!(
            done.ended,
            Ended::Full | Ended::Later(_) | Ended::TooLate(_)
        );
        let left = generation.size.saturating_sub(done.end.offset).max(1);
        let pending = if has_more { left } else { 0 };
        self.stream.pending = self.stream.pending - lane.counted + pending;
        lane.counted = pending;
        lane.next_time = match done.ended {
            Ended::Later(time) | Ended::TooLate(time) => Some(time),
            _ => None,
        };
        if done.ended == Ended::OtherContent {
            self.taken.troubles.push(Next::OtherContent(id));
        }
        if has_more {
            ControlFlow::Break(Some(done.ended))
        } else if is_stuck && may_go_on {
            ControlFlow::Break(None)
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Lane {
    /// What comes long after everything was given out continues no record, and where it says no time, it
    /// is of that at which it was seen, or of the next record's, as at the beginning of a file.
    fn resume(&mut self, generation: &Generation, wait: Duration) {
        let (offset, times) = (self.read.offset, &generation.times);
        let Some(seen) = times.oldest_from(offset).filter(|_| times.is_live(offset)) else {
            return;
        };
        let long = (wait * LONG_STILL).max(LEAST_STILL).as_nanos();
        let is_long = |rested: Time| i128::from(seen.nanos_since(rested)) > long.cast_signed();
        if self.rested_at.is_some_and(is_long) {
            self.rested_at = None;
            self.learned = self.learned.after_pause();
        }
    }

    /// Notes whether everything was given out by now.
    fn note_rest(&mut self, done: &Filled, is_moved: bool, now: Time) {
        if is_moved {
            let is_at_rest = done.ended == Ended::Drained { is_held: false };
            self.rested_at = is_at_rest.then_some(now);
        }
    }
}

/// What comes behind the end of a file: more of the last record perhaps, for a while.
fn behind(generation: &Generation, patient_until: Instant, now: Instant) -> Behind {
    if generation.is_over {
        Behind::Nothing
    } else if now >= patient_until {
        Behind::Silence
    } else {
        Behind::End
    }
}
