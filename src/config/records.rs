//! How the bytes of an input become records, as the configuration says it: the values, and what
//! they are compiled to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::choices::{Choice, word};
use super::effective::Writer;
use super::fields::{Fields, Notes};
use super::problem::Problem;
use super::scalars::Word;
use super::units::print_duration;
use crate::record::fields::Capture;
use crate::record::filter::{self, Action};
use crate::record::redact::{Detector, Own, Redactor};
use crate::record::rules::{self, Pattern, Rules};
use crate::record::stamp::custom;
use crate::record::zone::Zone;

/// How bytes become records.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// What is around the lines and in them.
    pub format: Format,
    /// Which lines make one record.
    pub multiline: Multiline,
    /// The regular expression for that; there is one when it is needed, and it is valid.
    pub multiline_pattern: Option<String>,
    /// Most lines in a record.
    pub multiline_max_lines: u32,
    /// How long a record that may go on waits for more.
    pub multiline_wait: Duration,
    /// Whether timestamps are read.
    pub timestamp: Found,
    /// A valid format for them.
    pub timestamp_format: Option<String>,
    /// The zone of timestamps that name none; `None` takes that of the machine.
    pub timezone: Option<String>,
    /// Whether levels are read.
    pub level: Found,
    /// A valid regular expression with named groups, which are fields.
    pub capture: Option<String>,
    /// What is replaced, by the names of the detectors.
    pub redact: Vec<String>,
    /// Valid regular expressions of what is replaced beside that.
    pub redact_patterns: BTreeMap<String, String>,
    /// Which records are shipped.
    pub filters: Vec<Filter>,
}

/// Which records are shipped.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// What to do with what matches.
    pub action: FilterAction,
    /// The name of a level.
    pub level: Option<String>,
    /// A field.
    pub field: Option<String>,
    /// A valid regular expression.
    pub pattern: Option<String>,
    /// For sampling: one in so many.
    pub one_in: u32,
}

/// What a filter does with what matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FilterAction {
    /// It is not shipped.
    #[default]
    Drop,
    /// All else is not shipped.
    Keep,
    /// One in so many is.
    Sample,
}

/// What is around the lines and in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Recognised.
    #[default]
    Auto,
    /// Lines without an envelope.
    Bare,
    /// Lines of a container runtime.
    Cri,
    /// Lines of Docker's json-file.
    Docker,
    /// Lines as they are.
    Plain,
}

/// Which lines make one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Multiline {
    /// As heads and traces tell.
    #[default]
    Auto,
    /// Each for itself.
    Off,
    /// A line that matches begins a record.
    Start,
    /// A line that matches continues a record.
    Continue,
}

/// Whether something is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Found {
    /// Where it is known.
    #[default]
    Auto,
    /// Never.
    Off,
}

impl Choice for Format {
    fn from_word(word: &str) -> Self {
        match word {
            "bare" => Self::Bare,
            "cri" => Self::Cri,
            "docker" => Self::Docker,
            "plain" => Self::Plain,
            _ => Self::Auto,
        }
    }
}

impl Choice for Multiline {
    fn from_word(word: &str) -> Self {
        match word {
            "off" => Self::Off,
            "start" => Self::Start,
            "continue" => Self::Continue,
            _ => Self::Auto,
        }
    }
}

impl Choice for FilterAction {
    fn from_word(word: &str) -> Self {
        match word {
            "keep" => Self::Keep,
            "sample" => Self::Sample,
            _ => Self::Drop,
        }
    }
}

impl Choice for Found {
    fn from_word(word: &str) -> Self {
        if word == "off" { Self::Off } else { Self::Auto }
    }
}

/// Decodes the keys of an input.
pub(super) fn decode(fields: &Fields<'_>, notes: &mut Notes) -> Records {
    let redact = if fields.given("redact").is_some() {
        let words: Vec<Word> = fields.scalars("redact", notes);
        words.iter().map(|word| word.0.to_owned()).collect()
    } else {
        let usual = Detector::USUAL.iter();
        usual.map(|detector| detector.name().to_owned()).collect()
    };
    let records = Records {
        format: word(fields, "format", notes),
        multiline: word(fields, "multiline", notes),
        multiline_pattern: fields.optional("multiline_pattern", notes),
        multiline_max_lines: fields.scalar("multiline_max_lines", notes),
        multiline_wait: fields.scalar("multiline_wait", notes),
        timestamp: word(fields, "timestamp", notes),
        timestamp_format: fields.optional("timestamp_format", notes),
        timezone: fields.optional("timezone", notes),
        level: word(fields, "level", notes),
        capture: fields.optional("capture", notes),
        redact,
        redact_patterns: fields.map("redact_patterns", notes).unwrap_or_default(),
        filters: fields
            .sections("filters", notes)
            .iter()
            .map(|fields| one_filter(fields, notes))
            .collect(),
    };
    pattern_where_needed(&records, fields, notes);
    records
}

