//! What can happen to a journal, and what that amounts to, said as simply as can be.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use proptest::prelude::*;

use super::super::State;
use super::super::simulated::Fault;
use crate::batch::BatchId;
use crate::batch::parts::Fate;
use crate::span::{GenerationId, Position, Span};

/// Records of each batch.
pub(super) const RECORDS: u32 = 3;

#[derive(Debug, Clone)]
pub(super) enum Act {
    Generation,
    Seal {
        generation: usize,
        output: usize,
        len: u16,
        body: u16,
    },
    SealOfTwo {
        output: usize,
    },
    Acknowledge {
        which: usize,
    },
    Unseal {
        which: usize,
    },
    Cut {
        which: usize,
        at: u32,
    },
    Settle {
        which: usize,
        record: u32,
        is_refused: bool,
    },
    Forget {
        which: usize,
    },
    Skip {
        generation: usize,
        output: usize,
    },
    Route {
        number: usize,
    },
    Commit,
    Sync,
    Pass,
    Shrink,
    Fail {
        fault: Fault,
        operations: u32,
    },
    Mend,
    Stop {
        is_power: bool,
        operations: u32,
        seed: u64,
    },
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let number = || 0usize..8;
    let fault = prop_oneof![Just(Fault::Full), Just(Fault::Broken), Just(Fault::Sync)];
    prop_oneof![
        2 => Just(Act::Generation),
        6 => (number(), 0usize..2, 1u16..500, 1u16..9000)
            .prop_map(|(generation, output, len, body)| Act::Seal { generation, output, len, body }),
        1 => (0usize..2).prop_map(|output| Act::SealOfTwo { output }),
        6 => number().prop_map(|which| Act::Acknowledge { which }),
        1 => number().prop_map(|which| Act::Unseal { which }),
        2 => (number(), 0u32..4).prop_map(|(which, at)| Act::Cut { which, at }),
        2 => (number(), 0u32..3, any::<bool>())
            .prop_map(|(which, record, is_refused)| Act::Settle { which, record, is_refused }),
        1 => number().prop_map(|which| Act::Forget { which }),
        1 => (number(), 0usize..2).prop_map(|(generation, output)| Act::Skip { generation, output }),
        1 => number().prop_map(|number| Act::Route { number }),
        8 => Just(Act::Commit),
        3 => Just(Act::Sync),
        2 => Just(Act::Pass),
        1 => Just(Act::Shrink),
        2 => (fault, 1u32..6).prop_map(|(fault, operations)| Act::Fail { fault, operations }),
        1 => Just(Act::Mend),
        3 => (any::<bool>(), 0u32..24, any::<u64>())
            .prop_map(|(is_power, operations, seed)| Act::Stop { is_power, operations, seed }),
    ]
}

/// What the entries amount to, said as simply as can be.
#[derive(Debug, Clone, Default)]
pub(super) struct Simple {
    pub(super) generations: BTreeSet<GenerationId>,
    pub(super) cursors: BTreeMap<(GenerationId, String), Position>,
    /// In order: number, output, stream, spans, acknowledged.
    pub(super) batches: Vec<(BatchId, String, String, Vec<Span>, bool)>,
    /// In front of which records batches are cut, and what became of records by themselves.
    pub(super) cuts: BTreeSet<(BatchId, u32)>,
    pub(super) fates: BTreeMap<(BatchId, u32), Fate>,
}

impl Simple {
    pub(super) fn acknowledge(&mut self, id: BatchId) {
        let Some(this) = self.batches.iter_mut().find(|it| it.0 == id) else {
            return;
        };
        this.4 = true;
        let (output, stream) = (this.1.clone(), this.2.clone());
        let mut is_reached = true;
        let cursors = &mut self.cursors;
        let generations = &self.generations;
        self.batches.retain(|it| {
            if (&it.1, &it.2) != (&output, &stream) {
                return true;
            }
            is_reached &= it.4;
            if is_reached {
                for span in
                    it.3.iter()
                        .filter(|it| generations.contains(&it.generation))
                {
                    cursors.insert((span.generation, output.clone()), span.end);
                }
            }
            !is_reached
        });
    }

    pub(super) fn unseal(&mut self, id: BatchId) {
        let Some(this) = self.batches.iter().find(|it| it.0 == id) else {
            return;
        };
        let (output, stream) = (this.1.clone(), this.2.clone());
        self.batches
            .retain(|it| it.0 < id || (&it.1, &it.2) != (&output, &stream));
    }

    pub(super) fn forget(&mut self, id: GenerationId) {
        self.generations.remove(&id);
        self.cursors.retain(|(other, _), _| *other != id);
    }

    pub(super) fn agrees_with(&self, state: &State) -> Result<(), TestCaseError> {
        let generations: BTreeSet<_> = state.generations.keys().copied().collect();
        prop_assert_eq!(&generations, &self.generations);
        let cursors: BTreeMap<_, _> = state
            .generations
            .iter()
            .flat_map(|(id, known)| {
                let cursors = known.cursors.iter();
                cursors.map(move |(output, cursor)| ((*id, output.to_owned()), cursor.position))
            })
            .collect();
        prop_assert_eq!(&cursors, &self.cursors);
        let on_the_way: Vec<_> = state.unacknowledged().map(|(id, _)| id).collect();
        let expected = self.batches.iter().filter(|it| !it.4);
        prop_assert_eq!(&on_the_way, &expected.map(|it| it.0).collect::<Vec<_>>());
        for id in on_the_way {
            let owed = state.parts_of(id).map(|parts| parts.owed(RECORDS));
            prop_assert_eq!(owed, Some(self.owed(id)));
        }
        Ok(())
    }

    /// The records that are owed of a batch, by its parts.
    fn owed(&self, id: BatchId) -> Vec<Range<u32>> {
        let mut parts: Vec<Range<u32>> = Vec::new();
        for record in (0..RECORDS).filter(|it| !self.fates.contains_key(&(id, *it))) {
            match parts.last_mut() {
                Some(part) if part.end == record && !self.cuts.contains(&(id, record)) => {
                    part.end += 1;
                }
                _ => parts.push(record..record + 1),
            }
        }
        parts
    }
}
