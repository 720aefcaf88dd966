//! Files that hold what another one holds or held: copies that a rotation made before it emptied
//! the original, compressed ones, and rotated ones that nobody saw under their own name. Decides
//! by content; only names that rotation gives to a meant name are ever looked at.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::generation::{FileKey, Generation, Opened, Place, birth_of, modified};
use super::{Change, Moment, Name, Source, reader, rotation};
use crate::journal::Journal;
use crate::record::Time;
use crate::span::{GenerationId, Position};

/// File systems note times by a clock that ticks this slowly at most, in nanoseconds.
const CLOCK_SLACK: i64 = 15_000_000;
/// A copy that is not written for this long is complete, in nanoseconds.
const COPIED_AFTER: i64 = 1_000_000_000;
/// A compressed file that is not whole and not written for this long never will be, in
/// nanoseconds.
const COMPRESSED_AFTER: i64 = 60_000_000_000;

/// Whether a file has an original among the open generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Original {
    /// It holds the bytes of this one.
    Is(GenerationId),
    /// One that it could be a copy of was changed just now: to be asked again once that is known.
    Unsettled,
    /// It has none.
    None,
}

/// A file that holds the bytes of a generation which still has its own.
#[derive(Debug)]
pub(super) struct Alias {
    /// Held open, so that its inode cannot become another file's.
    file: File,
    path: PathBuf,
    /// The generation that is read instead.
    of: GenerationId,
    /// How long the file was when it was compared.
    len: u64,
}

impl Alias {
    fn is_deleted(&self) -> bool {
        self.file
            .metadata()
            .is_ok_and(|metadata| metadata.nlink() == 0)
    }
}

impl Source {
    /// Whether a file, which is not open, holds the bytes of a generation that is.
    pub(super) fn original_of(
        &self,
        input: usize,
        path: &Path,
        opened: &Opened,
        at: Moment,
    ) -> Original {
        let candidates = self
            .generations
            .values()
            .filter(|it| it.input == input && it.place != Place::Gone)
            .filter(|it| {
                rotation::is_rotation(&it.origin, path)
                    || rotation::is_rotation(&it.path, path)
                    || rotation::is_compressed(&it.path, path)
            });
        let mut is_unsettled = false;
        for generation in candidates {
            if !generation.is_as_seen() {
                is_unsettled = true;
                continue;
            }
            match likeness(generation, opened, at) {
                Likeness::Same => return Original::Is(generation.id),
                Likeness::MayBecome => is_unsettled = true,
                Likeness::Other => {}
            }
        }
        if is_unsettled {
            Original::Unsettled
        } else {
            Original::None
        }
    }

    /// Notes a file as a copy of a generation that still holds its bytes.
    pub(super) fn note_alias(
        &mut self,
        input: usize,
        path: &Path,
        opened: &Opened,
        of: GenerationId,
    ) {
        let key = FileKey::of(&opened.metadata);
        if let Ok(file) = opened.content.file().try_clone() {
            let (path, len) = (path.to_owned(), opened.metadata.len());
            let alias = Alias {
                file,
                path,
                of,
                len,
            };
            self.aliases.insert((input, key), alias);
        }
    }

    /// Whether a file is known as a copy. One that was written since is no longer.
    pub(super) fn is_alias(&mut self, key: (usize, FileKey), len: u64) -> bool {
        let is_alias = self.aliases.get(&key).is_some_and(|alias| alias.len == len);
        if !is_alias {
            self.aliases.remove(&key);
        }
        is_alias
    }

    /// A generation no longer holds its bytes: its copies are to be looked at for themselves.
    pub(super) fn release_aliases(&mut self, of: GenerationId) {
        let released = self.aliases.extract_if(|_, alias| alias.of == of);
        let names: Vec<_> = released
            .map(|((input, _), alias)| (input, alias.path))
            .collect();
        self.deferred.extend(names);
    }

    /// Forgets copies that were deleted.
    pub(super) fn forget_deleted_aliases(&mut self) {
        self.aliases.retain(|_, alias| !alias.is_deleted());
    }

