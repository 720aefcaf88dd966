//! Files that are owed and not open: those that wait for room, those of which nobody can tell yet what
//! they are, and those that cannot be opened. Says how much of each is owed, as far as its size tells;
//! opens none.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::journal::{Journal, Known};
use crate::record::Time;
use crate::source::Source;
use crate::source::system::file::{FileKey, birth_of, modified};
use crate::span::GenerationId;

/// Why a file is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// As many files are open as may be.
    NoRoom,
    /// It may be a copy of another one.
    Unjudged,
    /// It cannot be opened.
    Fault,
}

/// A file that is owed and not open.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Index of the input that it belongs to.
    pub(crate) input: usize,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Why it is not open.
    pub(crate) why: Why,
    /// When it was last written.
    pub(crate) modified: Time,
    len: u64,
    known: Option<GenerationId>,
}

impl Outside {
    /// How many bytes of it an output lacks.
    pub(crate) fn owed_to(&self, output: &str, journal: &Journal) -> u64 {
        let cursor = self.known.map(|id| journal.state().cursor_of(id, output));
        let done = cursor.flatten().map_or(0, |it| it.position.offset);
        self.len.saturating_sub(done)
    }
}

impl Source {
    /// The files that are owed and not open.
    pub(crate) fn outside(&self, journal: &Journal) -> Vec<Outside> {
        let waiting = self.room.names().map(|it| (it, Why::NoRoom));
        let deferred = self.deferred.iter();
        let unjudged = deferred.filter(|it| !self.room.keeps_waiting(it));
        let unjudged = unjudged.map(|it| (it, Why::Unjudged));
        let names = waiting.chain(unjudged);
        let names = names.map(|((input, path), why)| (*input, path.as_path(), why));
        // What was never met at a name that is meant is most often made of a file that was read.
        let faulty = self.unread.paths(journal);
        let faulty = faulty.filter(|(file, _)| self.means(&file.input, &file.path));
        let faulty = faulty.filter_map(|(file, path)| {
            let input = self.inputs.iter().position(|it| it.name == file.input)?;
            Some((input, path, Why::Fault))
        });
        let mut met = BTreeSet::new();
        let mut outside = Vec::new();
        for (input, path, why) in names.chain(faulty) {
            let metadata = std::fs::metadata(path).ok().filter(Metadata::is_file);
            let Some(metadata) = metadata else {
                continue;
            };
            let key = (input, FileKey::of(&metadata));
            let is_met = self.by_key.contains_key(&key) || self.aliases.contains_key(&key);
            if !is_met && !self.room.holds_parked(key, &metadata) && met.insert(key) {
                outside.extend(self.owed_at((input, path), &metadata, why, journal));
            }
        }
        outside
    }

    /// A file that is not open; nothing where it is history.
    fn owed_at(
        &self,
        (input, path): (usize, &Path),
        metadata: &Metadata,
        why: Why,
        journal: &Journal,
    ) -> Option<Outside> {
        let known = self.known_in(input, path, metadata, journal);
        let is_owed = known.is_some()
            || self.inputs[input].globs.matches(path)
            || self.is_news(path, birth_of(metadata))
            || self.unopened(input, metadata, journal).is_some();
        // How long the content of a compressed file is, only a look through it tells.
        let is_gzip = path.extension().is_some_and(|it| it == "gz");
        let content = known.and_then(|(_, known)| known.identity.size);
        is_owed.then(|| Outside {
            input,
            path: path.to_owned(),
            why,
            modified: modified(metadata),
            len: content.filter(|_| is_gzip).unwrap_or(metadata.len()),
            known: known.map(|(id, _)| id),
        })
    }

    /// The last content that is known to have been in a file.
    fn known_in<'a>(
        &self,
        input: usize,
        path: &Path,
        metadata: &Metadata,
        journal: &'a Journal,
    ) -> Option<(GenerationId, &'a Known)> {
        let name = &self.inputs[input].name;
        let known = journal
            .state()
            .known_at(metadata.ino(), std::iter::once(path));
        known
            .filter(|(_, it)| {
                let it = &it.identity;
                let own = it.left.unwrap_or(it.file());
                it.input == *name
                    && !it.is_gone
                    && (own.inode, own.birth) == (metadata.ino(), birth_of(metadata))
            })
            .last()
    }
}
