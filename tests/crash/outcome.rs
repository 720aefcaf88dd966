//! What a case came to, and the table of it. Compares by count, so that lines which are the same
//! are counted too.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use pinnace::receiver::{Backend, Record, Summary};
use xxhash_rust::xxh3::xxh3_64;

use crate::application::Times;
use crate::rotator::Remains;

/// A machine that writes less than this share of what it was asked for is slow.
const NEARLY: f64 = 0.9;

/// What makes a line bad, where some are: its number.
pub(crate) const BAD: &str = "013 ";

/// What a case came to at one backend.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) case: &'static str,
    pub(crate) backend: Backend,
    /// Why it could not be tried here; then it says nothing.
    pub(crate) not_tried: Option<&'static str>,
    /// How fast it was to be written, in bytes a second.
    pub(crate) asked_rate: usize,
    pub(crate) lines: u64,
    /// What was written, in bytes, and how long that took.
    pub(crate) bytes: u64,
    pub(crate) wrote_for: Duration,
    pub(crate) kills: u64,
    pub(crate) rotations: u64,
    pub(crate) lost: u64,
    /// Loki: records that were known as the very same. `CloudWatch` Logs: batches that an agent
    /// found sealed by one before it, and looked for.
    pub(crate) replayed: u64,
    pub(crate) duplicated: u64,
    /// Lines that were written between a copy and the emptying: they are in no file, and did not
    /// arrive.
    pub(crate) beyond: u64,
    /// Whether batches go out in parts. These can share a millisecond, and equal lines in two of
    /// them look like copies: only the count tells.
    pub(crate) has_parts: bool,
    /// Batches sent again though they may have been stored, as the agents counted them.
    pub(crate) doubtful: u64,
    /// How long it took.
    pub(crate) time: Duration,
    /// Whatever else was not as it should be, in sentences.
    pub(crate) problems: Vec<String>,
}

impl Row {
    /// Compares what was written with what a backend holds, and takes over its complaints. Where
    /// some of it cannot be had any more, what `remains` is owed; what was refused must be among
    /// the dead letters.
    pub(crate) fn compare(
        &mut self,
        written: &HashMap<u64, Times>,
        remains: Option<&Remains>,
        records: &[Record],
        letters: &[String],
        summary: &Summary,
    ) {
        let mut arrived: HashMap<u64, u64> = HashMap::with_capacity(written.len());
        for line in records.iter().map(|it| &it.line).chain(letters) {
            let hash = xxh3_64(line.as_bytes());
            let is_piece = remains.is_some_and(|it| it.pieces.contains(line));
            if !written.contains_key(&hash) && !is_piece {
                self.problems.push(format!("never written: {line:.80?}"));
            }
            *arrived.entry(hash).or_default() += 1;
        }
        let mut missing = Vec::new();
        let mut doubled = Vec::new();
        for (hash, times) in written {
            let count = arrived.get(hash).copied().unwrap_or_default();
            let owed = remains.map_or(times.count, |it| {
                it.lines.get(hash).copied().unwrap_or_default()
            });
            if count < owed {
                self.lost += owed - count;
                missing.push(times.first);
            } else if count < times.count {
                self.beyond += times.count - count;
            } else if count > times.count {
                self.duplicated += count - times.count;
                doubled.push(times.first);
            }
        }
        for (word, numbers) in [("missing", missing), ("doubled", doubled)] {
            if !numbers.is_empty() {
                self.problems.push(format!("{word}: {}", ranges(numbers)));
            }
        }
        if summary.repeated > 0 && !self.has_parts {
            self.problems
                .push(format!("{} stored again", summary.repeated));
        }
        if let Some(good) = letters.iter().find(|it| !it.contains(BAD)) {
            self.problems.push(format!("no bad line: {good:.80?}"));
        }
        if summary.rejected_total() > 0 && letters.is_empty() {
            self.problems
                .push(format!("refused: {:?}", summary.rejected));
        }
        if let Some(first) = summary.violations.first() {
            let count = summary.violation_count;
            self.problems
                .push(format!("{count} limits broken: {first:?}"));
        }
        for stream in summary.streams.iter().filter(|it| it.disordered > 0) {
            self.problems.push(format!(
                "{} records of {} came behind younger ones",
                stream.disordered, stream.name
            ));
        }
    }

    /// How fast it was written, in millions of bytes a second.
    fn rate(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.wrote_for.as_secs_f64().max(1e-3)
    }

    /// Whether it was written more slowly than it was to be: then it proves less.
    pub(crate) fn is_slow(&self) -> bool {
        self.not_tried.is_none() && self.rate() < NEARLY * self.asked_rate as f64 / 1e6
    }

    /// Whether all is as it should be, as far as it was tried.
    pub(crate) fn is_flawless(&self) -> bool {
        (self.lost, self.duplicated) == (0, 0) && self.problems.is_empty()
    }
}

/// The rows for people, with what is wrong below each.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<34}{:<12}{:>10}{:>6}{:>7}{:>7}{:>9}{:>10}{:>12}{:>10}{:>6}\n",
        "case",
        "backend",
        "lines",
        "MB/s",
        "rot.",
        "kills",
        "lost",
        "replayed",
        "duplicated",
        "doubtful",
        "s"
    );
    for row in rows {
        if let Some(why) = row.not_tried {
            writeln!(
                text,
                "{:<34}{:<12}not tried: {why}",
                row.case,
                row.backend.name()
            )
            .unwrap();
            continue;
        }
        writeln!(
            text,
            "{:<34}{:<12}{:>10}{:>6.1}{:>7}{:>7}{:>9}{:>10}{:>12}{:>10}{:>6}",
            row.case,
            row.backend.name(),
            row.lines,
            row.rate(),
            row.rotations,
            row.kills,
            row.lost,
            row.replayed,
            row.duplicated,
            row.doubtful,
            row.time.as_secs()
        )
        .unwrap();
        if row.is_slow() {
            writeln!(
                text,
                "    slower than asked: {:.1} of {:.1} MB/s",
                row.rate(),
                row.asked_rate as f64 / 1e6
            )
            .unwrap();
        }
        if row.beyond > 0 {
            writeln!(
                text,
                "    {} lines were written between a copy and the emptying: in no file, not arrived",
                row.beyond
            )
            .unwrap();
        }
        for problem in row.problems.iter().take(20) {
            writeln!(text, "    {problem}").unwrap();
        }
    }
    text
}

/// Numbers as ranges, the first few of them.
fn ranges(mut numbers: Vec<u64>) -> String {
    numbers.sort_unstable();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let count = ranges.len();
    ranges.truncate(8);
    let shown: Vec<_> = ranges.iter().map(|(a, b)| format!("{a}-{b}")).collect();
    format!("{} ({count} ranges)", shown.join(", "))
}
