//! How one output reads one input: the rules, what cuts by them, and what is counted on the way.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::admission::Merged;
use super::varying::{Found, wanted};
use crate::batch::loki;
use crate::config::OutputKind;
use crate::record::cut::Cutter;
use crate::record::envelope::Pipe;
use crate::record::fields::{Capture, Captured};
use crate::record::filter::Action;
use crate::record::level::Level;
use crate::record::redact::Redactor;
use crate::record::rules::Rules;
use crate::record::zone::{self, Zone};
use crate::record::{Framer, Time, emf, skew};
use crate::source::Generation;

/// The way of one input's bytes into one output's batches.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) rules: Rules,
    /// The zone of the rules, with what it remembers.
    pub(super) zone: Zone,
    pub(crate) framer: Framer,
    pub(crate) cutter: Cutter,
    pub(crate) redactor: Redactor,
    /// How long a record that may go on waits for more.
    pub(crate) wait: Duration,
    /// Times that are older than this, in nanoseconds, are moved up to it.
    pub(super) rescued: Option<i64>,
    /// Which metadata records carry of their own.
    pub(super) own: OwnMetadata,
    pub(crate) counters: Counters,
    /// What was captured of the record at hand.
    pub(super) captured: Option<Captured>,
    /// What is found of the record at hand for labels and metadata.
    pub(super) found: Found,
    /// Room for the metadata of a record, and for a text that is not as it stands in the file.
    pub(super) metadata: Vec<u8>,
    pub(super) text: Vec<u8>,
}

/// Which metadata records carry of their own: none that is configured under the same name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OwnMetadata {
    pub(super) level: bool,
    pub(super) stream: bool,
}

impl OwnMetadata {
    fn of(output: &OutputKind) -> Self {
        let OutputKind::Loki(output) = output else {
            return Self::default();
        };
        let is_free = |name: &str| {
            !output.labels.contains_key(name) && !output.structured_metadata.contains_key(name)
        };
        Self {
            level: is_free("level"),
            stream: is_free("stream"),
        }
    }
}

/// What a record says of itself, as structured metadata.
pub(super) fn put_own_metadata(out: &mut Vec<u8>, (level, pipe): (Option<Level>, Option<Pipe>)) {
    if let Some(level) = level {
        loki::put_metadata(out, "level", level.name());
    }
    if let Some(pipe) = pipe {
        loki::put_metadata(out, "stream", pipe.name());
    }
}

/// What is counted of records.
#[derive(Debug)]
pub(crate) struct Counters {
    /// By level, in the order of the levels; those without one at the end.
    pub(crate) levels: [Counter; 7],
    /// What was replaced, by the index of what found it.
    pub(crate) redacted: Vec<Option<Counter>>,
    /// Records that were given out before they were whole.
    pub(crate) continued: Counter,
    /// Records that were let go of, by the action of the filter: drop, keep, sample.
    pub(crate) filtered: [Counter; 3],
    /// Timestamps that can be no time of the record.
    pub(crate) far_off: Counter,
    /// Records without a timestamp, where timestamps are looked for.
    pub(crate) untimed: Counter,
    /// Lines without the envelope that the lines of their file have.
    pub(crate) broken: Counter,
    /// Times that lie further ahead of the clock than clocks differ.
    pub(crate) ahead: Counter,
    /// Times that lie before the last batch of their stream.
    pub(crate) behind: Counter,
    /// Times that were moved up, being older than the destination takes.
    pub(crate) too_old: Counter,
    /// Records that lost labels of their own, since there were too many streams.
    pub(crate) merged: Counter,
    /// Files whose lines are read in a wrong zone.
    pub(crate) wrong_zone: Counter,
    /// Records of the embedded metric format, where it means something to the destination.
    pub(crate) emf: Option<EmfCounters>,
}

/// What is counted of the embedded metric format.
#[derive(Debug)]
pub(crate) struct EmfCounters {
    pub(crate) valid: Counter,
    pub(crate) invalid: Counter,
    /// Somebody was told of an invalid one.
    pub(crate) has_told: bool,
}

/// What is noted of the records of a chunk, to be counted at once.
#[derive(Debug, Default)]
pub(super) struct Tally {
    levels: [u64; 7],
    far_off: u64,
    untimed: u64,
    /// Lines without the envelope that the lines of their file have.
    pub(super) broken: u64,
}