    /// The content of a generation was emptied: if a copy of it lies beside its name, it goes on
    /// there. `positions` are those that readers have reached.
    pub(crate) fn adopt_copy(
        &mut self,
        id: GenerationId,
        positions: &[Position],
        journal: &mut Journal,
        at: Moment,
    ) -> bool {
        let Some(generation) = self.generations.get(&id) else {
            return false;
        };
        if generation.head.len == 0 {
            return false;
        }
        let Some(opened) = self.copy_of(generation, positions) else {
            return false;
        };
        let (input, home, old_key) = (generation.input, generation.path.clone(), generation.key);
        let (path, opened) = opened;
        let key = FileKey::of(&opened.metadata);
        let is_meant = self.inputs[input].globs.matches(&path);
        self.aliases.remove(&(input, key));
        self.release(id, input, old_key, &home);
        self.by_key.insert((input, key), id);
        if is_meant {
            self.by_path.insert((input, path.clone()), id);
        }
        if let Some(generation) = self.generations.get_mut(&id) {
            let place = if is_meant {
                Place::Moved
            } else {
                Place::Rotated
            };
            generation.continue_in(opened, path, place, at.now);
        }
        self.note_identity(id, journal, at);
        true
    }

    /// The youngest file beside a generation that holds its head and what was read of it.
    fn copy_of(
        &self,
        generation: &Generation,
        positions: &[Position],
    ) -> Option<(PathBuf, Opened)> {
        let listing = std::fs::read_dir(generation.path.parent()?).ok()?;
        let mut candidates: Vec<_> = listing
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                rotation::is_rotation(&generation.path, path)
                    || rotation::is_rotation(&generation.origin, path)
            })
            .filter_map(|path| Some((std::fs::metadata(&path).ok()?, path)))
            .filter(|(metadata, _)| {
                let key = (generation.input, FileKey::of(metadata));
                // A name that is filled anew still counts as that of its old content.
                let holder = self
                    .by_key
                    .get(&key)
                    .and_then(|id| self.generations.get(id));
                metadata.is_file() && holder.is_none_or(|holder| !holder.is_as_seen())
            })
            .collect();
        candidates.sort_by_key(|(metadata, _)| {
            std::cmp::Reverse((birth_of(metadata), modified(metadata)))
        });
        candidates.into_iter().find_map(|(_, path)| {
            let opened = Opened::at(&path).ok()?;
            let is_proven = generation.is_in(&opened)
                && birth_of(&opened.metadata) >= generation.birth
                && positions.iter().all(|position| opened.proves(*position));
            is_proven.then_some((path, opened))
        })
    }

    /// What is not written any more will never be whole.
    pub(super) fn forget_never_finished(&mut self, at: Moment) {
        self.unfinished
            .retain(|(_, path)| is_being_written(path, at));
    }

    /// Looks at a name that is not meant but that rotation gives to one that is: a generation
    /// that was never seen under its own name is owed from its beginning. Those that are older
    /// than the last look are history.
    pub(super) fn look_at_sibling(
        &mut self,
        input: usize,
        home: &Path,
        path: &Path,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let name = (input, path.to_owned());
        if !self.has_room_for(input, path) {
            return;
        }
        let opened = match Opened::at(path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                if is_being_written(path, at) {
                    self.unfinished.insert(name);
                }
                return;
            }
            Err(error) => {
                self.unfinished.remove(&name);
                self.has_missed |= error.kind() == io::ErrorKind::NotFound;
                return;
            }
        };
        self.unfinished.remove(&name);
        let key = (input, FileKey::of(&opened.metadata));
        if self.by_key.contains_key(&key) || self.is_alias(key, opened.metadata.len()) {
            return;
        }
        match self.original_of(input, path, &opened, at) {
            Original::Is(original) => return self.note_alias(input, path, &opened, original),
            Original::Unsettled => {
                self.deferred.insert(name);
                return;
            }
            Original::None => {}
        }
        let known = self.recognise(input, path, &opened, journal);
        let is_unseen = self.looked_at.is_some_and(|looked_at| {
            birth_of(&opened.metadata).nanos_since(looked_at) > -CLOCK_SLACK
        });
        let origin: Arc<Path> = match known {
            Some(id) if journal.state().is_delivered(id, opened.len()) => return,
            Some(id) => {
                let known = journal.state().generations.get(&id);
                known.map_or(home, |it| it.identity.path.as_path()).into()
            }
            None if is_unseen => home.into(),
            None => return,
        };
        let id = self.take(input, path, origin, opened, known, (journal, at));
        if let Some(generation) = self.generations.get_mut(&id) {
            generation.place_at(Place::Rotated, at.now);
        }
        changes.push(Change::Opened(id));
    }

    /// The names that rotation gave to meant ones, wherever such ones are or were; only of files
    /// that were made after `made_since`.
    pub(super) fn siblings(
        &self,
        input: usize,
        meant: &BTreeSet<(usize, PathBuf)>,
        made_since: Option<Time>,
        journal: &Journal,
    ) -> Vec<Name> {
        let listed = meant
            .iter()
            .filter(|(of, _)| *of == input)
            .map(|(_, path)| path.clone());
        let of_input = &self.inputs[input].name;
        let known = journal.state().generations.values();
        let known = known
            .filter(|known| known.identity.input == *of_input)
            .map(|known| known.identity.path.clone());
        let homes: BTreeSet<PathBuf> = listed.chain(known).collect();
        let folders: BTreeSet<&Path> = homes.iter().filter_map(|home| home.parent()).collect();
        let mut siblings = Vec::new();
        for folder in folders {
            let Ok(listing) = std::fs::read_dir(folder) else {
                continue;
            };
            for path in listing.flatten().map(|entry| entry.path()) {
                if homes.contains(&path) || self.inputs[input].globs.matches(&path) {
                    continue;
                }
                let is_news = made_since.is_none_or(|time| {
                    std::fs::metadata(&path)
                        .is_ok_and(|it| birth_of(&it).nanos_since(time) > -CLOCK_SLACK)
                });
                if !is_news {
                    continue;
                }
                if let Some(home) = homes.iter().find(|it| rotation::is_rotation(it, &path)) {
                    siblings.push(Name::Sibling(input, home.clone(), path));
                }
            }
        }
        siblings
    }

    /// The meant names of an input in a folder, of which rotation makes others: those that are
    /// there, and those that earlier runs knew.
    pub(super) fn homes_in(
        &self,
        input: usize,
        folder: &Path,
        journal: &Journal,
    ) -> BTreeSet<PathBuf> {
        let name = &self.inputs[input].name;
        let known = journal
            .state()
            .generations
            .values()
            .filter(|known| known.identity.input == *name)
            .map(|known| known.identity.path.as_path());
        let open = self
            .generations
            .values()
            .filter(|it| it.input == input)
            .map(|it| &*it.origin);
        known
            .chain(open)
            .filter(|path| path.parent() == Some(folder))
            .map(Path::to_owned)
            .collect()
    }
}

