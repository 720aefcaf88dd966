//! Which generation each name holds. Names are told apart by their bytes: part by part, as the
//! standard library compares and hashes paths, that is a good part of what a file costs.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use crate::span::GenerationId;

/// Names that are meant, for each input.
#[derive(Debug, Default)]
pub(in crate::source) struct Held {
    inputs: Vec<HashMap<Name, GenerationId>>,
    /// Counts what changed in it.
    version: u64,
}

#[derive(Debug)]
struct Name(Arc<Path>);

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_os_str() == other.0.as_os_str()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_os_str().hash(state);
    }
}

impl Borrow<OsStr> for Name {
    fn borrow(&self) -> &OsStr {
        self.0.as_os_str()
    }
}

impl Held {
    /// The generation that a name holds.
    pub(in crate::source) fn get(&self, input: usize, path: &Path) -> Option<GenerationId> {
        self.inputs.get(input)?.get(path.as_os_str()).copied()
    }

    /// A name holds this generation from now on.
    pub(in crate::source) fn insert(&mut self, input: usize, path: Arc<Path>, id: GenerationId) {
        if self.inputs.len() <= input {
            self.inputs.resize_with(input + 1, HashMap::new);
        }
        self.inputs[input].insert(Name(path), id);
        self.version += 1;
    }

    /// A name holds nothing any more. Returns what it held.
    pub(in crate::source) fn remove(&mut self, input: usize, path: &Path) -> Option<GenerationId> {
        let held = self.inputs.get_mut(input)?.remove(path.as_os_str())?;
        self.version += 1;
        Some(held)
    }

    /// As long as this is the same, every name holds what it held.
    pub(in crate::source) fn version(&self) -> u64 {
        self.version
    }

    /// How many names there are.
    pub(in crate::source) fn len(&self) -> usize {
        self.inputs.iter().map(HashMap::len).sum()
    }

    /// A name that holds this generation.
    pub(in crate::source) fn name_of(&self, input: usize, id: GenerationId) -> Option<&Arc<Path>> {
        let mut names = self.inputs.get(input)?.iter();
        names
            .find(|(_, held)| **held == id)
            .map(|(name, _)| &name.0)
    }

    /// All names, with the input that means each.
    pub(in crate::source) fn names(&self) -> impl Iterator<Item = (usize, &Path)> {
        let inputs = self.inputs.iter().enumerate();
        inputs.flat_map(|(input, names)| names.keys().map(move |name| (input, &*name.0)))
    }

    /// All of it, with what each name holds.
    pub(in crate::source) fn into_names(
        self,
    ) -> impl Iterator<Item = (usize, Arc<Path>, GenerationId)> {
        let inputs = self.inputs.into_iter().enumerate();
        inputs.flat_map(|(input, names)| {
            let names = names.into_iter();
            names.map(move |(name, id)| (input, name.0, id))
        })
    }
}
