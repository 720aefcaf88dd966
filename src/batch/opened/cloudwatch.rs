//! Reads the JSON that `batch/cloudwatch.rs` writes, and writes a part of it.

use std::borrow::Cow;
use std::io::Read as _;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Sealed;
use super::super::cloudwatch::gzip;
use super::{Form, OpenError, Opened, Record};
use crate::record::Time;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "logEvents", borrow)]
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Event<'a> {
    timestamp: i64,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

pub(super) fn open(sealed: &Sealed) -> Result<Opened, OpenError> {
    let mut plain = Vec::with_capacity(sealed.uncompressed);
    if sealed.is_gzip {
        flate2::read::GzDecoder::new(&sealed.body[..])
            .read_to_end(&mut plain)
            .map_err(OpenError::Packed)?;
    } else {
        plain.extend_from_slice(&sealed.body);
    }
    let body: Body<'_> = serde_json::from_slice(&plain).map_err(|_| OpenError::Form)?;
    let begin = plain.as_ptr().addr();
    let records = body
        .events
        .iter()
        .map(|event| {
            let start = event.get().as_ptr().addr() - begin;
            start..start + event.get().len()
        })
        .collect();
    Ok(Opened {
        plain,
        records,
        is_gzip: sealed.is_gzip,
        form: Form::CloudWatch,
    })
}

pub(super) fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let event: Event<'_> = serde_json::from_slice(bytes).ok()?;
    Some(Record {
        time: Time(event.timestamp.checked_mul(1_000_000)?),
        text: event.message,
        metadata: Vec::new(),
    })
}

/// A body of these events, whether it is gzip, and its length before compression.
pub(super) fn seal(whole: &Opened, events: &[u8]) -> (Bytes, bool, usize) {
    let head = whole.records.first().map_or(0, |first| first.start);
    let tail = whole.records.last().map_or(0, |last| last.end);
    let plain = [&whole.plain[..head], events, &whole.plain[tail..]].concat();
    let len = plain.len();
    let packed = if whole.is_gzip { gzip(&plain) } else { None };
    match packed {
        Some(packed) => (Bytes::from(packed), true, len),
        None => (Bytes::from(plain), false, len),
    }
}
