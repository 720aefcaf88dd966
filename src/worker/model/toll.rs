//! What the agent must say to be lost. Only plain cases are decided: all of a log was seen, and it was
//! emptied while it was held open, and no other file ever held that; then what was in no batch by
//! then is lost, and the agent goes on for long enough to find that out. The same of a log that was
//! deleted before anybody could open it, and that no other file can be.

use std::time::{Duration, Instant};

use super::backend::Backend;
use super::files::{Files, Lies, own_begin};
use super::stage::Stage;
use crate::source::system::denied;

/// So soon the agent has looked for what is missing twice.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// What the agent owes an account of, in bytes.
#[derive(Debug, Default)]
pub(super) struct Toll {
    certain: u64,
    /// Logs that were emptied or deleted a moment ago: when, and what was lost with each.
    fresh: Vec<(Instant, u64)>,
}

impl Toll {
    /// A log is about to be emptied.
    pub(super) fn note_emptied(
        &mut self,
        files: &Files,
        log: usize,
        stage: &Stage,
        takers: [bool; 2],
    ) {
        let Some(emptied) = files.lies_alone_in(log) else {
            return;
        };
        if stage.has_seen_all(emptied.inode, emptied.len) {
            let outputs = stage.backends.iter().zip(takers);
            let outputs = outputs.filter_map(|(backend, takes)| takes.then_some(backend));
            let unread = outputs.map(|backend| unread(files, emptied, backend));
            let lost = unread.max().unwrap_or(0);
            self.fresh.push((stage.now(), lost as u64));
        }
    }

    /// A log is about to be deleted.
    pub(super) fn note_deleted(&mut self, files: &Files, log: usize, stage: &Stage) {
        let is_only_file = !files.is_linked(log) && files.lies_in_oldest(log).is_none();
        let deleted = files.lies_alone_in(log).filter(|_| is_only_file);
        if let Some(it) = deleted.filter(|it| denied::is(it.inode))
            && stage.seen_unread(it.inode) == Some(it.len as u64)
        {
            self.fresh.push((stage.now(), it.len as u64));
        }
    }

    /// No file is there: another folder may stand in for the one that is meant, so nothing is decided
    /// for as long.
    pub(super) fn wait(&mut self, now: Instant) {
        for (since, _) in &mut self.fresh {
            *since = now;
        }
    }

    /// The agent ends, or its files cannot be looked at: what it has not told by now it need not
    /// know.
    pub(super) fn interrupt(&mut self, now: Instant) {
        for (since, lost) in std::mem::take(&mut self.fresh) {
            if now - since > TOLD_WITHIN {
                self.certain += lost;
            }
        }
    }

    /// So much it has told in the end, at the least.
    pub(super) fn least(&self) -> u64 {
        let fresh = self.fresh.iter().map(|(_, lost)| lost);
        self.certain + fresh.sum::<u64>()
    }
}

/// How many bytes of what lies in a file are in no batch of an output for certain: lines that are the
/// same everywhere do not say where they come from.
fn unread(files: &Files, emptied: Lies, backend: &Backend) -> usize {
    let own = own_begin(emptied.content);
    let mut lines = files.contents[emptied.content].lines.iter();
    let first = lines.find(|(line, _)| {
        line.starts_with(&own) && !backend.sealed.contains_key(line) && !files.divided.has(line)
    });
    first.map_or(0, |(line, end)| emptied.len + line.len() + 1 - end)
}
