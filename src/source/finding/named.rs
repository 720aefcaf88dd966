//! Which open generations have the names that a file can come from, for as long as a look lasts at
//! many names: else each of them is compared with every generation.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::hash::{BuildHasher as _, RandomState};

use crate::source::Source;
use crate::source::generation::Generation;
use crate::source::identity::rotation::{Lineage, originals};
use crate::span::GenerationId;

/// From so many names on it pays.
const MANY: usize = 100;

/// Generations by their names.
#[derive(Debug, Default)]
pub(in crate::source) struct Named {
    hasher: RandomState,
    ids: HashMap<u64, Vec<GenerationId>>,
}

/// What a name is to a generation.
#[derive(Debug, Clone, Copy, Hash)]
enum Kind {
    /// It has it, or had it at first.
    Own,
    /// Rotation can have made its own of it.
    Original,
}

impl Named {
    /// All of these.
    pub(in crate::source) fn of<'a>(generations: impl Iterator<Item = &'a Generation>) -> Self {
        let mut named = Self::default();
        generations.for_each(|it| named.add(it));
        named
    }

    /// One more, or one that got another name.
    pub(in crate::source) fn add(&mut self, generation: &Generation) {
        for name in BTreeSet::from([&generation.origin, &generation.path]) {
            self.insert(Kind::Own, name.as_os_str(), generation.id);
            for original in originals(name) {
                self.insert(Kind::Original, original.as_os_str(), generation.id);
            }
        }
    }

    fn insert(&mut self, kind: Kind, name: &OsStr, id: GenerationId) {
        let hash = self.hasher.hash_one((kind, name));
        self.ids.entry(hash).or_default().push(id);
    }

    /// Those from which a file with this lineage can come, in their order. There may be others among
    /// them.
    pub(in crate::source) fn origins_of(&self, lineage: &Lineage<'_>) -> BTreeSet<GenerationId> {
        let own = lineage.originals();
        let own = own.map(|it| (Kind::Own, it.as_os_str()));
        // What was compressed can have had any name of the same rotation.
        let is_compressed = lineage.earlier_names().is_none();
        let others = lineage.originals().filter(|_| is_compressed);
        let others = others.map(|it| (Kind::Original, it.as_os_str()));
        own.chain(others)
            .filter_map(|name| self.ids.get(&self.hasher.hash_one(name)))
            .flatten()
            .copied()
            .collect()
    }
}

impl Source {
    /// The open generations from which a file with this lineage can come by its name, in their order.
    pub(in crate::source) fn named_like(&self, lineage: &Lineage<'_>) -> Vec<GenerationId> {
        let can_be =
            |it: &&Generation| lineage.can_come_from(&it.path) || lineage.can_come_from(&it.origin);
        let Some(named) = &self.named else {
            return self.generations().filter(can_be).map(|it| it.id).collect();
        };
        let origins = named.origins_of(lineage).into_iter();
        let origins = origins.filter_map(|id| self.get(id));
        origins.filter(can_be).map(|it| it.id).collect()
    }

    /// A look at so many names begins.
    pub(in crate::source) fn begin_names(&mut self, count: usize) {
        self.named = (count >= MANY).then(|| Named::of(self.generations()));
    }

    /// A generation was opened, or goes on at another name.
    pub(in crate::source) fn note_named(&mut self, id: GenerationId) {
        if let (Some(named), Some(generation)) = (&mut self.named, self.generations.get(&id)) {
            named.add(generation);
        }
    }
}
