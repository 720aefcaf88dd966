//! How the lines of one input become records: everything that its configuration says, compiled
//! once.

use super::cut::Record;
use super::envelope::Envelope;
use super::facts::{self, Facts};
use super::fields::{Capture, Captured, Fields};
use super::filter::Filter;
use super::frame::behind_mark;
use super::stamp::custom;
use super::zone::Zone;

/// The rules of one input.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// What is around the lines and in them.
    pub(crate) format: Format,
    /// Which lines make one record.
    pub(crate) multiline: Multiline,
    /// Most lines in a record.
    pub(crate) max_lines: u32,
    /// Whether timestamps are read.
    pub(crate) is_timed: bool,
    /// A timestamp's format, where it is none that is known.
    pub(crate) timestamp: Option<custom::Format>,
    /// The zone of timestamps that name none.
    pub(crate) zone: Zone,
    /// Whether levels are read.
    pub(crate) has_levels: bool,
    /// A pattern whose named groups are fields.
    pub(crate) capture: Option<Capture>,
    /// Which records are kept.
    pub(crate) filters: Vec<Filter>,
}

/// What is around the lines of a file and in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// Recognised.
    #[default]
    Auto,
    /// Lines, and nothing is looked for in them.
    Plain,
    /// Lines as they are, without an envelope.
    Bare,
    /// The container runtime's lines.
    Cri,
    /// Docker's json-file.
    Docker,
}

/// Which lines make one record.
#[derive(Debug, Clone)]
pub(crate) enum Multiline {
    /// Each for itself.
    Off,
    /// As heads and traces tell.
    Auto,
    /// A record begins with a line that matches.
    Start(Pattern),
    /// A line that matches continues a record.
    Continue(Pattern),
}

/// A regular expression over a line.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(regex_lite::Regex);

impl Pattern {
    /// Compiles one, or says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        regex_lite::RegexBuilder::new(text)
            .size_limit(1 << 20)
            .build()
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Whether a line matches; what is not UTF-8 in it is looked at as U+FFFD, and a byte order mark
    /// before it is not looked at.
    pub(crate) fn is_match(&self, line: &[u8]) -> bool {
        self.0.is_match(&String::from_utf8_lossy(behind_mark(line)))
    }

    /// The expression itself.
    pub(crate) fn into_regex(self) -> regex_lite::Regex {
        self.0
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            format: Format::Auto,
            multiline: Multiline::Auto,
            max_lines: 500,
            is_timed: true,
            timestamp: None,
            zone: Zone::utc(),
            has_levels: true,
            capture: None,
            filters: Vec::new(),
        }
    }
}

impl Rules {
    /// Whether lines are shipped as they are, with nothing looked for.
    pub(crate) fn is_plain(&self) -> bool {
        self.format == Format::Plain
            && matches!(self.multiline, Multiline::Off)
            && self.capture.is_none()
            && self.filters.is_empty()
    }

    /// What a record says of itself, as far as it is asked for.
    #[inline]
    pub(crate) fn facts_of(&self, record: &Record<'_>) -> Facts {
        if self.format == Format::Plain {
            return Facts::default();
        }
        // Changed where it is: it is made for every record.
        let mut facts = facts::of(record, self.timestamp.as_ref());
        if !self.is_timed {
            facts.stamp = None;
        }
        if !self.has_levels {
            facts.level = None;
        }
        facts
    }

    /// The fields of a record with this text. `captured` has room for what the capture finds.
    pub(crate) fn fields_of<'r>(
        &'r self,
        record: &Record<'_>,
        text: &'r [u8],
        captured: &'r mut Option<Captured>,
    ) -> Fields<'r> {
        let text = behind_mark(text);
        let found = self.capture.as_ref().zip(captured.as_mut());
        let found = found.map(|(capture, found)| {
            capture.look(text, found);
            (capture, &*found)
        });
        Fields::of(text, record.head.map(|head| head.kind), found)
    }

    /// Whether timestamps are looked for.
    pub(crate) fn reads_times(&self) -> bool {
        self.is_timed && self.format != Format::Plain
    }

    /// Whether heads are looked for.
    pub(super) fn reads_heads(&self) -> bool {
        self.format != Format::Plain || matches!(self.multiline, Multiline::Auto)
    }

    /// The envelope, where the configuration says which.
    pub(super) fn envelope(&self) -> Envelope {
        match self.format {
            Format::Auto => Envelope::Unknown,
            Format::Plain | Format::Bare => Envelope::Bare,
            Format::Cri => Envelope::Cri,
            Format::Docker => Envelope::Docker,
        }
    }
}
