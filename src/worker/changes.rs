//! What follows from a change of a file: lanes are opened, moved on, begun anew, closed.

use std::time::{Duration, Instant};

use super::Worker;
use super::missing::How;
use crate::journal::{Entry, Identity};
use crate::source::generation::room::STILL;
use crate::source::{Change, Generation, Moment, Place};
use crate::span::{GenerationId, Position};

/// How often generations that were not seen for long are looked for in the journal.
const PRUNE_EVERY: Duration = Duration::from_mins(1);
/// More generations than this whose files are not open are not kept: those that were seen longest
/// ago go first, however long that is. A monthly rotation that compresses a month later must
/// still be known, and a clock that is set must forget nothing. It is 16 files with two months of
/// daily rotation, and about half a megabyte of a checkpoint.
const MOST_UNSEEN: usize = 1000;
/// The same of those whose files may only be away, as with a volume that is mounted later: five
/// megabytes of a checkpoint, if they never come back.
const MOST_AWAY: usize = 10_000;

impl Worker {
    pub(super) fn apply(&mut self, changes: Vec<Change>, at: Moment) {
        for change in changes {
            match change {
                Change::Opened(id) => self.open(id, at),
                Change::Grew(id) => self.grew(id, at),
                Change::Over(id) => self.recount(id, at),
                Change::Shrunk(id) if self.is_only_shorter(id) => self.lost_end(id, at),
                Change::Touched(id) if self.is_intact(id) => {}
                Change::Shrunk(id) | Change::Touched(id) => {
                    self.begin_anew(id, at);
                }
                Change::Doubted(id) => self.read_other_content(id, at),
            }
        }
    }

    pub(super) fn open(&mut self, id: GenerationId, at: Moment) {
        if self.source.get(id).is_some_and(|it| it.has_lost_end) {
            self.give_up_idle_of(id);
        }
        let Self {
            source,
            outputs,
            opening,
            journal,
            metrics,
            ..
        } = self;
        let Some(generation) = source.get(id) else {
            return;
        };
        tracing::debug!(path = %generation.path.display(), generation = %id, "opened");
        opening.open(generation, outputs, journal, metrics, at);
        opening.tell_if_twice(generation, source.others_that_read(generation), outputs);
        self.note_activity(at);
    }

    fn grew(&mut self, id: GenerationId, at: Moment) {
        self.missing.may_owe();
        self.recount(id, at);
        self.note_activity(at);
    }

    /// A file holds what was read of it, and lacks its end.
    fn lost_end(&mut self, id: GenerationId, at: Moment) {
        let Some(generation) = self.source.get(id) else {
            return;
        };
        let len = generation.size;
        let mut seen = self.source.last_seen(generation, &self.journal, at);
        let noted = self.journal.state().generations.get(&id);
        let noted = noted.and_then(|known| known.identity.end);
        if let Some(end) = noted.filter(|end| Some(end.offset) == seen.size) {
            // It tells what was cut off from what is written in its place.
            seen.end = Some(end);
        }
        // What it ended with proves nothing any more.
        self.source.note_identity(id, &mut self.journal, at);
        self.miss(id, seen, How::Cut(len), at);
        self.grew(id, at);
    }

    pub(super) fn recount(&mut self, id: GenerationId, at: Moment) {
        let Some(generation) = self.source.get(id) else {
            return;
        };
        for output in &mut self.outputs {
            output.dispatcher.grew(generation, at.now);
        }
    }

    fn note_activity(&mut self, at: Moment) {
        if let Some(ending) = &mut self.ending {
            ending.changed(at.now);
        }
    }

    /// Whether what was read of a file is still there, although it has become shorter or was
    /// written without becoming longer.
    fn is_intact(&self, id: GenerationId) -> bool {
        !self.source.get(id).is_some_and(Generation::is_another)
    }

    /// Whether a file that has become shorter holds what it held: its banner alone does not say so.
    fn is_only_shorter(&self, id: GenerationId) -> bool {
        let generation = self.source.get(id);
        generation.is_some_and(|it| it.is_well_known() && !it.is_another())
    }

