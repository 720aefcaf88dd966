//! Which generations are known by an inode or by a path. Reads the index that the state keeps.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::identity::{Identity, OwnFile};
use super::{Known, State};
use crate::span::GenerationId;

impl State {
    /// Whether a file holds a known generation or held it, also one that was left for a copy.
    pub(crate) fn knows_file(&self, file: OwnFile) -> bool {
        let is_it = |id: &GenerationId| {
            let identity = self.generations.get(id).map(|it| &it.identity);
            identity.is_some_and(|it| it.file() == file || it.left == Some(file))
        };
        let mut places = [file.inode, place_of_left(file.inode)].into_iter();
        places.any(|place| self.ids_at(place).any(|id| is_it(&id)))
    }

    fn ids_at(&self, place: u64) -> impl Iterator<Item = GenerationId> {
        let all = (place, GenerationId(0))..=(place, GenerationId(u64::MAX));
        self.by_place.range(all).map(|(_, id)| *id)
    }

    /// The generations that have this inode or one of these paths, in their order. There may be
    /// others among them.
    pub(crate) fn known_at<'a>(
        &self,
        inode: u64,
        paths: impl Iterator<Item = &'a Path>,
    ) -> impl Iterator<Item = (GenerationId, &Known)> {
        let ids: BTreeSet<GenerationId> = paths
            .map(place_of)
            .chain([inode])
            .flat_map(|place| self.ids_at(place))
            .collect();
        ids.into_iter()
            .filter_map(|id| Some((id, &**self.generations.get(&id)?)))
    }
}

/// Where a generation is found in the index.
pub(super) fn places_of(identity: &Identity) -> impl Iterator<Item = u64> {
    let own = [identity.inode, place_of(&identity.path)];
    let left = identity.left.map(|it| place_of_left(it.inode));
    own.into_iter().chain(left)
}

fn place_of_left(inode: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&inode.to_le_bytes())
}

fn place_of(path: &Path) -> u64 {
    xxhash_rust::xxh3::xxh3_64(path.as_os_str().as_encoded_bytes())
}
