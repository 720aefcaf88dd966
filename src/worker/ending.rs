//! The way down: what is in the files goes out, then what still comes until the files are quiet,
//! and at the latest when the time is up.

use std::time::{Duration, Instant};

use super::Worker;
use crate::config::Shutdown;
use crate::source::{Change, Moment};

/// So much of the time at most, and a quarter of it, is kept for the answers to what is on its
/// way: a batch that was stored, but whose answer nobody waited for, would be sent again.
const LONGEST_RESERVE: Duration = Duration::from_secs(5);

/// A stop under way.
#[derive(Debug)]
pub(super) struct Ending {
    deadline: Instant,
    last_batch_at: Instant,
    quiet_for: Duration,
    last_change: Instant,
    ships_last_lines: bool,
}

/// What an output did not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// The output's name.
    pub(crate) output: String,
    /// Bytes of complete and incomplete lines in the files.
    pub(crate) bytes: u64,
    /// Whether a complete line is among them.
    pub(crate) has_lines: bool,
}

impl Ending {
    /// A stop that begins now.
    fn new(shutdown: &Shutdown, now: Instant) -> Self {
        let timeout = shutdown.timeout;
        Self {
            deadline: now + timeout,
            last_batch_at: now + timeout.saturating_sub(LONGEST_RESERVE.min(timeout / 4)),
            quiet_for: shutdown.quiet_for,
            last_change: now,
            ships_last_lines: shutdown.final_lines,
        }
    }

    /// A file changed.
    pub(super) fn changed(&mut self, now: Instant) {
        self.last_change = now;
    }

    /// Whether only what is on its way is waited for.
    pub(super) fn is_closing(&self, now: Instant) -> bool {
        now >= self.last_batch_at
    }

    /// When the files have been quiet for long enough, or the time is up.
    pub(super) fn next_due(&self, now: Instant) -> Instant {
        let quiet_at = self.last_change + self.quiet_for;
        [quiet_at, self.last_batch_at]
            .into_iter()
            .filter(|due| *due > now)
            .fold(self.deadline, Instant::min)
    }
}

impl Worker {
    pub(super) fn begin_to_end(&mut self, at: Moment) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(Ending::new(&self.shutdown, at.now));
        let changes = self.source.walk(&mut self.journal, at);
        self.apply(changes, at);
        for output in &mut self.outputs {
            output.dispatcher.flush(at.now);
        }
    }

    /// Whether there is nothing more to do, or no more time.
    pub(super) fn has_ended(&mut self, at: Moment) -> bool {
        let Some(ending) = &mut self.ending else {
            return false;
        };
        if at.now >= ending.deadline {
            return true;
        }
        if ending.is_closing(at.now)
            && self
                .outputs
                .iter()
                .all(|output| output.dispatcher.in_flight().1 == 0)
        {
            return true;
        }
        let is_quiet = at.now >= ending.last_change + ending.quiet_for;
        if !is_quiet
            || !self
                .outputs
                .iter()
                .all(|output| output.dispatcher.is_drained())
        {
            return false;
        }
        if std::mem::take(&mut ending.ships_last_lines) {
            let changes = self.source.end_all();
            self.apply(changes, at);
            return self
                .outputs
                .iter()
                .all(|output| output.dispatcher.is_drained());
        }
        // What was written while the last batch was on its way counts too.
        let changes = self.source.walk(&mut self.journal, at);
        let is_still = changes.iter().all(|it| matches!(it, Change::Touched(_)));
        self.apply(changes, at);
        is_still
            && self
                .outputs
                .iter()
                .all(|output| output.dispatcher.is_drained())
    }

    pub(super) fn left(&self) -> Vec<Left> {
        self.outputs
            .iter()
            .map(|output| Left {
                output: output.dispatcher.name().to_owned(),
                bytes: output.dispatcher.lag(&self.source).0,
                has_lines: !output.dispatcher.is_drained(),
            })
            .filter(|left| left.bytes > 0)
            .collect()
    }
}
