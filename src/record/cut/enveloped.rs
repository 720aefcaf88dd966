//! Records of files whose lines have an envelope. The parts of a line are joined for each pipe on
//! its own, and so are the lines of a record; so records of the two pipes may lie in each other.
//! Bytes are therefore taken in groups: from a place where no record is open to the next such
//! place. A position is always the beginning of a group, together with the number of records of
//! the group that were given out.

use std::borrow::Cow;

use super::{Behind, Cut, Learned, Record};
use crate::record::Time;
use crate::record::envelope::{Inner, Pipe};
use crate::record::frame::{Framer, Line};
use crate::record::head::Head;
use crate::record::join::{Before, Joiner, Open, head_of};
use crate::record::json;
use crate::record::rules::Rules;
use crate::record::trace::Mode;

/// The longest line of a runtime: it cuts at 16 KiB, and escapes make six bytes of one.
pub(super) const LONGEST_PART: usize = 128 * 1024;

/// The records of both pipes from the position on.
#[derive(Debug)]
pub(super) struct Group {
    /// Cuts the lines of the runtime.
    pub(super) raw: Framer,
    framer: Framer,
    /// A group that is longer is ended where it stands.
    longest: usize,
    /// Where the next line begins, counted from the position.
    scan: usize,
    /// So many records are still to be passed over.
    to_skip: u32,
    /// So many were given out or passed over.
    given: u32,
    out: Slot,
    err: Slot,
    /// The piece that was offered: whose, and how many bytes of its text.
    offered: (Pipe, usize),
}

/// The record that is open in one pipe.
#[derive(Debug)]
struct Slot {
    joiner: Joiner,
    open: Option<Open>,
    text: Vec<u8>,
    is_part: bool,
    /// A piece of it was given out.
    is_begun: bool,
    /// How the record before it ended.
    behind: Before,
    time: Option<Time>,
    /// How it ended.
    ended: Option<Before>,
    is_cut: bool,
    /// So many lines without an envelope are in it, and not yet told.
    broken: u32,
}

impl Slot {
    fn new() -> Self {
        Self {
            joiner: Joiner::default(),
            open: None,
            text: Vec::new(),
            is_part: false,
            is_begun: false,
            behind: Before::Whole,
            time: None,
            ended: None,
            is_cut: false,
            broken: 0,
        }
    }

    fn rewind(&mut self, joiner: Joiner) {
        self.joiner = joiner;
        self.open = None;
        self.text.clear();
        self.is_part = false;
        self.is_begun = false;
        self.ended = None;
    }

    fn end(&mut self, before: Before, is_cut: bool) {
        if self.open.is_some() && self.ended.is_none() {
            self.ended = Some(if self.is_part {
                Before::MidLine
            } else {
                before
            });
            self.is_cut = is_cut || self.is_part;
        }
    }

    /// Takes a line in. Returns whether it was; if not, the open record ends before it.
    fn add(&mut self, inner: &Inner<'_>, text: &[u8], framer: Framer, rules: &Rules) -> bool {
        if self.is_part {
            self.text.extend_from_slice(text);
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
            self.text.push(b'\n');
            self.text.extend_from_slice(text);
        } else {
            self.begin(inner, text, rules);
        }
        self.is_part = inner.is_part;
        self.broken += u32::from(inner.is_broken);
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

    fn begin(&mut self, inner: &Inner<'_>, text: &[u8], rules: &Rules) {
        self.behind = self.joiner.before;
        let open = if self.behind == Before::MidLine {
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
        self.is_begun = false;
        self.broken = 0;
        self.time = inner.time;
        self.text.clear();
        self.text.extend_from_slice(text);
    }
}

impl Group {
    pub(super) fn new(max_line: usize) -> Self {
        Self {
            raw: Framer::new(max_line.max(LONGEST_PART)),
            framer: Framer::new(max_line),
            longest: max_line,
            scan: 0,
            to_skip: 0,
            given: 0,
            out: Slot::new(),
            err: Slot::new(),
            offered: (Pipe::Stdout, 0),
        }
    }

    pub(super) fn rewind(&mut self, learned: Learned) {
        self.scan = 0;
        self.to_skip = learned.given;
        self.given = 0;
        self.out.rewind(learned.out);
        self.err.rewind(learned.err);
    }

    pub(super) fn shrink(&mut self) {
        self.out.text = Vec::new();
        self.err.text = Vec::new();
    }

    fn slot(&mut self, pipe: Pipe) -> &mut Slot {
        match pipe {
            Pipe::Stdout => &mut self.out,
            Pipe::Stderr => &mut self.err,
        }
    }

    fn is_open(&self) -> bool {
        self.out.open.is_some() || self.err.open.is_some()
    }

    pub(super) fn next<'a>(
        &'a mut self,
        learned: &Learned,
        bytes: &[u8],
        behind: Behind,
        rules: &Rules,
    ) -> Cut<'a> {
        loop {
            if self.offer() {
                if self.to_skip == 0 {
                    return Cut::Record(self.offered_record(learned));
                }
                self.to_skip -= 1;
                self.give();
                continue;
            }
            if self.scan > self.longest && self.is_open() {
                self.end(Before::Cut);
                continue;
            }
            let rest = bytes.get(self.scan..).unwrap_or_default();
            let Some(raw) = self.raw.next(rest, 0, behind == Behind::Nothing) else {
                if behind.is_patient() || !self.is_open() {
                    let is_held = behind == Behind::End && self.is_open();
                    return Cut::None { is_held };
                }
                self.end(Before::Waited);
                continue;
            };
            let inner = learned.envelope.open(raw.line.bytes);
            let mut text = Cow::Borrowed(inner.text);
            if inner.is_escaped {
                let mut plain = Vec::with_capacity(inner.text.len());
                json::unescape(inner.text, &mut plain);
                text = Cow::Owned(plain);
            }
            let framer = self.framer;
            if self.slot(inner.pipe).add(&inner, &text, framer, rules) {
                self.scan += raw.consumed;
            }
        }
    }