impl Tally {
    #[inline]
    pub(super) fn note_level(&mut self, level: Option<Level>) {
        self.levels[level.map_or(Level::ALL.len(), |level| level as usize)] += 1;
    }

    /// A record has no time of its own, or has a timestamp that can be none.
    pub(super) fn note_untimed(&mut self, has_stamp: bool) {
        if has_stamp {
            self.far_off += 1;
        } else {
            self.untimed += 1;
        }
    }
}

impl EmfCounters {
    /// Looks whether a record is of this format and counts it. What is wrong is told once.
    pub(crate) fn look_at(&mut self, record: &[u8]) {
        match emf::look_over(record) {
            None => {}
            Some(Ok(())) => {
                self.valid.inc();
            }
            Some(Err(why)) => {
                self.invalid.inc();
                if !std::mem::replace(&mut self.has_told, true) {
                    tracing::warn!(
                        why,
                        "a record looks like AWS's embedded metric format, but CloudWatch Logs will make no metrics of it; it is shipped as it is, and others like it are only counted"
                    );
                }
            }
        }
    }
}

impl Counters {
    /// Counts what was noted.
    pub(super) fn count(&self, tally: &Tally) {
        let others = [
            (&self.far_off, tally.far_off),
            (&self.untimed, tally.untimed),
            (&self.broken, tally.broken),
        ];
        let levels = self.levels.iter().zip(tally.levels);
        for (counter, count) in levels.chain(others) {
            if count > 0 {
                counter.inc_by(count);
            }
        }
    }

    /// Counts a file whose lines are steadily ahead of the clock by so many quarters of an hour,
    /// read in this zone, and tells it once for all outputs.
    pub(super) fn tell_wrong_zone(
        &self,
        generation: &Generation,
        quarters: i64,
        zone: &Zone,
        seen: Time,
    ) {
        self.wrong_zone.inc();
        if !generation.times.note_off(quarters) {
            return;
        }
        let offset = zone.offset_at(seen);
        let written_in = offset + quarters * 900;
        tracing::warn!(
            path = %generation.path.display(),
            ahead_by = skew::in_words(quarters),
            read_in = zone::name_of_offset(offset),
            written_in = zone::name_of_offset(written_in),
            "the times in the lines of this file differ steadily from the clock by whole quarters of an hour: they are read in a wrong zone. Set the timezone of its input to that in which the application writes, for example `timezone: {}`",
            zone::example_of(written_in, seen)
        );
    }

    /// Counts a record that lost labels of its own. For the first time, and then once in an hour,
    /// it is told.
    pub(super) fn count_merged(&self, merged: Merged) {
        if merged == Merged::No {
            return;
        }
        self.merged.inc();
        if merged == Merged::News {
            tracing::warn!(
                "max_streams is reached: records whose labels have new values go to the stream of their file without the labels that differ by record, which become structured metadata; take such a label out, or raise max_streams"
            );
        }
    }

    pub(super) fn count_filtered(&self, action: Action) {
        let index = match action {
            Action::Drop => 0,
            Action::Keep => 1,
            Action::Sample(_) => 2,
        };
        self.filtered[index].inc();
    }

    pub(super) fn count_redacted(&self, redactor: &Redactor) {
        for by in redactor.found_by() {
            if let Some(Some(counter)) = self.redacted.get(by) {
                counter.inc();
            }
        }
    }
}

impl Reading {
    pub(crate) fn new(
        rules: Rules,
        max_line: usize,
        redactor: impl Fn() -> Redactor,
        wait: Duration,
        output: &OutputKind,
        counters: Counters,
    ) -> Self {
        Self {
            zone: rules.zone.clone(),
            captured: rules.capture.as_ref().map(Capture::room),
            rules,
            framer: Framer::new(max_line),
            cutter: Cutter::new(max_line),
            redactor: redactor(),
            wait,
            rescued: output
                .ages()
                .rescued()
                .map(|age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)),
            own: OwnMetadata::of(output),
            found: Found::new(wanted(output), redactor()),
            counters,
            metadata: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Gives the buffers back to the system.
    pub(super) fn shrink(&mut self) {
        self.metadata = Vec::new();
        self.text = Vec::new();
        self.cutter.shrink();
        self.redactor.shrink();
        self.found.shrink();
    }
}
