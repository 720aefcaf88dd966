//! Contents that are known to lie in a file of their own under a rotated name: what is found under
//! another name, however alike, is another content. Keeps which are delivered and not open.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::rotation::is_of_later_rotation;
use crate::journal::{Journal, Known};
use crate::source::generation::Generation;
use crate::source::generation::place::Place;
use crate::source::system::file::{FileKey, birth_of};
use crate::span::GenerationId;

/// Rotated files that are delivered and not open, by what was known of them.
#[derive(Debug, Default)]
pub(in crate::source) struct Elsewhere(BTreeMap<GenerationId, RotatedAway>);

#[derive(Debug)]
struct RotatedAway {
    key: FileKey,
    /// Its name, where it is no copy.
    path: Option<PathBuf>,
}

impl Elsewhere {
    /// A rotated file was met, and all of it is delivered.
    pub(in crate::source) fn note_met(
        &mut self,
        id: GenerationId,
        path: &Path,
        metadata: &Metadata,
        journal: &Journal,
    ) {
        let known = journal.state().generations.get(&id);
        let is_itself = known.is_some_and(|known| {
            let it = &known.identity;
            (it.inode, it.birth) == (metadata.ino(), birth_of(metadata))
        });
        let rotated = RotatedAway {
            key: FileKey::of(metadata),
            path: is_itself.then(|| path.to_owned()),
        };
        self.0.insert(id, rotated);
    }

    /// A generation is closed.
    pub(in crate::source) fn note_closed(&mut self, generation: &Generation) {
        if matches!(generation.place, Place::Moved | Place::Rotated) {
            let is_itself = generation.copy_len.is_none();
            let rotated = RotatedAway {
                key: generation.key,
                path: is_itself.then(|| generation.path.to_path_buf()),
            };
            self.0.insert(generation.id, rotated);
        }
    }

    /// The journal forgets a generation.
    pub(in crate::source) fn forget(&mut self, id: GenerationId) {
        self.0.remove(&id);
    }

    /// Whether a generation lies in such a file.
    pub(in crate::source) fn has(&self, id: GenerationId) -> bool {
        self.0.contains_key(&id)
    }

    /// Which generation lies in this file.
    pub(in crate::source) fn in_file(&self, key: FileKey) -> Option<GenerationId> {
        let mut rotated = self.0.iter();
        rotated.find(|(_, it)| it.key == key).map(|(id, _)| *id)
    }

    /// Whether a known generation lies elsewhere than in this file at `path`, which took its name or was
    /// rotated after it.
    pub(in crate::source) fn excludes(
        &self,
        (id, known): (GenerationId, &Known),
        path: &Path,
        key: FileKey,
    ) -> bool {
        let elsewhere = self.0.get(&id).filter(|it| it.key != key);
        elsewhere.is_some_and(|it| {
            let lies_at = it.path.as_ref().filter(|_| known.copies.is_empty());
            known.identity.path == path
                || lies_at.is_some_and(|lies_at| was_rotated_before(it.key, lies_at, path))
        })
    }
}

/// Whether an open generation lies at the name of an earlier rotation than `path`, and is no copy.
pub(in crate::source) fn is_rotated_before(
    generation: &Generation,
    path: &Path,
    journal: &Journal,
) -> bool {
    generation.copy_len.is_none()
        && journal.state().copies_of(generation.id).is_empty()
        && was_rotated_before(generation.key, &generation.path, path)
}

/// Whether a file lies at this name, and another name is of a later rotation. What is rotated is not
/// copied.
fn was_rotated_before(key: FileKey, lies_at: &Path, path: &Path) -> bool {
    is_of_later_rotation(path, lies_at)
        && std::fs::metadata(lies_at).is_ok_and(|it| FileKey::of(&it) == key)
}
