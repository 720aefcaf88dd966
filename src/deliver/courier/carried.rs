//! A batch on its way, and its parts: which bytes go out, which records go to the dead letters.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::batch::Batch;
use crate::batch::opened::{OpenError, Opened};
use crate::dead_letters::Letter;
use crate::deliver::Beside;

/// So much text goes to the dead letters at once, in bytes, and so many records.
const LETTERS: (usize, usize) = (256 * 1024, 1000);

/// A batch on its way.
pub(super) struct Carried {
    pub(super) batch: Batch,
    /// Parts that an earlier run may have sent, by their first record.
    pub(super) in_doubt: BTreeSet<u32>,
    /// Records of it may have been stored when they were refused.
    pub(super) is_unsure: bool,
    /// A request with other records of it was refused in part.
    pub(super) was_refused: bool,
    pub(super) is_stuck: bool,
}

/// The records of a part, encoded by themselves, and those that share a time with them and are
/// stored.
pub(super) struct Part {
    pub(super) batch: Batch,
    pub(super) beside: Vec<Beside>,
}

impl Carried {
    pub(super) fn new(batch: Batch) -> Self {
        let mut in_doubt = BTreeSet::new();
        if batch.is_replay {
            let owed = batch.parts.owed(batch.sealed.records);
            in_doubt.extend(owed.into_iter().map(|part| part.start));
        }
        Self {
            in_doubt,
            is_unsure: false,
            was_refused: !batch.parts.is_whole(),
            is_stuck: false,
            batch,
        }
    }

    /// The batch as it is.
    pub(super) fn whole(&self) -> Part {
        Part {
            batch: self.batch.clone(),
            beside: Vec::new(),
        }
    }

    /// A part of the batch, encoded by itself.
    pub(super) fn part<'a>(
        &self,
        records: &Range<u32>,
        delivered: impl Iterator<Item = &'a Range<u32>>,
    ) -> Result<Part, OpenError> {
        let opened = Opened::of(&self.batch.sealed, &self.batch.stream)?;
        let sealed = opened.seal(records.clone()).ok_or(OpenError::Form)?;
        let (first, last) = (sealed.first_time.millis(), sealed.last_time.millis());
        let beside = delivered
            .flat_map(Range::clone)
            .filter_map(|number| opened.record(number))
            .filter(|record| (first..=last).contains(&record.time.millis()))
            .map(|record| Beside {
                time: record.time,
                text: record.text.into_owned(),
            })
            .collect();
        let batch = Batch {
            sealed,
            ..self.batch.clone()
        };
        Ok(Part { batch, beside })
    }

    /// The first of some records, as many as go to the dead letters at once.
    pub(super) fn letters(&self, records: Range<u32>) -> Result<Vec<Letter>, OpenError> {
        let opened = Opened::of(&self.batch.sealed, &self.batch.stream)?;
        let (most_bytes, most) = LETTERS;
        let mut bytes = 0;
        let mut letters = Vec::new();
        for number in records {
            let record = opened.record(number).ok_or(OpenError::Form)?;
            bytes += record.text.len();
            if !letters.is_empty() && (bytes > most_bytes || letters.len() >= most) {
                break;
            }
            let metadata = record.metadata.into_iter();
            letters.push(Letter {
                record: number,
                time: record.time,
                text: record.text.into_owned(),
                metadata: metadata
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            });
        }
        Ok(letters)
    }
}
