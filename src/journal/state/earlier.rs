//! What an earlier run left, where this one could not read it at its start: it is taken in once it can.

use std::collections::{BTreeMap, BTreeSet};

use super::{Route, Sealed, State, places_of};
use crate::batch::BatchId;

/// What was found of an earlier run, beside what its files came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Earlier {
    /// Which of its outputs had begun to take which inputs.
    pub(crate) routes: BTreeSet<Route>,
    /// The batches that it had sealed, by the output that each was for. They are given up: the cursors
    /// say where their bytes begin.
    pub(crate) given_up: BTreeMap<BatchId, String>,
}

impl State {
    /// Takes in what an earlier run knew, whose numbers are others.
    pub(in super::super) fn take_in(&mut self, mut earlier: Self, found: &mut Earlier) {
        for (id, Sealed { seal, .. }) in std::mem::take(&mut earlier.seals) {
            if self.seals.contains_key(&id) {
                continue;
            }
            // Should its file be there no more, what it held is counted as lost.
            for span in &seal.spans {
                if let Some(known) = earlier.generations.get_mut(&span.generation) {
                    let seen = &mut known.identity.size;
                    *seen = (*seen).max(Some(span.end.offset));
                }
            }
            found.given_up.insert(id, seal.output);
        }
        found.routes.extend(earlier.routes.iter().cloned());
        for (id, known) in earlier.generations {
            if !self.generations.contains_key(&id) {
                let places = places_of(&known.identity);
                self.by_place.extend(places.map(|place| (place, id)));
                self.generations.insert(id, known);
            }
        }
        self.routes.extend(earlier.routes);
        self.looks.take_in(earlier.looks);
        self.next_generation = self.next_generation.max(earlier.next_generation);
        self.next_batch = self.next_batch.max(earlier.next_batch);
    }
}
