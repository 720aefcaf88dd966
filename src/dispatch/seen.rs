//! When the bytes of a chunk were seen: for records that say no time of their own.

use crate::record::Time;
use crate::source::Generation;
use crate::source::generation::reader::Chunk;

/// When the bytes of a chunk were seen.
pub(super) struct Times<'a> {
    pub(super) generation: &'a Generation,
    pub(super) start: u64,
    pub(super) now: Time,
    time: Time,
    until: u64,
}

impl<'a> Times<'a> {
    pub(super) fn new(generation: &'a Generation, chunk: &Chunk<'_>, now: Time) -> Self {
        let start = chunk.start();
        Self {
            generation,
            start,
            now,
            time: now,
            until: start,
        }
    }

    /// When the byte at `at` was seen; places are asked for in their order.
    #[inline]
    pub(super) fn at(&mut self, at: usize) -> Time {
        let offset = self.start + at as u64;
        if offset >= self.until {
            (self.time, self.until) = self
                .generation
                .times
                .at(offset)
                .unwrap_or((self.now, u64::MAX));
        }
        self.time
    }

    /// A time that may be sent: what lies further ahead of the clock than clocks differ is no time,
    /// whoever says it (the record, the file, a clock that was set back since). Then it is now, and
    /// true is returned beside it.
    #[inline]
    pub(super) fn not_ahead(&self, time: Time) -> (Time, bool) {
        let is_ahead = time.is_ahead_of(self.now);
        (if is_ahead { self.now } else { time }, is_ahead)
    }

    /// When the byte at `at` was seen, where that was soon after it was written.
    pub(super) fn live_at(&mut self, at: usize) -> Option<Time> {
        let is_live = self.generation.times.is_live(self.start + at as u64);
        is_live.then(|| self.at(at))
    }
}
