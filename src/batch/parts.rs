//! How the records of a batch are divided when it cannot go out as a whole, and what became of
//! each part. Only bookkeeping: sends nothing, writes nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What became of a part of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It is stored at the destination.
    Delivered,
    /// The destination does not take it: it lies in the dead letters, or was dropped where the
    /// configuration says so.
    Refused,
}

/// The parts of one batch: ranges of its records. A batch that was never divided has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Where it is cut, in front of these records; not told where a settled part ends there.
    cuts: BTreeSet<u32>,
    /// What is settled, in order and without overlap.
    settled: Vec<(Range<u32>, Fate)>,
}

impl Parts {
    /// Cuts in front of a record.
    pub(crate) fn cut(&mut self, at: u32) {
        let is_inside = |(range, _): &(Range<u32>, Fate)| range.start <= at && at <= range.end;
        if at > 0 && !self.settled.iter().any(is_inside) {
            self.cuts.insert(at);
        }
    }

    /// Settles records. What became of a record never changes again.
    pub(crate) fn settle(&mut self, range: Range<u32>, fate: Fate) {
        for part in self.unsettled(range) {
            self.cuts.retain(|&at| at < part.start || at > part.end);
            self.settled.push((part, fate));
        }
        self.settled.sort_unstable_by_key(|(range, _)| range.start);
        self.settled.dedup_by(|next, before| {
            let goes_on = before.0.end == next.0.start && before.1 == next.1;
            if goes_on {
                before.0.end = next.0.end;
            }
            goes_on
        });
    }

    /// What of a range is not settled, in order.
    fn unsettled(&self, range: Range<u32>) -> Vec<Range<u32>> {
        let mut gaps = Vec::new();
        let mut from = range.start;
        for (settled, _) in &self.settled {
            if settled.end <= from {
                continue;
            }
            if settled.start >= range.end {
                break;
            }
            if settled.start > from {
                gaps.push(from..settled.start);
            }
            from = settled.end;
        }
        if from < range.end {
            gaps.push(from..range.end);
        }
        gaps
    }

    /// The parts of a batch of `records` that are still owed, in order.
    pub(crate) fn owed(&self, records: u32) -> Vec<Range<u32>> {
        let mut parts = Vec::new();
        for gap in self.unsettled(0..records) {
            let mut from = gap.start;
            for &at in self.cuts.range(gap.start + 1..gap.end.max(gap.start + 1)) {
                parts.push(from..at);
                from = at;
            }
            parts.push(from..gap.end);
        }
        parts
    }

    /// Where it is cut, besides the ends of what is settled.
    pub(crate) fn cuts(&self) -> impl Iterator<Item = u32> {
        self.cuts.iter().copied()
    }

    /// What is settled, in order.
    pub(crate) fn settled(&self) -> &[(Range<u32>, Fate)] {
        &self.settled
    }

    /// Whether the batch was never divided.
    pub(crate) fn is_whole(&self) -> bool {
        self.cuts.is_empty() && self.settled.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_of_halves_are_owed_in_order() {
        let mut parts = Parts::default();
        assert!(parts.is_whole());
        assert_eq!(parts.owed(10), vec![0..10]);
        for at in [5, 2, 1] {
            parts.cut(at);
        }
        assert_eq!(parts.owed(10), [0..1, 1..2, 2..5, 5..10]);
        parts.settle(0..1, Fate::Delivered);
        parts.settle(1..2, Fate::Refused);
        parts.settle(2..5, Fate::Delivered);
        assert_eq!(parts.owed(10), vec![5..10]);
        parts.settle(5..10, Fate::Delivered);
        assert_eq!(parts.owed(10), []);
        assert_eq!(
            parts.settled(),
            [
                (0..1, Fate::Delivered),
                (1..2, Fate::Refused),
                (2..10, Fate::Delivered)
            ]
        );
    }

    proptest! {
        #[test]
        fn every_record_is_owed_or_settled_once(
            acts in proptest::collection::vec((0u32..12, 0u32..12, 0u8..3), 0..20),
        ) {
            const RECORDS: u32 = 10;
            let mut parts = Parts::default();
            let mut fates = [None; RECORDS as usize];
            let mut cuts = BTreeSet::new();
            for (from, until, act) in acts {
                let fate = match act {
                    0 => {
                        parts.cut(from);
                        cuts.insert(from);
                        continue;
                    }
                    1 => Fate::Delivered,
                    _ => Fate::Refused,
                };
                let range = from.min(RECORDS)..until.min(RECORDS);
                parts.settle(range.clone(), fate);
                for record in range {
                    fates[record as usize].get_or_insert(fate);
                }
            }
            let owed = parts.owed(RECORDS);
            for record in 0..RECORDS {
                let times = owed.iter().filter(|part| part.contains(&record)).count();
                let fate = parts.settled().iter().find(|(it, _)| it.contains(&record));
                prop_assert_eq!(fate.map(|it| it.1), fates[record as usize]);
                prop_assert_eq!(times, usize::from(fate.is_none()));
            }
            for part in &owed {
                let is_cut = |at: u32| {
                    at == 0 || at == RECORDS || cuts.contains(&at)
                        || fates[at as usize - 1].is_some() || fates[at as usize].is_some()
                };
                prop_assert!(part.start < part.end && is_cut(part.start) && is_cut(part.end));
            }
            // What is told of it amounts to it.
            let mut again = Parts::default();
            parts.cuts().for_each(|at| again.cut(at));
            for (range, fate) in parts.settled() {
                again.settle(range.clone(), *fate);
            }
            prop_assert_eq!(again, parts);
        }
    }
}
