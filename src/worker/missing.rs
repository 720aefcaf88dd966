//! Contents that are not in their files any more: deleted or emptied, while nobody looked or before
//! they were read. Counts what was seen of them and not delivered, once it is sure that no other
//! file holds it. In doubt a content is not missing: a folder that cannot be listed may come back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Worker;
use crate::journal::{Entry, Identity};
use crate::source::{Folders, Generation, Moment, Place, Whereabouts};
use crate::span::GenerationId;
use unread::Unread;

mod sizes;
mod telling;
mod unread;

/// A listing that is made while names change may leave one out: a content is missing when it was not
/// found twice, with this between.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// What cannot be decided is looked at this often at first, then less and less.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY_AT_LEAST: Duration = Duration::from_mins(5);

/// How a content came to be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// An earlier run had its file open, and no name leads to it.
    Away,
    /// Its file was emptied.
    Emptied,
    /// The same, and it is read on in a copy, which may lack its end.
    Copied,
    /// Its end was cut off: what is behind so many bytes.
    Cut(u64),
}

/// A content that is not in its file.
#[derive(Debug)]
struct Absent {
    how: How,
    /// What was known of it; its size is how much of it was seen.
    seen: Identity,
    /// How far each output had read it in this run, by name.
    read: BTreeMap<String, u64>,
    /// A look has not found it.
    is_nowhere: bool,
    next_look: Instant,
    look_every: Duration,
}

impl Absent {
    fn new(how: How, seen: Identity, read: BTreeMap<String, u64>, now: Instant) -> Self {
        Self {
            how,
            seen,
            read,
            is_nowhere: false,
            next_look: now,
            look_every: LOOK_EVERY,
        }
    }

    /// To be looked for again, later each time: files are compared for it, which may be long.
    fn look_later(mut self, now: Instant) -> Self {
        self.is_nowhere = false;
        self.next_look = now + self.look_every;
        self.look_every = (2 * self.look_every).min(LOOK_EVERY_AT_LEAST);
        self
    }
}

/// What is to be found out about missing contents, and noted so that another run can.
#[derive(Debug)]
pub(super) struct Missing {
    absent: BTreeMap<GenerationId, Absent>,
    sizes_noted: Instant,
    /// Whether a file has owed bytes that the journal does not know to be there.
    has_unnoted: bool,
    unread: Unread,
}

impl Missing {
    /// Nothing is known to be missing.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            absent: BTreeMap::new(),
            sizes_noted: now,
            has_unnoted: false,
            unread: Unread::new(now),
        }
    }

    /// A file has grown.
    pub(super) fn may_owe(&mut self) {
        self.has_unnoted = true;
    }

    /// Whether sizes are to be noted.
    pub(super) fn has_unnoted(&self) -> bool {
        self.has_unnoted
    }

    /// Whether a content is looked for.
    pub(super) fn misses(&self, id: GenerationId) -> bool {
        self.absent.contains_key(&id)
    }

    /// When something is to be looked for.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.absent.values().map(|it| it.next_look).min()
    }
}

impl Worker {
    /// After the first look: what was open before and is not now.
    pub(super) fn miss_what_was_open(&mut self, now: Instant) {
        let absent = &mut self.missing.absent;
        absent.retain(|_, it| it.how != How::Away);
        for (id, known) in &self.journal.state().generations {
            let identity = &known.identity;
            let how = match self.source.get(*id) {
                None => identity.size.map(|_| How::Away),
                // Its end was cut off, in this absence or right before.
                Some(open) if open.is_at_home() => identity.missed.map(|_| How::Cut(open.size)),
                // The run that read it on in a copy was killed before it was decided.
                Some(_) => identity.missed.map(|_| How::Copied),
            };
            let Some(how) = how else {
                continue;
            };
            absent.entry(*id).or_insert_with(|| {
                let seen = Identity {
                    size: identity.missed.max(identity.size),
                    ..identity.clone()
                };
                Absent::new(how, seen, BTreeMap::new(), now)
            });
        }
    }

    /// A content, of which so much was `seen`, is not in its file any more.
    pub(super) fn miss(&mut self, id: GenerationId, seen: Identity, how: How, at: Moment) {
        let size = seen.size;
        let read = self.outputs.iter().filter_map(|output| {
            let lane = &output.dispatcher;
            // A writer may take back a line that it has not ended.
            let has_all = matches!(how, How::Cut(_)) && lane.is_unfinished_at(id, size?);
            let read = lane.read_position(id)?.offset;
            let read = size.filter(|_| has_all).unwrap_or(read);
            Some((lane.name().to_owned(), read))
        });
        let mut absent = Absent::new(how, seen, read.collect(), at.now);
        if self.lost_of(id, &absent) == 0 {
            return;
        }
        if let Some(before) = self.missing.absent.get(&id)
            && before.seen.size > absent.seen.size
        {
            // It was read on in a copy, and what that lacked is missing still.
            absent.seen.clone_from(&before.seen);
        }
        // Another run is to know of it, should this one be killed before it is decided.
        let identity = match self.journal.state().generations.get(&id) {
            Some(known) if how != How::Emptied => Identity {
                missed: absent.seen.size,
                ..known.identity.clone()
            },
            _ => Identity {
                is_gone: true,
                missed: None,
                ..absent.seen.clone()
            },
        };
        self.journal.append(&Entry::Generation(id, identity));
        self.missing.absent.insert(id, absent);
    }