    fn end(&mut self, before: Before) {
        self.out.end(before, false);
        self.err.end(before, false);
    }

    /// Finds a piece that can be given out: of a record that ended, or of one that is too long.
    fn offer(&mut self) -> bool {
        for pipe in [Pipe::Stdout, Pipe::Stderr] {
            let framer = self.framer;
            let slot = self.slot(pipe);
            if slot.open.is_none() {
                continue;
            }
            let is_utf8 = simdutf8::basic::from_utf8(&slot.text).is_ok();
            let whole = Line {
                bytes: &slot.text,
                is_utf8,
                is_cut: slot.is_cut && slot.ended.is_some(),
            };
            if !framer.holds(&whole) {
                let len = framer.piece_len(&slot.text);
                self.offered = (pipe, len);
                return true;
            }
            if slot.ended.is_some() {
                let len = slot.text.len();
                self.offered = (pipe, len);
                return true;
            }
        }
        false
    }

    /// The piece that was offered, and the record that it is of.
    fn offered(&self) -> (&Slot, usize) {
        match self.offered {
            (Pipe::Stdout, len) => (&self.out, len),
            (Pipe::Stderr, len) => (&self.err, len),
        }
    }

    /// Whether the record that was offered may go on behind what was offered.
    pub(super) fn may_go_on(&self) -> bool {
        let (slot, len) = self.offered();
        len < slot.text.len() || slot.ended != Some(Before::Whole)
    }

    fn offered_record(&self, learned: &Learned) -> Record<'_> {
        let pipe = Some(self.offered.0);
        let (slot, len) = self.offered();
        let bytes = &slot.text[..len];
        let open = slot.open.filter(|_| !slot.is_begun);
        let continues = open.is_some_and(|open| open.continues);
        let is_rest = slot.is_begun || slot.behind == Before::MidLine || continues;
        Record {
            line: Line {
                bytes,
                is_utf8: simdutf8::basic::from_utf8(bytes).is_ok(),
                is_cut: len < slot.text.len() || slot.is_cut && slot.ended.is_some(),
            },
            head: open.and_then(|open| open.head),
            lines: slot.open.map_or(1, |open| open.lines),
            trace: slot.open.map_or(Mode::None, |open| open.trace),
            is_continued: continues && slot.behind == Before::Waited,
            level_of_rest: learned.level(pipe).filter(|_| is_rest),
            pipe,
            time: slot.time,
            broken: slot.broken,
        }
    }

    /// The offered piece is given out.
    fn give(&mut self) {
        let (pipe, len) = self.offered;
        self.given += 1;
        let slot = self.slot(pipe);
        slot.is_begun = true;
        slot.broken = 0;
        slot.text.drain(..len);
        if slot.text.is_empty()
            && let Some(before) = slot.ended.take()
        {
            slot.joiner.before = before;
            slot.open = None;
            slot.is_part = false;
            slot.is_cut = false;
        }
    }

    /// Takes the record that was returned: how many bytes further the position is.
    pub(super) fn take(&mut self, learned: &mut Learned) -> usize {
        self.give();
        if self.is_open() {
            learned.given = self.given;
            return 0;
        }
        learned.out = self.out.joiner;
        learned.err = self.err.joiner;
        learned.given = 0;
        self.given = 0;
        std::mem::take(&mut self.scan)
    }
}
