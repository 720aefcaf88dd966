//! Tries a Loki output: an empty push shows who is let in and where, and stores nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{RECORD, Section, way};
use crate::config::Loki;
use crate::deliver::Class;
use crate::deliver::loki::{Sender, classify};

/// The stream of the test record.
const LABELS: &str = "{service_name=\"pinnace-check\"}";

pub(super) async fn look(name: &str, loki: &Loki, write: bool) -> Section {
    let sender = Sender::new(loki);
    let uri = sender.uri().cloned();
    let at = uri.as_ref().map_or_else(String::new, ToString::to_string);
    let mut section = Section::new(format!("output {name}: Loki at {at}"));
    let Some(uri) = uri else {
        section.fails("push", "the URL or a header cannot be used");
        return section;
    };
    if !way::look(&mut section, sender.connections(), &uri).await {
        return section;
    }
    let body = if write { record() } else { snappy(&[]) };
    let response = match sender.post(body).await {
        Ok(response) => response,
        Err(answer) => {
            section.fails("push", answer.sentence);
            return section;
        }
    };
    let date = response.headers().get("date");
    way::clock(&mut section, date.and_then(|it| it.to_str().ok()));
    let text = String::from_utf8_lossy(response.body());
    let answer = classify(response.status(), text.trim());
    let status = response.status().as_u16();
    match (answer.class, write) {
        (Class::Delivered, true) => {
            section.holds("push", format!("one test record is stored in {LABELS}"));
        }
        // An empty push is refused for being empty, after all else was found right.
        (Class::Delivered | Class::Refused, false) => section.holds(
            "push",
            format!(
                "our pushes are let in (an empty one was answered {status}); nothing was written"
            ),
        ),
        (Class::Retry, _) => section.note("push", answer.sentence),
        _ => section.fails("push", answer.sentence),
    }
    section
}

/// A push of one record, of now.
fn record() -> Bytes {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut timestamp = vec![0x08];
    varint(&mut timestamp, now.as_secs());
    timestamp.push(0x10);
    varint(&mut timestamp, u64::from(now.subsec_nanos()));
    let mut entry = Vec::new();
    field(&mut entry, 1, &timestamp);
    field(&mut entry, 2, RECORD.as_bytes());
    let mut stream = Vec::new();
    field(&mut stream, 1, LABELS.as_bytes());
    field(&mut stream, 2, &entry);
    let mut push = Vec::new();
    field(&mut push, 1, &stream);
    snappy(&push)
}

/// A field of protobuf that has a length.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn snappy(plain: &[u8]) -> Bytes {
    // It fails on more than 4 GiB alone.
    let packed = snap::raw::Encoder::new().compress_vec(plain);
    Bytes::from(packed.unwrap_or_default())
}
