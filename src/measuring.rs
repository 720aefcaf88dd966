//! The parts of the way of a line, one by one, for the micro-benchmarks in `benches/parts.rs`. Not
//! a part of the program, and no promise to anyone.

use crate::batch::{self, Encoder, Push, StreamName};
use crate::record::{Framer, Time};
use crate::span::Anchor;

/// Longer lines are cut.
const MAX_LINE: usize = 256 * 1024;
/// The usual size of a batch.
const BATCH: usize = 1 << 20;

/// Cuts `bytes` into lines and returns how many there are.
pub fn frame(bytes: &[u8]) -> usize {
    let framer = Framer::new(MAX_LINE);
    let (mut at, mut lines) = (0, 0);
    while let Some(framed) = framer.next(&bytes[at..], bytes.len() - at, false) {
        at += framed.consumed;
        lines += 1;
    }
    lines
}

/// The checksum of an entry or a body in the journal.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The proof of what lies before a position.
pub fn anchor(bytes: &[u8]) -> u64 {
    Anchor::at_end_of(bytes).hash
}

/// One output's batches.
#[derive(Debug)]
pub struct Batches {
    encoder: Encoder,
    stream: StreamName,
}

impl Batches {
    /// For Loki.
    pub fn loki(is_snappy: bool) -> Self {
        let compression = if is_snappy {
            batch::loki::Compression::Snappy
        } else {
            batch::loki::Compression::None
        };
        Self {
            encoder: Encoder::Loki(batch::loki::Encoder::new(compression, BATCH)),
            stream: StreamName::Loki {
                labels: "{filename=\"/var/log/app/app.log\"}".to_owned(),
            },
        }
    }

    /// For `CloudWatch` Logs.
    pub fn cloudwatch(is_gzip: bool) -> Self {
        Self {
            encoder: Encoder::CloudWatch(batch::cloudwatch::Encoder::new(is_gzip, BATCH)),
            stream: StreamName::CloudWatch {
                group: "/apps/app".to_owned(),
                stream: "app".to_owned(),
            },
        }
    }

    /// Encodes lines of UTF-8 until a batch is full or there are no more. Returns how many bytes
    /// were taken.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let framer = Framer::new(MAX_LINE);
        self.encoder.begin(&self.stream);
        let (mut at, mut time) = (0, Time(1_800_000_000_000_000_000));
        while let Some(framed) = framer.next(&bytes[at..], bytes.len() - at, false) {
            time = time.next();
            if self.encoder.push(time, &framed.line, &[]) == Push::Full {
                break;
            }
            at += framed.consumed;
        }
        at
    }

    /// Seals what was taken, and returns how long the body is.
    pub fn seal(&mut self) -> usize {
        self.encoder.seal().body.len()
    }
}
