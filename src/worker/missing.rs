//! Files that an earlier run had open and that are there no more: deleted or emptied while nobody
//! looked.
//! Counts what was seen of them and not delivered, and says that the rest is not known. In doubt
//! a file is not missing: a folder that cannot be listed may come back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Worker;
use crate::journal::{Entry, Identity};
use crate::observe::snapshot::utc;
use crate::record::Time;
use crate::source::{Folders, Moment, Place, Whereabouts};
use crate::span::GenerationId;

/// How long bytes are owed before the size of their file is noted in the journal, in nanoseconds:
/// while delivery keeps up, nothing need be noted.
const OWED_FOR_LONG: i64 = 2_000_000_000;
/// Sizes are noted this often at most.
const NOTE_SIZES_EVERY: Duration = Duration::from_secs(5);
/// A listing that is made while names change may leave one out: a file is missing when it was not
/// found twice, with this between.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// What cannot be decided is looked at this often at first, then less and less.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY_AT_LEAST: Duration = Duration::from_mins(5);

/// How a file came to its end.
#[derive(Debug)]
struct End {
    what_happened: &'static str,
    /// As what its bytes are counted.
    reason: &'static str,
}

const DELETED: End = End {
    what_happened: "deleted",
    reason: "deleted_while_away",
};
const EMPTIED: End = End {
    what_happened: "emptied",
    reason: "truncated",
};

/// What is to be found out about missing files, and noted so that another run can.
#[derive(Debug)]
pub(super) struct Missing {
    /// Generations that an earlier run had open and that are not found yet; and whether a look
    /// has said so.
    unfound: BTreeMap<GenerationId, bool>,
    next_look: Instant,
    look_every: Duration,
    sizes_noted: Instant,
    /// Whether a file has owed bytes that the journal does not know to be there.
    has_unnoted: bool,
}

impl Missing {
    /// Nothing is known to be missing.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            unfound: BTreeMap::new(),
            next_look: now,
            look_every: LOOK_EVERY,
            sizes_noted: now,
            has_unnoted: false,
        }
    }

    /// A file has grown.
    pub(super) fn may_owe(&mut self) {
        self.has_unnoted = true;
    }

    /// Whether there is something to look after.
    pub(super) fn is_busy(&self) -> bool {
        self.has_unnoted || self.unfound.values().any(|is_nowhere| *is_nowhere)
    }
}

impl Worker {
    /// After the first look: what was open before and is not now.
    pub(super) fn miss_what_was_open(&mut self) {
        let known = self.journal.state().generations.iter();
        self.missing.unfound = known
            .filter(|(id, known)| known.identity.size.is_some() && self.source.get(**id).is_none())
            .map(|(id, _)| (*id, false))
            .collect();
    }

    /// Looks for what is missing, and tells of what is gone for good.
    pub(super) fn look_for_missing(&mut self, at: Moment) {
        if at.now < self.missing.next_look {
            return;
        }
        let mut wait = self.missing.look_every;
        let mut is_any_unknown = false;
        let mut folders = Folders::default();
        for (id, was_nowhere) in std::mem::take(&mut self.missing.unfound) {
            let known = self.journal.state().generations.get(&id);
            let Some(identity) = known.map(|known| known.identity.clone()) else {
                continue;
            };
            if self.source.has_found(id) {
                continue;
            }
            let of = (id, &identity);
            match (self.source).whereabouts(of, &mut folders, &self.journal, at) {
                Whereabouts::Unknown => {
                    self.missing.unfound.insert(id, false);
                    is_any_unknown = true;
                }
                Whereabouts::Nowhere | Whereabouts::Emptied if !was_nowhere => {
                    self.missing.unfound.insert(id, true);
                    wait = LOOK_AGAIN_AFTER;
                }
                Whereabouts::Nowhere => self.tell_missing(id, &identity, &DELETED, at),
                Whereabouts::Emptied => self.tell_missing(id, &identity, &EMPTIED, at),
                Whereabouts::Elsewhere => self.miss_no_more(id),
                Whereabouts::NotOurs => {}
            }
        }
        self.missing.next_look = at.now + wait;
        if is_any_unknown && wait == self.missing.look_every {
            // Files are compared for it, which may be long.
            self.missing.look_every = (2 * wait).min(LOOK_EVERY_AT_LEAST);
        }
    }

    fn tell_missing(&mut self, id: GenerationId, identity: &Identity, end: &End, at: Moment) {
        let size = identity.size.unwrap_or(0);
        let state = self.journal.state();
        let owed = self.outputs.iter().filter_map(|output| {
            let name = output.dispatcher.name();
            let read = state.read_from(id, name).map(|read| read.position);
            // An output that is new to the input was never owed what is gone.
            let is_owed = read.is_some() || self.opening.was_taken(&identity.input, name);
            is_owed.then(|| size.saturating_sub(read.map_or(0, |it| it.offset)))
        });
        let lost = owed.max().unwrap_or(0);
        let why = format!(
            "the file was {} while it was not held open by a running agent; whether it was written after {} is not known",
            end.what_happened,
            utc(identity.seen)
        );
        if lost == 0 {
            // Most often a log that was done with: nothing is known to be lost.
            let path = identity.path.display();
            tracing::info!(%path, "all that was seen of a file was delivered: {why}");
        } else {
            self.losses
                .note(end.reason, &identity.path, lost, &why, at.time);
        }
        self.miss_no_more(id);
    }

    /// It may turn up again, but it is told only once.
    pub(super) fn miss_no_more(&mut self, id: GenerationId) {
        let Some(known) = self.journal.state().generations.get(&id) else {
            return;
        };
        let identity = Identity {
            size: None,
            ..known.identity.clone()
        };
        self.journal.append(&Entry::Generation(id, identity));
    }

    /// Notes how long files are of which bytes have been owed for a while: what is lost with a
    /// file can only be told by another run when it knows what was there.
    pub(super) fn note_sizes(&mut self, at: Moment) {
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
    pub(super) fn note_all_sizes(&mut self, at: Moment) {
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
