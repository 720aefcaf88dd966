//! What follows when a destination refuses records of a stream: which part goes out next, where a
//! batch is cut, and whether it is the records or everything. Pure: sends and writes nothing.
//!
//! A part that is refused is halved until the culprit is alone. A record that is refused alone is
//! taken for bad only when the stream is seen to work: it took another record since this agent
//! runs, and not so many were refused one after the other since. Else the record is a suspect: it
//! waits, those behind it are tried, and the first one that is taken condemns the suspects. When
//! none is taken the stream waits, and tries again slowly.
//!
//! What is too new tells of a clock, and is not so later: no success of the stream condemns it, but
//! that of other records of its batch.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::batch::BatchId;
use crate::batch::parts::{Fate, Parts};

/// After so many records in a row that were refused, and none taken, it is not the records.
pub(super) const MOST_IN_A_ROW: u32 = 16;

/// What a destination said of records that it does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Why, in a word.
    pub(super) reason: &'static str,
    /// The answer, for the one who reads the dead letter.
    pub(super) answer: String,
    /// Whether they may be stored all the same: they were sent before with an open outcome.
    pub(super) may_be_stored: bool,
}

impl Refusal {
    /// Whether it tells more of a clock, ours or the destination's, than of the records.
    pub(super) fn is_of_a_clock(&self) -> bool {
        self.reason == "too_new"
    }
}

/// The batches of one stream, as far as records of them were or may be refused.
#[derive(Debug)]
pub(super) struct Refusals {
    /// Boxed: there is mostly one, and a tree has room for eleven.
    cases: BTreeMap<BatchId, Box<Case>>,
    /// Whether the stream took a record, and it was not held since.
    is_proven: bool,
    /// Records refused since one was taken.
    in_a_row: u32,
    /// Grows each time the stream has waited: what was refused before may be taken now.
    round: u32,
    /// Whether they go to the dead letters even when all are refused.
    writes_all: bool,
}

#[derive(Debug)]
struct Case {
    records: u32,
    parts: Parts,
    /// Parts that were refused and are not settled, by their first record.
    marks: BTreeMap<u32, Mark>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    range: Range<u32>,
    refusal: Refusal,
    round: u32,
    /// A record alone, or several of which the destination itself says that each is refused.
    is_suspect: bool,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Send these records.
    Send(BatchId, Range<u32>),
    /// These records are bad: put them into the dead letters.
    Condemn(BatchId, Range<u32>, Refusal),
    /// All of this batch is settled.
    Done(BatchId),
    /// Nothing is taken: wait, and try again.
    Wait(Refusal),
    /// There is no batch.
    Nothing,
}

impl Refusals {
    /// Nothing is refused yet. `is_proven` says that the stream took records before.
    pub(super) fn new(is_proven: bool, writes_all: bool) -> Self {
        Self {
            cases: BTreeMap::new(),
            is_proven,
            in_a_row: 0,
            round: 0,
            writes_all,
        }
    }

    /// Adds a batch behind the others.
    pub(super) fn add(&mut self, id: BatchId, records: u32, parts: Parts) {
        let marks = BTreeMap::new();
        let case = Case {
            records,
            parts,
            marks,
        };
        self.cases.insert(id, Box::new(case));
    }

    /// What is to be done next.
    pub(super) fn next(&self) -> Step {
        for (&id, case) in &self.cases {
            let owed = case.parts.owed(case.records);
            if owed.is_empty() {
                return Step::Done(id);
            }
            if let Some(mark) = case.bad(self.is_proven) {
                return Step::Condemn(id, mark.range.clone(), mark.refusal.clone());
            }
            let is_open = |part: &Range<u32>| !case.marks.contains_key(&part.start);
            if let Some(part) = owed.into_iter().find(is_open) {
                return Step::Send(id, part);
            }
        }
        let first = self
            .cases
            .iter()
            .find_map(|(id, case)| Some((*id, case.marks.values().next()?)));
        match first {
            None => Step::Nothing,
            Some((id, mark)) if self.writes_all => {
                Step::Condemn(id, mark.range.clone(), mark.refusal.clone())
            }
            Some((_, mark)) => Step::Wait(mark.refusal.clone()),
        }
    }

    /// Records are stored: whatever was refused since the last wait was refused for what it is,
    /// and whatever was refused before that may be taken now.
    pub(super) fn taken(&mut self, id: BatchId, range: Range<u32>) {
        self.settled(id, range, Fate::Delivered);
        self.is_proven = true;
        self.in_a_row = 0;
        let round = self.round;
        for case in self.cases.values_mut() {
            let is_partial = case.is_partial();
            case.marks.retain(|_, mark| {
                let is_told = is_partial || !mark.refusal.is_of_a_clock();
                mark.is_suspect && mark.round == round && is_told
            });
        }
    }

    /// Records are settled.
    pub(super) fn settled(&mut self, id: BatchId, range: Range<u32>, fate: Fate) {
        if let Some(case) = self.cases.get_mut(&id) {
            case.marks.remove(&range.start);
            case.parts.settle(range, fate);
        }
    }

