//! The label sets of one batch, where labels differ by record. Entries are kept in the order in
//! which they come, each marked with its set, and are put together by set when the batch is sealed:
//! so the sets need no buffers of their own.

use bytes::Bytes;

use super::super::push_request::{header, key, room_for};
use super::super::{Push, Share, order};
use crate::record::Time;

/// A batch has at most so many label sets: each is a request.
pub(super) const MOST: usize = 64;
/// How long the mark in front of an entry is, in bytes.
const MARK: usize = 1;

/// The label sets of a batch.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// The first `len` are in use; the others keep their room.
    labels: Vec<String>,
    len: usize,
    /// The set that entries go to.
    current: usize,
    /// What will stand in front of the entries, in bytes.
    headers: usize,
    /// Room for one request.
    plain: Vec<u8>,
}

impl Sets {
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.current = 0;
        self.headers = 0;
    }

    #[inline]
    pub(super) fn turn_to(&mut self, labels: &str) -> bool {
        let known = &self.labels[..self.len];
        if known.get(self.current).is_some_and(|it| it == labels) {
            return true;
        }
        let found = known.iter().position(|it| it == labels);
        self.current = found.unwrap_or(self.current);
        found.is_some()
    }

    pub(super) fn add(&mut self, labels: &str) -> Push {
        if self.len == MOST {
            return Push::Full;
        }
        if self.labels.len() == self.len {
            self.labels.push(String::new());
        }
        labels.clone_into(&mut self.labels[self.len]);
        self.current = self.len;
        self.len += 1;
        self.headers += room_for(labels);
        Push::Taken
    }

    /// What a batch needs beside its entries, in bytes.
    pub(super) fn overhead(&self) -> usize {
        self.headers + MARK
    }

    /// Marks the entry that comes next.
    #[inline]
    pub(super) fn mark(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.current).unwrap_or(u8::MAX));
    }

    /// One request for each set that has entries, packed, one behind the other; the entries of
    /// each are put into order if they are not. Returns too the latest time that this gave.
    pub(super) fn requests(
        &mut self,
        entries: &[u8],
        is_disordered: bool,
        mut pack: impl FnMut(&[u8]) -> Bytes,
    ) -> (Bytes, Vec<Share>, Time) {
        let mut body = Vec::new();
        let mut shares = Vec::new();
        let mut latest = Time(i64::MIN);
        for (set, labels) in (0u8..).zip(&self.labels[..self.len]) {
            let room = room_for(labels);
            self.plain.clear();
            self.plain.resize(room, 0);
            let mut records = 0;
            let mut rest = entries;
            while let Some((of, entry, behind)) = next(rest) {
                if of == set {
                    self.plain.extend_from_slice(entry);
                    records += 1;
                }
                rest = behind;
            }
            if records == 0 {
                continue;
            }
            if is_disordered {
                latest = latest.max(order::loki(&mut self.plain, room));
            }
            let header = header(labels.as_bytes(), self.plain.len() - room);
            let start = room - header.len();
            self.plain[start..room].copy_from_slice(&header);
            let packed = pack(&self.plain[start..]);
            shares.push(Share {
                records,
                len: packed.len(),
                uncompressed: self.plain.len() - start,
            });
            body.extend_from_slice(&packed);
        }
        body.shrink_to_fit();
        (Bytes::from(body), shares, latest)
    }

    pub(super) fn shrink(&mut self) {
        self.plain = Vec::new();
        self.labels = Vec::new();
        self.clear();
    }
}

/// The first entry, with its set and with what is behind it.
fn next(entries: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (set, rest) = entries.split_first()?;
    debug_assert_eq!(rest.first(), Some(&key::ENTRY));
    let (mut len, mut at) = (0usize, 1);
    for shift in (0..).step_by(7) {
        let byte = *rest.get(at)?;
        at += 1;
        len |= usize::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            break;
        }
    }
    let (entry, behind) = rest.split_at_checked(at.checked_add(len)?)?;
    Some((*set, entry, behind))
}

#[cfg(test)]
mod tests {
    use super::super::super::opened::Opened;
    use super::super::super::{Sealed, StreamName};
    use super::super::{Compression, Encoder, encode_metadata, label_set};
    use super::*;
    use crate::record::{Line, Time};
    use proptest::prelude::*;

    fn labels(number: usize) -> String {
        let value = "é\"x".repeat(number);
        label_set([("level", value.as_str()), ("app", "a")].into_iter())
    }

