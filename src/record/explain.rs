//! How a file is understood, told for people and scripts: the same cutting and reading as when it
//! is shipped, with every step kept. Pure: bytes come in, values go out.

use std::collections::BTreeMap;

use super::Time;
use super::cut::{Behind, Cut, Cutter, Learned};
use super::envelope::{Envelope, Pipe};
use super::fields::{Capture, Fields};
use super::filter::{self, Action};
use super::head::Kind;
use super::level::Level;
use super::redact::Redactor;
use super::rules::Rules;
use super::skew::{self, Sign};
use super::stamp::{Shape, Stamp};
use super::zone::{self, Zone};

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
    /// What the filter does that lets go of it: it is not shipped.
    pub(crate) let_go_by: Option<&'static str>,
    /// Its fields, with their values as they would be shipped.
    pub(crate) fields: Vec<(String, String)>,
}

/// When a file was made, where that is known, and when it was last written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dates {
    pub(crate) made: Option<Time>,
    pub(crate) written: Time,
}

/// The zone that the timestamps of a file are read in does not fit them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongZone {
    pub(crate) sign: Sign,
    /// How many quarters of an hour the lines are ahead of the clock.
    pub(crate) quarters: i64,
    /// The offset in which they are written, and a zone that has it.
    pub(crate) written_in: String,
    pub(crate) example: String,
}

/// A file, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) wrong_zone: Option<WrongZone>,
    pub(crate) envelope: Option<&'static str>,
    /// How many lines lack it.
    pub(crate) broken: u32,
    pub(crate) records: Vec<Explained>,
}

/// Explains `bytes`, the whole of a file.
pub(crate) fn explain(
    bytes: &[u8],
    max_line: usize,
    rules: &Rules,
    redactor: &mut Redactor,
    dates: Dates,
) -> Explanation {
    let mut cutter = Cutter::new(max_line);
    cutter.begin(Learned::default());
    let mut zone = rules.zone.clone();
    let mut last = Time::default();
    let mut ends = Ends::default();
    let mut records = Vec::new();
    let mut captured = rules.capture.as_ref().map(Capture::room);
    let mut broken = 0;
    let mut at = 0;
    loop {
        let learned = cutter.learned();
        let Cut::Record(record) = cutter.next(&bytes[at..], 0, Behind::Nothing, rules) else {
            break;
        };
        let pipe = record.pipe;
        let mut is_in_key = learned.is_in_key(pipe);
        let facts = rules.facts_of(&record);
        let time = zone.time_of(record.time, facts.stamp, dates.written, last);
        if record.time.is_none()
            && let Some((stamp, _)) = facts.stamp
        {
            ends.note(stamp, &mut zone, dates);
        }
        last = time.unwrap_or(last);
        let fields = rules.fields_of(&record, record.line.bytes, &mut captured);
        let let_go = filter::let_go_by(&rules.filters, &record, fields, facts.level, at as u64);
        let kind = record.head.map(|head| head.kind);
        let line = redactor.pass(&record.line, &mut is_in_key, max_line);
        let fields = fields_of(&rules.fields_of(&record, line.bytes, &mut captured));
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
            pipe: pipe.map(Pipe::name),
            is_cut: record.line.is_cut,
            redacted: redacted.collect(),
            let_go_by: let_go.map(Action::name),
        });
        broken += record.broken;
        cutter.note(pipe, facts.level, is_in_key);
        at += cutter.take();
    }
    let envelope = cutter.learned().envelope;
    Explanation {
        wrong_zone: ends.wrong_zone(&zone, dates),
        envelope: Envelope::name(envelope),
        broken,
        records,
    }
}

/// The first and the latest time that a file's lines say without a zone.
#[derive(Debug, Default)]
struct Ends {
    first: Option<Time>,
    latest: Option<Time>,
}

