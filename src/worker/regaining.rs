//! The state directory could not be used at the start and can be now: what an earlier run
//! delivered is known again. Every output goes on from there in the files that are open, instead
//! of sending again what is delivered, or leaving out what was skipped because nothing was known.
//! What came twice by then, or will, is counted.

use std::collections::{BTreeMap, BTreeSet};

use super::Worker;
use crate::dispatch::GoOn;
use crate::journal::{Cursor, Earlier, Entry, Route};
use crate::source::Moment;
use crate::span::GenerationId;

/// What is still to be done with what was regained.
#[derive(Debug, Default)]
pub(super) struct Regained {
    /// Open generations, and what each was in an earlier run.
    pairs: Vec<(GenerationId, GenerationId)>,
    moves: Vec<Move>,
}

/// An output is to go on from another place in a generation.
#[derive(Debug)]
struct Move {
    generation: GenerationId,
    output: usize,
    go_on: GoOn,
}

impl Worker {
    /// Takes up what an earlier run knew, when that could be read at last.
    pub(super) fn regain_past(&mut self, at: Moment) {
        if let Some(earlier) = self.journal.take_regained() {
            tracing::info!("what an earlier run delivered is known by now");
            self.count_given_up(&earlier);
            let open: Vec<_> = self.source.generations().map(|it| it.id).collect();
            for id in open {
                if let Some(before) = self.source.known_before(id, &self.journal) {
                    self.regained.pairs.push((id, before));
                    self.find_moves(id, before, &earlier.routes);
                }
            }
            self.source.look_as_at_the_start(&self.journal, at);
        }
        self.make_moves(at);
    }

    /// Counts what the earlier run had on its way: its lines are read again, and it may be stored.
    fn count_given_up(&self, earlier: &Earlier) {
        let mut by_output: BTreeMap<&str, u64> = BTreeMap::new();
        for output in earlier.given_up.values() {
            *by_output.entry(output).or_default() += 1;
        }
        for (output, batches) in by_output {
            self.metrics.count_doubtful(output, batches);
            tracing::warn!(
                output,
                batches,
                "what an earlier run had on its way is read again and may be stored already: its records may be there twice"
            );
        }
    }

    /// A generation that is open is one that an earlier run knew, whose outputs took these inputs.
    fn find_moves(&mut self, id: GenerationId, earlier: GenerationId, routes: &BTreeSet<Route>) {
        let state = self.journal.state();
        let skipped = state.generations.get(&id);
        let skipped = skipped.map_or(0, |known| known.identity.skipped);
        let input = state.generations.get(&earlier);
        let input = input.map_or("", |known| &known.identity.input);
        for (output, of) in self.outputs.iter().enumerate() {
            let name = of.dispatcher.name();
            let is_owed = |route: &Route| route.input == input && route.output == name;
            // Nothing of it was delivered, and all of it was owed.
            let none = || routes.iter().any(is_owed).then(Cursor::default);
            let cursor = state.cursor_of(earlier, name).or_else(none);
            let read = of.dispatcher.read_position(id);
            let (Some(cursor), Some(read)) = (cursor, read) else {
                continue;
            };
            let done = cursor.position.offset;
            let (go_on, came_twice) = if skipped > done {
                (GoOn::Back(cursor), skipped..read.offset)
            } else {
                (GoOn::Further(cursor), skipped..read.offset.min(done))
            };
            if !came_twice.is_empty() {
                let batches = of.dispatcher.batches_of(id);
                self.metrics.count_doubtful(name, batches);
            }
            if done > read.offset || skipped > done || cursor.learned.has_given() {
                self.regained.moves.push(Move {
                    generation: id,
                    output,
                    go_on,
                });
            }
        }
    }

    /// Makes the moves for which nothing is on its way any more. Until all are made the earlier
    /// run's generations stay in the journal: after a restart they are the ones recognised.
    fn make_moves(&mut self, at: Moment) {
        let mut waiting = Vec::new();
        for it in std::mem::take(&mut self.regained.moves) {
            let generation = self.source.get(it.generation);
            let output = self.outputs.get_mut(it.output);
            let (Some(generation), Some(output)) = (generation, output) else {
                continue;
            };
            let dispatcher = &mut output.dispatcher;
            if !dispatcher.go_on_from(it.go_on, generation, &mut self.journal, at.now) {
                waiting.push(it);
            }
        }
        self.regained.moves = waiting;
        if self.regained.moves.is_empty() {
            for (_, earlier) in std::mem::take(&mut self.regained.pairs) {
                self.journal.append(&Entry::Forget(earlier));
            }
        }
    }
}