    /// A part is refused; some records of it may be good. Returns where to cut.
    pub(super) fn refused(
        &mut self,
        id: BatchId,
        range: Range<u32>,
        refusal: Refusal,
    ) -> Option<u32> {
        if range.end - range.start == 1 {
            self.refused_each(id, range, refusal);
            return None;
        }
        if self.in_a_row < MOST_IN_A_ROW {
            return self.halve(id, range);
        }
        // What goes on taking nothing is not halved any further, but for its last record alone:
        // where bad records stand close together, a good one is found so.
        let at = range.end - 1;
        self.cases.get_mut(&id)?.parts.cut(at);
        self.mark(id, range.start..at, refusal, false);
        Some(at)
    }

    /// Each of these records is refused, by the destination's own word. Returns where to cut, so
    /// that they are a part of their own.
    pub(super) fn refused_each(
        &mut self,
        id: BatchId,
        range: Range<u32>,
        refusal: Refusal,
    ) -> Vec<u32> {
        let Some(case) = self.cases.get_mut(&id) else {
            return Vec::new();
        };
        let owed = case.parts.owed(case.records);
        let is_inside = |at: &u32| owed.iter().any(|it| it.start < *at && *at < it.end);
        let ends = [range.start, range.end].into_iter();
        let cuts: Vec<_> = ends.filter(is_inside).collect();
        for &at in &cuts {
            case.parts.cut(at);
        }
        self.in_a_row = self.in_a_row.saturating_add(range.end - range.start);
        if self.in_a_row > MOST_IN_A_ROW {
            // Too many to be taken for bad on the word of an old success.
            self.is_proven = false;
        }
        self.mark(id, range, refusal, true);
        cuts
    }

    fn mark(&mut self, id: BatchId, range: Range<u32>, refusal: Refusal, is_suspect: bool) {
        let round = self.round;
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        let mark = Mark {
            range,
            refusal,
            round,
            is_suspect,
        };
        case.marks.insert(mark.range.start, mark);
    }

    /// Cuts a part in half that is too large as it is. Returns where.
    pub(super) fn halve(&mut self, id: BatchId, range: Range<u32>) -> Option<u32> {
        let middle = range.start + (range.end - range.start) / 2;
        let case = self.cases.get_mut(&id)?;
        let is_divisible = middle > range.start;
        if is_divisible {
            case.parts.cut(middle);
        }
        is_divisible.then_some(middle)
    }

    /// Some time has passed, or there is a batch more: the oldest suspect and all larger parts
    /// are tried again. An old success proves nothing any more.
    pub(super) fn try_again(&mut self) {
        self.round += 1;
        self.is_proven = false;
        if self.in_a_row < MOST_IN_A_ROW {
            self.in_a_row = 0;
        }
        let mut is_first = true;
        for case in self.cases.values_mut() {
            case.marks
                .retain(|_, mark| mark.is_suspect && !std::mem::take(&mut is_first));
        }
    }

    /// A batch is settled as a whole.
    pub(super) fn remove(&mut self, id: BatchId) {
        self.cases.remove(&id);
    }

    /// Whether all that is owed of a batch are suspects: no more of it goes out by itself.
    pub(super) fn is_stuck(&self, id: BatchId) -> bool {
        self.cases.get(&id).is_some_and(|case| {
            let owed = case.parts.owed(case.records);
            let is_suspect = |part: &Range<u32>| {
                let mark = case.marks.get(&part.start);
                mark.is_some_and(|mark| mark.is_suspect)
            };
            !owed.is_empty() && owed.iter().all(is_suspect)
        })
    }

    /// Whether all of every batch is refused for this reason, and nothing of any is settled.
    pub(super) fn is_all_refused_for(&self, reason: &str) -> bool {
        self.cases.values().all(|case| {
            let mut marks = case.marks.values();
            case.parts.settled().is_empty() && marks.all(|it| it.refusal.reason == reason)
        })
    }

    /// What of a batch is delivered.
    pub(super) fn delivered_of(&self, id: BatchId) -> impl Iterator<Item = &Range<u32>> {
        let case = self.cases.get(&id).into_iter();
        let settled = case.flat_map(|case| case.parts.settled());
        settled
            .filter(|(_, fate)| *fate == Fate::Delivered)
            .map(|(range, _)| range)
    }

    /// How many records were refused since one was taken.
    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Whether the stream is seen to work.
    pub(super) fn is_proven(&self) -> bool {
        self.is_proven
    }
}

impl Case {
    /// Whether some of the batch is delivered.
    fn is_partial(&self) -> bool {
        let mut settled = self.parts.settled().iter();
        settled.any(|(_, fate)| *fate == Fate::Delivered)
    }

    /// The first suspect that is taken for bad, where the stream is seen to work or not. What is
    /// too new is so when others of its batch are taken: then it need not be a clock.
    fn bad(&self, is_proven: bool) -> Option<&Mark> {
        let mut suspects = self.marks.values().filter(|mark| mark.is_suspect);
        suspects.find(|mark| {
            if mark.refusal.is_of_a_clock() {
                self.is_partial()
            } else {
                is_proven
            }
        })
    }
}

#[cfg(test)]
mod tests;
