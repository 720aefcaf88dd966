//! Files that were met and could not be opened: how much was seen of each, which needs no permission,
//! and whether one is deleted by now. In doubt it is there, or another file holds it. Opens nothing.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::missing::{Folder, Folders};
use crate::journal::{Entry, Identity, Journal, Unopened};
use crate::source::Source;
use crate::source::system::file::{FileKey, birth_of};
use crate::span::GenerationId;

/// What this run saw of such files.
#[derive(Debug, Default)]
pub(in crate::source) struct Unread {
    files: BTreeMap<Unopened, Seen>,
    /// Whether one is no more where it was since they were last looked for.
    has_lost_one: bool,
}

#[derive(Debug, Clone)]
struct Seen {
    /// How long it was, in bytes.
    len: u64,
    /// Where it was.
    path: PathBuf,
    is_denied: bool,
}

/// What became of a file that could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Became {
    /// It is there, so many bytes long as far as it is known, or it cannot be told where it is.
    There(u64),
    /// It is deleted.
    Deleted {
        /// So many bytes were seen of it that nothing else holds for certain.
        lost: u64,
        /// Whether it was for want of permission that it could not be opened.
        is_denied: bool,
    },
}

impl Unread {
    /// A file could not be opened, at this path.
    pub(in crate::source) fn note(
        &mut self,
        file: &Unopened,
        path: &Path,
        len: u64,
        error: &io::Error,
    ) {
        if !self.files.contains_key(file) {
            self.note_left(path);
        }
        let seen = Seen {
            len,
            path: path.to_owned(),
            is_denied: error.kind() == io::ErrorKind::PermissionDenied,
        };
        self.files.insert(file.clone(), seen);
    }

    /// Those that are still to be opened, with where each of them was.
    pub(in crate::source) fn paths(
        &self,
        journal: &Journal,
    ) -> impl Iterator<Item = (&Unopened, &Path)> {
        let unopened = &journal.state().looks.unopened;
        let files = self.files.iter();
        let files = files.filter(|(file, _)| unopened.contains_key(file));
        files.map(|(file, seen)| (file, seen.path.as_path()))
    }

    /// There is nothing at this path, or another file than before.
    pub(in crate::source) fn note_left(&mut self, path: &Path) {
        let mut seen = self.files.values();
        self.has_lost_one |= seen.any(|it| it.path.as_os_str() == path.as_os_str());
    }
}

impl Source {
    /// Whether a file that could not be opened is no more where it was.
    pub(crate) fn has_lost_unread(&self) -> bool {
        self.unread.has_lost_one
    }

    /// How much was seen of a file that could not be opened.
    #[cfg(test)]
    pub(crate) fn seen_unread(&self, inode: u64) -> Option<u64> {
        let mut files = self.unread.files.iter();
        let seen = files.find(|(file, _)| file.inode == inode);
        seen.map(|(_, seen)| seen.len)
    }

    /// A new content was met: under a rotated name its file may be a copy of one that nobody could
    /// open, or hold it compressed. That is noted, since it may be deleted before that one is missed.
    pub(in crate::source) fn note_may_be_of_unread(&self, id: GenerationId, journal: &mut Journal) {
        let state = journal.state();
        let generation = self.generations.get(&id);
        let known = state.generations.get(&id);
        let Some((generation, known)) = generation.zip(known) else {
            return;
        };
        let lineage = self.links.lineage_of(&generation.path);
        let unread = state.looks.unopened.keys().filter(|it| {
            it.input == known.identity.input
                && it.file() != generation.file()
                && lineage.can_come_from(&it.path)
                && !self.clock.is_older(generation.birth, it.birth)
        });
        let may_be_of: Vec<_> = unread.map(Unopened::file).collect();
        if !may_be_of.is_empty() {
            let identity = Identity {
                may_be_of,
                ..known.identity.clone()
            };
            journal.append(&Entry::Generation(id, identity));
        }
    }

    /// All of them are about to be looked for. Forgets those that could be opened, or are remembered no
    /// more.
    pub(crate) fn begin_look_for_unread(&mut self, journal: &Journal) {
        let unopened = &journal.state().looks.unopened;
        self.unread.files.retain(|it, _| unopened.contains_key(it));
        self.unread.has_lost_one = false;
    }

