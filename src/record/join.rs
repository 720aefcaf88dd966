//! Which lines make one record. Owns the one rule: a line without a head continues the record
//! before it where the file's lines have heads; beyond that, only lines that look like the
//! continuation of a trace do. What was learned on the way is small, and goes into the journal.

use serde::{Deserialize, Serialize};

use super::head::{self, Head, Kind};
use super::json;
use super::rules::{Multiline, Rules};
use super::trace::{self, Mode};

/// A head with a date, one with a time of day, and a level alone, which plain text may begin with
/// too, count so much.
const TELLING: u8 = 16;
const TIME_OF_DAY: u8 = 8;
const LEVEL_ALONE: u8 = 4;
/// Lines have heads in a file when so much was counted.
const TRUSTED: u8 = 16;
/// More is not counted, so that a file whose lines lose their heads is soon noticed.
const MOST: u8 = 64;

/// How the record before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Before {
    /// It is whole.
    #[default]
    Whole,
    /// In the middle of a line that is too long.
    MidLine,
    /// At a limit of lines or bytes.
    Cut,
    /// Nothing more came in time.
    Waited,
}

/// What was learned of the lines of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Joiner {
    /// How sure it is that lines have heads.
    #[serde(skip_serializing_if = "is_zero")]
    trust: u8,
    /// The trace in which the record stands, or stood when it was cut.
    #[serde(skip_serializing_if = "is_none")]
    mode: Mode,
    /// How the record before ended.
    #[serde(skip_serializing_if = "is_whole")]
    pub(super) before: Before,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_zero(trust: &u8) -> bool {
    *trust == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_none(mode: &Mode) -> bool {
    *mode == Mode::None
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_whole(before: &Before) -> bool {
    *before == Before::Whole
}

/// A record that was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) head: Option<Head>,
    /// Whether every line without a head continues it.
    takes_all: bool,
    /// Whether no other line belongs to it.
    pub(super) is_whole: bool,
    /// Whether it continues a record that was given out.
    pub(super) continues: bool,
    pub(super) lines: u32,
    /// The trace that is in it.
    pub(super) trace: Mode,
}

impl Open {
    /// The rest of a line whose beginning was given out.
    pub(super) fn rest_of_line() -> Self {
        Self {
            head: None,
            takes_all: false,
            is_whole: true,
            continues: false,
            lines: 1,
            trace: Mode::None,
        }
    }

    /// Whether the level may stand on the line behind the first: some write it on a line of its
    /// own.
    fn awaits_level(&self) -> bool {
        let lacks_it = |first: Head| first.kind == Kind::Text && first.level.is_none();
        self.lines == 1 && self.head.is_some_and(lacks_it)
    }

    /// Takes the level of a line that belongs to the record.
    fn take_level(&mut self, line: Head) {
        if self.lines == 1
            && let Some(first) = &mut self.head
        {
            first.level = first.level.or(line.level);
        }
    }
}

impl Joiner {
    /// Whether the file's lines have heads.
    pub(crate) fn is_trusted(self) -> bool {
        self.trust >= TRUSTED
    }

    /// The same without anything of the last record.
    pub(super) fn without_record(self) -> Self {
        Self {
            trust: self.trust,
            ..Self::default()
        }
    }

    /// The same behind a pause that was so long that what comes continues no record.
    pub(super) fn after_pause(self) -> Self {
        if self.before == Before::Waited {
            self.without_record()
        } else {
            self
        }
    }

    /// Begins a record with a line. `head` is that of the line.
    #[inline]
    pub(super) fn begin(&mut self, line: &[u8], head: Option<Head>, rules: &Rules) -> Open {
        let was_cut = self.before != Before::Whole;
        let mut open = Open {
            head,
            ..Open::rest_of_line()
        };
        let mode = std::mem::take(&mut self.mode);
        let mode = if was_cut { mode } else { Mode::None };
        match &rules.multiline {
            Multiline::Off => {
                if head.is_none() && rules.reads_heads() {
                    open.trace = Mode::begun_by(line);
                }
                return open;
            }
            Multiline::Auto => {}
            Multiline::Start(pattern) | Multiline::Continue(pattern) => {
                let is_start = matches!(rules.multiline, Multiline::Start(_));
                open.is_whole = false;
                open.continues = was_cut && pattern.is_match(line) != is_start;
                if head.is_none() && rules.reads_heads() {
                    self.mode = trace::within_record(mode, line).unwrap_or_default();
                    open.trace = self.mode;
                }
                return open;
            }
        }
        match head {
            Some(head) if head.kind.is_whole() => {}
            Some(head) => {
                let weight = match (head.kind, head.stamp) {
                    (Kind::Weak, None) => LEVEL_ALONE,
                    (Kind::Weak, Some(_)) => TIME_OF_DAY,
                    _ => TELLING,
                };
                self.trust = (self.trust + weight).min(MOST);
                open.is_whole = false;
                open.takes_all = self.is_trusted();
            }
            None => {
                let goes_on = if was_cut {
                    trace::within_record(mode, line)
                } else {
                    None
                };
                open.takes_all = self.is_trusted();
                open.continues = was_cut && (goes_on.is_some() || open.takes_all);
                self.mode = goes_on.unwrap_or_else(|| Mode::begun_by(line));
                let is_shaped = goes_on.is_some() || self.mode != Mode::None;
                if !is_shaped {
                    self.trust = self.trust.saturating_sub(1);
                }
                open.is_whole = !is_shaped && !open.takes_all;
                open.trace = self.mode;
            }
        }
        open
    }

    /// Whether a line continues the open record; then this is the joiner behind it. `head` is
    /// asked for only where it matters.
    #[inline]
    pub(super) fn continued_by(
        mut self,
        line: &[u8],
        open: &mut Open,
        rules: &Rules,
        head: impl FnOnce() -> Option<Head>,
    ) -> Option<Self> {
        let is_told = match &rules.multiline {
            Multiline::Off => Some(false),
            Multiline::Start(pattern) => Some(!pattern.is_match(line)),
            Multiline::Continue(pattern) => Some(pattern.is_match(line)),
            Multiline::Auto => None,
        };
        if let Some(is_continued) = is_told {
            if is_continued && rules.reads_heads() {
                if open.awaits_level()
                    && let Some(head) = head()
                    && head.is_level_alone()
                {
                    open.take_level(head);
                }
                self.enter(trace::within_record(self.mode, line), open);
            }
            return is_continued.then_some(self);
        }
        if self.mode != Mode::Pem
            && let Some(head) = head()
        {
            if !self.belongs(line, head, open) {
                return None;
            }
            open.take_level(head);
            self.enter(trace::within_record(self.mode, line), open);
            return Some(self);
        }
        let mode = trace::within_record(self.mode, line);
        if mode.is_none() {
            if !open.takes_all {
                return None;
            }
            self.trust = self.trust.saturating_sub(1);
        }
        self.enter(mode, open);
        Some(self)
    }

    /// The open record goes on in this trace, or in none.
    fn enter(&mut self, mode: Option<Mode>, open: &mut Open) {
        self.mode = mode.unwrap_or_default();
        open.trace = open.trace.or_graver(self.mode);
    }

    /// Whether a line with a head belongs to the open record all the same: the second line of
    /// those who write the level on a line of its own, what Python prints of an exception, and
    /// objects that are no records.
    fn belongs(self, line: &[u8], head: Head, open: &Open) -> bool {
        if head.is_level_alone() {
            return self.mode == Mode::PythonFrames || open.awaits_level();
        }
        let is_text = open.head.is_some_and(|first| first.kind == Kind::Text);
        head.kind == Kind::Json && open.takes_all && is_text && !json::is_record(line)
    }
}

/// The head of a line, as the rules ask for it.
#[inline]
pub(super) fn head_of(line: &[u8], rules: &Rules) -> Option<Head> {
    head::of(line, rules.timestamp.as_ref())
}