    /// An output read other content than it had read before. By the time it says so, another
    /// output may have said the same, and the matter be settled.
    pub(super) fn read_other_content(&mut self, id: GenerationId, at: Moment) {
        if self.is_intact(id) {
            self.recount(id, at);
        } else {
            self.begin_anew(id, at);
        }
    }

    /// The content of a generation is gone; its file begins a new one.
    fn begin_anew(&mut self, id: GenerationId, at: Moment) {
        let Some(generation) = self.source.get(id) else {
            return;
        };
        if generation.place == Place::Gone {
            return;
        }
        let path = generation.path.clone();
        let seen = self.source.last_seen(generation, &self.journal, at);
        let positions = self.read_positions(id);
        let anew = self
            .source
            .begin_anew(id, &positions, &mut self.journal, at);
        if anew.goes_on_in_copy {
            tracing::debug!(path = %path.display(), generation = %id, "the file was emptied; a copy of it is read on");
            self.miss(id, seen, How::Copied, at);
            self.recount(id, at);
        } else {
            tracing::debug!(path = %path.display(), generation = %id, "the file was emptied, and begins anew");
            self.miss(id, seen, How::Emptied, at);
            for output in &mut self.outputs {
                output.dispatcher.abandon(id, at.now);
            }
        }
        self.apply(anew.changes, at);
    }

    /// Up to where each output has read a generation.
    pub(super) fn read_positions(&self, id: GenerationId) -> Vec<Position> {
        let outputs = self.outputs.iter();
        outputs
            .filter_map(|output| output.dispatcher.read_position(id))
            .collect()
    }

    /// Closes a generation everywhere.
    pub(super) fn close(&mut self, id: GenerationId, at: Moment) {
        for output in &mut self.outputs {
            output.dispatcher.close(id, at.now);
        }
        self.source.close(id);
    }

    /// Whether every output has all of a file.
    pub(super) fn is_delivered(&self, generation: &Generation) -> bool {
        let mut outputs = self.outputs.iter();
        outputs.all(|it| it.dispatcher.is_finished(generation))
    }

    /// Closes a file of which all is delivered.
    pub(super) fn close_delivered(&mut self, id: GenerationId, at: Moment) {
        let place = self.source.get(id).map_or("", |it| it.place.name());
        self.note_closed(id, at);
        self.close(id, at);
        tracing::debug!(generation = %id, place, "closed: all of it is delivered");
    }

    /// Closes what is over and delivered, and tries again what could not be read.
    pub(super) fn tidy(&mut self, at: Moment) {
        let outputs = &self.outputs;
        self.source.forget_readable(|id| {
            let mut outputs = outputs.iter();
            outputs.any(|output| output.dispatcher.is_unreadable(id))
        });
        for output in &mut self.outputs {
            output.dispatcher.try_again(at.now);
        }
        let may_close = self.source.generations().filter(|it| it.may_close(at.now));
        let finished = may_close.filter(|it| self.is_delivered(it));
        let finished = finished.map(|it| it.id).collect();
        for id in self.source.done_with(finished, at) {
            self.close_delivered(id, at);
        }
        self.let_go_of_deleted(at);
        self.make_room(at);
        self.note_sizes(at);
        self.look_for_missing(at);
        self.look_for_unread(at);
        self.end_past(at);
        let outputs = &self.outputs;
        self.source.forget_old_times(|id| {
            let progress = outputs
                .iter()
                .filter_map(|output| output.dispatcher.progress(id));
            progress.map(|progress| progress.done).min()
        });
        if at.now >= self.prune_at {
            self.prune_at = at.now + PRUNE_EVERY;
            self.prune();
            self.give_up_old_idle(at);
        }
    }

    /// Lets the last lines of past files that wait for their ends go as they are.
    fn end_past(&mut self, at: Moment) {
        let outputs = self.outputs.iter();
        let unfinished = outputs.flat_map(|output| output.dispatcher.unfinished());
        let changes = self.source.end_past(&unfinished.collect(), at);
        self.apply(changes, at);
    }