    /// Looks for what is missing, and tells of what is gone for good.
    pub(super) fn look_for_missing(&mut self, at: Moment) {
        let absent = self.missing.absent.iter();
        let due = absent.filter(|(_, it)| it.next_look <= at.now);
        let due: Vec<_> = due.map(|(id, _)| *id).collect();
        let mut folders = Folders::default();
        for id in due {
            let Some(mut absent) = self.missing.absent.remove(&id) else {
                continue;
            };
            match self.whereabouts(id, &absent, &mut folders, at) {
                Some(Whereabouts::Unknown) => {
                    let absent = absent.look_later(at.now);
                    self.missing.absent.insert(id, absent);
                }
                Some(Whereabouts::Nowhere | Whereabouts::Emptied) if !absent.is_nowhere => {
                    absent.is_nowhere = true;
                    absent.next_look = at.now + LOOK_AGAIN_AFTER;
                    self.missing.absent.insert(id, absent);
                }
                Some(found @ (Whereabouts::Nowhere | Whereabouts::Emptied)) => {
                    self.tell_missing(id, &absent, found, at);
                }
                Some(Whereabouts::Elsewhere) | None => self.miss_no_more(id),
                Some(Whereabouts::NotOurs) => {}
            }
        }
    }

    /// At the end of a run: tells of what this run had and that is nowhere by now.
    pub(super) fn tell_all_missing(&mut self, at: Moment) {
        let mut folders = Folders::default();
        for (id, absent) in std::mem::take(&mut self.missing.absent) {
            if absent.how == How::Away {
                // Another run will decide it.
                continue;
            }
            let found = self.whereabouts(id, &absent, &mut folders, at);
            if let Some(found @ (Whereabouts::Nowhere | Whereabouts::Emptied)) = found {
                self.tell_missing(id, &absent, found, at);
            }
        }
    }

    /// Where what is missing is; nothing when it was found.
    fn whereabouts(
        &self,
        id: GenerationId,
        absent: &Absent,
        folders: &mut Folders,
        at: Moment,
    ) -> Option<Whereabouts> {
        let is_found = match absent.how {
            How::Away => self.source.has_found(id),
            // What is read on in a copy may lack its end.
            How::Emptied | How::Copied | How::Cut(_) => self.lost_of(id, absent) == 0,
        };
        let of = (id, &absent.seen);
        (!is_found).then(|| self.source.whereabouts(of, folders, &self.journal, at))
    }

    /// How many bytes that were seen some output will never get, should no other file hold them.
    fn lost_of(&self, id: GenerationId, absent: &Absent) -> u64 {
        let copy = self.source.get(id).filter(|it| it.place != Place::Gone);
        let held = match absent.how {
            How::Cut(len) => len,
            How::Away | How::Emptied | How::Copied => copy.map_or(0, |it| it.size),
        };
        let state = self.journal.state();
        let seen = &absent.seen;
        let owed = self.outputs.iter().filter_map(|output| {
            let name = output.dispatcher.name();
            let sealed = state.read_from(id, name).map(|read| read.position.offset);
            let read = absent.read.get(name).copied().max(sealed);
            // An output that is new to the input was never owed what is gone.
            let is_owed = read.is_some() || self.opening.was_taken(&seen.input, name);
            let size = seen.size.unwrap_or(0);
            is_owed.then(|| size.saturating_sub(read.unwrap_or(0).max(held)))
        });
        owed.max().unwrap_or(0)
    }

    /// It may turn up again, but it is told only once.
    fn miss_no_more(&mut self, id: GenerationId) {
        let is_open = |it: &Generation| it.place != Place::Gone;
        let is_open = self.source.get(id).is_some_and(is_open);
        let Some(known) = self.journal.state().generations.get(&id) else {
            return;
        };
        let before = &known.identity;
        let identity = Identity {
            size: before.size.filter(|_| is_open),
            missed: None,
            ..before.clone()
        };
        if identity != *before {
            self.journal.append(&Entry::Generation(id, identity));
        }
    }
}
