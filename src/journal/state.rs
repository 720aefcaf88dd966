//! What the journal's entries amount to. Pure: the same entries give the same state, and the state
//! gives entries that amount to it.

use std::collections::{BTreeMap, BTreeSet};

use super::bound::Bound;
use super::cursors::Cursors;
use super::entry::{CheckpointEnd, Cursor, Entry, Extent, Route, Seal};
use super::identity::Identity;
use super::looks::Looks;
use crate::batch::parts::Parts;
use crate::batch::{BatchId, divided};
use crate::span::{GenerationId, PROOF_ENOUGH, Position, Span};
pub(crate) use earlier::Earlier;
use places::places_of;

mod earlier;
mod places;

/// The state that a list of entries amounts to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// What is known of each generation that is not forgotten. Boxed: where keys only grow, half of
    /// a tree's room stays empty.
    pub(crate) generations: BTreeMap<GenerationId, Box<Known>>,
    /// The same by inode, and by the hash of their path.
    by_place: BTreeSet<(u64, GenerationId)>,
    /// Which outputs have begun to take which inputs.
    pub(crate) routes: BTreeSet<Route>,
    /// Batches on their way, and delivered ones that wait for one before them.
    seals: BTreeMap<BatchId, Sealed>,
    /// When all names were last looked at, and what could not be.
    pub(crate) looks: Looks,
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
    pub(crate) cursors: Cursors,
    /// Where copies of it end, the last ones that were met.
    pub(crate) copies: Vec<Position>,
    /// The first cursor that lay at [`PROOF_ENOUGH`] or beyond, once it moved on: a copy in which not
    /// all is that was read is known by it.
    pub(crate) proof: Option<Position>,
}

/// So many copies of a generation are remembered: that of a rotation, and those of others.
const MOST_COPIES: usize = 4;

#[derive(Debug, Clone, PartialEq)]
struct Sealed {
    seal: Box<Seal>,
    parts: Parts,
    is_acknowledged: bool,
}

impl State {
    /// A state whose numbers begin here.
    pub(super) fn beginning_at(first: u64) -> Self {
        Self {
            next_generation: first,
            next_batch: first,
            ..Self::default()
        }
    }

