//! What lay under a rotated name and was history when it was looked at: the same content is history
//! still when it is another file by now, as it is once it is compressed. Opens nothing.

use std::collections::BTreeMap;

use crate::record::Time;
use crate::source::identity::opened::Opened;
use crate::source::system::file::{FileKey, modified};
use crate::span::{Head, PROOF_ENOUGH, Position};

/// So many files are remembered, those that were written last: about a megabyte.
const MOST: usize = 10_000;

/// How such a content is known again: beside its time by how it begins, how it ends, and its length. Less
/// than 4 KiB may be what another run of a job wrote in the same second: of such the very time.
type Known = (Head, Position, Option<Time>);

/// The files that were met, by the second in which they were written last.
#[derive(Debug, Default)]
pub(in crate::source) struct History(BTreeMap<(i64, FileKey), Known>);

impl History {
    /// A file was met, and nothing of it is owed.
    pub(in crate::source) fn note(&mut self, opened: &Opened) {
        if let Some(known) = known_of(opened) {
            let file = FileKey::of(&opened.metadata);
            self.0.insert((written_in(opened), file), known);
        }
        if self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    /// Whether a file holds what one of them held. Who compresses or copies it and leaves it the time at
    /// which it was written has made nothing new; another run of a job that writes the very same has
    /// another time.
    pub(in crate::source) fn has(&self, opened: &Opened) -> bool {
        let written = written_in(opened);
        let first = FileKey {
            device: 0,
            inode: 0,
        };
        let met = self.0.range((written, first)..);
        let mut met = met.take_while(|((at, _), _)| *at == written);
        known_of(opened).is_some_and(|known| met.any(|(_, it)| *it == known))
    }

    /// The same of one that may be given that time yet: `logrotate` does so once its compressor is done.
    pub(in crate::source) fn may_have(&self, opened: &Opened) -> bool {
        known_of(opened).is_some_and(|(head, end, _)| {
            let mut met = self.0.values();
            met.any(|it| (it.0, it.1) == (head, end))
        })
    }
}

fn known_of(opened: &Opened) -> Option<Known> {
    let end = opened.position_at_end().ok()?;
    let time = (opened.len() < PROOF_ENOUGH).then(|| modified(&opened.metadata));
    Some((Head::of(&opened.head), end, time))
}

/// In which second a file was written last: not every compressor leaves it more of that.
fn written_in(opened: &Opened) -> i64 {
    modified(&opened.metadata).0.div_euclid(1_000_000_000)
}
