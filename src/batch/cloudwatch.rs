//! The CloudWatch Logs wire form: the JSON body of one `PutLogEvents` request, gzipped if asked.
//! Owns the limits of a batch (AWS API reference, `PutLogEvents`); never sends.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression as Level;
use flate2::write::GzEncoder;

use super::{Push, Sealed, StreamName, Tally, order};
use crate::record::{Line, Time};

/// Most bytes in a batch: UTF-8 message bytes and [`EVENT_OVERHEAD`] for each event.
pub(crate) const MAX_BATCH_BYTES: usize = 1_048_576;
/// What the service adds to the size of each event, in bytes.
pub(crate) const EVENT_OVERHEAD: usize = 26;
/// Most events in a batch.
pub(crate) const MAX_EVENTS: u32 = 10_000;
/// The events of a batch must lie within less than this, in milliseconds.
pub(crate) const MAX_SPAN_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// An event may lie so far behind the latest one of its batch, in milliseconds: some of the day is
/// left for what comes after it.
pub(super) const REACH_MILLIS: i64 = 23 * 60 * 60 * 1000;

/// What an event needs around its message: braces, keys, a timestamp of 20 digits, a comma.
const EVENT_FRAME: usize = 48;

/// Encodes batches for `PutLogEvents`.
#[derive(Debug)]
pub(crate) struct Encoder {
    is_gzip: bool,
    max_bytes: usize,
    /// Most bytes of JSON: escapes can make the body six times as long as its messages.
    max_json: usize,
    buffer: Vec<u8>,
    /// Where the events begin.
    events: usize,
    counted: usize,
    tally: Tally,
}

impl Encoder {
    /// `max_bytes` counts as the service counts, at most [`MAX_BATCH_BYTES`].
    pub(crate) fn new(is_gzip: bool, max_bytes: usize) -> Self {
        let max_bytes = max_bytes.min(MAX_BATCH_BYTES);
        Self {
            is_gzip,
            max_bytes,
            max_json: 2 * max_bytes,
            buffer: Vec::new(),
            events: 0,
            counted: 0,
            tally: Tally::default(),
        }
    }

    pub(super) fn begin(&mut self, stream: &StreamName) {
        let StreamName::CloudWatch { group, stream } = stream else {
            debug_assert!(false, "a CloudWatch output has CloudWatch streams");
            return;
        };
        self.buffer.clear();
        self.buffer.extend_from_slice(b"{\"logGroupName\":\"");
        escape(&mut self.buffer, group.as_bytes());
        self.buffer.extend_from_slice(b"\",\"logStreamName\":\"");
        escape(&mut self.buffer, stream.as_bytes());
        self.buffer.extend_from_slice(b"\",\"logEvents\":[");
        self.events = self.buffer.len();
        self.counted = 0;
        self.tally = Tally::default();
    }

    #[inline]
    pub(super) fn push(&mut self, time: Time, line: &Line<'_>) -> Push {
        let is_empty_line = line.bytes.is_empty() && !line.is_cut;
        let counted = line.shipped_len().max(1) + EVENT_OVERHEAD;
        if self.tally.records > 0 {
            let Tally {
                first_time,
                last_time,
                ..
            } = self.tally;
            let span = last_time.max(time).millis() - first_time.min(time).millis();
            if self.counted + counted > self.max_bytes
                || self.tally.records >= MAX_EVENTS
                || span >= MAX_SPAN_MILLIS
                || self.buffer.len() + counted + EVENT_FRAME > self.max_json
            {
                return Push::Full;
            }
        }
        let before = self.buffer.len();
        if self.tally.records > 0 {
            self.buffer.push(b',');
        }
        self.buffer.extend_from_slice(b"{\"timestamp\":");
        put_decimal(&mut self.buffer, time.millis());
        self.buffer.extend_from_slice(b",\"message\":\"");
        if is_empty_line {
            // The service refuses an empty message.
            self.buffer.push(b' ');
        } else if line.is_utf8 && !line.is_cut {
            escape(&mut self.buffer, line.bytes);
        } else {
            let buffer = &mut self.buffer;
            line.for_each_piece(|piece| escape(buffer, piece.as_bytes()));
        }
        self.buffer.extend_from_slice(b"\"}");
        if self.buffer.len() > self.max_json && self.tally.records > 0 {
            self.buffer.truncate(before);
            return Push::Full;
        }
        self.counted += counted;
        self.tally.add(time, line);
        Push::Taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tally.records == 0
    }

    #[inline]
    pub(super) fn latest(&self) -> Time {
        if self.is_empty() {
            return Time(i64::MAX);
        }
        let latest = self.tally.first_time.millis() + MAX_SPAN_MILLIS - 1;
        Time(latest.saturating_mul(1_000_000))
    }

    pub(super) fn seal(&mut self) -> Sealed {
        if self.tally.is_disordered {
            order::cloudwatch(&mut self.buffer, self.events);
        }
        self.buffer.extend_from_slice(b"]}");
        let plain = &self.buffer[..];
        let packed = if self.is_gzip { gzip(plain) } else { None };
        let is_gzip = packed.is_some();
        let body = packed.map_or_else(|| Bytes::copy_from_slice(plain), Bytes::from);
        self.tally.seal(body, is_gzip, plain.len())
    }