    /// Closes delivered files while others wait to be opened.
    pub(super) fn make_room(&mut self, at: Moment) {
        let waiting = self.source.waiting();
        if waiting == 0 {
            return;
        }
        // At the end there is no time to wait for who writes on.
        let for_nanos = if self.ending.is_some() { 0 } else { STILL };
        let still = self.source.still_files(for_nanos, at).into_iter();
        let is_delivered = |id: &GenerationId| {
            let generation = self.source.get(*id);
            generation.is_some_and(|it| self.is_delivered(it))
        };
        let aside = still.filter(is_delivered);
        let aside = aside.filter(|id| self.source.may_put_aside(*id));
        let aside: Vec<_> = aside.take(waiting).collect();
        for id in aside {
            self.note_closed(id, at);
            for output in &mut self.outputs {
                output.dispatcher.close(id, at.now);
            }
            self.source.put_aside(id);
        }
        self.source.admit_waiting();
    }

    /// A generation is about to be closed. It is not forgotten: a copy of it, perhaps compressed,
    /// may turn up as much later as the next rotation.
    pub(super) fn note_closed(&mut self, id: GenerationId, at: Moment) {
        let place = self.source.get(id).map(|it| it.place);
        if let Some(known) = self.journal.state().generations.get(&id) {
            let identity = Identity {
                seen: at.time,
                is_gone: matches!(place, Some(Place::Deleted | Place::Gone)),
                size: known.identity.size.filter(|_| self.missing.misses(id)),
                ..known.identity.clone()
            };
            self.journal.append(&Entry::Generation(id, identity));
        }
    }

    /// What was deleted or emptied away and is delivered is in no file that the next run finds under
    /// the same name, however alike.
    pub(super) fn note_deleted(&mut self, at: Moment) {
        let is_gone = |it: &&Generation| matches!(it.place, Place::Deleted | Place::Gone);
        let gone = self.source.generations().filter(is_gone);
        let gone = gone.filter(|it| self.is_delivered(it));
        let gone: Vec<_> = gone.map(|it| it.id).collect();
        for id in gone {
            self.note_closed(id, at);
        }
    }

    /// Forgets the generations that were seen longest ago, when they are too many.
    fn prune(&mut self) {
        // Those that wait to be opened, or to be judged, may be any of them.
        if self.source.is_short_of_room() || self.source.has_deferred() {
            return;
        }
        let aside = self.source.put_aside_by_now();
        let mut unseen: Vec<_> = self
            .journal
            .state()
            .generations
            .iter()
            .filter(|(id, _)| !self.source.knows(**id) && !aside.contains(*id))
            .map(|(id, known)| (known.identity.seen, *id, &known.identity))
            .collect();
        if unseen.len() <= MOST_UNSEEN {
            return;
        }
        unseen.sort_unstable_by_key(|(seen, id, _)| (*seen, *id));
        let (away, unseen): (Vec<_>, Vec<_>) = unseen
            .into_iter()
            .partition(|(.., identity)| self.source.may_be_away(identity));
        let too_many = [(away, MOST_AWAY), (unseen, MOST_UNSEEN)].map(|(ids, most)| {
            let count = ids.len().saturating_sub(most);
            ids.into_iter().take(count).map(|(_, id, _)| id)
        });
        let too_many: Vec<_> = too_many.into_iter().flatten().collect();
        for id in too_many {
            self.journal.append(&Entry::Forget(id));
            self.source.forget(id);
        }
    }

    /// When [`Worker::tidy`] has something to do.
    pub(super) fn next_tidy(&self) -> Option<Instant> {
        let has_loose_ends = !self.source.are_all_settled();
        let is_waiting = self
            .outputs
            .iter()
            .any(|output| output.dispatcher.has_unreadable());
        let is_short = self.source.is_short_of_room();
        let is_busy = has_loose_ends || is_waiting || is_short || self.missing.has_unnoted();
        let looks = self.missing.next_look().into_iter();
        let next_look = looks.chain(self.next_look_for_unread()).min();
        let next_look = next_look.map(|due| due.max(self.tidy_at));
        is_busy.then_some(self.tidy_at).or(next_look)
    }
}