fn one_filter(fields: &Fields<'_>, notes: &mut Notes) -> Filter {
    let level: Option<Word> = fields.optional("level", notes);
    Filter {
        action: word(fields, "action", notes),
        level: level.map(|word| word.0.to_owned()),
        field: fields.optional("field", notes),
        pattern: fields.optional("pattern", notes),
        one_in: fields.scalar("one_in", notes),
    }
}

/// `start` and `continue` need a pattern.
fn pattern_where_needed(records: &Records, fields: &Fields<'_>, notes: &mut Notes) {
    let is_needed = matches!(records.multiline, Multiline::Start | Multiline::Continue);
    let mode = fields.path("multiline");
    if is_needed && fields.given("multiline_pattern").is_none() {
        notes.problems.push(
            Problem::new(&mode, notes.place(&mode), "has no pattern to go by")
                .found(records.multiline.name())
                .expected("multiline_pattern beside it")
                .mend("add for example `multiline_pattern: '^\\d{4}-\\d\\d-\\d\\d '`"),
        );
    }
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Bare => "bare",
            Self::Cri => "cri",
            Self::Docker => "docker",
            Self::Plain => "plain",
        }
    }
}

impl Multiline {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Start => "start",
            Self::Continue => "continue",
        }
    }
}

impl FilterAction {
    fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Keep => "keep",
            Self::Sample => "sample",
        }
    }
}

impl Filter {
    fn write(&self, out: &mut Writer<'_>) {
        out.plain("action", self.action.name());
        out.optional("level", self.level.as_deref());
        out.optional("field", self.field.as_deref());
        out.optional("pattern", self.pattern.as_deref());
        out.plain("one_in", &self.one_in.to_string());
    }

    fn compiled(&self) -> filter::Filter {
        filter::Filter {
            action: match self.action {
                FilterAction::Drop => Action::Drop,
                FilterAction::Keep => Action::Keep,
                FilterAction::Sample => Action::Sample(self.one_in),
            },
            level: self.level.as_deref().and_then(|name| name.parse().ok()),
            field: self.field.clone(),
            pattern: compiled(self.pattern.as_deref()),
        }
    }
}

/// What does not compile was refused when the configuration was checked.
fn compiled(pattern: Option<&str>) -> Option<Pattern> {
    Pattern::new(pattern?).ok()
}

impl Found {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
        }
    }
}

impl Records {
    /// Writes the keys as they are in force.
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.plain("format", self.format.name());
        out.plain("multiline", self.multiline.name());
        out.optional("multiline_pattern", self.multiline_pattern.as_deref());
        out.plain("multiline_max_lines", &self.multiline_max_lines.to_string());
        out.plain("multiline_wait", &print_duration(self.multiline_wait));
        out.plain("timestamp", self.timestamp.name());
        out.optional("timestamp_format", self.timestamp_format.as_deref());
        out.optional("timezone", self.timezone.as_deref());
        out.plain("level", self.level.name());
        out.optional("capture", self.capture.as_deref());
        out.strings("redact", &self.redact);
        out.map("redact_patterns", &self.redact_patterns, Clone::clone);
        out.inner_items("filters", &self.filters, |out, filter| filter.write(out));
    }

    /// The rules, compiled. `local_zone` is the zone of the machine.
    pub(crate) fn rules(&self, local_zone: &str) -> Rules {
        let pattern = compiled(self.multiline_pattern.as_deref());
        let multiline = match (self.multiline, pattern) {
            (Multiline::Auto, _) => rules::Multiline::Auto,
            (Multiline::Start, Some(pattern)) => rules::Multiline::Start(pattern),
            (Multiline::Continue, Some(pattern)) => rules::Multiline::Continue(pattern),
            (Multiline::Off | Multiline::Start | Multiline::Continue, _) => rules::Multiline::Off,
        };
        let zone = self.timezone.as_deref().unwrap_or(local_zone);
        Rules {
            format: match self.format {
                Format::Auto => rules::Format::Auto,
                Format::Bare => rules::Format::Bare,
                Format::Cri => rules::Format::Cri,
                Format::Docker => rules::Format::Docker,
                Format::Plain => rules::Format::Plain,
            },
            multiline,
            max_lines: self.multiline_max_lines,
            is_timed: self.timestamp == Found::Auto,
            timestamp: self
                .timestamp_format
                .as_deref()
                .and_then(|text| custom::Format::new(text).ok()),
            zone: Zone::named(zone).unwrap_or_else(Zone::utc),
            has_levels: self.level == Found::Auto,
            capture: compiled(self.capture.as_deref())
                .and_then(|pattern| Capture::new(pattern.into_regex()).ok()),
            filters: self.filters.iter().map(Filter::compiled).collect(),
        }
    }

    /// What looks for what is replaced.
    pub(crate) fn redactor(&self) -> Redactor {
        let detectors: Vec<Detector> = Detector::ALL
            .into_iter()
            .filter(|detector| self.redact.iter().any(|name| name == detector.name()))
            .collect();
        let own = self.redact_patterns.iter().filter_map(|(name, text)| {
            Some(Own {
                name: name.clone(),
                regex: compiled(Some(text))?.into_regex(),
            })
        });
        Redactor::new(&detectors, own.collect())
    }
}
