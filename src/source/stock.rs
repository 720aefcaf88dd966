//! What lies of an input on its volume: the files that it means and the rotated ones beside them,
//! with what is known of each. Deletes a file when it is told to, and only the very one that was
//! looked at.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::journal::Journal;
use crate::record::Time;
use crate::source::finding::discover::Found;
use crate::source::finding::names::Name;
use crate::source::generation::Generation;
use crate::source::identity::opened::{self, Opened};
use crate::source::identity::recognise::Identified;
use crate::source::identity::rotation::is_rotation;
use crate::source::stock::family::{Kin, Member, past};
use crate::source::system::file::{FileKey, modified};
use crate::source::system::writers::{Unsure, Writer};
use crate::source::{Moment, Place, Source};
use crate::span::GenerationId;

pub(crate) mod family;

/// A file of an input.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Which log it is a life of.
    pub(crate) kin: Kin,
    /// When it was last written.
    pub(crate) modified: Time,
    /// What it takes on the volume.
    pub(crate) bytes: u64,
    pub(crate) input: usize,
    key: FileKey,
    len: u64,
}

/// Whose bytes a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holding {
    /// The generation.
    pub(crate) generation: GenerationId,
    /// So many of its bytes, from the first on.
    pub(crate) len: u64,
}

/// What was found in a file that is not open; it holds while the file is as it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Examined {
    len: u64,
    modified: Time,
    holding: Option<Holding>,
}

impl Source {
    /// The files of an input that are there.
    pub(crate) fn stock(&self, input: usize) -> Vec<Stored> {
        let mut found = Found::default();
        self.inputs[input].globs.walk(&mut found);
        let folders = found.folders.iter();
        let siblings = folders.flat_map(|folder| self.siblings_in(folder, |_| true).0);
        let siblings = siblings.filter_map(|name| match name {
            // What lies beside the end of a link belongs to whoever made the link.
            Name::Sibling(of, home, path) if of == input && is_rotation(&home, &path) => Some(path),
            Name::Sibling(..) | Name::Meant(..) | Name::Nameless(_) => None,
        });
        let paths = found.files.into_iter().chain(siblings);
        paths.filter_map(|path| self.stored(input, path)).collect()
    }

    fn stored(&self, input: usize, path: PathBuf) -> Option<Stored> {
        // A link is somebody's way to a file, not the file.
        let metadata = std::fs::symlink_metadata(&path).ok()?;
        if !metadata.is_file() {
            return None;
        }
        let key = FileKey::of(&metadata);
        let open = self.by_key.get(&(input, key));
        let open = open.and_then(|id| self.generations.get(id));
        let kin = open.map_or_else(
            || Kin::of(&path),
            |it| Kin::of_first_seen_at(&path, &it.origin),
        );
        Some(Stored {
            kin,
            modified: modified(&metadata),
            bytes: metadata.blocks() * 512,
            input,
            key,
            len: metadata.len(),
            path,
        })
    }

    /// Whose bytes a file holds; nothing when that is not known, when it holds more than what was
    /// looked at, or when it is a copy of what its writer still fills.
    pub(crate) fn holding(
        &mut self,
        file: &Stored,
        journal: &Journal,
        at: Moment,
    ) -> Option<Holding> {
        let place = (file.input, file.key);
        if let Some(generation) = self
            .by_key
            .get(&place)
            .and_then(|id| self.generations.get(id))
        {
            let is_as_seen = generation.place != Place::Gone && generation.is_as_last_seen();
            return is_as_seen.then_some(Holding {
                generation: generation.id,
                len: generation.size,
            });
        }
        let known = self.examined.get(&place);
        if let Some(known) = known.filter(|it| it.len == file.len && it.modified == file.modified) {
            return known.holding;
        }
        let holding = self.examine(file, journal, at);
        let examined = Examined {
            len: file.len,
            modified: file.modified,
            holding,
        };
        self.examined.insert(place, examined);
        holding
    }

    fn examine(&mut self, file: &Stored, journal: &Journal, at: Moment) -> Option<Holding> {
        let opened = Opened::at(&file.path).ok()?;
        if FileKey::of(&opened.metadata) != file.key {
            return None;
        }
        let generation = match self.identify(file.input, &file.path, &opened, journal, at) {
            Identified::Copy(of) if self.get(of).is_some_and(Generation::is_at_home) => {
                return None;
            }
            Identified::Known(id) | Identified::Copy(id) => id,
            Identified::Longer(_) | Identified::Later | Identified::New => return None,
        };
        let len = opened.len();
        Some(Holding { generation, len })
    }

