//! The way down: what is in the files goes out, then what still comes until the files are quiet,
//! and at the latest when the time is up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Lane, Worker};
use crate::config::Shutdown;
use crate::source::{Change, Moment, Outside, Why};

/// So much of the time at most, and a quarter of it, is kept for the answers to what is on its
/// way: a batch that was stored, but whose answer nobody waited for, would be sent again.
const LONGEST_RESERVE: Duration = Duration::from_secs(5);

/// Within so long it is known of most files whether they are copies.
const JUDGED_WITHIN: Duration = Duration::from_secs(2);

/// A stop under way.
#[derive(Debug)]
pub(super) struct Ending {
    begun: Instant,
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
    /// Bytes of complete and incomplete lines in the open files.
    pub(crate) bytes: u64,
    /// Whether a complete line is among them.
    pub(crate) has_lines: bool,
    /// What it lacks of files that are not open.
    pub(crate) outside: BTreeMap<Why, Unopened>,
}

/// Files that are not open and of which an output lacks something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unopened {
    /// How many there are.
    pub(crate) files: usize,
    /// How much is lacking, as far as their sizes tell.
    pub(crate) bytes: u64,
    /// Where one of them is.
    pub(crate) example: PathBuf,
}

impl Left {
    /// Whether it lacks a complete line, for all that is known.
    pub(crate) fn is_owed(&self) -> bool {
        self.has_lines || !self.outside.is_empty()
    }

    /// What it lacks of all files.
    pub(crate) fn all_bytes(&self) -> u64 {
        let outside = self.outside.values().map(|it| it.bytes);
        self.bytes + outside.sum::<u64>()
    }
}

impl Ending {
    /// A stop that begins now.
    fn new(shutdown: &Shutdown, now: Instant) -> Self {
        let timeout = shutdown.timeout;
        Self {
            begun: now,
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
        let Some(ending) = &self.ending else {
            return false;
        };
        if at.now >= ending.deadline {
            return true;
        }
        let mut outputs = self.outputs.iter();
        if ending.is_closing(at.now) && outputs.all(|it| it.dispatcher.in_flight().1 == 0) {
            return true;
        }
        let is_quiet = at.now >= ending.last_change + ending.quiet_for;
        if !self.is_drained() || self.waits_for_files(at) || !is_quiet {
            return false;
        }
        let ending = self.ending.as_mut();
        if ending.is_some_and(|it| std::mem::take(&mut it.ships_last_lines)) {
            let changes = self.source.end_all();
            self.apply(changes, at);
            return self.is_drained();
        }
        // What was written while the last batch was on its way counts too.
        let changes = self.source.walk(&mut self.journal, at);
        let is_still = changes.iter().all(|it| matches!(it, Change::Touched(_)));
        self.apply(changes, at);
        is_still && self.is_drained() && !self.waits_for_files(at)
    }

    /// Whether every complete line of the open files is delivered.
    fn is_drained(&self) -> bool {
        let mut outputs = self.outputs.iter();
        outputs.all(|output| output.dispatcher.is_drained())
    }

    /// Whether files are owed that are not open and may soon be. Makes room for them.
    fn waits_for_files(&mut self, at: Moment) -> bool {
        if !self.source.is_short_of_room() && !self.source.has_deferred() {
            return false;
        }
        self.make_room(at);
        let begun = self.ending.as_ref().map_or(at.now, |it| it.begun);
        let may_be_judged = at.now < begun + JUDGED_WITHIN;
        let outside = self.source.outside(&self.journal);
        let mut owed = self.outputs.iter();
        owed.any(|output| {
            let mut owed = self.owed_outside(output, &outside);
            owed.any(|(file, _)| match file.why {
                Why::NoRoom => true,
                Why::Unjudged => may_be_judged,
                Why::Fault => false,
            })
        })
    }

    /// Which files that are not open an output lacks, each with how many bytes.
    pub(super) fn owed_outside<'a>(
        &'a self,
        output: &'a Lane,
        outside: &'a [Outside],
    ) -> impl Iterator<Item = (&'a Outside, u64)> {
        let output = &output.dispatcher;
        let taken = outside.iter().filter(|it| output.takes(it.input));
        let owed = taken.map(|it| (it, it.owed_to(output.name(), &self.journal)));
        owed.filter(|(_, bytes)| *bytes > 0)
    }

    pub(super) fn left(&self) -> Vec<Left> {
        let outside = self.source.outside(&self.journal);
        let left = self.outputs.iter().map(|output| Left {
            output: output.dispatcher.name().to_owned(),
            bytes: output.dispatcher.lag(&self.source).0,
            has_lines: !output.dispatcher.is_drained(),
            outside: self.count_outside(output, &outside),
        });
        left.filter(|left| left.bytes > 0 || !left.outside.is_empty())
            .collect()
    }

    fn count_outside(&self, output: &Lane, outside: &[Outside]) -> BTreeMap<Why, Unopened> {
        let mut counts: BTreeMap<Why, Unopened> = BTreeMap::new();
        for (file, bytes) in self.owed_outside(output, outside) {
            let count = counts.entry(file.why).or_default();
            count.files += 1;
            count.bytes += bytes;
            count.example.clone_from(&file.path);
        }
        counts
    }
}
