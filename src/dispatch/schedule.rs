//! When the next batch of a stream is due: what waits in the files, what is held back, what could
//! not be read, and whether there is room in memory.

use std::time::Instant;

use super::Dispatcher;
use crate::batch::StreamId;
use crate::source::{Generation, Source};
use crate::span::GenerationId;

impl Dispatcher {
    /// There is more of a generation, or its last line is complete now.
    pub(crate) fn grew(&mut self, generation: &Generation, now: Instant) {
        self.recount(generation.id, generation.size, generation.is_over, now);
    }

    /// Brings the stream's account of a lane up to date, and with it the schedule.
    pub(super) fn recount(&mut self, id: GenerationId, size: u64, is_over: bool, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let Some(stream) = self.streams.get_mut(&lane.stream) else {
            return;
        };
        let is_stuck = lane.unfinished_at == Some(size) && !is_over;
        let pending = if lane.is_gone || lane.is_halted || is_stuck {
            0
        } else {
            size.saturating_sub(lane.read.offset)
        };
        stream.pending = stream.pending - lane.counted + pending;
        lane.counted = pending;
        if pending > 0 {
            stream.make_ready(&lane.origin);
            stream.pending_since.get_or_insert(now);
        }
        let stream_id = lane.stream;
        self.reschedule(stream_id, now);
    }

    pub(super) fn reschedule(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if let Some(due) = stream.due.take() {
            self.schedule.remove(&(due, id));
        }
        if !stream.has_room() || !stream.has_ready() {
            return;
        }
        let Some(since) = stream.pending_since else {
            return;
        };
        let is_worth_it = stream.pending >= self.plan.max_bytes || self.is_flushing;
        let due = if is_worth_it {
            now
        } else {
            since + self.plan.max_wait
        };
        stream.due = Some(due);
        self.schedule.insert((due, id));
    }

    /// The files that end in the middle of a line.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = GenerationId> {
        let unfinished = self.lanes.iter();
        let unfinished = unfinished.filter(|(_, lane)| lane.unfinished_at.is_some());
        unfinished.map(|(id, _)| *id)
    }

    /// Whether all but a line without an end was read of a file that was so long.
    pub(crate) fn is_unfinished_at(&self, id: GenerationId, size: u64) -> bool {
        let lane = self.lanes.get(&id);
        lane.is_some_and(|lane| lane.unfinished_at == Some(size))
    }

    /// Whether a file could not be read when that was last tried.
    pub(crate) fn is_unreadable(&self, id: GenerationId) -> bool {
        let lane = self.lanes.get(&id);
        lane.is_some_and(|lane| lane.not_before.is_some())
    }

    /// Tries the files again that could not be read a while ago.
    pub(crate) fn try_again(&mut self, now: Instant) {
        if !self.has_unreadable {
            return;
        }
        let waiting: Vec<_> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.not_before.is_some_and(|time| time <= now))
            .map(|(id, lane)| (*id, lane.stream))
            .collect();
        for (id, stream_id) in waiting {
            if let Some(lane) = self.lanes.get_mut(&id)
                && let Some(stream) = self.streams.get_mut(&stream_id)
            {
                lane.not_before = None;
                stream.make_ready(&lane.origin);
                stream.pending_since.get_or_insert(now);
            }
            self.reschedule(stream_id, now);
        }
        self.has_unreadable = self.lanes.values().any(|lane| lane.not_before.is_some());
    }

    /// Whether a file waits to be tried again.
    pub(crate) fn has_unreadable(&self) -> bool {
        self.has_unreadable
    }

    /// From now on everything is due at once.
    pub(crate) fn flush(&mut self, now: Instant) {
        self.is_flushing = true;
        let ids: Vec<_> = self.streams.keys().copied().collect();
        for id in ids {
            self.reschedule(id, now);
        }
    }

    /// When the next batch is due, if memory permits one.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        if !self.room.has_room() {
            return None;
        }
        let due = self.schedule.first().map(|&(due, _)| due);
        let released = self.held.first().map(|&(due, _)| due);
        match (due, released) {
            (Some(due), Some(released)) => Some(due.min(released)),
            (due, released) => due.or(released),
        }
    }

    /// Files whose last record has waited long enough for more are read at once.
    pub(super) fn release_held(&mut self, source: &Source, now: Instant) {
        while let Some(&(due, id)) = self.held.first()
            && due <= now
        {
            self.held.pop_first();
            let (Some(lane), Some(generation)) = (self.lanes.get_mut(&id), source.get(id)) else {
                continue;
            };
            lane.held_until = None;
            lane.unfinished_at = None;
            if let Some(stream) = self.streams.get_mut(&lane.stream) {
                // It waited already.
                stream.pending_since = now.checked_sub(self.plan.max_wait);
            }
            self.recount(id, generation.size, generation.is_over, now);
        }
    }

    /// Notes until when the last record of a file is held back, or that none is.
    pub(super) fn hold(&mut self, id: GenerationId, until: Option<Instant>) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if let Some(before) = lane.held_until.take() {
            self.held.remove(&(before, id));
        }
        lane.held_until = until;
        self.held.extend(until.map(|until| (until, id)));
    }
}