    fn stream() -> StreamName {
        StreamName::Loki {
            labels: label_set([("app", "a")].into_iter()),
        }
    }

    /// Every record of a batch with its labels, as its requests hold it.
    fn requests(sealed: &Sealed) -> Vec<(String, Time, String)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < sealed.records {
            let (records, request) = sealed.request_of(at).unwrap();
            assert_eq!(records.start, at);
            let opened = Opened::of(&request, &stream()).unwrap();
            let labels = opened.labels().unwrap().to_owned();
            let of_request = opened.records();
            found.extend(of_request.map(|it| (labels.clone(), it.time, it.text.into_owned())));
            at = records.end;
        }
        assert!(sealed.request_of(at).is_none() || sealed.shares.is_empty());
        found
    }

    proptest! {
        #[test]
        fn each_label_set_gets_its_records_in_their_order_and_nobody_elses(
            lines in proptest::collection::vec((0usize..70, 0usize..300), 1..200),
            max in 300usize..20_000,
            is_snappy in any::<bool>(),
        ) {
            let compression = if is_snappy { Compression::Snappy } else { Compression::None };
            let mut encoder = Encoder::new(compression, max).by_record();
            let metadata = encode_metadata([("pod", "p-1")].into_iter()).0;
            let mut batches = Vec::new();
            encoder.begin(&stream());
            for (number, (set, len)) in (0i64..).zip(&lines) {
                let text = format!("{number}{}", "z".repeat(*len));
                let line = Line { bytes: text.as_bytes(), is_utf8: true, is_cut: false };
                let labels = labels(*set);
                let mut push = || {
                    if !encoder.turn_to(&labels) && encoder.add_labels(&labels) == Push::Full {
                        return Push::Full;
                    }
                    encoder.push(Time(number), &line, &metadata)
                };
                if push() == Push::Full {
                    batches.push(encoder.seal());
                    encoder.begin(&stream());
                    prop_assert!(encoder.is_empty());
                    let mut push = || {
                        if !encoder.turn_to(&labels) && encoder.add_labels(&labels) == Push::Full {
                            return Push::Full;
                        }
                        encoder.push(Time(number), &line, &metadata)
                    };
                    prop_assert_eq!(push(), Push::Taken);
                }
            }
            batches.push(encoder.seal());
            let mut found = Vec::new();
            for batch in &batches {
                prop_assert!(batch.uncompressed <= max || batch.records == 1);
                prop_assert!(batch.body.len() <= encoder.largest_body() || batch.records == 1);
                let (mut times, of_batch) = (std::collections::BTreeMap::new(), requests(batch));
                let counts = batch.shares.iter().map(|share| share.records);
                prop_assert!(batch.shares.is_empty() || counts.sum::<u32>() == batch.records);
                prop_assert_eq!(of_batch.len(), batch.records as usize);
                for (labels, time, _) in &of_batch {
                    let before = times.insert(labels.clone(), *time);
                    prop_assert!(before.is_none_or(|before| before < *time));
                }
                found.extend(of_batch);
            }
            found.sort_by_key(|(_, time, _)| *time);
            let written: Vec<_> = (0i64..)
                .zip(&lines)
                .map(|(number, (set, len))| {
                    (labels(*set), Time(number), format!("{number}{}", "z".repeat(*len)))
                })
                .collect();
            prop_assert_eq!(found, written);
        }
    }

    #[test]
    fn a_batch_of_one_label_set_is_one_request() {
        let mut encoder = Encoder::new(Compression::Snappy, 1000).by_record();
        encoder.begin(&stream());
        assert!(!encoder.turn_to("{a=\"b\"}"));
        assert_eq!(encoder.add_labels("{a=\"b\"}"), Push::Taken);
        assert_eq!(encoder.add_labels("{a=\"c\"}"), Push::Taken);
        assert!(encoder.turn_to("{a=\"b\"}"));
        let line = Line {
            bytes: b"one",
            is_utf8: true,
            is_cut: false,
        };
        assert_eq!(encoder.push(Time(1), &line, &[]), Push::Taken);
        let sealed = encoder.seal();
        assert_eq!(sealed.shares, []);
        assert_eq!(
            requests(&sealed),
            [("{a=\"b\"}".to_owned(), Time(1), "one".to_owned())]
        );
    }
}
