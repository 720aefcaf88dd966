//! Rotated files that nobody saw under their own name: which names beside a meant one are looked at,
//! and what is owed of what lies there.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::history::History;
use super::names;
use crate::journal::Journal;
use crate::source::generation::place::Place;
use crate::source::identity::copies::was_written_just_now;
use crate::source::identity::opened::Opened;
use crate::source::identity::recognise::Identified;
use crate::source::identity::rotation;
use crate::source::system::file::{FileKey, birth_of, modified};
use crate::source::{Change, Moment, Name, Source};

/// A compressed file that is not whole and not written for this long never will be, in
/// nanoseconds.
const COMPRESSED_AFTER: i64 = 60_000_000_000;

impl Source {
    /// What is not written any more will never be whole.
    pub(in crate::source) fn forget_never_finished(&mut self, at: Moment) {
        self.unfinished
            .retain(|(_, path)| is_being_written(path, at));
    }

    /// Looks at a name that is not meant but that rotation gives to one that is: a generation
    /// that was never seen under its own name is owed from its beginning. What is no news is
    /// history.
    pub(in crate::source) fn look_at_sibling(
        &mut self,
        input: usize,
        home: &Path,
        path: &Path,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let name = (input, path.to_owned());
        let is_parked = std::fs::metadata(path)
            .is_ok_and(|it| self.is_parked((input, FileKey::of(&it)), path, &it));
        if is_parked {
            return;
        }
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
                return self.note_unopened((input, path), &error, (journal, at));
            }
        };
        self.unfinished.remove(&name);
        let key = (input, FileKey::of(&opened.metadata));
        if self.by_key.contains_key(&key) || self.is_alias(key, opened.metadata.len()) {
            return;
        }
        let metadata = opened.metadata.clone();
        let known = match self.identify(input, path, &opened, journal, at) {
            Identified::Copy(of) => {
                self.note_alias(input, path, &opened, of, journal);
                return self.note_opened(input, &metadata, journal);
            }
            Identified::Later => {
                self.deferred.insert(name);
                return;
            }
            Identified::Longer(id) => {
                self.go_on_in(id, path, opened, journal, at);
                self.note_opened(input, &metadata, journal);
                return changes.push(Change::Grew(id));
            }
            Identified::Known(id) => Some(id),
            Identified::New => None,
        };
        // Another content in a file that an earlier run knew is no history either, and where there is
        // none yet, its writer may go on.
        let is_news = self.is_news(path, birth_of(&metadata)) && !self.history.has(&opened);
        if known.is_none() && is_news && may_become_history(&self.history, &opened, at) {
            self.deferred.insert(name);
            return;
        }
        let is_unseen = is_news
            || self.unopened(input, &metadata, journal).is_some()
            || (self.clock.is_first_look() && names::is_known(&metadata, journal));
        let origin: Arc<Path> = match known {
            Some(id) if journal.state().is_delivered(id, opened.len()) => {
                self.elsewhere.note_met(id, path, &metadata, journal);
                return self.note_opened(input, &metadata, journal);
            }
            Some(id) => {
                let known = journal.state().generations.get(&id);
                known.map_or(home, |it| it.identity.path.as_path()).into()
            }
            // A name of any kind says nothing of another content.
            None if is_unseen && self.sibling_of(input, path).is_some() => home.into(),
            None => {
                if !is_unseen && !names::is_known(&metadata, journal) {
                    self.history.note(&opened);
                }
                return;
            }
        };
        let id = self.take(input, path, origin, opened, known, (journal, at));
        if let Some(generation) = self.generations.get_mut(&id) {
            generation.place_at(Place::Rotated, at.now);
        }
        self.note_opened(input, &metadata, journal);
        changes.push(Change::Opened(id));
    }

    /// A name that is not meant could not be looked into. What is news stays so until it can be.
    fn note_unopened(
        &mut self,
        (input, path): (usize, &Path),
        error: &io::Error,
        (journal, at): (&mut Journal, Moment),
    ) {
        let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        // What the system did not say itself is said of the content.
        if is_gone(error) || error.raw_os_error().is_none() {
            self.has_missed |= is_gone(error);
            return;
        }
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.has_missed |= is_gone(&error);
                return self.lose_sight_of(path);
            }
        };
        let key = (input, FileKey::of(&metadata));
        if self.by_key.contains_key(&key) || self.aliases.contains_key(&key) {
            // It is open already, from when it could be opened.
            return;
        }
        let unopened = self.unopened(input, &metadata, journal);
        // What lay at a name that is meant is missed for as long as it cannot be opened; another one is
        // most often what was made of a file that was read.
        let was_meant = unopened.is_some_and(|it| self.means(&it.input, &it.path));
        // As with one that can be opened, another content in a file that an earlier run knew is news.
        let is_known = self.clock.is_first_look() && names::is_known(&metadata, journal);
        let is_news = unopened.is_some() || is_known || self.is_news(path, birth_of(&metadata));
        if was_meant || is_news && is_being_written(path, at) {
            self.problems.note(path, "open", error);
        }
        if is_news {
            self.remember_unopened((input, path), &metadata, error, journal);
        }
    }

    /// The names in a folder that rotation gave to meant ones, and that are wanted; and whether the
    /// folder could be listed.
    pub(in crate::source) fn siblings_in(
        &self,
        folder: &Path,
        is_wanted: impl Fn(&Path) -> bool,
    ) -> (Vec<Name>, bool) {
        let mut siblings = Vec::new();
        let Ok(listing) = std::fs::read_dir(folder) else {
            return (siblings, false);
        };
        let mut is_whole = true;
        for entry in listing {
            let Ok(entry) = entry else {
                is_whole = false;
                continue;
            };
            let path = entry.path();
            let names = (0..self.inputs.len()).filter_map(|input| self.sibling_of(input, &path));
            let names: Vec<_> = names.collect();
            if !names.is_empty() && is_wanted(&path) {
                siblings.extend(names);
            }
        }
        (siblings, is_whole)
    }

    /// Files that an earlier run knew in this folder, and that have names there by now that are not
    /// meant, whatever they are: not every program rotates to a name that tells where it comes from. Each
    /// with the name at which it was known.
    pub(in crate::source) fn renamed_in(
        &self,
        folder: &Path,
        journal: &Journal,
    ) -> Vec<((usize, PathBuf), PathBuf)> {
        let known = journal.state().generations.values();
        let known = known.map(|it| &it.identity);
        let known = known.filter(|it| !it.is_gone && it.path.parent() == Some(folder));
        let by_inode: BTreeMap<_, _> = known.map(|it| (it.inode, it)).collect();
        if by_inode.is_empty() {
            return Vec::new();
        }
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = files.filter_map(|file| {
            let identity = by_inode.get(&file.ino())?;
            let mut inputs = self.inputs.iter();
            let input = inputs.position(|it| it.name == identity.input)?;
            let (home, path) = (&identity.path, file.path());
            let globs = &self.inputs[input].globs;
            let is_renamed = globs.matches(home) && !globs.matches(&path);
            (is_renamed && !rotation::is_sealed_up(&path)).then(|| ((input, path), home.clone()))
        });
        names.collect()
    }

    /// A name that an input does not mean, but that rotation gives to one that it means: whether
    /// that one is there now or was ever seen says nothing.
    pub(in crate::source) fn sibling_of(&self, input: usize, path: &Path) -> Option<Name> {
        let globs = &self.inputs[input].globs;
        // What its compressor made of a rotated log is no log.
        if globs.matches(path) || rotation::is_sealed_up(path) {
            return None;
        }
        let lineage = self.links.lineage_of(path);
        let home = globs.original_in(&lineage)?;
        // What a link ends at is meant by that link, whatever lies beside it.
        let is_meant = || self.links.names_of(path).any(|it| globs.matches(it));
        if !rotation::is_rotation(home, path) && is_meant() {
            return None;
        }
        Some(Name::Sibling(input, home.to_owned(), path.to_owned()))
    }
}

/// Whether a file that was written just now may get the time of a history with its content yet.
fn may_become_history(history: &History, opened: &Opened, at: Moment) -> bool {
    was_written_just_now(opened, at) && history.may_have(opened)
}

/// Whether a compressed file that is not whole can still become so. What is from the future was
/// written by a clock that was ahead, and not just now.
pub(in crate::source) fn is_being_written(path: &Path, at: Moment) -> bool {
    let written = std::fs::metadata(path).map(|metadata| modified(&metadata));
    written.is_ok_and(|it| at.time.nanos_since(it).saturating_abs() < COMPRESSED_AFTER)
}
