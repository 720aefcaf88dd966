//! Files that could not be opened before they were deleted: what was seen of them is lost, and counted.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{LOOK_AGAIN_AFTER, LOOK_EVERY};
use crate::journal::{Entry, Unopened};
use crate::source::{Became, Folders, Moment};
use crate::worker::Worker;

/// When such files are looked for.
#[derive(Debug)]
pub(super) struct Unread {
    /// Those that the last look did not find, each with when that was first so, and how many bytes
    /// no other file can hold by the look that found most of them.
    gone: BTreeMap<Unopened, (Instant, u64)>,
    next_look: Instant,
}

impl Unread {
    /// They are looked for from now on.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            gone: BTreeMap::new(),
            next_look: now,
        }
    }
}

impl Worker {
    /// When files that could not be opened are looked for; nothing when there are none.
    pub(in crate::worker) fn next_look_for_unread(&self) -> Option<Instant> {
        let are_there = !self.journal.state().looks.unopened.is_empty();
        let next_look = if self.source.has_lost_unread() {
            self.tidy_at
        } else {
            self.missing.unread.next_look
        };
        are_there.then_some(next_look)
    }

    /// Looks for files that could not be opened: notes how long they are, and counts those that are
    /// deleted.
    pub(in crate::worker) fn look_for_unread(&mut self, at: Moment) {
        let is_due = self.missing.unread.next_look <= at.now || self.source.has_lost_unread();
        if !is_due || self.journal.state().looks.unopened.is_empty() {
            return;
        }
        self.source.begin_look_for_unread(&self.journal);
        let files = self.journal.state().looks.unopened.clone();
        let gone = std::mem::take(&mut self.missing.unread.gone);
        let mut next_look = at.now + LOOK_EVERY;
        let mut folders = Folders::default();
        for (file, noted) in files {
            let of = (&file, noted);
            match self.source.became_of(of, &mut folders, &self.journal) {
                Became::There(len) if len == noted => {}
                Became::There(len) => self.journal.append(&Entry::Unopened(file, len)),
                Became::Deleted { lost, is_denied } => {
                    let (since, least) = gone.get(&file).copied().unwrap_or((at.now, lost));
                    let lost = lost.min(least);
                    if at.now >= since + LOOK_AGAIN_AFTER {
                        self.tell_unread(&file, lost, is_denied, at);
                        self.journal.append(&Entry::OpenedAfterAll(file));
                    } else {
                        self.missing.unread.gone.insert(file, (since, lost));
                        next_look = next_look.min(since + LOOK_AGAIN_AFTER);
                    }
                }
            }
        }
        self.missing.unread.next_look = next_look;
    }

    fn tell_unread(&mut self, file: &Unopened, lost: u64, is_denied: bool, at: Moment) {
        let why = if is_denied {
            "the file could not be read for want of permission, and is deleted; let this process read what its inputs mean"
        } else {
            "the file could not be opened, and is deleted"
        };
        if lost == 0 {
            let path = file.path.display();
            tracing::info!(%path, "nothing is known to be lost with a file: {why}");
        } else {
            self.losses
                .note("unreadable", &file.path, lost, why, at.time);
        }
    }
}
