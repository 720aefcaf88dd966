//! How a file is understood, told for people and scripts: the same cutting and reading as when it
//! is shipped, with every step kept. Pure: bytes come in, values go out.

use std::collections::BTreeMap;

use super::Time;
use super::cut::{Behind, Cut, Cutter, Learned};
use super::envelope::Envelope;
use super::fields::Fields;
use super::head::Kind;
use super::level::Level;
use super::redact::Redactor;
use super::rules::Rules;
use super::stamp::{Shape, Stamp};

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
    /// How many lines lack it.
    pub(crate) broken: u32,
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
    let mut is_in_key = false;
    let mut records = Vec::new();
    let mut broken = 0;
    let mut at = 0;
    while let Cut::Record(record) = cutter.next(&bytes[at..], 0, Behind::Nothing, rules) {
        let facts = rules.facts_of(&record);
        let time = zone.time_of(record.time, facts.stamp, written, last);
        last = time.unwrap_or(last);
        let kind = record.head.map(|head| head.kind);
        let line = redactor.pass(&record.line, &mut is_in_key, max_line);
        let fields = fields_of(&Fields::of(line.bytes, kind, None));
        let mut text = String::new();
        line.for_each_piece(|piece| text.push_str(piece));
        let redacted = redactor.found_by().map(|by| redactor.name(by).to_owned());
        records.push(Explained {
            fields,
            text,
            head_len: record.head.map_or(0, |head| head.len),
            lines: record.lines,
            kind: kind.map(Kind::name),
            shape: facts.stamp.map(|(_, shape)| shape),
            has_zone: record.time.is_some()
                || matches!(facts.stamp, None | Some((Stamp::Instant(_), _))),
            is_far_off: time.is_none() && facts.stamp.is_some(),
            time,
            level: facts.level,
            trace: record.trace.name(),
            pipe: record.pipe.map(super::envelope::Pipe::name),
            is_cut: record.line.is_cut,
            redacted: redacted.collect(),
        });
        broken += record.broken;
        at += cutter.take();
    }
    let envelope = cutter.learned().envelope;
    Explanation {
        envelope: Envelope::name(envelope),
        broken,
        records,
    }
}

fn fields_of(fields: &Fields<'_>) -> Vec<(String, String)> {
    let names = fields.names().into_iter();
    names
        .filter_map(|name| {
            let value = fields.value_of(&name)?.into_owned();
            Some((name, value))
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::redact::Detector;
    use crate::record::rules::Multiline;

    fn of(text: &str, max_line: usize, rules: &Rules) -> Vec<Explained> {
        let mut redactor = Redactor::new(&Detector::USUAL, Vec::new());
        let written = Time(4_000_000_000_000_000_000);
        explain(text.as_bytes(), max_line, rules, &mut redactor, written).records
    }

    #[test]
    fn a_key_over_several_records_is_redacted_in_each_of_them() {
        let text = "before\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\nIabcdef=\n-----END EC PRIVATE KEY-----\nafter\n";
        let off = Rules {
            multiline: Multiline::Off,
            ..Rules::default()
        };
        let texts = |max_line, rules| -> Vec<String> {
            let records = of(text, max_line, rules).into_iter();
            records.map(|record| record.text).collect()
        };
        let mark = "[redacted private_key]";
        let end = "-----END EC PRIVATE KEY-----";
        assert_eq!(
            texts(4096, &off),
            ["before", mark, mark, mark, end, "after"]
        );
        assert_eq!(texts(4096, &Rules::default()), ["before", mark, "after"]);
    }

    #[test]
    fn where_the_names_of_secrets_have_no_room_there_are_stars_as_the_agent_has_them() {
        let records = of("http://a:secret@host/path\n", 26, &Rules::default());
        assert_eq!(records[0].text, "http://a:******@host/path");
        assert_eq!(records[0].redacted, ["url_password"]);
    }
}
