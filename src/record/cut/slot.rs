//! The record that is open in one pipe of a file whose lines have an envelope, and what of the pipe
//! was given out. Knows nothing of the other pipe.

use super::Record;
use super::learned::Given;
use crate::record::Time;
use crate::record::envelope::{Inner, Pipe};
use crate::record::frame::{Framer, Line};
use crate::record::head::Head;
use crate::record::join::{Before, Joiner, Open, head_of};
use crate::record::level::Level;
use crate::record::rules::Rules;
use crate::record::trace::Mode;

/// The record that is open in one pipe. Places are counted in bytes from the position.
#[derive(Debug, Default)]
pub(super) struct Slot {
    joiner: Joiner,
    /// Lines that begin before this are given out.
    from: usize,
    open: Option<Open>,
    /// Where its first line begins.
    start: usize,
    /// What of its text is not given out.
    text: Vec<u8>,
    /// How many bytes of text it has by now, with those that are given out.
    len: usize,
    /// How many bytes of text are given out, from its beginning on. By other rules it may have been
    /// longer: then some of the next record are too.
    given: usize,
    is_part: bool,
    /// What was learned before it.
    behind: Joiner,
    time: Option<Time>,
    /// How it ended.
    ended: Option<Before>,
    is_cut: bool,
    /// So many lines without an envelope are in it, and not yet told.
    broken: u32,
}

impl Slot {
    pub(super) fn rewind(&mut self, joiner: Joiner, given: Given) {
        self.text.clear();
        *self = Self {
            joiner,
            from: given.lines,
            given: given.text,
            text: std::mem::take(&mut self.text),
            ..Self::default()
        };
    }

    pub(super) fn shrink(&mut self) {
        self.text = Vec::new();
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Lines that begin before this place are given out.
    pub(super) fn given_until(&self) -> usize {
        self.from
    }

    /// What must be known to go on when the position has moved so far. It moves where no record is
    /// open.
    pub(super) fn learned(&mut self, moved: usize) -> (Joiner, Given) {
        self.from = self.from.saturating_sub(moved);
        let (joiner, lines) = if self.is_open() {
            (self.behind, self.start)
        } else {
            (self.joiner, self.from)
        };
        let text = self.given;
        (joiner, Given { lines, text })
    }

    pub(super) fn end(&mut self, before: Before, is_cut: bool) {
        if self.open.is_some() && self.ended.is_none() {
            self.ended = Some(if self.is_part {
                Before::MidLine
            } else {
                before
            });
            self.is_cut = is_cut || self.is_part;
        }
    }

    /// Takes the line at this place in. Returns whether it was; if not, the open record ends before
    /// it.
    pub(super) fn add(
        &mut self,
        at: usize,
        inner: &Inner<'_>,
        text: &[u8],
        framer: Framer,
        rules: &Rules,
    ) -> bool {
        if self.is_part {
            // It goes on in the same line.
        } else if let Some(mut open) = self.open {
            let continued = self
                .joiner
                .continued_by(text, &mut open, rules, || head_of(text, rules));
            let Some(continued) = continued else {
                self.end(Before::Whole, false);
                return false;
            };
            let has_room = framer.has_room(self.text.len() + 1 + text.len());
            if open.lines >= rules.max_lines || !has_room {
                self.end(Before::Cut, framer.has_room(self.text.len()));
                return false;
            }
            self.joiner = continued;
            open.lines += 1;
            self.open = Some(open);
            self.push(b"\n");
        } else {
            self.begin(at, inner, text, rules);
        }
        let is_new = self.push(text);
        self.is_part = inner.is_part;
        self.broken += u32::from(inner.is_broken && is_new);
        if !self.is_part && self.open.is_some_and(|open| open.is_whole) {
            let was_mid_line = self.joiner.before == Before::MidLine;
            self.end(
                if was_mid_line {
                    Before::Cut
                } else {
                    Before::Whole
                },
                false,
            );
        }
        true
    }

    fn begin(&mut self, at: usize, inner: &Inner<'_>, text: &[u8], rules: &Rules) {
        self.behind = self.joiner;
        let open = if self.behind.before == Before::MidLine {
            Open::rest_of_line()
        } else {
            let head: Option<Head> = if rules.reads_heads() {
                head_of(text, rules)
            } else {
                None
            };
            self.joiner.begin(text, head, rules)
        };
        self.open = Some(open);
        self.start = at;
        self.broken = 0;
        self.time = inner.time;
    }

    /// Takes text in, but for what of it is given out. Returns whether nothing of it is.
    fn push(&mut self, text: &[u8]) -> bool {
        let given = self.given.saturating_sub(self.len).min(text.len());
        self.text.extend_from_slice(&text[given..]);
        self.len += text.len();
        given == 0
    }

    /// The length of a piece that can be given out: of a record that ended, or of one that is too
    /// long.
    pub(super) fn offer(&self, framer: Framer) -> Option<usize> {
        self.open?;
        let whole = Line {
            bytes: &self.text,
            is_utf8: simdutf8::basic::from_utf8(&self.text).is_ok(),
            is_cut: self.is_cut && self.ended.is_some(),
        };
        if framer.holds(&whole) {
            self.ended.map(|_| self.text.len())
        } else {
            Some(framer.piece_len(&self.text))
        }
    }

    /// Whether the record may go on behind a piece.
    pub(super) fn may_go_on(&self, len: usize) -> bool {
        len < self.text.len() || self.ended != Some(Before::Whole)
    }

    /// A piece of the record. `level` is that of the one before it, where this may be its rest.
    pub(super) fn piece(&self, len: usize, pipe: Pipe, level: Option<Level>) -> Record<'_> {
        let bytes = &self.text[..len];
        let open = self.open.filter(|_| !self.is_begun());
        let continues = open.is_some_and(|open| open.continues);
        let is_rest = self.is_begun() || self.behind.before == Before::MidLine || continues;
        Record {
            line: Line {
                bytes,
                is_utf8: simdutf8::basic::from_utf8(bytes).is_ok(),
                is_cut: len < self.text.len() || self.is_cut && self.ended.is_some(),
            },
            head: open.and_then(|open| open.head),
            lines: self.open.map_or(1, |open| open.lines),
            trace: self.open.map_or(Mode::None, |open| open.trace),
            is_continued: continues && self.behind.before == Before::Waited,
            level_of_rest: level.filter(|_| is_rest),
            pipe: Some(pipe),
            time: self.time,
            broken: self.broken,
        }
    }

    /// Whether a piece of the record was given out.
    fn is_begun(&self) -> bool {
        self.given > 0
    }

    /// A piece is given out. The pipe's next line is not before `next`.
    pub(super) fn give(&mut self, len: usize, next: usize) {
        self.text.drain(..len);
        self.given += len;
        self.broken = 0;
        if self.text.is_empty() {
            self.close(next);
        }
    }

    /// Lets go of a record that ended and of which nothing is left: by other rules all of it was
    /// given out.
    pub(super) fn pass(&mut self, next: usize) {
        if self.is_begun() && self.text.is_empty() {
            self.close(next);
        }
    }

    /// All of the record is given out, if it ended.
    fn close(&mut self, next: usize) {
        let Some(before) = self.ended.take() else {
            return;
        };
        let line_end = usize::from(before != Before::MidLine);
        self.given = self.given.saturating_sub(self.len + line_end);
        self.len = 0;
        self.joiner.before = before;
        self.from = next;
        self.open = None;
        self.is_part = false;
        self.is_cut = false;
    }
}
