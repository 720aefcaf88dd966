//! What the journal is told of looks: what was made before the last one is known, what was made
//! since is news to the next run.

use super::Worker;
use crate::journal::{Entry, Journal};
use crate::source::Moment;

/// A look is noted when the one noted is older than this, in nanoseconds.
const NOTE_AFTER: i64 = 5_000_000_000;

/// The first agent of all begins: what is made from now on is no history, even when it dies before
/// it has looked.
pub(super) fn note_first_start(journal: &mut Journal, at: Moment) {
    if journal.state().looks.at.is_none() {
        journal.append(&Entry::Looked(at.time));
        journal.commit(at.now);
    }
}

impl Worker {
    /// Tells the journal when all names were last looked at, with other news, never for itself.
    pub(super) fn note_look(&mut self) {
        let Some(looked_at) = self.source.looked_at() else {
            return;
        };
        let noted = self.journal.state().looks.at;
        let later = noted.map_or(-1, |noted| looked_at.nanos_since(noted));
        // Earlier than noted: the clock was set back. Should it be put forward again before another
        // run looks, what is made by then would count as seen.
        if later < 0 || later > NOTE_AFTER && self.journal.has_news() {
            self.journal.append(&Entry::Looked(looked_at));
        }
    }
}
