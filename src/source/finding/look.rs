//! A look at one name or at one open file: what became of it since the last look.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::journal::Journal;
use crate::source::generation::Look;
use crate::source::generation::place::Place;
#[cfg(test)]
use crate::source::meanwhile;
use crate::source::system::file::{FileKey, Stat};
use crate::source::{Change, Moment, Source};
use crate::span::GenerationId;

impl Source {
    /// Whether a name leads to the file that it led to, which was not written since.
    pub(in crate::source) fn is_unchanged(&self, input: usize, path: &Path) -> bool {
        let holder = self.by_path.get(input, path);
        holder.is_some_and(|id| {
            std::fs::metadata(path).is_ok_and(|it| self.is_at_rest(id, &Stat::of(&it)))
        })
    }

    /// The same of a name that holds this generation, by what the system says of it.
    pub(in crate::source) fn is_at_rest(&self, id: GenerationId, stat: &Stat) -> bool {
        let holder = self.generations.get(&id);
        holder.is_some_and(|it| it.key == stat.key && it.is_unchanged(stat))
    }

    /// Looks at one name that an input means.
    pub(in crate::source) fn look_at_path(
        &mut self,
        input: usize,
        path: &Path,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.by_path.remove(input, path);
                self.unread.note_left(path);
                return;
            }
            Err(error) => {
                self.problems.note(path, "look at", &error);
                return self.lose_sight_of(path);
            }
        };
        if !metadata.is_file() {
            return;
        }
        #[cfg(test)]
        meanwhile::happen(meanwhile::After::Asking);
        let key = FileKey::of(&metadata);
        let id = match self.by_key.get(&(input, key)).copied() {
            Some(id) => id,
            None if self.is_alias((input, key), metadata.len()) => return,
            None if self.is_parked((input, key), path, &metadata) => return,
            None if !self.has_room_for(input, path) => return,
            None => match self.open(input, path, (journal, at), changes) {
                Ok(Some(id)) => {
                    // Nothing tells of changes where it ends before a walk has followed it.
                    if !self.links.is_way(path) && path.is_symlink() {
                        self.next_walk = at.now;
                    }
                    self.problems.mended(path);
                    // It was looked at just now, later than its name was.
                    return self.note_holder(input, path, id);
                }
                Ok(None) => return,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.has_missed = true;
                    return;
                }
                Err(error) => {
                    self.problems.note(path, "open", &error);
                    return self.remember_unopened((input, path), &metadata, &error, journal);
                }
            },
        };
        self.problems.mended(path);
        self.note_holder(input, path, id);
        self.look(id, &metadata, journal, at, changes);
    }

    /// A name leads to the file of a generation.
    fn note_holder(&mut self, input: usize, path: &Path, id: GenerationId) {
        if self.by_path.get(input, path) == Some(id) {
            return;
        }
        self.unread.note_left(path);
        let generation = self.generations.get(&id);
        let known = generation.filter(|it| it.path.as_os_str() == path.as_os_str());
        let path = known.map_or_else(|| path.into(), |it| Arc::clone(&it.path));
        self.by_path.insert(input, path, id);
    }

    /// Takes note of a generation's size.
    fn look(
        &mut self,
        id: GenerationId,
        metadata: &Metadata,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let Some(generation) = self.generations.get_mut(&id) else {
            return;
        };
        let look = generation.look(metadata, at.now, at.time);
        if matches!(look, Look::Grew { .. }) && generation.is_at_home() {
            // It was taken for past, and its writer goes on.
            generation.is_over = self.has_ended;
        }
        if let Look::Grew { is_better_known } = look
            && is_better_known
        {
            self.note_identity(id, journal, at);
        }
        match look {
            Look::Same => {}
            Look::Grew { .. } => changes.push(Change::Grew(id)),
            Look::Shrunk => changes.push(Change::Shrunk(id)),
            Look::Touched => changes.push(Change::Touched(id)),
        }
    }

    /// Finds out where a generation stands.
    pub(in crate::source) fn settle(
        &mut self,
        id: GenerationId,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let Some(generation) = self.generations.get(&id) else {
            return;
        };
        if generation.place == Place::Gone {
            return;
        }
        let input = generation.input;
        let is_at = |path: &Path| self.by_path.get(input, path) == Some(id);
        let place = if is_at(&generation.origin) {
            Some((Place::Home, &generation.origin))
        } else if is_at(&generation.path) {
            Some((Place::Moved, &generation.path))
        } else {
            let name = self.by_path.name_of(input, id);
            name.map(|name| (Place::Moved, name))
        };
        let Some((place, path)) = place else {
            return self.look_at_nameless(id, journal, at, changes);
        };
        let path = Arc::clone(path);
        if let Some(generation) = self.generations.get_mut(&id) {
            generation.path = path;
            generation.place_at(place, at.now);
        }
    }

    /// What was rotated away in these folders.
    pub(in crate::source) fn retired_in(
        &self,
        folders: &BTreeSet<PathBuf>,
    ) -> impl Iterator<Item = GenerationId> {
        let is_in = |origin: &Path| origin.parent().is_some_and(|it| folders.contains(it));
        self.generations()
            .filter(move |it| it.place == Place::Rotated && is_in(&it.origin))
            .map(|it| it.id)
    }

    /// Looks at the files that stand at no name of their own, and at those that end in NULs: nothing
    /// tells of what is written over them in memory.
    pub(in crate::source) fn look_at_retired(
        &mut self,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let ids: Vec<_> = self.generations.keys().copied().collect();
        for id in ids {
            let Some(generation) = self.generations.get(&id) else {
                continue;
            };
            match generation.place {
                Place::Gone => continue,
                Place::Home | Place::Moved if generation.content.ends_in_nuls() => {
                    if let Ok(metadata) = generation.content.file().metadata() {
                        self.look(id, &metadata, journal, at, changes);
                    }
                }
                Place::Home | Place::Moved => {}
                Place::Rotated | Place::Deleted => {
                    self.look_at_nameless(id, journal, at, changes);
                }
            }
            if let Some(generation) = self.generations.get_mut(&id)
                && generation
                    .over_at()
                    .is_some_and(|over_at| at.now >= over_at)
            {
                generation.is_over = true;
                changes.push(Change::Over(id));
            }
        }
    }

    /// Looks at a file through its descriptor.
    fn look_at_nameless(
        &mut self,
        id: GenerationId,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let Some(generation) = self.generations.get_mut(&id) else {
            return;
        };
        let Ok(metadata) = generation.content.file().metadata() else {
            return;
        };
        #[cfg(test)]
        meanwhile::happen(meanwhile::After::Asking);
        let place = if metadata.nlink() == 0 {
            Place::Deleted
        } else {
            Place::Rotated
        };
        generation.place_at(place, at.now);
        self.look(id, &metadata, journal, at, changes);
    }
}
