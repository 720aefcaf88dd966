//! Goes on with a generation from another place than where reading stands: what an earlier run
//! delivered is known only now.

use std::time::Instant;

use super::Dispatcher;
use crate::journal::{Cursor, Entry, Journal};
use crate::source::Generation;

impl Dispatcher {
    /// Goes on from a cursor, if nothing of the generation is on its way; else nothing more of it
    /// is read until that is so. Says whether it is done.
    pub(crate) fn go_on_from(
        &mut self,
        cursor: Cursor,
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
            lane.read = cursor.position;
            lane.learned = cursor.learned;
            lane.last_time = cursor.last_time;
            lane.next_time = None;
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
}