    /// What became of a file that could not be opened, and of which so much was noted.
    pub(crate) fn became_of(
        &mut self,
        (file, noted): (&Unopened, u64),
        looked_in: &mut Folders,
        journal: &Journal,
    ) -> Became {
        let seen = self.unread.files.get(file).cloned();
        let seen = seen.unwrap_or_else(|| Seen {
            len: noted,
            path: file.path.clone(),
            is_denied: false,
        });
        let is_it = |it: &Metadata| (it.ino(), birth_of(it)) == (file.inode, file.birth);
        if let Some(metadata) = seen.path.metadata().ok().filter(is_it) {
            return self.is_at(file, seen.path.clone(), metadata.len(), &seen);
        }
        // Under a rotated name it may be a copy of what was read.
        if !self.means(&file.input, &file.path) {
            return Became::There(seen.len);
        }
        let mut folders = self.links.folders_beside(&file.path);
        folders.extend(seen.path.parent().map(Path::to_owned));
        let mut held = 0;
        for path in folders {
            // Another folder may stand in for the one that is known. That there was nothing in it when
            // all were listed says nothing: it has been listed since.
            let known = self.hidden.key_of(&path);
            let is_out = self.hidden.is_out_of_sight(&path);
            let folder = looked_in.at(path, &self.links);
            let is_all = |it: &&Folder| !is_out && Some(it.key) == known && it.listing.is_certain;
            let Some(folder) = folder.filter(is_all) else {
                return Became::There(seen.len);
            };
            if let Some(name) = folder.names_of((file.inode, file.birth)).first() {
                let len = folder.listing.files.get(name).map_or(0, Metadata::len);
                return self.is_at(file, name.clone(), len, &seen);
            }
            held = held.max(self.held_by_others((file, &seen), folder));
        }
        let held = held.max(Self::held_by_known(file, journal));
        let lost = if self.may_be_copy(file, journal) {
            0
        } else {
            seen.len.saturating_sub(held)
        };
        Became::Deleted {
            lost,
            is_denied: seen.is_denied,
        }
    }

    fn is_at(&mut self, file: &Unopened, path: PathBuf, len: u64, before: &Seen) -> Became {
        let seen = Seen {
            len,
            path,
            is_denied: before.is_denied,
        };
        self.unread.files.insert(file.clone(), seen);
        Became::There(len)
    }

    /// How much of it other files can hold at the most: copies, and compressed ones.
    fn held_by_others(&self, (file, seen): (&Unopened, &Seen), folder: &Folder) -> u64 {
        let input = self.inputs.iter().position(|it| it.name == file.input);
        let can_hold_it = |path: &Path, metadata: &Metadata| {
            let key = FileKey::of(metadata);
            let is_of_another = input.is_some_and(|it| self.aliases.contains_key(&(it, key)))
                || self.elsewhere.in_file(key).is_some();
            !is_of_another
                && self.links.lineage_of(path).can_come_from(&seen.path)
                && !self.clock.is_older(birth_of(metadata), file.birth)
        };
        let files = folder.listing.files.iter();
        let others = files.filter(|(path, metadata)| can_hold_it(path, metadata));
        let held = others.map(|(path, metadata)| {
            let is_gzip = path.extension().is_some_and(|it| it == "gz");
            if is_gzip { u64::MAX } else { metadata.len() }
        });
        held.max().unwrap_or(0)
    }

    /// How much of it is known from a time at which it could be opened, or can be from a copy or a
    /// compressed file that was read: what is owed of that is another matter.
    fn held_by_known(file: &Unopened, journal: &Journal) -> u64 {
        let (state, own) = (journal.state(), file.file());
        let known = state.generations.iter().filter(|(_, it)| {
            let it = &it.identity;
            let is_it = it.file() == own || it.left == Some(own);
            it.input == file.input && (is_it && !it.is_gone || it.may_be_of.contains(&own))
        });
        let known = known.map(|(id, it)| {
            let read = state.positions_in(*id).into_iter();
            let read = read.chain(it.identity.end).map(|it| it.offset).max();
            read.max(it.identity.size).unwrap_or(0)
        });
        known.max().unwrap_or(0)
    }

    /// Whether a file was met at a name that rotation gives to another one that is read.
    fn may_be_copy(&self, file: &Unopened, journal: &Journal) -> bool {
        let lineage = self.links.lineage_of(&file.path);
        let is_known = |path: &Path| {
            let mut known = journal.state().generations.values();
            known.any(|it| it.identity.path == path)
        };
        let mut originals = lineage.originals();
        lineage.compressed_from().is_some()
            || originals.any(|it| {
                self.means(&file.input, it) && (it.symlink_metadata().is_ok() || is_known(it))
            })
    }
}
