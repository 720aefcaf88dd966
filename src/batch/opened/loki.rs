//! Reads the `PushRequest` that `batch/loki.rs` writes, and writes a part of it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::super::Sealed;
use super::super::push_request::{bytes_field, header, key, pack, time_of};
use super::{Form, OpenError, Opened, Record};

pub(super) fn open(sealed: &Sealed) -> Result<Opened, OpenError> {
    // A damaged length must not make us reserve more than there is.
    if snap::raw::decompress_len(&sealed.body).ok() != Some(sealed.uncompressed) {
        return Err(OpenError::Form);
    }
    let plain = snap::raw::Decoder::new()
        .decompress_vec(&sealed.body)
        .map_err(|error| OpenError::Packed(error.into()))?;
    let (labels, records) = places(&plain).ok_or(OpenError::Form)?;
    Ok(Opened {
        plain,
        records,
        is_gzip: false,
        form: Form::Loki { labels },
    })
}

/// Where the labels lie, and each entry with its key and length.
fn places(plain: &[u8]) -> Option<(Range<usize>, Vec<Range<usize>>)> {
    let mut at = 0;
    let stream = bytes_field(plain, &mut at, key::STREAM)?;
    if at != plain.len() {
        return None;
    }
    at = stream.start;
    let labels = bytes_field(plain, &mut at, key::LABELS)?;
    let mut records = Vec::new();
    while at < plain.len() {
        let start = at;
        bytes_field(plain, &mut at, key::ENTRY)?;
        records.push(start..at);
    }
    Some((labels, records))
}

/// An entry with its key and length.
pub(super) fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let mut at = 0;
    let entry = bytes_field(bytes, &mut at, key::ENTRY)?;
    at = entry.start;
    let stamp = bytes_field(bytes, &mut at, key::TIMESTAMP)?;
    let line = bytes_field(bytes, &mut at, key::LINE)?;
    let mut metadata = Vec::new();
    while at < entry.end {
        let pair = bytes_field(bytes, &mut at, key::METADATA)?;
        let mut within = pair.start;
        let name = bytes_field(bytes, &mut within, key::NAME)?;
        let value = bytes_field(bytes, &mut within, key::VALUE)?;
        metadata.push((text(bytes, name)?, text(bytes, value)?));
    }
    Some(Record {
        time: time_of(bytes, stamp)?,
        text: Cow::Borrowed(text(bytes, line)?),
        metadata,
    })
}

/// A body of these labels and entries, whether it is gzip, and its length before compression.
pub(super) fn seal(labels: &[u8], entries: &[u8]) -> (Bytes, bool, usize) {
    let mut plain = header(labels, entries.len());
    plain.extend_from_slice(entries);
    let body = pack(&mut snap::raw::Encoder::new(), &mut Vec::new(), &plain);
    (body, false, plain.len())
}

fn text(bytes: &[u8], place: Range<usize>) -> Option<&str> {
    std::str::from_utf8(bytes.get(place)?).ok()
}
