//! Which files are meant, and the change to other inputs while files are open: what is still meant
//! stays open under its new number.

use std::collections::HashMap;

use super::globs::Globs;
use crate::source::{Generation, Source};
use crate::span::GenerationId;

/// An input as the source needs it.
#[derive(Debug)]
pub(in crate::source) struct Input {
    pub(in crate::source) name: String,
    pub(in crate::source) globs: Globs,
}

impl Input {
    pub(in crate::source) fn new((name, include, exclude): (&str, &[String], &[String])) -> Self {
        Self {
            name: name.to_owned(),
            globs: Globs::new(include, exclude),
        }
    }
}

impl Source {
    /// Goes on with other inputs. What one of the same name still means stays open; all else is
    /// closed and returned. A walk must follow.
    pub(crate) fn set_inputs<'a>(
        &mut self,
        inputs: impl Iterator<Item = (&'a str, &'a [String], &'a [String])>,
    ) -> Vec<Generation> {
        self.all_settled.set(None);
        let before = std::mem::replace(&mut self.inputs, inputs.map(Input::new).collect());
        let mut now = HashMap::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let old = before.iter().position(|it| it.name == input.name);
            now.extend(old.map(|old| (old, index)));
        }
        let is_meant = |generation: &Generation| {
            let input = now.get(&generation.input).map(|&it| &self.inputs[it]);
            input.is_some_and(|it| it.globs.matches(&generation.origin))
        };
        let dropped: Vec<_> = self
            .generations
            .extract_if(.., |_, generation| !is_meant(generation))
            .map(|(_, generation)| *generation)
            .collect();
        for generation in self.generations.values_mut() {
            generation.input = now[&generation.input];
        }
        let is_open = |id: &GenerationId| self.generations.contains_key(id);
        let keys = std::mem::take(&mut self.by_key).into_iter();
        self.by_key = keys
            .filter(|(_, id)| is_open(id))
            .map(|((input, key), id)| ((now[&input], key), id))
            .collect();
        for (input, path, id) in std::mem::take(&mut self.by_path).into_names() {
            if is_open(&id) && self.inputs[now[&input]].globs.matches(&path) {
                self.by_path.insert(now[&input], path, id);
            }
        }
        // They are found again by the walk.
        self.aliases.clear();
        self.deferred.clear();
        self.renamed.clear();
        self.unfinished.clear();
        self.examined.clear();
        self.unmatched.forget();
        self.room.forget();
        self.has_walked = false;
        dropped
    }
}
