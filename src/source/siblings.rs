//! Rotated files that nobody saw under their own name: which names beside a meant one are looked at,
//! and what is owed of what lies there.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{FileKey, birth_of, modified};
use super::generation::Place;
use super::opened::Opened;
use super::recognise::Identified;
use super::{Change, Moment, Name, Source, names, rotation};
use crate::journal::Journal;

/// A compressed file that is not whole and not written for this long never will be, in
/// nanoseconds.
const COMPRESSED_AFTER: i64 = 60_000_000_000;

impl Source {
    /// What is not written any more will never be whole; but it may be away with its folder.
    pub(super) fn forget_never_finished(&mut self, at: Moment) {
        self.unfinished
            .retain(|(_, path)| is_being_written(path, at) || is_away(path));
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
                self.note_unopened(name, &error, at);
                return;
            }
        };
        self.unfinished.remove(&name);
        let key = (input, FileKey::of(&opened.metadata));
        if self.by_key.contains_key(&key) || self.is_alias(key, opened.metadata.len()) {
            return;
        }
        let known = match self.identify(input, path, &opened, journal, at) {
            Identified::Copy(of) => return self.note_alias(input, path, &opened, of, journal),
            Identified::Later => {
                self.deferred.insert(name);
                return;
            }
            Identified::Longer(id) => {
                self.go_on_in(id, path, opened, journal, at);
                return changes.push(Change::Grew(id));
            }
            Identified::Known(id) => Some(id),
            Identified::New => None,
        };
        // Another content in a file that an earlier run knew is no history either, and where there is
        // none yet, its writer may go on.
        let is_unseen = self.clock.is_news(birth_of(&opened.metadata))
            || (self.clock.is_first_look()
                && names::is_known(&names::known_files(journal), &opened.metadata));
        let origin: Arc<Path> = match known {
            Some(id) if journal.state().is_delivered(id, opened.len()) => {
                let metadata = &opened.metadata;
                self.elsewhere.note_met(id, path, metadata, journal);
                return;
            }
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

    /// A name that is not meant could not be looked into. What is news stays so for a while, where
    /// that may pass.
    fn note_unopened(&mut self, name: (usize, PathBuf), error: &io::Error, at: Moment) {
        self.unfinished.remove(&name);
        let is_gone = error.kind() == io::ErrorKind::NotFound;
        self.has_missed |= is_gone;
        if is_gone && is_away(&name.1) {
            // It is news still when it comes back.
            self.unfinished.insert(name);
            return;
        }
        // What the system did not say itself is said of the content.
        if is_gone || error.raw_os_error().is_none() {
            return;
        }
        let path = &name.1;
        let is_news = |it: &Metadata| it.is_file() && self.clock.is_news(birth_of(it));
        if std::fs::metadata(path).is_ok_and(|it| is_news(&it)) && is_being_written(path, at) {
            self.problems.note(path, "open", error);
            self.unfinished.insert(name);
        }
    }

    /// The names in a folder that rotation gave to meant ones; with `only_news` those of files
    /// that were made since the last look.
    pub(super) fn siblings_in(&self, folder: &Path, only_news: bool) -> Vec<Name> {
        let Ok(listing) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut siblings = Vec::new();
        for path in listing.flatten().map(|entry| entry.path()) {
            let names = (0..self.inputs.len()).filter_map(|input| self.sibling_of(input, &path));
            let names: Vec<_> = names.collect();
            if !names.is_empty() && (!only_news || self.leads_to_news(&path)) {
                siblings.extend(names);
            }
        }
        siblings
    }

    /// Whether a name leads to a file that was made since the last look.
    pub(super) fn leads_to_news(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|it| self.clock.is_news(birth_of(&it)))
    }

    /// A name that an input does not mean, but that rotation gives to one that it means: whether
    /// that one is there now or was ever seen says nothing.
    pub(super) fn sibling_of(&self, input: usize, path: &Path) -> Option<Name> {
        let globs = &self.inputs[input].globs;
        // What its compressor made of a rotated log is no log.
        if globs.matches(path) || rotation::is_sealed_up(path) {
            return None;
        }
        let lineage = self.links.lineage_of(path);
        let home = lineage.originals().find(|it| globs.matches(it))?;
        // What a link ends at is meant by that link, whatever lies beside it.
        let is_meant = || self.links.names_of(path).any(|it| globs.matches(it));
        if !rotation::is_rotation(home, path) && is_meant() {
            return None;
        }
        Some(Name::Sibling(input, home.to_owned(), path.to_owned()))
    }
}

/// Whether a compressed file that is not whole can still become so. What is from the future was
/// written by a clock that was ahead, and not just now.
pub(super) fn is_being_written(path: &Path, at: Moment) -> bool {
    let written = std::fs::metadata(path).map(|metadata| modified(&metadata));
    written.is_ok_and(|it| at.time.nanos_since(it).saturating_abs() < COMPRESSED_AFTER)
}

/// Whether nothing lies in the folder of a file, as where its volume is mounted later.
fn is_away(path: &Path) -> bool {
    let listing = path.parent().map(std::fs::read_dir);
    listing.is_none_or(|listing| listing.map_or(true, |mut it| it.next().is_none()))
}
