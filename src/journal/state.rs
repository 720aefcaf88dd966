//! What the journal's entries amount to. Pure: the same entries give the same state, and the state
//! gives entries that amount to it.

use std::collections::{BTreeMap, BTreeSet};

use super::format::{CheckpointEnd, Cursor, Entry, Extent, Identity, Route, Seal};
use crate::batch::BatchId;
use crate::record::Time;
use crate::span::{GenerationId, Position};

/// The state that a list of entries amounts to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// What is known of each generation that is not forgotten.
    pub(crate) generations: BTreeMap<GenerationId, Known>,
    /// Which outputs have begun to take which inputs.
    pub(crate) routes: BTreeSet<Route>,
    /// Batches on their way, and delivered ones that wait for one before them.
    seals: BTreeMap<BatchId, Sealed>,
    /// When all names were last looked at.
    pub(crate) looked_at: Option<Time>,
    /// The number that the next generation gets.
    pub(super) next_generation: u64,
    /// The number that the next batch gets.
    pub(super) next_batch: u64,
}

/// What is known of one generation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    /// How it is recognised again.
    pub(crate) identity: Identity,
    /// How far each output has it, by the output's name.
    pub(crate) cursors: BTreeMap<String, Cursor>,
}

#[derive(Debug, Clone, PartialEq)]
struct Sealed {
    seal: Box<Seal>,
    is_acknowledged: bool,
}

