//! Records of files whose lines have an envelope. The parts of a line are joined for each pipe on
//! its own, and so are the lines of a record; so records of the two pipes may lie in each other.
//! Bytes are therefore taken in groups: from a place where no record is open to the next such
//! place. A position is always the beginning of a group; how far the lines of either pipe are given
//! out behind it is learned.

use std::borrow::Cow;

use super::slot::Slot;
use super::{Behind, Cut, Learned, Record};
use crate::record::envelope::Pipe;
use crate::record::frame::Framer;
use crate::record::join::Before;
use crate::record::json;
use crate::record::rules::Rules;

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
    /// So many records are still to be passed over, where an earlier version counted them.
    to_skip: u32,
    out: Slot,
    err: Slot,
    /// The piece that was offered: whose, and how many bytes of its text.
    offered: (Pipe, usize),
}

impl Group {
    pub(super) fn new(max_line: usize) -> Self {
        Self {
            raw: Framer::new(max_line.max(LONGEST_PART)),
            framer: Framer::new(max_line),
            longest: max_line,
            scan: 0,
            to_skip: 0,
            out: Slot::default(),
            err: Slot::default(),
            offered: (Pipe::Stdout, 0),
        }
    }

    pub(super) fn rewind(&mut self, learned: Learned) {
        self.scan = 0;
        self.to_skip = learned.given;
        self.out.rewind(learned.out, learned.out_given);
        self.err.rewind(learned.err, learned.err_given);
    }

    pub(super) fn shrink(&mut self) {
        self.out.shrink();
        self.err.shrink();
    }

    fn slot(&mut self, pipe: Pipe) -> &mut Slot {
        match pipe {
            Pipe::Stdout => &mut self.out,
            Pipe::Stderr => &mut self.err,
        }
    }

    fn is_open(&self) -> bool {
        self.out.is_open() || self.err.is_open()
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
            let (framer, from) = (self.framer, self.scan);
            let until = from + raw.consumed;
            let slot = self.slot(inner.pipe);
            if slot.given_until() > from {
                // What begins before and ends behind was longer when it was given out: what is
                // left of it is looked at alone.
                self.scan = slot.given_until().min(until);
            } else if slot.add(from, &inner, &text, framer, rules) {
                self.scan = until;
            }
        }
    }

    fn end(&mut self, before: Before) {
        self.out.end(before, false);
        self.err.end(before, false);
    }

    /// Finds a piece that can be given out.
    fn offer(&mut self) -> bool {
        let (framer, scan) = (self.framer, self.scan);
        for pipe in [Pipe::Stdout, Pipe::Stderr] {
            let slot = self.slot(pipe);
            slot.pass(scan);
            if let Some(len) = slot.offer(framer) {
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
        slot.may_go_on(len)
    }

    fn offered_record(&self, learned: &Learned) -> Record<'_> {
        let pipe = self.offered.0;
        let (slot, len) = self.offered();
        slot.piece(len, pipe, learned.level(Some(pipe)))
    }

    /// The offered piece is given out.
    fn give(&mut self) {
        let ((pipe, len), scan) = (self.offered, self.scan);
        self.slot(pipe).give(len, scan);
    }

    /// Takes the record that was returned: how many bytes further the position is.
    pub(super) fn take(&mut self, learned: &mut Learned) -> usize {
        self.give();
        self.settle(learned)
    }

    /// Moves the position over what was looked at, where no record is open: how many bytes.
    pub(super) fn pass(&mut self, learned: &mut Learned) -> usize {
        if self.scan == 0 || self.is_open() {
            return 0;
        }
        self.settle(learned)
    }

    fn settle(&mut self, learned: &mut Learned) -> usize {
        let moved = if self.is_open() {
            0
        } else {
            std::mem::take(&mut self.scan)
        };
        (learned.out, learned.out_given) = self.out.learned(moved);
        (learned.err, learned.err_given) = self.err.learned(moved);
        learned.given = self.to_skip;
        moved
    }
}
