//! Reads the protobuf form of a push without copying it. Checks the form only, no limit.

use super::{Entry, Push, Stream};

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("unexpected EOF")]
    Short,
    #[error("proto: integer overflow")]
    Varint,
    #[error("proto: wrong wireType = {1} for field {0}")]
    WireType(u64, u64),
    #[error("proto: illegal field 0 or group")]
    Field,
    #[error("proto: field {0} is not valid UTF-8")]
    Text(&'static str),
    #[error("proto: timestamp is out of range")]
    Timestamp,
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// Reads `PushRequest{streams=1}`.
pub(super) fn push(bytes: &[u8]) -> Result<Push<'_>, Malformed> {
    let mut push = Push::default();
    let mut message = Message(bytes);
    while let Some((field, wire)) = message.tag()? {
        if field == 1 {
            push.streams.push(stream(message.bytes(field, wire)?)?);
        } else {
            message.skip(wire)?;
        }
    }
    Ok(push)
}

/// Reads `Stream{labels=1, entries=2, hash=3}`.
fn stream(bytes: &[u8]) -> Result<Stream<'_>, Malformed> {
    let mut stream = Stream::default();
    let mut message = Message(bytes);
    while let Some((field, wire)) = message.tag()? {
        match field {
            1 => stream.labels = text("labels", message.bytes(field, wire)?)?.into(),
            2 => stream.entries.push(entry(message.bytes(field, wire)?)?),
            _ => message.skip(wire)?,
        }
    }
    Ok(stream)
}

/// Reads `Entry{timestamp=1, line=2, structuredMetadata=3}`. A line need not be UTF-8: Loki
/// does not look.
fn entry(bytes: &[u8]) -> Result<Entry<'_>, Malformed> {
    let mut entry = Entry::default();
    let mut message = Message(bytes);
    while let Some((field, wire)) = message.tag()? {
        match field {
            1 => entry.timestamp_ns = timestamp(message.bytes(field, wire)?)?,
            2 => entry.line = message.bytes(field, wire)?,
            3 => entry.metadata.push(pair(message.bytes(field, wire)?)?),
            _ => message.skip(wire)?,
        }
    }
    Ok(entry)
}

/// Reads `Timestamp{seconds=1, nanos=2}` as nanoseconds since 1970.
fn timestamp(bytes: &[u8]) -> Result<i64, Malformed> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut message = Message(bytes);
    while let Some((field, wire)) = message.tag()? {
        match field {
            1 => seconds = message.integer(field, wire)?,
            2 => nanos = message.integer(field, wire)?,
            _ => message.skip(wire)?,
        }
    }
    if !(0..1_000_000_000).contains(&nanos) {
        return Err(Malformed::Timestamp);
    }
    seconds
        .checked_mul(1_000_000_000)
        .and_then(|whole| whole.checked_add(nanos))
        .ok_or(Malformed::Timestamp)
}

/// Reads `LabelPair{name=1, value=2}`.
fn pair(bytes: &[u8]) -> Result<(&str, &str), Malformed> {
    let mut pair = ("", "");
    let mut message = Message(bytes);
    while let Some((field, wire)) = message.tag()? {
        match field {
            1 => pair.0 = text("name", message.bytes(field, wire)?)?,
            2 => pair.1 = text("value", message.bytes(field, wire)?)?,
            _ => message.skip(wire)?,
        }
    }
    Ok(pair)
}

fn text<'a>(name: &'static str, bytes: &'a [u8]) -> Result<&'a str, Malformed> {
    str::from_utf8(bytes).map_err(|_| Malformed::Text(name))
}

/// The bytes of a message that are still to be read.
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// The next field and its wire type, or `None` at the end.
    fn tag(&mut self) -> Result<Option<(u64, u64)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        if tag >> 3 == 0 {
            return Err(Malformed::Field);
        }
        Ok(Some((tag >> 3, tag & 7)))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (position, byte) in self.0.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7F);
            if position == 9 && bits > 1 {
                return Err(Malformed::Varint);
            }
            value |= bits << (7 * position);
            if byte & 0x80 == 0 {
                self.0 = &self.0[position + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() < 10 {
            Malformed::Short
        } else {
            Malformed::Varint
        })
    }

    fn integer(&mut self, field: u64, wire: u64) -> Result<i64, Malformed> {
        if wire != VARINT {
            return Err(Malformed::WireType(field, wire));
        }
        Ok(self.varint()?.cast_signed())
    }

    fn bytes(&mut self, field: u64, wire: u64) -> Result<&'a [u8], Malformed> {
        if wire != BYTES {
            return Err(Malformed::WireType(field, wire));
        }
        let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Short)?;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn skip(&mut self, wire: u64) -> Result<(), Malformed> {
        match wire {
            VARINT => self.varint().map(drop),
            FIXED64 => self.take(8).map(drop),
            BYTES => self.bytes(1, wire).map(drop),
            FIXED32 => self.take(4).map(drop),
            _ => Err(Malformed::Field),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        out.extend(varint(content.len() as u64));
        out.extend_from_slice(content);
        out
    }

    fn varint(mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(u8::try_from(value & 0x7F).unwrap() | 0x80);
            value >>= 7;
        }
        out.push(u8::try_from(value).unwrap());
        out
    }

    #[test]
    fn a_push_is_read_whole_and_unknown_fields_are_passed_over() {
        let mut time = vec![0x08];
        time.extend(varint(5));
        time.push(0x10);
        time.extend(varint(7));
        let metadata = [field(1, b"pod"), field(2, b"p-1")].concat();
        let entry = [
            field(1, &time),
            field(2, b"\xFFline"),
            field(3, &metadata),
            field(9, b"later"),
        ]
        .concat();
        let stream = [field(1, b"{a=\"b\"}"), field(2, &entry), vec![0x18, 0x01]].concat();
        let bytes = field(1, &stream);
        let push = super::push(&bytes).map(|push| push.streams);
        assert_eq!(
            push,
            Ok(vec![Stream {
                labels: "{a=\"b\"}".into(),
                entries: vec![Entry {
                    timestamp_ns: 5_000_000_007,
                    line: b"\xFFline",
                    metadata: vec![("pod", "p-1")],
                }],
            }])
        );
    }

    #[test]
    fn what_is_malformed_is_named() {
        for (bytes, expected) in [
            (&[0x0A][..], Malformed::Short),
            (&[0x0A, 5, 0], Malformed::Short),
            (&[0x80; 10], Malformed::Varint),
            (&[0x80; 3], Malformed::Short),
            (&[0x08, 1], Malformed::WireType(1, 0)),
            (&[0x02, 0], Malformed::Field),
            (&[0x0A, 3, 0x0A, 1, 0xFF], Malformed::Text("labels")),
        ] {
            assert_eq!(push(bytes), Err(expected), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = push(&bytes);
        }
    }
}