    /// Applies one entry. Returns the places of bodies that are of no more use.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Vec<Extent> {
        match entry {
            Entry::Generation(id, identity) => {
                self.know_generation(*id);
                if let Some(known) = self.generations.get_mut(id) {
                    for place in places_of(&known.identity) {
                        self.by_place.remove(&(place, *id));
                    }
                    known.identity.clone_from(identity);
                } else {
                    let known = Known {
                        identity: identity.clone(),
                        cursors: Cursors::default(),
                        copies: Vec::new(),
                        proof: None,
                    };
                    self.generations.insert(*id, Box::new(known));
                }
                let places = places_of(identity);
                self.by_place.extend(places.map(|place| (place, *id)));
            }
            Entry::Cursor(id, output, cursor) => self.move_cursor(*id, output, *cursor),
            Entry::Copied(id, end) => {
                if let Some(known) = self.generations.get_mut(id)
                    && !known.copies.contains(end)
                {
                    let too_many = known.copies.len() >= MOST_COPIES;
                    known.copies.drain(..usize::from(too_many));
                    known.copies.push(*end);
                }
            }
            Entry::Proof(id, proof) => {
                if let Some(known) = self.generations.get_mut(id) {
                    known.proof = Some(*proof);
                }
            }
            Entry::Forget(id) => {
                if let Some(known) = self.generations.remove(id) {
                    for place in places_of(&known.identity) {
                        self.by_place.remove(&(place, *id));
                    }
                }
            }
            Entry::Route(route) => {
                self.routes.insert(route.clone());
            }
            Entry::Seal(id, seal) => {
                self.next_batch = self.next_batch.max(id.0.saturating_add(1));
                for span in &seal.spans {
                    self.know_generation(span.generation);
                }
                let sealed = self.seals.entry(*id).or_insert_with(|| Sealed {
                    seal: seal.clone(),
                    parts: divided(&seal.shares),
                    is_acknowledged: false,
                });
                // A sealed batch never changes; only a later run may give it more time.
                let timeout = &mut sealed.seal.request_timeout;
                *timeout = seal.request_timeout.max(*timeout);
            }
            Entry::Cut(id, at) => {
                if let Some(sealed) = self.seals.get_mut(id) {
                    let inside = at.iter().filter(|it| **it < sealed.seal.records);
                    inside.for_each(|&at| sealed.parts.cut(at));
                }
            }
            Entry::Settle(id, range, fate) => {
                if let Some(sealed) = self.seals.get_mut(id) {
                    let until = range.end.min(sealed.seal.records);
                    sealed.parts.settle(range.start..until, *fate);
                }
            }
            Entry::Looked(_)
            | Entry::OutOfSight(..)
            | Entry::Unopened(..)
            | Entry::OpenedAfterAll(_) => self.looks.apply(entry),
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
                span.start > read.map_or(0, |read| read.position.offset)
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
            let left = known.cursors.get(output).map(|it| it.position);
            let left = left.filter(|it| it.offset >= PROOF_ENOUGH && *it != cursor.position);
            known.proof = known.proof.or(left);
            known.cursors.set(output, cursor);
        }
    }

    /// A cursor never passes a batch that is not delivered.
    fn acknowledge(&mut self, id: BatchId) -> Vec<Extent> {
        let mut released = Vec::new();
        if let Some(sealed) = self.seals.get_mut(&id) {
            sealed.is_acknowledged = true;
            released.extend(sealed.seal.body.take());
        }
        let Some(output) = self.seals.get(&id).map(|it| it.seal.output.clone()) else {
            return released;
        };
        // Another configuration can send a generation to another stream while a batch of the
        // old one is still on its way, so both hold back what comes behind them.
        let mut waiting = Bound::default();
        let mut done = Vec::new();
        for (&id, sealed) in self.seals.iter().filter(|(_, it)| it.seal.output == output) {
            if sealed.is_acknowledged && !waiting.holds(&sealed.seal) {
                done.push(id);
            } else {
                waiting.add(&sealed.seal);
            }
        }
        for id in done {
            let Some(Sealed { seal, .. }) = self.seals.remove(&id) else {
                break;
            };
            for span in &seal.spans {
                let cursor = Cursor {
                    position: span.end,
                    last_time: seal.last_time,
                    learned: span.learned,
                };
                self.move_cursor(span.generation, &seal.output, cursor);
            }
        }
        released
    }

    /// The body of a batch lies here by now.
    pub(super) fn place_body(&mut self, id: BatchId, place: Extent) {
        if let Some(sealed) = self.seals.get_mut(&id) {
            sealed.seal.body = Some(place);
        }
    }

    /// Gives up a batch with all that goes with it: they are read again from the cursor.
    fn unseal(&mut self, id: BatchId) -> Vec<Extent> {
        let given_up = self.goes_with(id).into_iter();
        given_up
            .filter_map(|id| self.seals.remove(&id)?.seal.body)
            .collect()
    }

    /// What is given up with a batch: itself, and all behind it of its stream and its generations.
    pub(crate) fn goes_with(&self, id: BatchId) -> Vec<BatchId> {
        let Some(first) = self.seals.get(&id) else {
            return Vec::new();
        };
        let output = first.seal.output.clone();
        let mut given_up = Bound::default();
        given_up.add(&first.seal);
        let mut ids = vec![id];
        for (&later, sealed) in self.seals.range(id..).skip(1) {
            if sealed.seal.output == output && given_up.holds(&sealed.seal) {
                given_up.add(&sealed.seal);
                ids.push(later);
            }
        }
        ids
    }

    /// Whether a batch is on its way and not known to be delivered.
    pub(crate) fn is_unacknowledged(&self, id: BatchId) -> bool {
        self.seals.get(&id).is_some_and(|it| !it.is_acknowledged)
    }

    /// The batches on their way, oldest first; also those that are delivered before earlier ones.
    pub(crate) fn sealed(&self) -> impl Iterator<Item = (BatchId, &Seal)> {
        self.seals.iter().map(|(id, it)| (*id, &*it.seal))
    }

    /// Those of them that are not known to be delivered.
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = (BatchId, &Seal)> {
        self.sealed().filter(|(id, _)| self.is_unacknowledged(*id))
    }

    /// What is known of a batch on its way.
    pub(crate) fn seal_of(&self, id: BatchId) -> Option<&Seal> {
        self.seals.get(&id).map(|sealed| &*sealed.seal)
    }

    /// How a batch is divided.
    pub(crate) fn parts_of(&self, id: BatchId) -> Option<&Parts> {
        self.seals.get(&id).map(|sealed| &sealed.parts)
    }

    /// Where an output goes on reading a generation: behind its cursor and behind the batches
    /// that are sealed already; with the time of the last record in them.
    pub(crate) fn read_from(&self, id: GenerationId, output: &str) -> Option<Cursor> {
        let sealed = self.seals.values().rev().find_map(|sealed| {
            let seal = (sealed.seal.output == output).then_some(&sealed.seal)?;
            let span = seal.spans.iter().rev().find(|span| span.generation == id)?;
            Some(Cursor {
                position: span.end,
                last_time: seal.last_time,
                learned: span.learned,
            })
        });
        sealed.or_else(|| self.cursor_of(id, output))
    }

    /// How far a generation is delivered to an output without holes.
    pub(crate) fn cursor_of(&self, id: GenerationId, output: &str) -> Option<Cursor> {
        self.generations.get(&id)?.cursors.get(output).copied()
    }

    /// The positions in a generation up to which outputs have delivered or sealed it: whoever is
    /// this generation proves them all.
    pub(crate) fn positions_in(&self, id: GenerationId) -> Vec<Position> {
        let known = self.generations.get(&id);
        let cursors = known.into_iter().flat_map(|known| known.cursors.iter());
        cursors
            .map(|(_, cursor)| cursor.position)
            .chain(self.sealed_spans(id).map(|span| span.end))
            .collect()
    }

    /// The batches that hold bytes of a generation.
    pub(crate) fn batches_with(&self, id: GenerationId) -> impl Iterator<Item = BatchId> {
        let holds = move |seal: &Seal| seal.spans.iter().any(|span| span.generation == id);
        self.sealed()
            .filter_map(move |(batch, seal)| holds(seal).then_some(batch))
    }

    fn sealed_spans(&self, id: GenerationId) -> impl Iterator<Item = &Span> {
        let spans = self.seals.values().flat_map(|it| it.seal.spans.iter());
        spans.filter(move |span| span.generation == id)
    }

    /// Whether every output that takes a generation's input has all of its `len` bytes.
    pub(crate) fn is_delivered(&self, id: GenerationId, len: u64) -> bool {
        let Some(known) = self.generations.get(&id) else {
            return false;
        };
        self.every_output(known, |output| {
            let cursor = known.cursors.get(output);
            cursor.is_some_and(|cursor| cursor.position.offset >= len)
        })
    }

    /// Where copies of a generation end that were met.
    pub(crate) fn copies_of(&self, id: GenerationId) -> &[Position] {
        self.generations.get(&id).map_or(&[], |known| &known.copies)
    }

    /// Where an early cursor stood that is enough to prove a generation by.
    pub(crate) fn proof_of(&self, id: GenerationId) -> Option<Position> {
        self.generations.get(&id)?.proof
    }

    /// Whether every output that takes a generation's input has its first `len` bytes in batches.
    pub(crate) fn is_read(&self, id: GenerationId, len: u64) -> bool {
        let Some(known) = self.generations.get(&id) else {
            return false;
        };
        self.every_output(known, |output| {
            let read = self.read_from(id, output);
            read.is_some_and(|read| read.position.offset >= len)
        })
    }

    fn every_output(&self, known: &Known, has: impl Fn(&str) -> bool) -> bool {
        let mut routes = self
            .routes
            .iter()
            .filter(|route| route.input == known.identity.input)
            .peekable();
        routes.peek().is_some() && routes.all(|route| has(&route.output))
    }

    /// The entries that amount to this state.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let generations = self.generations.iter().flat_map(|(&id, known)| {
            let cursors = known.cursors.iter();
            let copies = known.copies.iter();
            std::iter::once(Entry::Generation(id, known.identity.clone()))
                .chain(
                    cursors
                        .map(move |(output, cursor)| Entry::Cursor(id, output.to_owned(), *cursor)),
                )
                .chain(copies.map(move |end| Entry::Copied(id, *end)))
                .chain(known.proof.map(|proof| Entry::Proof(id, proof)))
        });
        let seals = self.seals.iter().flat_map(|(&id, sealed)| {
            let cuts: Vec<_> = sealed.parts.cuts().collect();
            let settled = sealed.parts.settled().iter();
            std::iter::once(Entry::Seal(id, sealed.seal.clone()))
                .chain((!cuts.is_empty()).then_some(Entry::Cut(id, cuts)))
                .chain(settled.map(move |(range, fate)| Entry::Settle(id, range.clone(), *fate)))
        });
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
            .chain(self.looks.entries())
            .chain(seals)
            .chain(acknowledged.map(|(id, _)| Entry::Acknowledge(*id)))
            .chain(std::iter::once(Entry::CheckpointEnd(end)))
    }
}

#[cfg(test)]
mod tests;
