//! What a look at the file of a generation comes to, while others write it.

use std::fs::Metadata;
use std::io;
use std::time::Instant;

use super::reader;
use super::{CLOCK_STEP, Generation};
use crate::record::Time;
use crate::source::system::file::modified;
use crate::span::{Head, PROOF_ENOUGH, Position};

/// What is known of a file that is longer than it was.
struct Grown {
    size: u64,
    head: Head,
    end: Option<Position>,
}

/// What a look at a generation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Look {
    /// Nothing new.
    Same,
    /// There is more of it, and perhaps more of its beginning.
    Grew { is_better_known: bool },
    /// There is less of it, or it begins differently.
    Shrunk,
    /// It may have been written, and is no longer and no shorter than before.
    Touched,
}

impl Generation {
    /// Takes note of what the system says of the file. Bytes that are new are from `time`.
    pub(in crate::source) fn look(
        &mut self,
        metadata: &Metadata,
        now: Instant,
        time: Time,
    ) -> Look {
        let (size, modified) = (self.content.len(metadata.len()), modified(metadata));
        let (before, seen) = std::mem::replace(&mut self.modified, (modified, time));
        if size == self.size {
            // Emptied and filled to the very same length, or only touched: the content tells.
            let is_same =
                modified == before && (time == seen || seen.nanos_since(before) > CLOCK_STEP);
            return if is_same { Look::Same } else { Look::Touched };
        }
        let grown = if size < self.size {
            Ok(None)
        } else {
            self.grown(size)
        };
        self.last_change = now;
        self.last_write = now;
        let look = match grown {
            Ok(Some(grown)) => {
                let is_better_known = grown.head != self.head;
                (self.size, self.seen, self.head) = (grown.size, grown.size, grown.head);
                if let Some(end) = grown.end {
                    let before = std::mem::replace(&mut self.end, end);
                    // Less may be a banner, which other contents have too.
                    if before.offset >= PROOF_ENOUGH {
                        self.leave_behind(before);
                    }
                }
                Look::Grew { is_better_known }
            }
            Ok(None) => {
                self.size = size;
                self.times.cut(size);
                Look::Shrunk
            }
            // It will be known when it can be read.
            Err(_) => {
                (self.size, self.seen) = (size, size);
                Look::Grew {
                    is_better_known: false,
                }
            }
        };
        self.times.note(self.size, time);
        look
    }

    /// What is known of it now that so much was in it; nothing when it holds another content. It may
    /// be emptied, and filled further, before and behind each step: only what is still proven when
    /// all of it was read is of this content. Of one of which nothing is known yet that is what is
    /// there by then. Of one that is well known its proof is enough.
    fn grown(&self, mut size: u64) -> io::Result<Option<Grown>> {
        let proves_little = self.reached.get().offset < PROOF_ENOUGH;
        if self.head.is_full() && !proves_little {
            let (head, end) = (self.head, None);
            let is_same = self.proves(self.known())?;
            return Ok(is_same.then_some(Grown { size, head, end }));
        }
        while size >= self.size {
            let end = proves_little.then(|| self.position(size)).transpose();
            let head = if self.head.is_full() {
                self.head
            } else {
                Head::of(&reader::read_head(&self.content)?)
            };
            if !self.begins_with(self.head)? || !self.proves(self.known())? {
                return Ok(None);
            }
            let len = self.len_now()?;
            if len >= size {
                let end = end?;
                return Ok(Some(Grown { size, head, end }));
            }
            size = len;
        }
        Ok(None)
    }
}
