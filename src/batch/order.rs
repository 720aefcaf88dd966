//! Puts the records of an open batch into the order of their times, where files of one stream or
//! threads of one writer did not keep step. Stable, and by the millisecond: records of one
//! millisecond stay as they were taken.

use std::ops::Range;

use super::push_request::{Front, bytes_field, key, time_of};
use crate::record::Time;

/// Most bytes by which an entry of Loki grows when its time is moved by nanoseconds.
pub(super) const LOKI_GROWTH: usize = 4;

/// Puts the entries of a Loki stream, which stand in `buffer` from `start` on, into order, each at
/// least a nanosecond after the one before it. Returns the time of the last one.
pub(super) fn loki(buffer: &mut Vec<u8>, start: usize) -> Time {
    let mut last = Time(i64::MIN);
    let Some(places) = loki_places(buffer, start) else {
        debug_assert!(false, "these are entries");
        return last;
    };
    let mut out = Vec::with_capacity(buffer.len() - start + LOKI_GROWTH * places.len());
    let mut front = Front::default();
    for (time, content) in places {
        last = time.max(last.next());
        front.begin(last, content.len());
        out.extend_from_slice(front.bytes());
        out.extend_from_slice(&buffer[content]);
    }
    buffer.truncate(start);
    buffer.extend_from_slice(&out);
    last
}

/// The time of each entry and where it goes on behind its timestamp, in order.
fn loki_places(buffer: &[u8], start: usize) -> Option<Vec<(Time, Range<usize>)>> {
    let mut places = Vec::new();
    let mut at = start;
    while at < buffer.len() {
        let entry = bytes_field(buffer, &mut at, key::ENTRY)?;
        let mut within = entry.start;
        let stamp = bytes_field(buffer, &mut within, key::TIMESTAMP)?;
        places.push((time_of(buffer, stamp)?, within..entry.end));
    }
    places.sort_by_key(|(time, _): &(Time, _)| time.millis());
    Some(places)
}

/// Puts the events of a `CloudWatch` Logs body, which stand in `buffer` from `start` on with a comma
/// between them, into order.
pub(super) fn cloudwatch(buffer: &mut Vec<u8>, start: usize) {
    let Some(places) = cloudwatch_places(&buffer[start..]) else {
        debug_assert!(false, "these are events");
        return;
    };
    let mut out = Vec::with_capacity(buffer.len() - start);
    for event in places {
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(&buffer[start + event.start..start + event.end]);
    }
    buffer.truncate(start);
    buffer.extend_from_slice(&out);
}

/// Where the events are, in order.
fn cloudwatch_places(events: &[u8]) -> Option<impl Iterator<Item = Range<usize>>> {
    let mut places: Vec<(i64, _)> = Vec::new();
    let mut at = 0;
    while at < events.len() {
        let start = at;
        at += b"{\"timestamp\":".len();
        let digits = events.get(at..)?;
        let digits = &digits[..memchr::memchr(b',', digits)?];
        let millis = std::str::from_utf8(digits).ok()?.parse().ok()?;
        at += digits.len() + b",\"message\":\"".len();
        // The message ends at the first quote that nothing escapes.
        loop {
            at += memchr::memchr2(b'"', b'\\', events.get(at..)?)?;
            match events[at] {
                b'"' => break,
                _ => at += 2,
            }
        }
        at += b"\"}".len();
        places.push((millis, start..at));
        at += usize::from(events.get(at) == Some(&b','));
    }
    places.sort_by_key(|(millis, _)| *millis);
    Some(places.into_iter().map(|(_, event)| event))
}

#[cfg(test)]
mod tests {
    use super::super::opened::Opened;
    use super::super::{Encoder, Push, StreamName, cloudwatch, loki};
    use crate::record::{Line, Time};
    use proptest::prelude::*;

    const START: i64 = 1_700_000_000_000_000_000;
    const MS: i64 = 1_000_000;

    fn outputs(max: usize) -> [(Encoder, StreamName); 4] {
        let loki = |compression| {
            let labels = loki::label_set([("app", "a\"b")].into_iter());
            let encoder = loki::Encoder::new(compression, max);
            (Encoder::Loki(encoder), StreamName::Loki { labels })
        };
        let cloudwatch = |is_gzip| {
            let encoder = cloudwatch::Encoder::new(is_gzip, max);
            let (group, stream) = ("/apps/a".into(), "s\",[{".into());
            let name = StreamName::CloudWatch { group, stream };
            (Encoder::CloudWatch(encoder), name)
        };
        [
            loki(loki::Compression::Snappy),
            loki(loki::Compression::None),
            cloudwatch(true),
            cloudwatch(false),
        ]
    }

