//! Goes on with a generation from another place than where reading stands: what an earlier run
//! delivered is known only now.

use std::time::Instant;

use super::{Dispatcher, Lane};
use crate::journal::{Cursor, Entry, Journal};
use crate::source::Generation;
use crate::span::GenerationId;

/// Where an output goes on in a generation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GoOn {
    /// At this cursor, before what was read: lines were left out between them.
    Back(Cursor),
    /// At this cursor or where reading stands, whichever is further.
    Further(Cursor),
}

impl Dispatcher {
    /// Goes on from another place, if nothing of the generation is on its way; else nothing more
    /// of it is read until that is so. Says whether it is done.
    pub(crate) fn go_on_from(
        &mut self,
        place: GoOn,
        generation: &Generation,
        journal: &mut Journal,
        now: Instant,
    ) -> bool {
        let id = generation.id;
        let Some(lane) = self.lanes.get_mut(&id) else {
            return true;
        };
        let Some(stream) = self.streams.get_mut(&lane.stream) else {
            return true;
        };
        lane.is_halted = stream.is_in_flight(id);
        let is_done = !lane.is_halted;
        if is_done {
            let cursor = match place {
                GoOn::Back(cursor) => cursor,
                GoOn::Further(cursor) => lane.further(cursor),
            };
            lane.read = cursor.position;
            lane.learned = cursor.learned;
            lane.last_time = cursor.last_time;
            lane.next_time = None;
            lane.rested_at = None;
            lane.spanned = cursor.position.offset;
            lane.done = cursor.position.offset;
            lane.unfinished_at = None;
            stream.last_time = stream.last_time.max(cursor.last_time);
            generation.note_reached(cursor.position);
            journal.append(&Entry::Cursor(id, self.plan.name.clone(), cursor));
        }
        if is_done {
            self.hold(id, None);
        }
        self.recount(id, generation.size, generation.is_over, now);
        is_done
    }

    /// How many batches were made with bytes of a generation since it was opened.
    pub(crate) fn batches_of(&self, id: GenerationId) -> u64 {
        self.lanes.get(&id).map_or(0, |lane| lane.batches.into())
    }
}

impl Lane {
    /// Where it stands or this, whichever is further; with all that either run gave out of the pipes of
    /// a container behind that.
    fn further(&self, earlier: Cursor) -> Cursor {
        let own = Cursor {
            position: self.read,
            last_time: self.last_time,
            learned: self.learned,
        };
        let (ahead, behind) = if earlier.position.offset > own.position.offset {
            (earlier, own)
        } else {
            (own, earlier)
        };
        let by = ahead.position.offset - behind.position.offset;
        let learned = ahead.learned;
        let by = usize::try_from(by).unwrap_or(usize::MAX);
        Cursor {
            learned: learned.with_given_of(&behind.learned, by),
            ..ahead
        }
    }
}
