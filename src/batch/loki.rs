//! The Loki wire form: a protobuf `PushRequest` with one stream, in one snappy block; where labels
//! differ by record, one such request for each label set. Never sends.

use bytes::Bytes;

use super::push_request::{
    Front, header, key, literal_block, literal_front, pack, room_for, stamp_len, varint_len,
};
use super::{Push, Sealed, StreamName, Tally, order};
use crate::record::{Line, Time};
pub(crate) use labels::{
    encode_metadata, label_set, put_label, put_metadata, put_metadata_if_it_fits,
};
use sets::Sets;

mod labels;
mod sets;

/// A record of a batch may be so much later than its earliest, in nanoseconds. Loki takes nothing that
/// is an hour behind the newest entry of its stream (with its defaults, `max_chunk_age: 2h`): of a longer
/// batch that it has stored it would refuse the earlier part when that is sent again.
const REACH: i64 = 30 * 60 * 1_000_000_000;

/// How the request body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// One snappy block.
    Snappy,
    /// One snappy block of literals alone: legal for every reader, and next to no work.
    None,
}

/// Encodes batches for a Loki push endpoint.
#[derive(Debug)]
pub(crate) struct Encoder {
    compression: Compression,
    max_bytes: usize,
    /// Room for the stream's header, then the entries.
    buffer: Vec<u8>,
    labels: String,
    room: usize,
    front: Front,
    tally: Tally,
    snappy: snap::raw::Encoder,
    packed: Vec<u8>,
    /// Where labels differ by record: the label sets of the batch.
    sets: Option<Sets>,
}

impl Encoder {
    /// `max_bytes` is the most that a request may hold before compression; a single record that
    /// is larger still goes out, alone.
    pub(crate) fn new(compression: Compression, max_bytes: usize) -> Self {
        Self {
            compression,
            max_bytes,
            buffer: Vec::new(),
            labels: String::new(),
            room: 0,
            front: Front::default(),
            tally: Tally::default(),
            snappy: snap::raw::Encoder::new(),
            packed: Vec::new(),
            sets: None,
        }
    }

    /// The same, for labels that differ by record: each record goes to the label set that was
    /// [turned to](Self::turn_to).
    pub(crate) fn by_record(self) -> Self {
        Self {
            sets: Some(Sets::default()),
            ..self
        }
    }

    /// The records that come next have these labels. Returns whether the batch has such a set;
    /// if not, it is as it was.
    #[inline]
    pub(crate) fn turn_to(&mut self, labels: &str) -> bool {
        self.sets.as_mut().is_some_and(|sets| sets.turn_to(labels))
    }

    /// Turns to a label set that the batch has no record of yet.
    pub(crate) fn add_labels(&mut self, labels: &str) -> Push {
        match &mut self.sets {
            Some(sets) => sets.add(labels),
            None => Push::Taken,
        }
    }

    pub(super) fn begin(&mut self, stream: &StreamName) {
        let StreamName::Loki { labels } = stream else {
            debug_assert!(false, "a Loki output has Loki streams");
            return;
        };
        if let Some(sets) = &mut self.sets {
            sets.clear();
            self.room = 0;
        } else {
            self.labels.clone_from(labels);
            self.room = room_for(labels);
        }
        self.buffer.clear();
        self.buffer.reserve_exact(self.max_bytes + self.room);
        self.buffer.resize(self.room, 0);
        self.tally = Tally::default();
    }

    #[inline]
    pub(super) fn push(&mut self, time: Time, line: &Line<'_>, metadata: &[u8]) -> Push {
        let text_len = line.shipped_len();
        let content_len = 1 + varint_len(text_len as u64) + text_len + metadata.len();
        let entry_len = 2 + stamp_len(time) + content_len;
        let mut total = 1 + varint_len(entry_len as u64) + entry_len;
        if self.tally.is_disordered || time < self.tally.last_time {
            // Times move by nanoseconds when the batch is put into order.
            total += order::LOKI_GROWTH * (self.tally.records as usize + 1);
        }
        let beside = self.sets.as_ref().map_or(0, Sets::overhead);
        if self.buffer.len() + total + beside > self.max_bytes && !self.is_empty() {
            return Push::Full;
        }
        self.front.begin(time, content_len);
        self.front.put(key::LINE, text_len as u64);
        let out = &mut self.buffer;
        if let Some(sets) = &mut self.sets {
            sets.mark(out);
        }
        out.extend_from_slice(self.front.bytes());
        if line.is_utf8 && !line.is_cut {
            out.extend_from_slice(line.bytes);
        } else {
            line.for_each_piece(|piece| out.extend_from_slice(piece.as_bytes()));
        }
        out.extend_from_slice(metadata);
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
        Time(self.tally.first_time.0.saturating_add(REACH))
    }

