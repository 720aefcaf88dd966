//! A sealed body, opened again: its records one by one, and any range of them encoded by itself,
//! with the same times. Pure; sends nothing.

use std::borrow::Cow;
use std::ops::Range;

use super::{Sealed, StreamName};
use crate::record::Time;

mod cloudwatch;
mod loki;

/// The records of a sealed batch.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The body before compression.
    plain: Vec<u8>,
    /// Where each record lies in it, in order.
    records: Vec<Range<usize>>,
    is_gzip: bool,
    form: Form,
}

/// Whose body it is.
#[derive(Debug)]
enum Form {
    Loki { labels: Range<usize> },
    CloudWatch,
}

/// One record, as it was encoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Its time: on `CloudWatch` Logs in whole milliseconds.
    pub(crate) time: Time,
    /// Its text.
    pub(crate) text: Cow<'a, str>,
    /// Its structured metadata.
    pub(crate) metadata: Vec<(&'a str, &'a str)>,
}

/// Why a body cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// It cannot be decompressed.
    #[error("it cannot be decompressed")]
    Packed(#[source] std::io::Error),
    /// It is no body of this kind.
    #[error("it is not as this program encodes")]
    Form,
    /// It holds another number of records than it was sealed with.
    #[error("it holds {found} records and was sealed with {sealed}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        sealed: u32,
    },
}

impl Opened {
    /// Opens the body of a batch, or of [one of its requests](Sealed::request_of), for this stream.
    pub(crate) fn of(sealed: &Sealed, stream: &StreamName) -> Result<Self, OpenError> {
        let opened = match stream {
            StreamName::Loki { .. } => loki::open(sealed)?,
            StreamName::CloudWatch { .. } => cloudwatch::open(sealed)?,
        };
        let found = opened.records.len();
        if u32::try_from(found) == Ok(sealed.records) {
            Ok(opened)
        } else {
            let sealed = sealed.records;
            Err(OpenError::Count { found, sealed })
        }
    }

    /// The labels of a Loki stream, as they were sent.
    pub(crate) fn labels(&self) -> Option<&str> {
        match &self.form {
            Form::Loki { labels } => std::str::from_utf8(self.plain.get(labels.clone())?).ok(),
            Form::CloudWatch => None,
        }
    }

