//! Who reads next, and into which batch. Owns, for one output, how far each generation is read
//! and delivered, and when a batch is due. The file is the buffer: nothing is read before its
//! batch is due and the memory for it is there.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::{Batch, BatchId, Encoder, StreamId, StreamName};
use crate::journal::{Entry, Journal};
use crate::record::Time;
use crate::record::cut::Learned;
use crate::record::skew::Skew;
use crate::source::{Generation, Source};
use crate::span::{GenerationId, Position};
pub(crate) use moving::GoOn;
use naming::Naming;
pub(crate) use reading::{Counters, EmfCounters, Reading};
pub(crate) use room::MOST_ON_THE_WAY;
use room::{Place, Room};
use stream::Stream;
use varying::Varying;

mod admission;
mod batching;
pub(crate) mod containers;
mod fill;
mod moving;
pub(crate) mod naming;
mod opening;
mod placing;
mod reading;
mod room;
mod sanitised;
mod schedule;
mod seen;
mod stream;
mod taking;
mod values;
mod varying;

/// After a file could not be read, it is tried again after this long.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// So many batches of an output go out at most, however small they are.
const MAX_BATCHES: usize = 256;

/// Of so many streams that are not fed the last time is remembered, of the latest ones.
const MOST_ENDED: usize = 1000;

/// What an output asks of its batches.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The output's name.
    pub(crate) name: String,
    /// What its streams are called.
    pub(crate) naming: Naming,
    /// Makes its batches.
    pub(crate) encoder: Encoder,
    /// This many bytes are worth a batch at once.
    pub(crate) max_bytes: u64,
    /// Nothing waits longer than this for its batch.
    pub(crate) max_wait: Duration,
    /// For each input, how it is read; nothing where this output does not take it.
    pub(crate) readings: Vec<Option<Reading>>,
    /// Most bytes of bodies in memory.
    pub(crate) budget: usize,
    /// So long after it went out a request may still be carried out; zero where a second one does
    /// no harm.
    pub(crate) deadline: Duration,
}

/// The reading side of one output.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    plan: Plan,
    lanes: HashMap<GenerationId, Box<Lane>>,
    streams: BTreeMap<StreamId, Box<Stream>>,
    by_name: HashMap<Arc<StreamName>, StreamId>,
    /// Up to which time streams were filled that nothing feeds at the moment.
    ended: HashMap<Arc<StreamName>, Time>,
    schedule: BTreeSet<(Instant, StreamId)>,
    room: Room,
    next_stream: u32,
    is_flushing: bool,
    /// A file could not be read, and may still wait to be tried again.
    has_unreadable: bool,
    /// Files whose last record may go on, by when it is given out all the same.
    held: BTreeSet<(Instant, GenerationId)>,
    /// What went wrong beside a batch, still to be told.
    troubles: VecDeque<Next>,
}

/// One output's way through one generation.
#[derive(Debug)]
struct Lane {
    stream: StreamId,
    origin: Arc<Path>,
    metadata: Vec<u8>,
    /// What of labels and metadata differs by record.
    varying: Option<Box<Varying>>,
    /// Whether its lines are read in a wrong zone.
    skew: Skew,
    /// Up to here it is in batches.
    read: Position,
    /// What was learned of the records up to there.
    learned: Learned,
    /// The time of the last record, as far as one is known; those without one go on from it.
    last_time: Time,
    /// The next record is known to be of this time.
    next_time: Option<Time>,
    /// Up to here it is in spans of batches, or the cursor stands here.
    spanned: u64,
    /// When its last record, which may go on, is given out all the same.
    held_until: Option<Instant>,
    /// When everything of it was given out, where nothing was read since.
    rested_at: Option<Time>,
    /// Up to here it is delivered without holes.
    done: u64,
    /// What is counted of it as pending in the stream.
    counted: u64,
    /// The file ended here in the middle of a line.
    unfinished_at: Option<u64>,
    /// The content is no more.
    is_gone: bool,
    /// It is to go on from another place, once nothing of it is on its way.
    is_halted: bool,
    /// So many batches were made with bytes of it.
    batches: u32,
    not_before: Option<Instant>,
}

impl Lane {
    /// The first byte that is not delivered and may be taken.
    fn owed_from(&self) -> u64 {
        let is_all_but_a_part = self.done == self.read.offset && self.held_until.is_none();
        let part_until = self.unfinished_at.filter(|_| is_all_but_a_part);
        part_until.unwrap_or(self.done)
    }
}