    pub(super) fn seal(&mut self) -> Sealed {
        let is_disordered = self.tally.is_disordered;
        if let Some(sets) = &mut self.sets {
            let (body, shares, last) =
                sets.requests(&self.buffer, is_disordered, |plain| {
                    match self.compression {
                        Compression::Snappy => pack(&mut self.snappy, &mut self.packed, plain),
                        Compression::None => literal_block(plain),
                    }
                });
            self.tally.last_time = self.tally.last_time.max(last);
            let uncompressed = shares.iter().map(|share| share.uncompressed).sum();
            let sealed = self.tally.seal(body, false, uncompressed);
            let is_one = shares.len() == 1;
            return Sealed {
                shares: if is_one { Vec::new() } else { shares },
                ..sealed
            };
        }
        if is_disordered {
            let last = order::loki(&mut self.buffer, self.room);
            self.tally.last_time = self.tally.last_time.max(last);
        }
        let header = header(self.labels.as_bytes(), self.buffer.len() - self.room);
        let start = self.room - header.len();
        self.buffer[start..self.room].copy_from_slice(&header);
        let plain = &self.buffer[start..];
        let len = plain.len();
        let body = match self.compression {
            Compression::Snappy => pack(&mut self.snappy, &mut self.packed, plain),
            Compression::None => self.literal(start),
        };
        self.tally.seal(body, false, len)
    }

    /// The block of literals of what stands in the buffer from `start` on. A buffer that is full
    /// becomes the body itself.
    fn literal(&mut self, start: usize) -> Bytes {
        let front = literal_front(self.buffer.len() - start);
        let begin = start - front.len();
        self.buffer[begin..start].copy_from_slice(&front);
        if self.buffer.len() < self.buffer.capacity() / 32 * 31 {
            return Bytes::copy_from_slice(&self.buffer[begin..]);
        }
        Bytes::from(std::mem::take(&mut self.buffer)).slice(begin..)
    }

    pub(super) fn shrink(&mut self) {
        self.buffer = Vec::new();
        self.packed = Vec::new();
        if let Some(sets) = &mut self.sets {
            sets.shrink();
        }
    }

    pub(super) fn buffers(&self) -> usize {
        // A request of label sets is put together in a buffer of its own.
        self.max_bytes * if self.sets.is_some() { 2 } else { 1 }
    }

    pub(super) fn largest_body(&self) -> usize {
        let blocks = self.sets.as_ref().map_or(1, |_| sets::MOST);
        snap::raw::max_compress_len(self.max_bytes) + (blocks - 1) * snap::raw::max_compress_len(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &str) -> Line<'_> {
        Line {
            bytes: text.as_bytes(),
            is_utf8: true,
            is_cut: false,
        }
    }

    #[test]
    fn a_batch_that_is_sent_again_is_within_what_loki_takes_of_the_past() {
        let labels = "{a=\"b\"}".to_owned();
        let mut encoder = Encoder::new(Compression::Snappy, 1 << 20);
        encoder.begin(&StreamName::Loki { labels });
        let minutes = |count: i64| Time(1_795_341_600_000_000_000 + count * 60_000_000_000);
        assert_eq!(encoder.latest(), Time(i64::MAX));
        for (time, latest) in [(100, 130), (130, 130), (10, 40)] {
            encoder.push(minutes(time), &line("x"), b"");
            assert_eq!(encoder.latest(), minutes(latest));
        }
    }

