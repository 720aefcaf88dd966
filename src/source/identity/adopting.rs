//! A generation goes on in another file that holds what was read of it: in a copy, when its own was
//! emptied. Which copy that is.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copies::{note_copy, note_end};
use super::opened::Opened;
use crate::journal::Journal;
use crate::source::Moment;
use crate::source::Source;
use crate::source::finding::beside::Listing;
use crate::source::generation::Generation;
use crate::source::generation::place::Place;
use crate::source::system::file::{FileKey, birth_of, modified};
use crate::span::{GenerationId, Position};

/// So often a copy is looked for while names change.
const MOST_LOOKS: usize = 8;

impl Source {
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
    pub(in crate::source) fn go_on_in(
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
        self.note_named(id);
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
}