impl Ends {
    fn note(&mut self, stamp: Stamp, zone: &mut Zone, dates: Dates) {
        if self.first.is_none() {
            self.first = zone.nearest(stamp, dates.made.unwrap_or(dates.written));
        }
        self.latest = self.latest.max(zone.nearest(stamp, dates.written));
    }

    fn wrong_zone(&self, zone: &Zone, dates: Dates) -> Option<WrongZone> {
        let first = self.first.zip(dates.made);
        let (quarters, sign) = skew::of_ends(first, (self.latest?, dates.written))?;
        let offset = zone.offset_at(dates.written) + quarters * 900;
        Some(WrongZone {
            sign,
            quarters,
            written_in: zone::name_of_offset(offset),
            example: zone::example_of(offset, dates.written),
        })
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
        explain(text.as_bytes(), max_line, rules, &mut redactor, DATES).records
    }

    const DATES: Dates = Dates {
        made: None,
        written: Time(4_000_000_000_000_000_000),
    };

    #[test]
    fn a_wrong_zone_is_told_with_what_tells_it() {
        // 2026-11-22T21:08:23Z, and seven minutes before.
        let written = Time(1_795_381_703_000_000_000);
        let made = Some(Time(written.0 - 420_000_000_000));
        let told = |text: &str, made| {
            let mut redactor = Redactor::new(&[], Vec::new());
            let dates = Dates { made, written };
            let rules = Rules::default();
            let wrong = explain(text.as_bytes(), 4096, &rules, &mut redactor, dates).wrong_zone?;
            Some((wrong.sign, wrong.written_in, wrong.example))
        };
        let paris = ["UTC+01:00", "Europe/Paris"].map(str::to_owned);
        let lines = |hour: u32| {
            format!(
                "2026-11-22 {hour}:01:24,1 - a - INFO - x\n2026-11-22 {hour}:08:22,9 - a - INFO - y\n"
            )
        };
        let [offset, name] = paris;
        assert_eq!(told(&lines(22), made), Some((Sign::Later, offset, name)));
        let sign = |text: &str, made| told(text, made).map(|it| it.0);
        assert_eq!(sign(&lines(16), made), Some(Sign::EarlierAtBothEnds));
        assert_eq!(sign(&lines(16), None), Some(Sign::EarlierAtTheEnd));
        assert_eq!(sign(&lines(21), made), None);
        assert_eq!(
            sign(
                "Nov 22 22:01:24 host app: x\nNov 22 22:08:23 host app: y\n",
                made
            ),
            Some(Sign::Later),
            "without a year"
        );
        assert_eq!(
            sign("2026-11-22T22:08:23Z INFO x\n", made),
            None,
            "it names its zone"
        );
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
    fn a_key_in_one_pipe_takes_nothing_of_the_other() {
        let off = Rules {
            multiline: Multiline::Off,
            ..Rules::default()
        };
        let lines = [
            ("stderr", "-----BEGIN EC PRIVATE KEY-----"),
            ("stdout", "one"),
            ("stderr", "MHcCAQEE"),
            ("stdout", "two -----END of it"),
            ("stderr", "Iabcdef="),
            ("stderr", "-----END EC PRIVATE KEY-----"),
        ];
        let lines = lines.map(|(pipe, text)| format!("2026-11-22T21:08:23Z {pipe} F {text}\n"));
        let records = of(&lines.concat(), 4096, &off);
        let texts: Vec<_> = records.iter().map(|it| it.text.as_str()).collect();
        let mark = "[redacted private_key]";
        let end = "-----END EC PRIVATE KEY-----";
        assert_eq!(texts, [mark, "one", mark, "two -----END of it", mark, end]);
    }

    #[test]
    fn where_the_names_of_secrets_have_no_room_there_are_stars_as_the_agent_has_them() {
        let records = of("http://a:secret@host/path\n", 26, &Rules::default());
        assert_eq!(records[0].text, "http://a:******@host/path");
        assert_eq!(records[0].redacted, ["url_password"]);
    }
}