    /// A reader of its own for protobuf: fields of a message in order.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let (mut value, mut shift) = (0u64, 0);
            loop {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                value |= u64::from(byte & 0x7F) << shift;
                if byte < 0x80 {
                    return value;
                }
                shift += 7;
            }
        }
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = varint(&mut bytes);
            if key & 7 == 2 {
                let (content, rest) = bytes.split_at(usize::try_from(value).unwrap());
                out.push((key >> 3, value, content.to_vec()));
                bytes = rest;
            } else {
                out.push((key >> 3, value, Vec::new()));
            }
        }
        out
    }

    fn entries(sealed: &Sealed) -> (String, Vec<(i64, String, Vec<u8>)>) {
        let plain = snap::raw::Decoder::new()
            .decompress_vec(&sealed.body)
            .unwrap();
        assert_eq!(plain.len(), sealed.uncompressed);
        let request = fields(&plain);
        assert_eq!(request.len(), 1, "one stream in a request");
        let stream = fields(&request[0].2);
        let labels = String::from_utf8(stream[0].2.clone()).unwrap();
        let entries = stream[1..]
            .iter()
            .map(|(number, _, entry)| {
                assert_eq!(*number, 2);
                let parts = fields(entry);
                let stamp = fields(&parts[0].2);
                let time = stamp[0].1.cast_signed() * 1_000_000_000 + stamp[1].1.cast_signed();
                let text = String::from_utf8(parts[1].2.clone()).unwrap();
                let rest = parts[2..].iter().flat_map(|part| part.2.clone()).collect();
                (time, text, rest)
            })
            .collect();
        (labels, entries)
    }

    fn stream() -> StreamName {
        StreamName::Loki {
            labels: label_set([("app", "a\"b\\c\n"), ("file", "/x")].into_iter()),
        }
    }

    #[test]
    fn a_label_set_is_quoted_as_loki_quotes_it() {
        assert_eq!(stream().to_string(), r#"{app="a\"b\\c\n", file="/x"}"#);
    }

    #[test]
    fn what_is_sealed_reads_back() {
        for compression in [Compression::Snappy, Compression::None] {
            let mut encoder = Encoder::new(compression, 1 << 20);
            let metadata = encode_metadata([("pod", "p-1")].into_iter()).0;
            encoder.begin(&stream());
            let times = [1_700_000_000_123_456_789i64, 1_700_000_001_000_000_000];
            let cut = Line {
                bytes: b"caf\xe9",
                is_utf8: false,
                is_cut: true,
            };
            assert_eq!(
                encoder.push(Time(times[0]), &line("first"), &metadata),
                Push::Taken
            );
            assert_eq!(encoder.push(Time(times[1]), &cut, &metadata), Push::Taken);
            let sealed = encoder.seal();
            let (labels, entries) = entries(&sealed);
            assert_eq!(labels, stream().to_string());
            assert_eq!(entries.len(), 2);
            assert_eq!((entries[0].0, entries[0].1.as_str()), (times[0], "first"));
            assert_eq!(
                (entries[1].0, entries[1].1.as_str()),
                (times[1], "caf\u{FFFD} [line continues]")
            );
            assert_eq!(entries[0].2, b"\x0a\x03pod\x12\x03p-1");
            assert_eq!((sealed.records, sealed.replaced, sealed.cut), (2, 1, 1));
            assert_eq!(
                (sealed.first_time, sealed.last_time),
                (Time(times[0]), Time(times[1]))
            );
        }
    }

    proptest! {
        #[test]
        fn no_batch_exceeds_its_bytes_unless_it_is_one_record(
            lens in proptest::collection::vec(0usize..300, 1..200),
            max in 100usize..2000,
            is_snappy in any::<bool>(),
        ) {
            let compression = if is_snappy { Compression::Snappy } else { Compression::None };
            let mut encoder = Encoder::new(compression, max);
            let texts: Vec<String> = lens.iter().map(|&len| "z".repeat(len)).collect();
            let mut sealed = Vec::new();
            encoder.begin(&stream());
            for (number, text) in (0i64..).zip(&texts) {
                while encoder.push(Time(number), &line(text), &[]) == Push::Full {
                    prop_assert!(!encoder.is_empty());
                    sealed.push(encoder.seal());
                    encoder.begin(&stream());
                }
            }
            sealed.push(encoder.seal());
            let mut read = Vec::new();
            for batch in &sealed {
                prop_assert!(batch.uncompressed <= max || batch.records == 1);
                read.extend(entries(batch).1.into_iter().map(|entry| entry.1));
            }
            prop_assert_eq!(read, texts);
        }
    }
}