    /// The record at this place, counted from 0.
    pub(crate) fn record(&self, number: u32) -> Option<Record<'_>> {
        let place = self.records.get(usize::try_from(number).ok()?)?;
        let bytes = &self.plain[place.clone()];
        match self.form {
            Form::Loki { .. } => loki::record(bytes),
            Form::CloudWatch => cloudwatch::record(bytes),
        }
    }

    /// All records, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..).map_while(|number| self.record(number))
    }

    /// A body of these records alone; nothing when there are none.
    pub(crate) fn seal(&self, range: Range<u32>) -> Option<Sealed> {
        let last = range.end.checked_sub(1)?;
        let (first_time, last_time) = (self.record(range.start)?.time, self.record(last)?.time);
        let index = |number: u32| usize::try_from(number).ok();
        // What lies between two records goes with them: the comma of JSON.
        let from = self.records.get(index(range.start)?)?.start;
        let until = self.records.get(index(last)?)?.end;
        let content = self.plain.get(from..until)?;
        let (body, is_gzip, uncompressed) = match &self.form {
            Form::Loki { labels } => loki::seal(&self.plain[labels.clone()], content),
            Form::CloudWatch => cloudwatch::seal(self, content),
        };
        Some(Sealed {
            body,
            is_gzip,
            records: range.end - range.start,
            uncompressed,
            // They are counted with the batch.
            replaced: 0,
            cut: 0,
            first_time,
            last_time,
            shares: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Encoder, Push, cloudwatch, loki};
    use super::*;
    use crate::record::Line;
    use proptest::prelude::*;

    fn encoders() -> impl Strategy<Value = (Encoder, StreamName)> {
        let labels = loki::label_set([("app", "a\"b\\c\n"), ("file", "/é")].into_iter());
        let of_loki = StreamName::Loki { labels };
        let of_cloudwatch = StreamName::CloudWatch {
            group: "/apps/a\"b".into(),
            stream: "pod{\"logEvents\":[".into(),
        };
        (0u8..4).prop_map(move |kind| match kind {
            0 | 1 => {
                let compression = if kind == 0 {
                    loki::Compression::Snappy
                } else {
                    loki::Compression::None
                };
                let encoder = loki::Encoder::new(compression, 1 << 20);
                (Encoder::Loki(encoder), of_loki.clone())
            }
            _ => {
                let encoder = cloudwatch::Encoder::new(kind == 2, 1 << 20);
                (Encoder::CloudWatch(encoder), of_cloudwatch.clone())
            }
        })
    }

    fn all(opened: &Opened) -> Vec<Record<'_>> {
        opened.records().collect()
    }

    proptest! {
        #[test]
        fn any_range_is_encoded_to_the_very_same_records(
            (mut encoder, stream) in encoders(),
            lines in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..80), 0i64..5_000_000_000), 1..40),
            cut in (any::<proptest::sample::Index>(), any::<proptest::sample::Index>()),
        ) {
            let metadata = loki::encode_metadata([("pod", "p-1"), ("zone", "")].into_iter()).0;
            encoder.begin(&stream);
            let mut time = Time(1_700_000_000_000_000_000);
            for (bytes, step) in &lines {
                time = Time(time.0 + step);
                let line = Line {
                    bytes,
                    is_utf8: std::str::from_utf8(bytes).is_ok(),
                    is_cut: step % 7 == 0,
                };
                prop_assert_eq!(encoder.push(time, &line, &metadata), Push::Taken);
            }
            let sealed = encoder.seal();
            let opened = Opened::of(&sealed, &stream).unwrap();
            let whole = all(&opened);
            prop_assert_eq!(whole.len(), lines.len());
            for (record, (bytes, step)) in whole.iter().zip(&lines) {
                if step % 7 != 0 && !bytes.is_empty() {
                    prop_assert_eq!(&record.text, &String::from_utf8_lossy(bytes));
                }
            }
            let (a, b) = (cut.0.index(lines.len()), cut.1.index(lines.len()));
            let (from, until) = (a.min(b), a.max(b) + 1);
            let range = u32::try_from(from).unwrap()..u32::try_from(until).unwrap();
            let part = opened.seal(range.clone()).unwrap();
            prop_assert_eq!(part.records, range.end - range.start);
            let again = opened.seal(range).unwrap();
            prop_assert_eq!(&part.body, &again.body, "the same bytes each time");
            let part_opened = Opened::of(&part, &stream).unwrap();
            prop_assert_eq!(&all(&part_opened)[..], &whole[from..until]);
            prop_assert_eq!(part.first_time, whole[from].time);
            prop_assert_eq!(part.last_time, whole[until - 1].time);
            // The whole, encoded by itself, is what was sealed.
            let everything = opened.seal(0..sealed.records).unwrap();
            prop_assert_eq!(everything.uncompressed, sealed.uncompressed);
        }

        #[test]
        fn damaged_bodies_are_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), is_gzip in any::<bool>(),
        ) {
            for stream in [
                StreamName::Loki { labels: "{}".into() },
                StreamName::CloudWatch { group: "g".into(), stream: "s".into() },
            ] {
                let sealed = Sealed {
                    body: bytes.clone().into(),
                    is_gzip,
                    records: 9,
                    uncompressed: 10,
                    replaced: 0,
                    cut: 0,
                    first_time: Time(0),
                    last_time: Time(0),
                    shares: Vec::new(),
                };
                prop_assert!(Opened::of(&sealed, &stream).is_err());
            }
        }
    }

    #[test]
    fn what_is_beyond_the_records_is_nothing() {
        let stream = StreamName::CloudWatch {
            group: "g".into(),
            stream: "s".into(),
        };
        let mut encoder = cloudwatch::Encoder::new(false, 1000);
        encoder.begin(&stream);
        let line = Line {
            bytes: b"one",
            is_utf8: true,
            is_cut: false,
        };
        assert_eq!(encoder.push(Time(5_000_000), &line), Push::Taken);
        let opened = Opened::of(&encoder.seal(), &stream).unwrap();
        assert_eq!(opened.record(1), None);
        assert!(opened.seal(0..2).is_none() && opened.seal(0..0).is_none());
        let body = opened.seal(0..1).unwrap().body;
        assert_eq!(
            body,
            &br#"{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":5,"message":"one"}]}"#[..]
        );
    }
}
