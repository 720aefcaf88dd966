//! Moves bytes from a file into a batch: read, cut, give a time, encode. The hot path: nothing
//! is allocated for a line.

use std::io;

use crate::batch::{Encoder, Push};
use crate::record::{Framer, Time};
use crate::source::Generation;
use crate::source::reader::{CHUNK, Read, Reader};
use crate::span::Position;

/// Why filling ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The batch takes no more.
    Full,
    /// There is no further complete line.
    Drained,
    /// The file does not hold the content that the position was taken in.
    OtherContent,
}

/// What was put into the batch.
#[derive(Debug)]
pub(super) struct Filled {
    /// Up to where.
    pub(super) end: Position,
    /// Why not further.
    pub(super) ended: Ended,
    /// How many bytes at the beginning are a hole, which was skipped.
    pub(super) hole: u64,
}

/// What is needed besides the file.
#[derive(Debug)]
pub(super) struct Filler<'a> {
    pub(super) encoder: &'a mut Encoder,
    pub(super) reader: &'a mut Reader,
    pub(super) framer: Framer,
    /// Goes with every record.
    pub(super) metadata: &'a [u8],
    /// The time of the last record of the stream; moves on.
    pub(super) last_time: &'a mut Time,
    /// Where no time is known for a byte.
    pub(super) now: Time,
}

impl Filler<'_> {
    /// Takes lines of `generation` from `from` on. With `is_over` what is left at the end of the
    /// file is a line too.
    pub(super) fn fill(
        &mut self,
        generation: &Generation,
        from: Position,
        is_over: bool,
    ) -> io::Result<Filled> {
        let mut position = from;
        let proofs = (generation.head, generation.reached());
        let mut want = CHUNK;
        let mut in_hole = from.offset == 0;
        let mut hole = 0;
        loop {
            let read = self
                .reader
                .read(&generation.content, position, proofs, want)?;
            let chunk = match read {
                Read::Bytes(chunk) => chunk,
                Read::OtherContent => {
                    return Ok(Filled {
                        end: position,
                        ended: Ended::OtherContent,
                        hole,
                    });
                }
            };
            let bytes = chunk.bytes();
            let known_utf8 = match std::str::from_utf8(bytes) {
                Ok(_) => bytes.len(),
                Err(error) => error.valid_up_to(),
            };
            let is_last = is_over && chunk.is_end;
            // A writer that does not append leaves a hole where the file was emptied under it.
            let mut at = if in_hole { hole_len(bytes) } else { 0 };
            in_hole &= at == bytes.len();
            hole += at as u64;
            let mut time = self.now;
            let mut time_until = position.offset;
            while let Some(framed) =
                self.framer
                    .next(&bytes[at..], known_utf8.saturating_sub(at), is_last)
            {
                let offset = position.offset + at as u64;
                if offset >= time_until {
                    (time, time_until) =
                        generation.times.at(offset).unwrap_or((self.now, u64::MAX));
                }
                let given = time.max(self.last_time.next());
                if self.encoder.push(given, &framed.line, self.metadata) == Push::Full {
                    return Ok(Filled {
                        end: chunk.position_after(at),
                        ended: Ended::Full,
                        hole,
                    });
                }
                *self.last_time = given;
                at += framed.consumed;
            }
            position = chunk.position_after(at);
            if chunk.is_end {
                return Ok(Filled {
                    end: position,
                    ended: Ended::Drained,
                    hole,
                });
            }
            // A line that is longer than the chunk needs a larger one.
            want = if at == 0 {
                self.framer.window().max(2 * CHUNK)
            } else {
                CHUNK
            };
        }
    }
}

/// How many NUL bytes lead.
fn hole_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == 0).count()
}