/// Whether a compressed file that is not whole can still become so.
fn is_being_written(path: &Path, at: Moment) -> bool {
    let written = std::fs::metadata(path).map(|metadata| modified(&metadata));
    written.is_ok_and(|written| at.time.nanos_since(written) < COMPRESSED_AFTER)
}

/// What a file is to a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// It holds the same bytes, or the first of them.
    Same,
    /// It is so short that it can still become a copy.
    MayBecome,
    /// It holds others.
    Other,
}

/// Compares a file with a generation that may have been copied into it.
fn likeness(generation: &Generation, opened: &Opened, at: Moment) -> Likeness {
    // What was rotated before a file was made is no copy of it, however alike they begin.
    if birth_of(&opened.metadata) < generation.birth {
        return Likeness::Other;
    }
    let (Ok(len), Ok(head)) = (generation.len_now(), reader::read_head(&generation.content)) else {
        return Likeness::Other;
    };
    let end = opened.len();
    if end > len || !head.starts_with(&opened.head) {
        return Likeness::Other;
    }
    // Shorter than its original and not growing: as likely a file that begins with the same banner.
    if end < len && end < rotation::PROOF_ENOUGH {
        let age = at.time.nanos_since(modified(&opened.metadata));
        return if age < COPIED_AFTER {
            Likeness::MayBecome
        } else {
            Likeness::Other
        };
    }
    let is_same = generation
        .position(end)
        .is_ok_and(|position| opened.proves(position));
    if is_same && end > 0 {
        Likeness::Same
    } else {
        Likeness::Other
    }
}