    /// Forgets what was found in files that are no longer among these.
    pub(crate) fn forget_examined(&mut self, stock: &[Stored]) {
        let there: BTreeSet<_> = stock.iter().map(|file| file.key).collect();
        self.examined.retain(|(_, key), _| there.contains(key));
    }

    /// The same file for each other input that reads it, or that reads what it was rotated from;
    /// and whether that input reads it for certain.
    pub(crate) fn of_others(&self, file: &Stored) -> Vec<(Stored, bool)> {
        let others = (0..self.inputs.len()).filter(|input| *input != file.input);
        let others = others.filter_map(|input| {
            let reads_it = self.by_key.contains_key(&(input, file.key))
                || self.inputs[input].globs.matches(&file.path);
            let may_read_it = reads_it || self.sibling_of(input, &file.path).is_some();
            let file = file.clone();
            may_read_it.then_some((Stored { input, ..file }, reads_it))
        });
        others.collect()
    }

    /// Finds out which of those that are past somebody has open for writing; it matters of no
    /// other.
    pub(crate) fn note_writers(&mut self, files: &[Stored], members: &mut [Member]) {
        let past = past(members).concat().into_iter();
        let past: BTreeSet<_> = past.map(|it| it.path.as_path()).collect();
        let is_past = members.iter().map(|it| past.contains(&*it.path));
        let is_past: Vec<_> = is_past.collect();
        let there = files.iter().zip(&is_past).filter(|(_, is_past)| **is_past);
        let there = there.map(|(it, _)| {
            let file = opened::open(&it.path);
            (it.key, file.map_err(|_| Unsure::at(it.key, &it.path)))
        });
        let writers = self.writers.ask(there);
        for ((file, is_past), member) in files.iter().zip(is_past).zip(members) {
            member.is_written = is_past && writers.get(&file.key) == Some(&Writer::There);
        }
    }

    /// The open generation that a file is.
    pub(crate) fn generation_in(&self, file: &Stored) -> Option<GenerationId> {
        self.by_key.get(&(file.input, file.key)).copied()
    }

    /// Whether an input means a file by its own name, not only as a rotation.
    pub(crate) fn is_meant(&self, file: &Stored) -> bool {
        self.inputs[file.input].globs.matches(&file.path)
    }

    /// Free bytes on the volume of an input's files; of the fullest, if there are several.
    pub(crate) fn free_bytes(&self, input: usize) -> Option<u64> {
        let folders = self.inputs[input].globs.bases();
        let free = folders.filter_map(|folder| {
            let there = folder.ancestors().find(|it| it.is_dir())?;
            let volume = rustix::fs::statvfs(there).ok()?;
            Some(volume.f_bavail.saturating_mul(volume.f_frsize))
        });
        free.min()
    }
}

/// Deletes a file, if its name still leads to it and it was not written since it was looked at.
/// Says whether it did.
pub(crate) fn delete(file: &Stored) -> io::Result<bool> {
    let metadata = std::fs::symlink_metadata(&file.path)?;
    if !is_same(file, &metadata) {
        return Ok(false);
    }
    std::fs::remove_file(&file.path)?;
    Ok(true)
}

fn is_same(file: &Stored, metadata: &Metadata) -> bool {
    metadata.is_file()
        && FileKey::of(metadata) == file.key
        && metadata.len() == file.len
        && modified(metadata) == file.modified
}

/// The folder whose permissions decide whether a file can be deleted.
pub(crate) fn folder_of(file: &Stored) -> &Path {
    file.path.parent().unwrap_or(&file.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn stored(path: &Path) -> Stored {
        let source = Source::new(
            [("app", &["/nothing".to_owned()][..], &[][..])].into_iter(),
            Moment::now(),
        );
        source.stored(0, path.to_owned()).unwrap()
    }

    #[test]
    fn only_the_very_file_that_was_looked_at_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log.1");
        fs::write(&path, "old").unwrap();
        let file = stored(&path);
        fs::rename(&path, dir.path().join("app.log.2")).unwrap();
        fs::write(&path, "new").unwrap();
        assert!(!delete(&file).unwrap(), "the name was given to another");
        let file = stored(&path);
        fs::write(&path, "news").unwrap();
        assert!(!delete(&file).unwrap(), "written since");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("app.log.2", &path).unwrap();
        assert!(!delete(&file).unwrap(), "a link");
        let file = stored(&dir.path().join("app.log.2"));
        assert!(delete(&file).unwrap());
        assert!(path.is_symlink() && !file.path.exists());
    }
}
