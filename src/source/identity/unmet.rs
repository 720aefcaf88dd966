//! Copies of a log that nobody has met yet, such as one that was made, and copied by rotation, while
//! no agent ran: the log is opened before its copies are. Opens nothing for long.

use std::path::Path;

use super::opened::Opened;
use crate::journal::Journal;
use crate::source::Source;
use crate::source::finding::names;
use crate::source::generation::reader;
use crate::source::system::file::{FileKey, birth_of, modified};
use crate::span::PROOF_ENOUGH;

impl Source {
    /// Whether a file that nobody knows is a copy of a log that nobody knows either and that is not
    /// open. That one is looked at next, and the file is known as its copy then.
    pub(in crate::source) fn waits_for_unmet_original(
        &mut self,
        input: usize,
        path: &Path,
        opened: &Opened,
        journal: &Journal,
    ) -> bool {
        // Less may be nothing but a banner. By a clock that was set back nobody knows which is older.
        if opened.len() < PROOF_ENOUGH || !self.clock.is_steady() {
            return false;
        }
        let lineage = self.links.lineage_from_above(path);
        let mut originals = lineage.originals();
        let original = originals.find(|it| self.is_unmet_original((input, it), opened, journal));
        self.deferred
            .extend(original.map(|it| (input, it.to_owned())));
        original.is_some()
    }

    /// Whether a log that is meant, and is to be opened yet, holds all that is in a file that is
    /// younger than it.
    fn is_unmet_original(
        &mut self,
        (input, path): (usize, &Path),
        copy: &Opened,
        journal: &Journal,
    ) -> bool {
        let Ok(metadata) = std::fs::metadata(path) else {
            return false;
        };
        let key = (input, FileKey::of(&metadata));
        // What was renamed is older than what has its name now, and so are the times of one that was
        // compressed then.
        let made = birth_of(&copy.metadata).min(modified(&copy.metadata));
        made > birth_of(&metadata)
            && metadata.is_file()
            && self.inputs[input].globs.matches(path)
            && !self.by_key.contains_key(&key)
            && !self.aliases.contains_key(&key)
            && !self.is_parked(key, path, &metadata)
            && !names::is_known(&metadata, journal)
            && Opened::at(path).is_ok_and(|it| holds_all(&it, copy))
    }
}

/// Whether a file holds all that is in a copy.
fn holds_all(file: &Opened, copy: &Opened) -> bool {
    file.head.starts_with(&copy.head)
        && copy.position_at_end().is_ok_and(|end| file.proves(end))
        && reader::begin_alike(&file.content, &copy.content, copy.len()).unwrap_or(false)
}
