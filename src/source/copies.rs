//! Files that hold what another one holds or held: copies that a rotation made before it emptied
//! the original, and compressed ones. Decides by content; only names that rotation gives to a
//! meant name are ever looked at.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::beside::Listing;
use super::elsewhere::is_rotated_before;
use super::file::{FileKey, birth_of, modified};
use super::generation::{Generation, Place};
use super::opened::Opened;
use super::{Moment, Source, reader};
use crate::journal::{Entry, Journal};
use crate::span::{GenerationId, PROOF_ENOUGH, Position};

/// A copy that is not written for this long is complete, in nanoseconds.
const COPIED_AFTER: i64 = 1_000_000_000;
/// So often a copy is looked for while names change.
const MOST_LOOKS: usize = 8;

/// Whether a file has an original among the open generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Original {
    /// It holds the bytes of this one.
    Is(GenerationId),
    /// It holds all that is in the copy in which this one lies, and more.
    Shorter(GenerationId),
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
    pub(super) of: GenerationId,
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
        &mut self,
        input: usize,
        path: &Path,
        opened: &Opened,
        journal: &Journal,
        at: Moment,
    ) -> Original {
        if let Some(left) = self.left_unopened(input, path, opened, journal) {
            return Original::Shorter(left);
        }
        let lineage = self.links.lineage_of(path);
        if lineage
            .earlier_names()
            .is_some_and(|mut it| it.next().is_none())
        {
            return Original::None;
        }
        let compressed = lineage.compressed_from().map(|it| (input, it));
        if compressed.is_some_and(|plain| self.deferred.contains(&plain)) {
            return Original::Unsettled;
        }
        let candidates = self
            .generations
            .values()
            .filter(|it| it.input == input && it.place != Place::Gone)
            .filter(|it| lineage.is_rotation_of(&it.path) || lineage.can_come_from(&it.origin))
            .filter(|it| !is_rotated_before(it, path, journal));
        let mut is_unsettled = false;
        let mut longer = None;
        for generation in candidates {
            if !generation.is_as_seen() {
                self.doubted.insert(generation.id);
                is_unsettled = true;
                continue;
            }
            if opened.is_copied_up_to(journal.state().copies_of(generation.id)) {
                // It may lie in a shorter copy by now.
                let is_longer = opened.len() > generation.size && !generation.is_at_home();
                let is = if is_longer {
                    Original::Shorter
                } else {
                    Original::Is
                };
                return is(generation.id);
            }
            match self.likeness(generation, opened, at) {
                Likeness::Same => return Original::Is(generation.id),
                Likeness::Longer if is_in_copy(generation, journal) => longer = Some(generation.id),
                Likeness::MayBecome => is_unsettled = true,
                // It may have been emptied while it was compared: then the comparison says nothing.
                Likeness::Longer | Likeness::Other if !generation.is_as_seen() => {
                    self.doubted.insert(generation.id);
                    is_unsettled = true;
                }
                Likeness::Longer | Likeness::Other => {}
            }
        }
        if is_unsettled {
            return Original::Unsettled;
        }
        longer.map_or(Original::None, Original::Shorter)
    }

    /// The generation that goes on in a copy since this file, its own, could not be opened.
    fn left_unopened(
        &self,
        input: usize,
        path: &Path,
        opened: &Opened,
        journal: &Journal,
    ) -> Option<GenerationId> {
        self.unopened(input, &opened.metadata, journal)?;
        let file = (
            FileKey::of(&opened.metadata).inode,
            birth_of(&opened.metadata),
        );
        let mut open = self.generations.values();
        let left = open.find(|it| {
            it.input == input
                && it.origin.as_os_str() == path.as_os_str()
                && it.left == Some(file)
                && it.place != Place::Gone
        })?;
        // Less may be nothing but a banner.
        let is_enough = left.size >= PROOF_ENOUGH && left.is_as_seen() && left.is_in(opened);
        let holds_all = || left.position(left.size).is_ok_and(|end| opened.proves(end));
        (is_enough && holds_all()).then_some(left.id)
    }

    /// Notes a file as a copy of a generation that holds its bytes, or that held them when they
    /// were read. The journal remembers the copy by its content.
    pub(super) fn note_alias(
        &mut self,
        input: usize,
        path: &Path,
        opened: &Opened,
        of: GenerationId,
        journal: &mut Journal,
    ) {
        if let Ok(end) = opened.position_at_end() {
            // From now on the original proves as well that it still holds what was copied: two
            // contents with the same banner must not change places.
            let original = self.generations.get(&of);
            if let Some(original) = original.filter(|it| it.place != Place::Gone) {
                original.note_reached(end);
            }
            note_copy(of, end, journal);
        }
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
        let Some((path, opened)) = self.copy_of(generation, positions, journal) else {
            return false;
        };
        let is_read = positions.iter().all(|it| it.offset >= opened.len());
        if is_read && opened.len() < generation.known().offset {
            // There is nothing new in it for anyone.
            if let Ok(end) = opened.position_at_end() {
                note_copy(id, end, journal);
            }
            return false;
        }
        self.go_on_in(id, &path, opened, journal, at);
        true
    }

    /// Lets a generation go on in another file, which holds what was read of it.
    pub(super) fn go_on_in(
        &mut self,
        id: GenerationId,
        path: &Path,
        opened: Opened,
        journal: &mut Journal,
        at: Moment,
    ) {
        let Some(generation) = self.generations.get_mut(&id) else {
            return;
        };
        let (input, home, old_key) = (generation.input, generation.path.clone(), generation.key);
        let key = FileKey::of(&opened.metadata);
        let place = if path.as_os_str() == generation.origin.as_os_str() {
            Place::Home
        } else if self.inputs[input].globs.matches(path) {
            Place::Moved
        } else {
            Place::Rotated
        };
        let path = Arc::<Path>::from(path);
        generation.continue_in(opened, Arc::clone(&path), place, at.now);
        // There may be others.
        note_end(generation, journal);
        self.aliases.remove(&(input, key));
        self.release(id, input, old_key, &home);
        self.by_key.insert((input, key), id);
        if place != Place::Rotated {
            self.by_path.insert(input, path, id);
        }
        self.note_identity(id, journal, at);
    }

    /// The youngest file beside a generation that holds its head and what is known of it; or else a
    /// copy that was made before one output read on.
    fn copy_of(
        &self,
        generation: &Generation,
        positions: &[Position],
        journal: &Journal,
    ) -> Option<(PathBuf, Opened)> {
        let mut overtaken = None;
        for _ in 0..MOST_LOOKS {
            let (candidates, is_certain) = self.copy_candidates(generation);
            let mut has_moved = !is_certain;
            overtaken = None;
            for (metadata, path) in candidates {
                let opened = match Opened::at(&path) {
                    Ok(opened) if FileKey::of(&opened.metadata) == FileKey::of(&metadata) => opened,
                    Ok(_) => {
                        has_moved = true;
                        continue;
                    }
                    Err(error) => {
                        has_moved |= error.kind() == io::ErrorKind::NotFound;
                        continue;
                    }
                };
                if self.is_of_another(generation, (&path, &opened), journal) {
                    continue;
                }
                let mut proves = positions.iter().map(|position| opened.proves(*position));
                if generation.is_in(&opened) && proves.all(|it| it) {
                    return Some((path, opened));
                }
                let is_overtaken = || {
                    generation.has_overtaken(&opened)
                        || opened.is_copied_up_to(journal.state().copies_of(generation.id))
                };
                if overtaken.is_none() && is_overtaken() {
                    overtaken = Some((path, opened));
                }
            }
            // What was renamed before it was opened may be the copy.
            if !has_moved {
                break;
            }
        }
        overtaken
    }

    /// The files beside a generation that can be copies of it, the youngest first; and whether these
    /// are all for certain.
    fn copy_candidates(&self, generation: &Generation) -> (Vec<(Metadata, PathBuf)>, bool) {
        let is_wanted = |path: &Path| {
            let lineage = self.links.lineage_of(path);
            lineage.is_rotation_of(&generation.path) || lineage.can_come_from(&generation.origin)
        };
        let can_be_copy = |metadata: &Metadata| {
            let key = (generation.input, FileKey::of(metadata));
            // A name that is filled anew still counts as that of its old content.
            let holder = self
                .by_key
                .get(&key)
                .and_then(|id| self.generations.get(id));
            key.1 != generation.key
                && metadata.is_file()
                && holder.is_none_or(|holder| !holder.is_as_seen())
                && !self.clock.is_older(birth_of(metadata), generation.begun)
        };
        let folders = self.links.folders_beside(&generation.path).into_iter();
        let listings = folders.map(|folder| Listing::of(&folder, is_wanted));
        let listings: Vec<_> = listings.collect();
        let is_certain = |it: &io::Result<Listing>| it.as_ref().is_ok_and(|it| it.is_certain);
        let is_all_certain = listings.iter().all(is_certain);
        let listings = listings.into_iter().flatten();
        let mut candidates: Vec<_> = listings
            .flat_map(|listing| listing.files)
            .map(|(path, metadata)| (metadata, path))
            .filter(|(metadata, _)| can_be_copy(metadata))
            .collect();
        candidates.sort_by_key(|(metadata, _)| {
            std::cmp::Reverse((birth_of(metadata), modified(metadata)))
        });
        (candidates, is_all_certain)
    }

    /// Whether a file is known to hold another generation, by more than is known of this one: what
    /// is known of this one may be a banner that both begin with.
    fn is_of_another(
        &self,
        generation: &Generation,
        (path, opened): (&Path, &Opened),
        journal: &Journal,
    ) -> bool {
        if generation.is_well_known() {
            return false;
        }
        let state = journal.state();
        let (key, birth) = (FileKey::of(&opened.metadata), birth_of(&opened.metadata));
        let input = &self.inputs[generation.input].name;
        // What was compressed is another file now.
        let lineage = self.links.lineage_of(path);
        let is_whole = opened.content.is_whole();
        let mut others = state.generations.iter().filter(|(id, known)| {
            let it = &known.identity;
            let is_same = (it.inode, it.birth) == (key.inode, birth);
            let can_be = is_same || (is_whole && lineage.can_come_from(&it.path));
            **id != generation.id && it.input == *input && can_be
        });
        others.any(|(id, known)| {
            // What was read, what was seen, and where copies ended.
            let positions = state.positions_in(*id).into_iter();
            let positions = positions.chain(known.identity.end);
            let positions = positions.chain(state.copies_of(*id).iter().copied());
            let mut further = positions.filter(|it| it.offset > generation.known().offset);
            further.any(|it| opened.proves(it))
        })
    }

    /// Compares a file with a generation that may have been copied into it.
    fn likeness(&self, generation: &Generation, opened: &Opened, at: Moment) -> Likeness {
        let birth = birth_of(&opened.metadata);
        // What was rotated before a file was made is no copy of it, however alike they begin.
        if self.clock.is_older(birth, generation.begun) {
            return Likeness::Other;
        }
        let (Ok(len), Ok(head)) = (generation.len_now(), reader::read_head(&generation.content))
        else {
            return Likeness::Other;
        };
        let end = opened.len();
        if end > len {
            let is_in = || generation.position(len).is_ok_and(|end| opened.proves(end));
            let is_longer = len >= PROOF_ENOUGH && opened.head.starts_with(&head) && is_in();
            return if is_longer {
                Likeness::Longer
            } else {
                Likeness::Other
            };
        }
        if !head.starts_with(&opened.head) {
            return Likeness::Other;
        }
        let is_same = opened
            .position_at_end()
            .is_ok_and(|end| generation.proves(end).unwrap_or(false));
        if !is_same || len == 0 {
            return Likeness::Other;
        }
        // One that is shorter than its original was when it was made is not complete, if it is a
        // copy at all and not another content with the same banner.
        // A compressed one keeps the time at which the copy was written.
        let made = if opened.content.is_whole() {
            modified(&opened.metadata)
        } else {
            birth
        };
        let was_longer = !self.clock.is_steady() || generation.times.len_at(made) > end;
        let is_short = end < len && was_longer;
        // Who copies what was rotated before? Two short logs that are alike are more likely, unless one
        // is compressed: rather twice than not at all.
        let home = self.by_path.get(generation.input, &generation.origin);
        let is_rotated = home != Some(generation.id) && !opened.content.is_whole();
        let is_doubtful = is_short || is_rotated;
        if end > 0 && (!is_doubtful || end >= PROOF_ENOUGH) {
            return Likeness::Same;
        }
        // What is from the future was written by a clock that was ahead, and not just now.
        if at
            .time
            .nanos_since(modified(&opened.metadata))
            .saturating_abs()
            < COPIED_AFTER
        {
            Likeness::MayBecome
        } else {
            Likeness::Other
        }
    }
}

/// Whether a generation ends where a copy of it does: it may be that copy in which it lies, and not
/// the file of which the copy was made.
fn is_in_copy(generation: &Generation, journal: &Journal) -> bool {
    let copies = journal.state().copies_of(generation.id).iter();
    let mut ends = copies.filter(|end| end.offset == generation.size);
    !generation.is_at_home() && ends.any(|end| generation.proves(*end).unwrap_or(false))
}

/// Lets the journal remember the copy in which a generation lies.
pub(super) fn note_end(generation: &Generation, journal: &mut Journal) {
    if let Ok(end) = generation.position(generation.size) {
        note_copy(generation.id, end, journal);
    }
}

/// Lets the journal remember a copy by where it ends.
fn note_copy(of: GenerationId, end: Position, journal: &mut Journal) {
    if !journal.state().copies_of(of).contains(&end) {
        journal.append(&Entry::Copied(of, end));
    }
}

/// What a file is to a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// It holds the same bytes, or the first of them.
    Same,
    /// It holds the same bytes, and more behind them.
    Longer,
    /// It is so short that it can still become a copy.
    MayBecome,
    /// It holds others.
    Other,
}
