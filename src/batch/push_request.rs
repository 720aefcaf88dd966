//! The parts of Loki's `PushRequest`, written and read: keys, numbers, what stands in front of
//! entries, and the snappy block around it all. Owns the byte layout (grafana/loki
//! `pkg/push/push.proto`: `PushRequest{streams=1}`, `Stream{labels=1, entries=2}`,
//! `Entry{timestamp=1{seconds=1, nanos=2}, line=2, structuredMetadata=3{name=1, value=2}}`); knows
//! no batch.

use std::ops::Range;

use bytes::Bytes;

use crate::record::Time;

/// Protobuf keys: field number × 8 + 2 for a length-delimited field, + 0 for a varint.
pub(super) mod key {
    pub(in crate::batch) const STREAM: u8 = 0x0A;
    pub(in crate::batch) const LABELS: u8 = 0x0A;
    pub(in crate::batch) const ENTRY: u8 = 0x12;
    pub(in crate::batch) const TIMESTAMP: u8 = 0x0A;
    pub(in crate::batch) const SECONDS: u8 = 0x08;
    pub(in crate::batch) const NANOS: u8 = 0x10;
    pub(in crate::batch) const LINE: u8 = 0x12;
    pub(in crate::batch) const METADATA: u8 = 0x1A;
    pub(in crate::batch) const NAME: u8 = 0x0A;
    pub(in crate::batch) const VALUE: u8 = 0x12;
}

/// Room for what stands in front of the entries: what may make a block of them; two keys and two
/// lengths of at most five bytes each, then the labels.
pub(super) fn room_for(labels: &str) -> usize {
    LITERAL_FRONT + 12 + labels.len()
}

/// What stands in front of the entries of a stream, which take this many bytes.
pub(super) fn header(labels: &[u8], entries_len: usize) -> Vec<u8> {
    let stream_len = 1 + varint_len(labels.len() as u64) + labels.len() + entries_len;
    let mut header = Vec::with_capacity(12 + labels.len());
    header.push(key::STREAM);
    put_varint(&mut header, stream_len as u64);
    header.push(key::LABELS);
    put_varint(&mut header, labels.len() as u64);
    header.extend_from_slice(labels);
    header
}

#[inline]
pub(super) fn stamp_len(time: Time) -> usize {
    let (seconds, nanos) = time.seconds_and_nanos();
    1 + varint_len(seconds.cast_unsigned()) + 1 + varint_len(u64::from(nanos))
}

/// What stands in an entry before its text: gathered, so that room in the body is asked for once.
/// Used for one entry after the other.
#[derive(Debug)]
pub(super) struct Front {
    /// Five keys, and five numbers of at most ten bytes each.
    bytes: [u8; Self::ROOM],
    len: usize,
}

impl Default for Front {
    fn default() -> Self {
        Self {
            bytes: [0; Self::ROOM],
            len: 0,
        }
    }
}

impl Front {
    /// A power of two: an index is kept inside by a mask, at no cost.
    const ROOM: usize = 64;

    /// Begins anew, for an entry with so many bytes behind its timestamp.
    #[inline]
    pub(super) fn begin(&mut self, time: Time, content_len: usize) {
        let (seconds, nanos) = time.seconds_and_nanos();
        let stamp_len = stamp_len(time);
        self.len = 0;
        self.put(key::ENTRY, (2 + stamp_len + content_len) as u64);
        self.put(key::TIMESTAMP, stamp_len as u64);
        self.put(key::SECONDS, seconds.cast_unsigned());
        self.put(key::NANOS, u64::from(nanos));
    }

    #[inline]
    pub(super) fn put(&mut self, key: u8, mut value: u64) {
        self.push(key);
        while value >= 0x80 {
            self.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.push((value & 0x7F) as u8);
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        self.bytes[self.len % Self::ROOM] = byte;
        self.len += 1;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[inline]
pub(super) fn varint_len(value: u64) -> usize {
    // 64 bits in groups of seven; zero takes one byte.
    (70 - (value | 1).leading_zeros() as usize) / 7
}

#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
}

/// The time that a timestamp at this place says.
pub(super) fn time_of(bytes: &[u8], stamp: Range<usize>) -> Option<Time> {
    let mut at = stamp.start;
    let seconds = number_field(bytes, &mut at, key::SECONDS)?.cast_signed();
    let nanos = number_field(bytes, &mut at, key::NANOS)?;
    let nanos = seconds
        .checked_mul(1_000_000_000)?
        .checked_add(i64::try_from(nanos).ok()?)?;
    Some(Time(nanos))
}

/// Moves over a field with this key; returns where its content lies.
pub(super) fn bytes_field(bytes: &[u8], at: &mut usize, key: u8) -> Option<Range<usize>> {
    let len = usize::try_from(number_field(bytes, at, key)?).ok()?;
    let end = at.checked_add(len).filter(|end| *end <= bytes.len())?;
    Some(std::mem::replace(at, end)..end)
}

/// Moves over a key and a number; returns the number.
fn number_field(bytes: &[u8], at: &mut usize, key: u8) -> Option<u64> {
    if *bytes.get(*at)? != key {
        return None;
    }
    *at += 1;
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// One snappy block, made in a buffer that is used again.
pub(super) fn pack(snappy: &mut snap::raw::Encoder, buffer: &mut Vec<u8>, plain: &[u8]) -> Bytes {
    buffer.resize(snap::raw::max_compress_len(plain.len()), 0);
    match snappy.compress(plain, buffer) {
        Ok(len) => Bytes::copy_from_slice(&buffer[..len]),
        // Only for a buffer that is too small or a body above 4 GiB: neither is here.
        Err(_) => literal_block(plain),
    }
}

/// A snappy block that holds `plain` as it is.
pub(super) fn literal_block(plain: &[u8]) -> Bytes {
    let front = literal_front(plain.len());
    let mut out = Vec::with_capacity(front.len() + plain.len());
    out.extend_from_slice(&front);
    out.extend_from_slice(plain);
    Bytes::from(out)
}

/// The most bytes of [`literal_front`].
pub(super) const LITERAL_FRONT: usize = 10;

/// What makes a snappy block of the bytes behind it: their number, then one literal as long as they
/// are (`format_description.txt` of google/snappy: a literal's length may have four bytes).
pub(super) fn literal_front(len: usize) -> Vec<u8> {
    const LITERAL_WITH_FOUR_LENGTH_BYTES: u8 = 63 << 2;
    let less_one = u32::try_from(len.saturating_sub(1)).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(LITERAL_FRONT);
    put_varint(&mut out, len as u64);
    out.push(LITERAL_WITH_FOUR_LENGTH_BYTES);
    out.extend_from_slice(&less_one.to_le_bytes());
    out
}
