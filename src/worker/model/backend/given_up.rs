//! What an agent gives up: its lines are read again.

use std::collections::BTreeSet;

use super::{Backend, refuses};
use crate::batch::BatchId;
use crate::journal::State;

impl Backend {
    /// What the agent no longer knows of, though it was never told that it is done, is given up: it
    /// is read again.
    pub(in super::super) fn note_given_up(&mut self, output: usize, state: &State) {
        let is_known = |id: &BatchId| state.seal_of(*id).is_some();
        let (known, over): (_, BTreeSet<_>) = std::mem::take(&mut self.unheard)
            .into_iter()
            .partition(is_known);
        self.unheard = known;
        for id in over {
            if self.told.remove(&id) {
                continue;
            }
            for id in self.behind(id) {
                self.give_up(output, id);
            }
        }
        self.sealed.retain(|_, count| *count > 0);
    }

    /// A batch that is read again, and those that were delivered behind it of the same contents: they
    /// went to another stream, and are read again with it.
    fn behind(&self, id: BatchId) -> Vec<BatchId> {
        let contents = |id: BatchId| -> BTreeSet<&str> {
            let records = self.handed.get(&id).map(|it| &it.records);
            let lines = records.into_iter().flat_map(|it| it.iter());
            lines
                .filter_map(|(_, line)| line.split(' ').next())
                .collect()
        };
        let given_up = contents(id);
        let later = self.handed.keys().copied().filter(|it| *it > id);
        let delivered =
            later.filter(|it| !self.unheard.contains(it) && !self.given_up.contains(it));
        let behind = delivered.filter(|it| !contents(*it).is_disjoint(&given_up));
        std::iter::once(id).chain(behind).collect()
    }

    /// The lines of a batch are read again.
    fn give_up(&mut self, output: usize, id: BatchId) {
        let Some(handed) = self.handed.get(&id).filter(|_| self.given_up.insert(id)) else {
            return;
        };
        for (number, (_, line)) in (0..).zip(&*handed.records) {
            let is_stored = self.store.known.contains(&(id, number));
            // A bad one may be in the dead letters by now.
            if is_stored || refuses(output, line) {
                *self.come_again.entry(line.clone()).or_default() += 1;
            }
            if !is_stored && let Some(count) = self.sealed.get_mut(line) {
                *count -= 1;
                self.taken_back.insert(line.clone());
            }
        }
    }
}