impl State {
    /// Applies one entry. Returns the places of bodies that are of no more use.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Vec<Extent> {
        match entry {
            Entry::Generation(id, identity) => {
                self.know_generation(*id);
                self.generations
                    .entry(*id)
                    .and_modify(|known| known.identity.clone_from(identity))
                    .or_insert_with(|| Known {
                        identity: identity.clone(),
                        cursors: BTreeMap::new(),
                    });
            }
            Entry::Cursor(id, output, cursor) => self.move_cursor(*id, output, *cursor),
            Entry::Forget(id) => {
                self.generations.remove(id);
            }
            Entry::Route(route) => {
                self.routes.insert(route.clone());
            }
            Entry::Seal(id, seal) => {
                self.next_batch = self.next_batch.max(id.0.saturating_add(1));
                for span in &seal.spans {
                    self.know_generation(span.generation);
                }
                // A sealed batch never changes.
                self.seals.entry(*id).or_insert_with(|| Sealed {
                    seal: seal.clone(),
                    is_acknowledged: false,
                });
            }
            Entry::Looked(time) => self.looked_at = Some(*time),
            Entry::Acknowledge(id) => return self.acknowledge(*id),
            Entry::Unseal(id) => return self.unseal(*id),
            Entry::CheckpointEnd(end) => {
                self.next_generation = self.next_generation.max(end.next_generation);
                self.next_batch = self.next_batch.max(end.next_batch);
            }
            Entry::Synced => {}
        }
        Vec::new()
    }

    /// Applies one entry that stands behind a damaged place. What is missing there may have been
    /// a batch on its way: nothing is taken as read or as delivered across a hole.
    pub(super) fn apply_behind_damage(&mut self, entry: &Entry) {
        if let Entry::Seal(_, seal) = entry {
            let leaves_a_hole = seal.spans.iter().any(|span| {
                let read = self.read_from(span.generation, &seal.output);
                span.start > read.map_or(0, |(position, _)| position.offset)
            });
            if leaves_a_hole {
                return;
            }
        }
        self.apply(entry);
    }

    fn know_generation(&mut self, id: GenerationId) {
        self.next_generation = self.next_generation.max(id.0.saturating_add(1));
    }

    fn move_cursor(&mut self, id: GenerationId, output: &str, cursor: Cursor) {
        if let Some(known) = self.generations.get_mut(&id) {
            if let Some(mine) = known.cursors.get_mut(output) {
                *mine = cursor;
            } else {
                known.cursors.insert(output.to_owned(), cursor);
            }
        }
    }

    /// The batches of the same stream as `id`, oldest first.
    fn of_the_same_stream(&self, id: BatchId) -> Vec<BatchId> {
        let Some(this) = self.seals.get(&id) else {
            return Vec::new();
        };
        self.seals
            .iter()
            .filter(|(_, other)| {
                other.seal.stream == this.seal.stream && other.seal.output == this.seal.output
            })
            .map(|(id, _)| *id)
            .collect()
    }

    /// A cursor never passes a batch that is not delivered.
    fn acknowledge(&mut self, id: BatchId) -> Vec<Extent> {
        let mut released = Vec::new();
        if let Some(sealed) = self.seals.get_mut(&id) {
            sealed.is_acknowledged = true;
            released.extend(sealed.seal.body.take());
        }
        for id in self.of_the_same_stream(id) {
            if self
                .seals
                .get(&id)
                .is_none_or(|sealed| !sealed.is_acknowledged)
            {
                break;
            }
            let Some(Sealed { seal, .. }) = self.seals.remove(&id) else {
                break;
            };
            for span in &seal.spans {
                let cursor = Cursor {
                    position: span.end,
                    last_time: seal.last_time,
                };
                self.move_cursor(span.generation, &seal.output, cursor);
            }
        }
        released
    }

    fn unseal(&mut self, id: BatchId) -> Vec<Extent> {
        let later = self
            .of_the_same_stream(id)
            .into_iter()
            .filter(|other| *other >= id);
        later
            .filter_map(|id| self.seals.remove(&id)?.seal.body)
            .collect()
    }

    /// The batches that were on their way and are not known to be delivered, oldest first.
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = (BatchId, &Seal)> {
        self.seals
            .iter()
            .filter(|(_, sealed)| !sealed.is_acknowledged)
            .map(|(id, sealed)| (*id, &*sealed.seal))
    }

    /// Where an output goes on reading a generation: behind its cursor and behind the batches
    /// that are sealed already; with the time of the last record in them.
    pub(crate) fn read_from(&self, id: GenerationId, output: &str) -> Option<(Position, Time)> {
        let cursor = self.cursor_of(id, output);
        let sealed = self.seals.values().rev().find_map(|sealed| {
            let seal = (sealed.seal.output == output).then_some(&sealed.seal)?;
            let span = seal.spans.iter().rev().find(|span| span.generation == id)?;
            Some((span.end, seal.last_time))
        });
        sealed.or(cursor.map(|cursor| (cursor.position, cursor.last_time)))
    }

    /// How far a generation is delivered to an output without holes.
    pub(crate) fn cursor_of(&self, id: GenerationId, output: &str) -> Option<Cursor> {
        self.generations.get(&id)?.cursors.get(output).copied()
    }

    /// Whether every output that takes a generation's input has all of its `len` bytes.
    pub(crate) fn is_delivered(&self, id: GenerationId, len: u64) -> bool {
        let Some(known) = self.generations.get(&id) else {
            return false;
        };
        let mut routes = self
            .routes
            .iter()
            .filter(|route| route.input == known.identity.input)
            .peekable();
        routes.peek().is_some()
            && routes.all(|route| {
                let cursor = known.cursors.get(&route.output);
                cursor.is_some_and(|cursor| cursor.position.offset >= len)
            })
    }

    /// The entries that amount to this state.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let generations = self.generations.iter().flat_map(|(&id, known)| {
            let cursors = known.cursors.iter();
            std::iter::once(Entry::Generation(id, known.identity.clone())).chain(
                cursors.map(move |(output, cursor)| Entry::Cursor(id, output.clone(), *cursor)),
            )
        });
        let seals = self
            .seals
            .iter()
            .map(|(id, sealed)| Entry::Seal(*id, sealed.seal.clone()));
        let acknowledged = self
            .seals
            .iter()
            .filter(|(_, sealed)| sealed.is_acknowledged);
        let end = CheckpointEnd {
            next_generation: self.next_generation,
            next_batch: self.next_batch,
        };
        generations
            .chain(self.routes.iter().cloned().map(Entry::Route))
            .chain(self.looked_at.map(Entry::Looked))
            .chain(seals)
            .chain(acknowledged.map(|(id, _)| Entry::Acknowledge(*id)))
            .chain(std::iter::once(Entry::CheckpointEnd(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::{identity, seal};
    use super::*;

    #[test]
    fn acknowledgements_out_of_order_leave_no_hole_behind_the_cursor() {
        let mut state = State::default();
        let id = GenerationId(0);
        state.apply(&Entry::Generation(id, identity(0)));
        for number in 0..3 {
            let seal = seal("out", "a", id, number * 10, number * 10 + 10);
            state.apply(&Entry::Seal(BatchId(number), Box::new(seal)));
        }
        let offset = |state: &State| {
            state.generations[&id]
                .cursors
                .get("out")
                .map(|cursor| cursor.position.offset)
        };
        let read = |state: &State| state.read_from(id, "out").map(|it| it.0.offset);
        assert_eq!((offset(&state), read(&state)), (None, Some(30)));
        assert_eq!(state.apply(&Entry::Acknowledge(BatchId(1))).len(), 1);
        assert_eq!((offset(&state), read(&state)), (None, Some(30)));
        assert_eq!(state.unacknowledged().count(), 2);
        state.apply(&Entry::Acknowledge(BatchId(0)));
        assert_eq!((offset(&state), read(&state)), (Some(20), Some(30)));
        state.apply(&Entry::Acknowledge(BatchId(2)));
        assert_eq!((offset(&state), read(&state)), (Some(30), Some(30)));
        assert_eq!(
            state.apply(&Entry::Acknowledge(BatchId(2))),
            [],
            "twice is once"
        );
    }

    #[test]
    fn streams_and_outputs_do_not_wait_for_each_other() {
        let mut state = State::default();
        let id = GenerationId(0);
        state.apply(&Entry::Generation(id, identity(0)));
        let seals = [("out", "a", 10), ("out", "b", 20), ("other", "a", 30)];
        for (number, (output, stream, end)) in (0..).zip(seals) {
            let seal = seal(output, stream, id, 0, end);
            state.apply(&Entry::Seal(BatchId(number), Box::new(seal)));
        }
        state.apply(&Entry::Acknowledge(BatchId(2)));
        assert_eq!(state.generations[&id].cursors["other"].position.offset, 30);
        state.apply(&Entry::Acknowledge(BatchId(1)));
        assert_eq!(state.generations[&id].cursors["out"].position.offset, 20);
    }

    #[test]
    fn what_is_unsealed_is_read_again() {
        let mut state = State::default();
        let id = GenerationId(0);
        state.apply(&Entry::Generation(id, identity(0)));
        for number in 0..3 {
            let seal = seal("out", "a", id, number * 10, number * 10 + 10);
            state.apply(&Entry::Seal(BatchId(number), Box::new(seal)));
        }
        state.apply(&Entry::Acknowledge(BatchId(0)));
        assert_eq!(state.apply(&Entry::Unseal(BatchId(1))).len(), 2);
        assert_eq!(state.read_from(id, "out").map(|it| it.0.offset), Some(10));
    }
}