    proptest! {
        #[test]
        fn a_batch_is_sealed_in_the_order_of_its_times(
            lines in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..40), -20i64..20, 0i64..4), 1..60),
            max in 300usize..4000,
        ) {
            for (mut encoder, stream) in outputs(max) {
                let is_loki = matches!(encoder, Encoder::Loki(_));
                let metadata = loki::encode_metadata([("pod", "p\"-1")].into_iter()).0;
                encoder.begin(&stream);
                let mut taken: Vec<(Time, String)> = Vec::new();
                for (bytes, millis, nanos) in &lines {
                    let is_utf8 = std::str::from_utf8(bytes).is_ok();
                    let line = Line { bytes, is_utf8, is_cut: false };
                    let time = Time(START + millis * 1_000_000 + nanos);
                    // Whoever fills a batch gives no time twice as long as they rise.
                    let is_given = taken.last().is_some_and(|(last, _)| *last == time);
                    let time = if is_given { time.next() } else { time };
                    if encoder.push(time, &line, &metadata) == Push::Full {
                        break;
                    }
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    let text = if text.is_empty() && !is_loki { " ".to_owned() } else { text };
                    taken.push((time, text));
                }
                let sealed = encoder.seal();
                prop_assert!(sealed.uncompressed <= 2 * max + 2 || taken.len() == 1);
                if is_loki {
                    prop_assert!(sealed.uncompressed <= max || taken.len() == 1);
                }
                let opened = Opened::of(&sealed, &stream).unwrap();
                let records: Vec<_> = opened.records().collect();
                taken.sort_by_key(|(time, _)| time.millis());
                prop_assert_eq!(records.len(), taken.len());
                let mut last = Time(i64::MIN);
                for (record, (time, text)) in records.iter().zip(&taken) {
                    prop_assert_eq!(&record.text, text);
                    prop_assert_eq!(record.time.millis(), time.millis());
                    prop_assert!(record.time >= last);
                    if is_loki {
                        prop_assert!(record.time > last || taken.len() == 1);
                        let is_in_order = lines.iter().is_sorted_by(|a, b| (a.1, a.2) < (b.1, b.2));
                        prop_assert!(!is_in_order || record.time == *time);
                    }
                    last = record.time;
                }
                prop_assert_eq!(sealed.first_time.millis(), records[0].time.millis());
                prop_assert_eq!(sealed.last_time.millis(), last.millis());
                prop_assert!(!is_loki || sealed.last_time == last);
            }
        }
    }

    #[test]
    fn each_of_several_label_sets_is_put_into_order() {
        let mut encoder = loki::Encoder::new(loki::Compression::Snappy, 10_000).by_record();
        let labels = ["{a=\"1\"}", "{a=\"2\"}"];
        let stream = StreamName::Loki {
            labels: "{}".into(),
        };
        encoder.begin(&stream);
        for labels in labels {
            encoder.add_labels(labels);
        }
        for (set, millis, text) in [
            (0, 9, "c"),
            (1, 7, "a"),
            (0, 7, "a"),
            (1, 8, "b"),
            (0, 7, "b"),
        ] {
            let line = Line {
                bytes: text.as_bytes(),
                is_utf8: true,
                is_cut: false,
            };
            encoder.turn_to(labels[set]);
            assert_eq!(encoder.push(Time(millis * MS), &line, &[]), Push::Taken);
        }
        let sealed = encoder.seal();
        let ends = (sealed.first_time, sealed.last_time);
        assert_eq!(ends, (Time(7 * MS), Time(9 * MS)));
        let read = |at: u32| {
            let (_, request) = sealed.request_of(at).unwrap();
            let opened = Opened::of(&request, &stream).unwrap();
            let records = opened.records();
            let records: Vec<_> = records
                .map(|it| (it.time.0, it.text.into_owned()))
                .collect();
            records
        };
        let of = |list: &[(i64, &str)]| -> Vec<_> {
            list.iter()
                .map(|(time, text)| (*time, (*text).to_owned()))
                .collect()
        };
        let first = [(7 * MS, "a"), (7 * MS + 1, "b"), (9 * MS, "c")];
        assert_eq!(read(0), of(&first));
        assert_eq!(read(3), of(&[(7 * MS, "a"), (8 * MS, "b")]));
    }
}
