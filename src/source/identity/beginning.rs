//! Files that hold only the beginning of what was read of a known content: copies that were made
//! before their original was read further, and files that lost their ends with the power.

use rustix::time::{ClockId, clock_gettime};

use super::opened::Opened;
use crate::journal::{Identity, Journal};
use crate::record::Time;
use crate::source::system::file::{FileKey, birth_of, modified};
use crate::source::{Moment, Source};
use crate::span::{GenerationId, PROOF_ENOUGH};

/// So much later than its last noted look, in nanoseconds, an earlier run may have looked: looks
/// are noted every five seconds at most, and the journal reaches the disk within another.
const NOTED_WITHIN: i64 = 10_000_000_000;

/// When the machine was started, and what is known of the time before.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct Boot {
    /// When that was, by the wall clock.
    pub(in crate::source) time: Time,
    /// When an earlier run looked last.
    pub(in crate::source) last_look: Option<Time>,
}

impl Boot {
    /// The last one, before it is known when an earlier run looked.
    pub(in crate::source) fn last() -> Self {
        let up = clock_gettime(ClockId::Boottime);
        let up = up
            .tv_sec
            .saturating_mul(1_000_000_000)
            .saturating_add(up.tv_nsec);
        Self {
            time: Time(Moment::now().time.0.saturating_sub(up)),
            last_look: None,
        }
    }

    /// Whether a file that was last written then was written neither since the boot nor between it
    /// and the last look of an earlier run: all that was ever in it that run has seen.
    pub(in crate::source) fn is_later_than(&self, written: Time) -> bool {
        let is_seen = |look: Time| written.nanos_since(look) <= NOTED_WITHIN;
        written < self.time && self.last_look.is_some_and(is_seen)
    }
}

impl Source {
    /// Whether a file is a copy of a known one that was overtaken: its original was read further
    /// before it was emptied.
    pub(in crate::source) fn is_overtaken_copy(
        &self,
        opened: &Opened,
        (id, original): (GenerationId, &Identity),
        journal: &Journal,
    ) -> bool {
        let birth = birth_of(&opened.metadata);
        !is_file_of(original, opened)
            && !self.clock.is_older(birth, original.birth)
            && is_beginning_of(opened, (id, original), journal)
    }

    /// The generation whose file this is, when it lost its end with the power: what was written last
    /// was read and delivered, and had not reached the disk.
    pub(in crate::source) fn without_its_end(
        &self,
        input: usize,
        opened: &Opened,
        journal: &Journal,
    ) -> Option<GenerationId> {
        let written = modified(&opened.metadata);
        if opened.content.is_whole() || !self.boot.is_later_than(written) {
            return None;
        }
        let name = &self.inputs[input].name;
        let inode = FileKey::of(&opened.metadata).inode;
        let mut known = journal.state().known_at(inode, std::iter::empty());
        let found = known.find(|(id, known)| {
            let it = &known.identity;
            it.input == *name
                && !it.is_gone
                && it.seen < self.boot.time
                && is_file_of(it, opened)
                && !self.generations.contains_key(id)
                && is_beginning_of(opened, (*id, it), journal)
        });
        found.map(|(id, _)| id)
    }
}

/// Whether it is the very file that was known.
fn is_file_of(identity: &Identity, opened: &Opened) -> bool {
    let inode = FileKey::of(&opened.metadata).inode;
    (inode, birth_of(&opened.metadata)) == (identity.inode, identity.birth)
}

/// Whether a file ends before what was read of a generation: of the positions that the journal has,
/// those that lie in the file prove it, one of them far enough.
fn is_beginning_of(
    opened: &Opened,
    (id, identity): (GenerationId, &Identity),
    journal: &Journal,
) -> bool {
    let state = journal.state();
    let positions = state.positions_in(id).into_iter().chain(state.proof_of(id));
    let (within, beyond): (Vec<_>, Vec<_>) = positions.partition(|it| it.offset <= opened.len());
    !beyond.is_empty()
        && identity.head.matches(&opened.head)
        && within.iter().any(|it| it.offset >= PROOF_ENOUGH)
        && within.iter().all(|it| opened.proves(*it))
}
