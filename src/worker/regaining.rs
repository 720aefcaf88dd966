//! The state directory could not be used at the start and can be now: what an earlier run
//! delivered is known again. Every output goes on from there in the files that are open, instead
//! of sending again what is delivered, or leaving out what was skipped because nothing was known.

use super::Worker;
use crate::journal::{Cursor, Entry};
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
    cursor: Cursor,
}

impl Worker {
    /// Takes up what an earlier run knew, when that could be read at last.
    pub(super) fn regain_past(&mut self, at: Moment) {
        if self.journal.has_regained_past() {
            tracing::info!("what an earlier run delivered is known by now");
            let open: Vec<_> = self.source.generations().map(|it| it.id).collect();
            for id in open {
                if let Some(earlier) = self.source.known_before(id, &self.journal) {
                    self.regained.pairs.push((id, earlier));
                    self.find_moves(id, earlier);
                }
            }
            self.source.look_as_at_the_start(&self.journal, at);
        }
        self.make_moves(at);
    }

    /// A generation that is open is one that an earlier run knew.
    fn find_moves(&mut self, id: GenerationId, earlier: GenerationId) {
        let state = self.journal.state();
        let skipped = state.generations.get(&id);
        let skipped = skipped.map_or(0, |known| known.identity.skipped);
        for (output, of) in self.outputs.iter().enumerate() {
            let cursor = state.cursor_of(earlier, of.dispatcher.name());
            let read = of.dispatcher.read_position(id);
            let (Some(cursor), Some(read)) = (cursor, read) else {
                continue;
            };
            let done = cursor.position.offset;
            if done > read.offset || skipped > done {
                self.regained.moves.push(Move {
                    generation: id,
                    output,
                    cursor,
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
            if !dispatcher.go_on_from(it.cursor, generation, &mut self.journal, at.now) {
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
