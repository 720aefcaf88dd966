//! Files that hold what another one holds or held: copies that a rotation made before it emptied
//! the original, and compressed ones. Decides by content; only names that rotation gives to a
//! meant name are ever looked at.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::elsewhere::is_rotated_before;
use super::opened::Opened;
use super::rotation::Lineage;
use crate::journal::{Entry, Journal};
use crate::source::generation::Generation;
use crate::source::generation::place::Place;
use crate::source::generation::reader;
use crate::source::system::file::{FileKey, birth_of, modified};
use crate::source::system::writers::Writer;
use crate::source::{Moment, Source};
use crate::span::{GenerationId, PROOF_ENOUGH, Position};

/// A copy that is not written for this long is complete, in nanoseconds.
const COPIED_AFTER: i64 = 1_000_000_000;

/// Whether a file has an original among the open generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Original {
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
pub(in crate::source) struct Alias {
    /// Held open, so that its inode cannot become another file's.
    file: File,
    path: PathBuf,
    /// The generation that is read instead.
    pub(in crate::source) of: GenerationId,
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
    pub(in crate::source) fn original_of(
        &mut self,
        lineage: &Lineage<'_>,
        input: usize,
        opened: &Opened,
        journal: &Journal,
        at: Moment,
    ) -> Original {
        let path = lineage.path();
        let shorter = self
            .left_unopened(input, opened, journal)
            .or_else(|| self.put_in_place_of(input, path, opened));
        if let Some(shorter) = shorter {
            return Original::Shorter(shorter);
        }
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
        let candidates = self.named_like(lineage).into_iter();
        let candidates = candidates
            .filter_map(|id| self.generations.get(&id))
            .filter(|it| it.input == input && it.place != Place::Gone)
            .filter(|it| !is_rotated_before(it, path, journal));
        let mut is_unsettled = false;
        let mut longer = None;
        for generation in candidates {
            if !generation.is_as_seen() {
                self.doubted.insert(generation.id);
                is_unsettled = true;
                continue;
            }
            let len = opened.len();
            if opened.is_copied_up_to(journal.state().copies_of(generation.id))
                && (!generation.holds_up_to(len) || begin_alike(generation, opened, len))
            {
                let is_shorter = generation.size < len;
                if !is_shorter || generation.has_lost_end {
                    return Original::Is(generation.id);
                }
                if !generation.is_at_home() {
                    // It lies in a shorter copy by now.
                    return Original::Shorter(generation.id);
                }
                // Its end was cut off while nobody looked, or it begins like the content that was copied:
                // it cannot prove any more that it holds what this copy does.
                if let Ok(end) = opened.position_at_end() {
                    generation.note_reached(end);
                }
                self.doubted.insert(generation.id);
                is_unsettled = true;
                continue;
            }
            match self.likeness(generation, lineage, opened, at) {
                Likeness::Same => return Original::Is(generation.id),
                Likeness::Longer
                    if (is_in_copy(generation, journal)
                        && is_proven_by(opened, generation, journal))
                        || self.is_taken_over(generation, opened) =>
                {
                    longer = Some(generation.id);
                }
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

    /// The generation that goes on in a copy since this file, its own, could not be opened; or that was
    /// first met in such a copy.
    fn left_unopened(
        &self,
        input: usize,
        opened: &Opened,
        journal: &Journal,
    ) -> Option<GenerationId> {
        self.unopened(input, &opened.metadata, journal)?;
        let file = opened.file();
        let open = self.generations.values();
        // Its file may have held another one before, which went on in a copy too.
        let known = &journal.state().generations;
        let is_made_of = |it: &Generation| {
            let may_be_of = known.get(&it.id).map(|it| &it.identity.may_be_of);
            it.left == Some(file)
                || may_be_of.is_some_and(|it| it.contains(&file))
                    && self.clock.is_older(birth_of(&opened.metadata), it.begun)
        };
        let mut left = open
            .filter(|it| it.input == input && is_made_of(it) && it.place != Place::Gone)
            // Less may be nothing but a banner.
            .filter(|it| {
                it.size >= PROOF_ENOUGH || holds_what_was_read_behind(it, opened, journal)
            });
        left.find(|it| is_wholly_in(it, opened)).map(|it| it.id)
    }

    /// The generation that this name held until now, if the file was put in its place with all
    /// that it held and more, as `rsync` does.
    fn put_in_place_of(&self, input: usize, path: &Path, opened: &Opened) -> Option<GenerationId> {
        let before = self.replaced.get(&(input, path.to_owned()))?;
        let before = self.generations.get(before)?;
        (before.place != Place::Gone && self.holds_more(before, opened)).then_some(before.id)
    }

    /// Whether a file that is written just now can still become a copy of a log that an earlier run read
    /// further, or that was closed to make room: one that lies at its name and is not open.
    pub(in crate::source) fn may_become_copy_of_unopened(
        &self,
        input: usize,
        path: &Path,
        opened: &Opened,
        journal: &Journal,
        at: Moment,
    ) -> bool {
        let lineage = self.links.lineage_from_above(path);
        let names = lineage.earlier_names().into_iter().flatten();
        if !may_be_in_the_making(opened, at) {
            return false;
        }
        let state = journal.state();
        let mut known = state.known_at(opened.metadata.ino(), names);
        known.any(|(id, known)| {
            let it = &known.identity;
            let is_unopened = |log: Metadata| {
                let file = (log.ino(), birth_of(&log));
                let key = (input, FileKey::of(&log));
                file == (it.inode, it.birth) && !self.by_key.contains_key(&key)
            };
            let begins_alike =
                opened.head.len() < usize::from(it.head.len) || it.head.matches(&opened.head);
            let mut read = state.positions_in(id).into_iter();
            it.input == self.inputs[input].name
                && lineage.can_come_from(&it.path)
                && begins_alike
                && read.any(|it| it.offset > opened.len())
                && !self.generations.contains_key(&id)
                && std::fs::metadata(&it.path).is_ok_and(is_unopened)
        })
    }

    /// Whether the file of a generation was deleted, and this one holds all that was in it and more.
    fn is_taken_over(&self, generation: &Generation, opened: &Opened) -> bool {
        let metadata = generation.content.file().metadata();
        metadata.is_ok_and(|it| it.nlink() == 0) && self.holds_more(generation, opened)
    }

    /// Whether a file holds all that is in that of a generation which nobody writes, and more. What
    /// holds no more may be another run of a job that writes the very same each time.
    fn holds_more(&self, generation: &Generation, opened: &Opened) -> bool {
        let file = generation.content.file();
        // Less may be nothing but a banner.
        generation.is_well_known()
            && generation.size < opened.len()
            && matches!(self.writers.of(generation.key, file), Ok(Writer::Gone))
            && is_wholly_in(generation, opened)
    }

    /// Notes a file as a copy of a generation that holds its bytes, or that held them when they
    /// were read. The journal remembers the copy by its content.
    pub(in crate::source) fn note_alias(
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
    pub(in crate::source) fn is_alias(&mut self, key: (usize, FileKey), len: u64) -> bool {
        let is_alias = self.aliases.get(&key).is_some_and(|alias| alias.len == len);
        if !is_alias {
            self.aliases.remove(&key);
        }
        is_alias
    }

    /// Whether there is a copy of a generation.
    pub(in crate::source) fn has_copy_of(&self, id: GenerationId) -> bool {
        self.aliases.values().any(|alias| alias.of == id)
    }

    /// A generation no longer holds its bytes: its copies are to be looked at for themselves.
    pub(in crate::source) fn release_aliases(&mut self, of: GenerationId) {
        let released = self.aliases.extract_if(|_, alias| alias.of == of);
        let names: Vec<_> = released
            .map(|((input, _), alias)| (input, alias.path))
            .collect();
        self.deferred.extend(names);
    }

    /// Forgets copies that were deleted.
    pub(in crate::source) fn forget_deleted_aliases(&mut self) {
        self.aliases.retain(|_, alias| !alias.is_deleted());
    }

    /// Compares a file with a generation that may have been copied into it.
    fn likeness(
        &self,
        generation: &Generation,
        lineage: &Lineage<'_>,
        opened: &Opened,
        at: Moment,
    ) -> Likeness {
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
            let is_longer =
                opened.head.starts_with(&head) && is_in() && begin_alike(generation, opened, len);
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
        if !is_same || len == 0 || !begin_alike(generation, opened, end) {
            return Likeness::Other;
        }
        // One that is shorter than its original was when it was made is not complete, if it is a
        // copy at all and not another content with the same banner.
        // A compressed one keeps the time at which the copy was written.
        let made = if opened.content.is_whole() || lineage.is_apart() {
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
        let is_certain = if lineage.is_apart() {
            // Of two logs that are alike the other one had no more to be copied.
            !is_short && end >= PROOF_ENOUGH
        } else {
            !(is_short || is_rotated) || end >= PROOF_ENOUGH
        };
        if end > 0 && is_certain {
            return Likeness::Same;
        }
        if was_written_just_now(opened, at) {
            Likeness::MayBecome
        } else {
            Likeness::Other
        }
    }
}

/// Whether a file may be the beginning of a copy that is not complete.
pub(in crate::source) fn may_be_in_the_making(opened: &Opened, at: Moment) -> bool {
    !opened.content.is_whole() && was_written_just_now(opened, at)
}

/// Whether a copy may still be written. What is from the future was written by a clock that was ahead,
/// and not just now.
pub(in crate::source) fn was_written_just_now(opened: &Opened, at: Moment) -> bool {
    let since = at.time.nanos_since(modified(&opened.metadata));
    since.saturating_abs() < COPIED_AFTER
}

/// Whether another file holds all that is in that of a generation now.
fn is_wholly_in(generation: &Generation, opened: &Opened) -> bool {
    let end = || generation.position(generation.len_now()?);
    let has_end = || end().ok().filter(|end| opened.proves(*end));
    generation.is_as_seen()
        && generation.is_in(opened)
        && has_end().is_some_and(|end| begin_alike(generation, opened, end.offset))
}

/// Whether a file begins with the same `len` bytes as a generation, as far as is looked at.
fn begin_alike(generation: &Generation, opened: &Opened, len: u64) -> bool {
    reader::begin_alike(&generation.content, &opened.content, len).unwrap_or(false)
}

/// Whether a generation ends where a copy of it does: it may be that copy in which it lies, and not
/// the file of which the copy was made.
fn is_in_copy(generation: &Generation, journal: &Journal) -> bool {
    let copies = journal.state().copies_of(generation.id).iter();
    let mut ends = copies.filter(|end| end.offset == generation.size);
    !generation.is_at_home() && ends.any(|end| generation.proves(*end).unwrap_or(false))
}

/// Whether a file that holds all that is in the copy in which a generation lies is no other one with
/// its banner: by what is in the copy, or by what was read behind it.
fn is_proven_by(opened: &Opened, generation: &Generation, journal: &Journal) -> bool {
    let read = || journal.state().positions_in(generation.id).into_iter();
    let mut enough = read().filter(|it| it.offset >= PROOF_ENOUGH);
    generation.size >= PROOF_ENOUGH || enough.any(|it| opened.proves(it))
}

/// Whether something was read behind the end of the copy in which a generation lies, and a file holds
/// that too: then it is no other one with its banner.
fn holds_what_was_read_behind(generation: &Generation, opened: &Opened, journal: &Journal) -> bool {
    let read = journal.state().positions_in(generation.id).into_iter();
    let mut behind = read.filter(|it| it.offset > generation.size).peekable();
    behind.peek().is_some() && behind.all(|it| opened.proves(it))
}

/// Lets the journal remember the copy in which a generation lies.
pub(in crate::source) fn note_end(generation: &Generation, journal: &mut Journal) {
    if let Ok(end) = generation.position(generation.size) {
        note_copy(generation.id, end, journal);
    }
}

/// Lets the journal remember a copy by where it ends.
pub(in crate::source) fn note_copy(of: GenerationId, end: Position, journal: &mut Journal) {
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
