//! A batch on its way, and its parts: which bytes go out, which records go to the dead letters.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::batch::opened::{OpenError, Opened};
use crate::batch::{Batch, Sealed};
use crate::dead_letters::Letter;
use crate::deliver::Beside;
use crate::record::Time;

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
            was_refused: batch.parts != batch.sealed.parts(),
            is_stuck: false,
            batch,
        }
    }

    /// The first of some records, as far as they are from before `oldest`; none where they may have
    /// been sent already, since then they may be stored.
    pub(super) fn older_than(
        &self,
        oldest: Time,
        records: &Range<u32>,
    ) -> Result<Range<u32>, OpenError> {
        let mut old = records.start..records.start;
        if self.batch.sealed.first_time < oldest && !self.in_doubt.contains(&records.start) {
            let (whole, request) = self.request_of(records.start)?;
            let opened = Opened::of(&request, &self.batch.stream)?;
            let is_old = |number: u32| {
                let record = opened.record(number - whole.start);
                record.is_some_and(|it| it.time < oldest)
            };
            while old.end < records.end && is_old(old.end) {
                old.end += 1;
            }
        }
        Ok(old)
    }

    /// Whether these records go out as they were sealed: a part has a body of its own.
    pub(super) fn is_request(&self, records: &Range<u32>) -> bool {
        let request = self.batch.sealed.request_of(records.start);
        request.is_some_and(|(whole, _)| whole == *records)
    }

    /// These records: as they were sealed, or encoded by themselves.
    pub(super) fn part<'a>(
        &self,
        records: &Range<u32>,
        delivered: impl Iterator<Item = &'a Range<u32>>,
    ) -> Result<Part, OpenError> {
        let (whole, request) = self.request_of(records.start)?;
        if whole == *records {
            let batch = self.batch.clone();
            return Ok(Part {
                batch: Batch {
                    sealed: request,
                    ..batch
                },
                beside: Vec::new(),
            });
        }
        let opened = Opened::of(&request, &self.batch.stream)?;
        let within = |number: u32| number.checked_sub(whole.start);
        let range = within(records.start).zip(within(records.end));
        let sealed = range.and_then(|(from, until)| opened.seal(from..until));
        let sealed = sealed.ok_or(OpenError::Form)?;
        let (first, last) = (sealed.first_time.millis(), sealed.last_time.millis());
        let beside = delivered
            .flat_map(Range::clone)
            .filter_map(|number| opened.record(within(number)?))
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

    /// The first of some records, as many as go to the dead letters at once, and the stream that
    /// they were meant for.
    pub(super) fn letters(&self, records: Range<u32>) -> Result<(String, Vec<Letter>), OpenError> {
        let (whole, request) = self.request_of(records.start)?;
        let opened = Opened::of(&request, &self.batch.stream)?;
        let stream = match opened.labels() {
            Some(labels) => labels.to_owned(),
            None => self.batch.stream.to_string(),
        };
        let (most_bytes, most) = LETTERS;
        let mut bytes = 0;
        let mut letters = Vec::new();
        for number in records.start..records.end.min(whole.end) {
            let record = opened.record(number - whole.start).ok_or(OpenError::Form)?;
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
        Ok((stream, letters))
    }

    fn request_of(&self, record: u32) -> Result<(Range<u32>, Sealed), OpenError> {
        let request = self.batch.sealed.request_of(record);
        request.ok_or(OpenError::Form)
    }
}