/// What came of asking for a batch.
#[derive(Debug)]
pub(crate) enum Next {
    /// A batch, to be sent.
    Batch(Batch),
    /// Nothing is due, or it would not fit into memory yet.
    Nothing,
    /// A file holds other content than was read of it: it begins anew.
    OtherContent(GenerationId),
    /// So many bytes of a hole in a file were skipped, and whether they are its
    /// first.
    Hole(GenerationId, u64, bool),
    /// A file cannot be read.
    Unreadable(GenerationId, std::io::Error),
}

/// Where an output begins with a generation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Start {
    /// The first byte that is not yet in a batch, with the proof of what is before it.
    pub(crate) read: Position,
    /// Up to here it is delivered.
    pub(crate) done: u64,
    /// The time of the last record in a batch.
    pub(crate) last_time: Time,
    /// What was learned of the records up to there.
    pub(crate) learned: Learned,
}

/// How far one output is with one generation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Up to here it is in batches.
    pub(crate) read: u64,
    /// Up to here it is delivered.
    pub(crate) done: u64,
}

impl Dispatcher {
    /// A dispatcher with nothing to do yet.
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            room: Room::new(plan.budget, plan.encoder.largest_body()),
            plan,
            lanes: HashMap::new(),
            streams: BTreeMap::new(),
            by_name: HashMap::new(),
            ended: HashMap::new(),
            schedule: BTreeSet::new(),
            next_stream: 0,
            is_flushing: false,
            has_unreadable: false,
            held: BTreeSet::new(),
            troubles: VecDeque::new(),
        }
    }

    /// The output's name.
    pub(crate) fn name(&self) -> &str {
        &self.plan.name
    }

    /// What its streams are called.
    pub(crate) fn naming(&mut self) -> &mut Naming {
        &mut self.plan.naming
    }

    /// Whether this output takes that input.
    pub(crate) fn takes(&self, input: usize) -> bool {
        self.plan.readings.get(input).is_some_and(Option::is_some)
    }

    /// Whether this output can send a batch of that stream.
    pub(crate) fn can_send(&self, stream: &StreamName) -> bool {
        matches!(
            (&self.plan.encoder, stream),
            (Encoder::Loki(_), StreamName::Loki { .. })
                | (Encoder::CloudWatch(_), StreamName::CloudWatch { .. })
        )
    }

    /// A batch is delivered: says so to the journal, which moves the cursors.
    pub(crate) fn delivered(
        &mut self,
        stream_id: StreamId,
        batch: BatchId,
        journal: &mut Journal,
        now: Instant,
    ) {
        let Some(stream) = self.streams.get_mut(&stream_id) else {
            return;
        };
        let Some(done) = stream.delivered(batch) else {
            return;
        };
        self.room.remove(done.body_len, done.place);
        journal.append(&Entry::Acknowledge(batch));
        for span in done.spans {
            let cursor = journal.state().cursor_of(span.generation, &self.plan.name);
            if let (Some(lane), Some(cursor)) = (self.lanes.get_mut(&span.generation), cursor) {
                lane.done = cursor.position.offset;
            }
            self.move_cursor(span.generation, journal);
        }
        self.remove_if_unused(stream_id);
        self.reschedule(stream_id, now);
    }

    /// What is left of a batch waits for others of its stream: there may be one more.
    pub(crate) fn stuck(&mut self, stream_id: StreamId, batch: BatchId, now: Instant) {
        if let Some(stream) = self.streams.get_mut(&stream_id) {
            stream.note_stuck(batch);
        }
        self.reschedule(stream_id, now);
    }

    /// The stream of a batch waits for somebody. Returns whether the body of the batch, if the
    /// journal has it, is to lie there alone from now on.
    pub(crate) fn waits(
        &mut self,
        stream_id: StreamId,
        batch: BatchId,
        is_in_journal: bool,
    ) -> bool {
        let stream = self.streams.get_mut(&stream_id);
        let Some(batch) = stream.and_then(|it| it.on_its_way(batch)) else {
            return false;
        };
        let is_put_away = is_in_journal && self.room.may_put_away(batch.body_len);
        self.room.remove(batch.body_len, batch.place);
        batch.place = if is_put_away {
            Place::Away
        } else {
            Place::Waiting
        };
        self.room.add(batch.body_len, batch.place);
        is_put_away
    }

    fn remove_if_unused(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get(&id)
            && stream.is_unused()
        {
            self.by_name.remove(&stream.name);
            let (name, last_time) = (Arc::clone(&stream.name), stream.last_time);
            if let Some(due) = stream.due {
                self.schedule.remove(&(due, id));
            }
            self.streams.remove(&id);
            self.note_ended(name, last_time);
        }
    }

    /// A stream is filled up to this time: should it be fed again, time goes on from there.
    pub(crate) fn note_ended(&mut self, name: Arc<StreamName>, last_time: Time) {
        let open = self.by_name.get(&name);
        if let Some(stream) = open.and_then(|id| self.streams.get_mut(id)) {
            stream.last_time = last_time.max(stream.last_time);
            return;
        }
        let known = self.ended.entry(name).or_default();
        *known = last_time.max(*known);
        if self.ended.len() > MOST_ENDED
            && let Some(oldest) = self.ended.iter().min_by_key(|(_, time)| **time)
        {
            let oldest = Arc::clone(oldest.0);
            self.ended.remove(&oldest);
        }
    }

    /// Up to where a generation is read, with the proof of what was there.
    pub(crate) fn read_position(&self, id: GenerationId) -> Option<Position> {
        self.lanes.get(&id).map(|lane| lane.read)
    }

    /// The content of a generation is no more.
    pub(crate) fn abandon(&mut self, id: GenerationId, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.is_gone = true;
        }
        self.hold(id, None);
        self.recount(id, 0, false, now);
        self.give_turn_behind(id, now);
    }

    /// Younger generations of a path may have had their turn while they waited for this one: they
    /// have another.
    fn give_turn_behind(&mut self, id: GenerationId, now: Instant) {
        let Some(lane) = self.lanes.get(&id) else {
            return;
        };
        let (stream_id, origin) = (lane.stream, Arc::clone(&lane.origin));
        if let Some(stream) = self.streams.get_mut(&stream_id) {
            let of_path = stream.generations_of(&origin).into_iter();
            let mut lanes = of_path.filter_map(|it| self.lanes.get(&it));
            if lanes.any(|it| it.counted > 0) {
                stream.make_ready(&origin);
                stream.pending_since.get_or_insert(now);
            }
        }
        self.reschedule(stream_id, now);
    }

    /// Whether nothing of a generation is waiting or on its way.
    pub(crate) fn is_finished(&self, generation: &Generation) -> bool {
        let Some(lane) = self.lanes.get(&generation.id) else {
            return true;
        };
        let is_read = !lane.is_halted && (lane.is_gone || lane.read.offset >= generation.size);
        let in_flight = self
            .streams
            .get(&lane.stream)
            .is_some_and(|it| it.is_in_flight(generation.id));
        is_read && !in_flight
    }

    /// Forgets a generation.
    pub(crate) fn close(&mut self, id: GenerationId, now: Instant) {
        self.abandon(id, now);
        let Some(lane) = self.lanes.remove(&id) else {
            return;
        };
        let Some(stream) = self.streams.get_mut(&lane.stream) else {
            return;
        };
        stream.remove(&lane.origin, id);
        self.remove_if_unused(lane.stream);
    }

    /// Whether every complete line is delivered.
    pub(crate) fn is_drained(&self) -> bool {
        self.held.is_empty()
            && self
                .streams
                .values()
                .all(|stream| stream.pending == 0 && stream.in_flight() == 0)
    }

    /// How far this output is with a generation.
    pub(crate) fn progress(&self, id: GenerationId) -> Option<Progress> {
        self.lanes.get(&id).map(|lane| Progress {
            read: lane.read.offset,
            done: lane.done,
        })
    }

    /// Bytes not yet delivered, and when the oldest of them was written that may be taken: what
    /// is there of a line without its end waits for its writer, not for us.
    pub(crate) fn lag(&self, source: &Source) -> (u64, Option<Time>) {
        let mut bytes = 0;
        let mut oldest: Option<Time> = None;
        for (id, lane) in &self.lanes {
            let Some(generation) = source.get(*id) else {
                continue;
            };
            let of_lane = if lane.is_gone {
                0
            } else {
                generation.size.saturating_sub(lane.done)
            };
            if of_lane > 0 {
                bytes += of_lane;
                let from = lane.owed_from();
                let is_owed = from < generation.size;
                let time = is_owed
                    .then(|| generation.times.oldest_from(from))
                    .flatten();
                oldest = match (oldest, time) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        (bytes, oldest)
    }

    /// Bytes of bodies on their way, and how many batches.
    pub(crate) fn in_flight(&self) -> (usize, usize) {
        self.room.on_the_way()
    }

    /// How many streams are fed.
    pub(crate) fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// Gives the buffers back to the system.
    pub(crate) fn shrink(&mut self) {
        self.plan.encoder.shrink();
        for reading in self.plan.readings.iter_mut().flatten() {
            reading.shrink();
        }
    }
}
