//! A batch on its way, and its parts: which bytes go out, which records go to the dead letters.

use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;

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

    /// Whether its body lies in the journal alone: what was sealed is never empty.
    pub(super) fn is_away(&self) -> bool {
        self.batch.sealed.body.is_empty()
    }

    /// Lets go of the body.
    pub(super) fn put_away(&mut self) {
        self.batch.sealed.body = Bytes::new();
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
    pub(super) fn part(&self, records: &Range<u32>) -> Result<Batch, OpenError> {
        let (whole, request) = self.request_of(records.start)?;
        let sealed = if whole == *records {
            request
        } else {
            let opened = Opened::of(&request, &self.batch.stream)?;
            let range = within(&whole, records).ok_or(OpenError::Form)?;
            opened.seal(range).ok_or(OpenError::Form)?
        };
        Ok(Batch {
            sealed,
            ..self.batch.clone()
        })
    }

    /// What of the batch lies beside these records of it, and shares a millisecond with them. For
    /// when they are looked for: the body is opened for it.
    pub(super) fn beside<'a>(
        &self,
        records: &Range<u32>,
        delivered: impl Iterator<Item = &'a Range<u32>>,
    ) -> Result<Vec<Beside>, OpenError> {
        let (whole, request) = self.request_of(records.start)?;
        if whole == *records {
            return Ok(Vec::new());
        }
        let opened = Opened::of(&request, &self.batch.stream)?;
        let range = within(&whole, records).ok_or(OpenError::Form)?;
        let millis = |number: u32| Some(opened.record(number)?.time.millis());
        let times = millis(range.start).zip(millis(range.end.saturating_sub(1)));
        let (first, last) = times.ok_or(OpenError::Form)?;
        let delivered: Vec<_> = delivered.collect();
        let near = |number: u32| {
            let record = opened.record(number)?;
            let is_near = (first..=last).contains(&record.time.millis());
            let of_batch = whole.start + number;
            is_near.then(|| Beside {
                time: record.time,
                text: record.text.into_owned(),
                is_stored: delivered.iter().any(|it| it.contains(&of_batch)),
            })
        };
        // They are in the order of their times.
        let before = (0..range.start).rev().map_while(near);
        Ok(before.chain((range.end..).map_while(near)).collect())
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

/// Records of a batch, counted within the request that holds them.
fn within(whole: &Range<u32>, records: &Range<u32>) -> Option<Range<u32>> {
    let start = records.start.checked_sub(whole.start)?;
    Some(start..records.end.checked_sub(whole.start)?)
}
