//! Notes in the journal how long files are: what is lost with a file can only be told by another run
//! when it knows what was there.

use std::time::Duration;

use crate::record::Time;
use crate::source::{Moment, Place};
use crate::span::GenerationId;
use crate::worker::Worker;

/// How long bytes are owed before the size of their file is noted in the journal, in nanoseconds:
/// while delivery keeps up, nothing need be noted.
const OWED_FOR_LONG: i64 = 2_000_000_000;
/// Sizes are noted this often at most.
const NOTE_SIZES_EVERY: Duration = Duration::from_secs(5);

impl Worker {
    /// Notes how long files are of which bytes have been owed for a while: what is lost with a
    /// file can only be told by another run when it knows what was there.
    pub(in crate::worker) fn note_sizes(&mut self, at: Moment) {
        if !self.missing.has_unnoted
            || at.now.duration_since(self.missing.sizes_noted) < NOTE_SIZES_EVERY
        {
            return;
        }
        let unnoted = self.unnoted();
        let is_due = |owed_since: &Time| at.time.nanos_since(*owed_since) >= OWED_FOR_LONG;
        let (due, early): (Vec<_>, Vec<_>) = unnoted.into_iter().partition(|(_, it)| is_due(it));
        self.missing.has_unnoted = !early.is_empty();
        if !due.is_empty() {
            self.missing.sizes_noted = at.now;
            self.note_sizes_of(due, at);
        }
    }

    /// The same at the end, for all.
    pub(in crate::worker) fn note_all_sizes(&mut self, at: Moment) {
        let unnoted = self.unnoted();
        self.note_sizes_of(unnoted, at);
        self.journal.commit(at.now);
    }

    fn note_sizes_of(&mut self, generations: Vec<(GenerationId, Time)>, at: Moment) {
        for (id, _) in generations {
            self.source.note_identity(id, &mut self.journal, at);
        }
    }

    /// Files of which bytes are owed and whose size is another than noted; and since when.
    fn unnoted(&self) -> Vec<(GenerationId, Time)> {
        let known = &self.journal.state().generations;
        let is_noted = |id, size| {
            let known = known.get(&id);
            known.is_some_and(|known| known.identity.size == Some(size))
        };
        let open = self.source.generations();
        open.filter(|it| it.place != Place::Gone && !is_noted(it.id, it.size))
            .filter_map(|it| {
                let outputs = self.outputs.iter();
                let progress = outputs.filter_map(|output| output.dispatcher.progress(it.id));
                let done = progress.map(|progress| progress.done).min();
                let done = done.filter(|done| *done < it.size)?;
                Some((it.id, it.times.oldest_from(done)?))
            })
            .collect()
    }
}