    pub(super) fn shrink(&mut self) {
        self.buffer = Vec::new();
    }

    pub(super) fn buffers(&self) -> usize {
        self.max_bytes
    }

    pub(super) fn largest_body(&self) -> usize {
        self.max_json + 1024
    }
}

/// The body as gzip, or nothing where that failed: then it goes out as it is.
pub(super) fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Level::fast());
    encoder.write_all(plain).ok()?;
    let mut packed = encoder.finish().ok()?;
    packed.shrink_to_fit();
    Some(packed)
}

/// For each byte what it becomes in a JSON string: 0 itself, `u` a `\u00xx`, else `\` and that.
static ESCAPES: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[0x08] = b'b';
    table[0x0C] = b'f';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends `text`, which is UTF-8, escaped for the inside of a JSON string.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    for (at, &byte) in text.iter().enumerate() {
        let short = ESCAPES[usize::from(byte)];
        if short == 0 {
            continue;
        }
        out.extend_from_slice(&text[from..at]);
        from = at + 1;
        if short == b'u' {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(&text[from..]);
}

fn put_decimal(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read as _;

    fn stream() -> StreamName {
        StreamName::CloudWatch {
            group: "/apps/a\"b".into(),
            stream: "pod-1".into(),
        }
    }

    fn read(sealed: &Sealed) -> serde_json::Value {
        let mut plain = Vec::new();
        if sealed.is_gzip {
            flate2::read::GzDecoder::new(&sealed.body[..])
                .read_to_end(&mut plain)
                .unwrap();
        } else {
            plain.extend_from_slice(&sealed.body);
        }
        assert_eq!(plain.len(), sealed.uncompressed);
        serde_json::from_slice(&plain).unwrap()
    }

    fn encode_all(encoder: &mut Encoder, events: &[(i64, Vec<u8>)]) -> Vec<Sealed> {
        let mut sealed = Vec::new();
        encoder.begin(&stream());
        for (time, bytes) in events {
            let is_utf8 = std::str::from_utf8(bytes).is_ok();
            let line = Line {
                bytes,
                is_utf8,
                is_cut: false,
            };
            while encoder.push(Time(*time), &line) == Push::Full {
                assert!(!encoder.is_empty());
                sealed.push(encoder.seal());
                encoder.begin(&stream());
            }
        }
        sealed.push(encoder.seal());
        sealed
    }

    #[test]
    fn a_body_is_what_put_log_events_takes() {
        let text = "a \"quoted\" \\ tab\t bell\u{7} é\u{2028} \u{1F6A2}";
        let events = vec![
            (1_700_000_000_123_999_999, text.into()),
            (1_700_000_000_124_000_000, vec![]),
        ];
        for is_gzip in [false, true] {
            let sealed = encode_all(&mut Encoder::new(is_gzip, 1 << 20), &events);
            assert_eq!(sealed.len(), 1);
            assert_eq!(sealed[0].is_gzip, is_gzip);
            assert_eq!(
                read(&sealed[0]),
                serde_json::json!({
                    "logGroupName": "/apps/a\"b", "logStreamName": "pod-1",
                    "logEvents": [
                        {"timestamp": 1_700_000_000_123_i64, "message": text},
                        {"timestamp": 1_700_000_000_124_i64, "message": " "},
                    ],
                })
            );
        }
    }

    #[test]
    fn a_batch_spans_less_than_a_day() {
        let day = MAX_SPAN_MILLIS * 1_000_000;
        let events: Vec<_> = [0, day - 1_000_000, day, day + 1]
            .map(|time| (time, b"x".to_vec()))
            .into();
        let counts: Vec<_> = encode_all(&mut Encoder::new(false, 1 << 20), &events)
            .iter()
            .map(|batch| batch.records)
            .collect();
        assert_eq!(counts, [2, 2]);
    }

    #[test]
    fn a_batch_holds_at_most_ten_thousand_events() {
        let events: Vec<_> = (0..25_000).map(|number| (number, b"x".to_vec())).collect();
        let counts: Vec<_> = encode_all(&mut Encoder::new(true, 1 << 20), &events)
            .iter()
            .map(|batch| batch.records)
            .collect();
        assert_eq!(counts, [10_000, 10_000, 5_000]);
    }

    proptest! {
        #[test]
        fn every_line_reads_back_and_no_limit_is_broken(
            lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..80),
            max in 300usize..3000,
        ) {
            let events: Vec<_> = (0i64..).zip(lines).collect();
            let sealed = encode_all(&mut Encoder::new(false, max), &events);
            let mut messages = Vec::new();
            for batch in &sealed {
                let body = read(batch);
                let mut counted = 0;
                for event in body["logEvents"].as_array().unwrap() {
                    let message = event["message"].as_str().unwrap().to_owned();
                    counted += message.len() + EVENT_OVERHEAD;
                    messages.push(message);
                }
                prop_assert!(counted <= max || batch.records == 1);
                prop_assert!(batch.uncompressed <= 2 * max + 2 || batch.records == 1);
            }
            let expected: Vec<_> = events.iter().map(|(_, bytes)| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                if text.is_empty() { " ".to_owned() } else { text }
            }).collect();
            prop_assert_eq!(messages, expected);
        }
    }
}
