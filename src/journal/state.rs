//! What the journal's entries amount to. Pure: the same entries give the same state, and the state
//! gives entries that amount to it.

use std::collections::{BTreeMap, BTreeSet};

use super::format::{CheckpointEnd, Cursor, Entry, Identity, Route};
use crate::span::GenerationId;

/// The state that a list of entries amounts to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// What is known of each generation that is not forgotten.
    pub(crate) generations: BTreeMap<GenerationId, Known>,
    /// Which outputs have begun to take which inputs.
    pub(crate) routes: BTreeSet<Route>,
    /// The number that the next generation gets.
    pub(crate) next_generation: u64,
}

/// What is known of one generation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    /// How it is recognised again.
    pub(crate) identity: Identity,
    /// How far each output has it, by the output's name.
    pub(crate) cursors: BTreeMap<String, Cursor>,
}

impl State {
    /// Applies one entry.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Generation(id, identity) => {
                self.next_generation = self.next_generation.max(id.0 + 1);
                self.generations
                    .entry(*id)
                    .and_modify(|known| known.identity.clone_from(identity))
                    .or_insert_with(|| Known {
                        identity: identity.clone(),
                        cursors: BTreeMap::new(),
                    });
            }
            Entry::Cursor(id, output, cursor) => {
                if let Some(known) = self.generations.get_mut(id) {
                    if let Some(mine) = known.cursors.get_mut(output) {
                        *mine = *cursor;
                    } else {
                        known.cursors.insert(output.clone(), *cursor);
                    }
                }
            }
            Entry::Forget(id) => {
                self.generations.remove(id);
            }
            Entry::Route(route) => {
                self.routes.insert(route.clone());
            }
            Entry::CheckpointEnd(end) => {
                self.next_generation = self.next_generation.max(end.next_generation);
            }
        }
    }

    /// The entries that amount to this state.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let generations = self.generations.iter().flat_map(|(&id, known)| {
            let cursors = known.cursors.iter();
            std::iter::once(Entry::Generation(id, known.identity.clone())).chain(
                cursors.map(move |(output, cursor)| Entry::Cursor(id, output.clone(), *cursor)),
            )
        });
        let end = CheckpointEnd {
            next_generation: self.next_generation,
        };
        generations
            .chain(self.routes.iter().cloned().map(Entry::Route))
            .chain(std::iter::once(Entry::CheckpointEnd(end)))
    }
}
