//! The bodies of batches on their way, in memory: shared with whoever sends them, so they cost
//! nothing beside. Neither a disk that fails nor a change of the configuration takes them.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;

use super::bodies::Bodies;
use super::entry::Entry;
use super::state::State;
use super::volume::Handle;
use crate::batch::BatchId;

/// Bodies of this run's batches, and those of earlier ones that were asked for.
#[derive(Debug, Default)]
pub(super) struct InHand(BTreeMap<BatchId, Bytes>);

impl InHand {
    /// Keeps a body until its batch is delivered or given up.
    pub(super) fn keep(&mut self, id: BatchId, body: Bytes) {
        self.0.insert(id, body);
    }

    /// The body of a batch.
    pub(super) fn get(&self, id: BatchId) -> Option<Bytes> {
        self.0.get(&id).cloned()
    }

    /// A body lies on disk alone from now on.
    pub(super) fn put_away(&mut self, id: BatchId) {
        self.0.remove(&id);
    }

    /// Lets go of what is of no more use after an entry, which amounted to this state.
    pub(super) fn let_go(&mut self, entry: &Entry, state: &State) {
        match entry {
            Entry::Acknowledge(id) => {
                self.0.remove(id);
            }
            Entry::Unseal(_) => self.0.retain(|id, _| state.is_unacknowledged(*id)),
            _ => {}
        }
    }

    /// Writes what is not on disk, and notes in the state where it lies. What is not in memory may be
    /// where it was `before`. Returns whether there was anything to write.
    pub(super) fn store_missing<F: Handle>(
        &self,
        bodies: &mut Bodies<F>,
        before: Option<&Bodies<F>>,
        state: &mut State,
    ) -> io::Result<bool> {
        let mut is_any = false;
        let on_their_way = state.unacknowledged().map(|(id, seal)| (id, seal.body));
        for (id, place) in on_their_way.collect::<Vec<_>>() {
            let lay = || before?.load(place?).ok().flatten();
            let Some(body) = self.get(id).or_else(lay) else {
                continue;
            };
            if let Some(place) = place {
                if bodies.load(place)?.as_ref() == Some(&body) {
                    continue;
                }
                bodies.release(place);
            }
            state.place_body(id, bodies.store(&body)?);
            is_any = true;
        }
        Ok(is_any)
    }
}
