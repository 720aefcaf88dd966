//! How a file is understood, told for people and scripts: the same cutting and reading as when it
//! is shipped, with every step kept. Pure: bytes come in, values go out.

use std::collections::BTreeMap;

use super::cut::{Behind, Cut, Cutter, Learned};
use super::envelope::Envelope;
use super::fields::Fields;
use super::head::Kind;
use super::level::Level;
use super::redact::Redactor;
use super::rules::Rules;
use super::stamp::{Shape, Stamp};
use super::{Line, Time};

pub(crate) mod forced;

/// One record, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    /// The text as it would be shipped.
    pub(crate) text: String,
    /// How much of it is the head.
    pub(crate) head_len: usize,
    pub(crate) lines: u32,
    pub(crate) kind: Option<&'static str>,
    pub(crate) shape: Option<Shape>,
    /// Whether the timestamp names its zone, or needs none.
    pub(crate) has_zone: bool,
    /// Whether the timestamp was no time that can be right.
    pub(crate) is_far_off: bool,
    pub(crate) time: Option<Time>,
    pub(crate) level: Option<Level>,
    pub(crate) trace: Option<&'static str>,
    pub(crate) pipe: Option<&'static str>,
    pub(crate) is_cut: bool,
    /// The names of what was replaced.
    pub(crate) redacted: Vec<String>,
    /// Its fields, with their values as they would be shipped.
    pub(crate) fields: Vec<(String, String)>,
}

/// A file, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) envelope: Option<&'static str>,
    pub(crate) records: Vec<Explained>,
}

/// Explains `bytes`, the whole of a file that was last written at `written`.
pub(crate) fn explain(
    bytes: &[u8],
    max_line: usize,
    rules: &Rules,
    redactor: &mut Redactor,
    written: Time,
) -> Explanation {
    let mut cutter = Cutter::new(max_line);
    cutter.begin(Learned::default());
    let mut zone = rules.zone.clone();
    let mut last = Time::default();
    let mut records = Vec::new();
    let mut at = 0;
    while let Cut::Record(record) = cutter.next(&bytes[at..], 0, Behind::Nothing, rules) {
        let facts = rules.facts_of(&record);
        let time = zone.time_of(record.time, facts.stamp, written, last);
        last = time.unwrap_or(last);
        let mut plain = Vec::new();
        record
            .line
            .for_each_piece(|piece| plain.extend_from_slice(piece.as_bytes()));
        redactor.find(&plain, false);
        let redacted = redactor.found_by().map(|by| redactor.name(by).to_owned());
        let redacted = redacted.collect();
        let line = Line {
            bytes: &plain,
            is_utf8: true,
            is_cut: false,
        };
        let text = redactor.redacted(&line, usize::MAX).bytes;
        let fields = Fields::of(text, record.head.map(|head| head.kind), None);
        let named = fields.names().into_iter().filter_map(|name| {
            let value = fields.value_of(&name)?.into_owned();
            Some((name, value))
        });
        records.push(Explained {
            fields: named.collect(),
            text: String::from_utf8_lossy(text).into_owned(),
            head_len: record.head.map_or(0, |head| head.len),
            lines: record.lines,
            kind: record.head.map(|head| head.kind.name()),
            shape: facts.stamp.map(|(_, shape)| shape),
            has_zone: record.time.is_some()
                || matches!(facts.stamp, None | Some((Stamp::Instant(_), _))),
            is_far_off: time.is_none() && facts.stamp.is_some(),
            time,
            level: facts.level,
            trace: record.trace.name(),
            pipe: record.pipe.map(super::envelope::Pipe::name),
            is_cut: record.line.is_cut,
            redacted,
        });
        at += cutter.take();
    }
    let envelope = cutter.learned().envelope;
    Explanation {
        envelope: Envelope::name(envelope),
        records,
    }
}

impl Explanation {
    /// How many records have more than one line.
    pub(crate) fn joined(&self) -> usize {
        self.records
            .iter()
            .filter(|record| record.lines > 1)
            .count()
    }

    /// The names of fields, with the number of records that have each, the most frequent first.
    pub(crate) fn fields(&self) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, _) in self.records.iter().flat_map(|record| &record.fields) {
            *counts.entry(name).or_default() += 1;
        }
        let mut fields: Vec<_> = counts.into_iter().collect();
        fields.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        fields
    }

    /// The kinds of heads and the shapes of timestamps, each once.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> = Vec::new();
        for record in &self.records {
            let Some(kind) = record.kind else { continue };
            let kind = match record.shape {
                Some(shape) if kind != Kind::Access.name() => format!("{kind} ({})", shape.name()),
                _ => kind.to_owned(),
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }
}
