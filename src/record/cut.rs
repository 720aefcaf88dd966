//! Cuts bytes into records: envelopes off, lines joined. Where a record is cut depends on the
//! bytes, on what was learned before them, and on nothing else but a wait that is over, which is
//! noted in what was learned.

use super::Time;
use super::envelope::{Envelope, Pipe};
use super::frame::{CUT_MARK, Framed, Framer, Line};
use super::head::Head;
use super::join::{Before, Joiner, head_of};
use super::level::Level;
use super::rules::Rules;
use super::trace::Mode;

mod enveloped;
mod learned;
mod slot;

use enveloped::Group;
#[cfg(test)]
pub(crate) use learned::Given;
pub(crate) use learned::Learned;

/// What goes in front of a record that continues one which was given out because nothing more
/// came in time.
pub(crate) const CONTINUED_MARK: &str = "[continued] ";

/// What comes behind the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// More bytes of the file.
    More,
    /// Its end, for now: a record may go on.
    End,
    /// Its end, and nothing came for as long as is waited.
    Silence,
    /// Its end for good: what is left is a line too.
    Nothing,
}

impl Behind {
    /// Whether a record that may go on is given out.
    fn is_patient(self) -> bool {
        matches!(self, Self::More | Self::End)
    }
}

/// A record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Its text, lines joined.
    pub(crate) line: Line<'a>,
    /// The head of its first line.
    pub(crate) head: Option<Head>,
    /// How many lines it has.
    pub(crate) lines: u32,
    /// The trace that is in it.
    pub(crate) trace: Mode,
    /// Whether it continues a record that was given out because nothing more came in time.
    pub(crate) is_continued: bool,
    /// The level of the record that this is the rest of, if it is one.
    pub(crate) level_of_rest: Option<Level>,
    /// Where the program wrote it, as the envelope says.
    pub(crate) pipe: Option<Pipe>,
    /// When, as the envelope says.
    pub(crate) time: Option<Time>,
    /// How many of its lines have no envelope although the file's lines have.
    pub(crate) broken: u32,
}

/// What came of asking for a record.
#[derive(Debug)]
pub(crate) enum Cut<'a> {
    /// A record. It counts once it is [taken](Cutter::take).
    Record(Record<'a>),
    /// None yet. `is_held` says that there is one which may go on.
    None { is_held: bool },
}

/// The head of a line that was looked at, if it has one.
#[derive(Debug, Clone, Copy)]
struct HeadOf(Option<Head>);

/// A line that was looked at: where it ends, and its head if that was asked for.
#[derive(Debug, Clone, Copy)]
struct Seen {
    len: usize,
    consumed: usize,
    is_utf8: bool,
    is_cut: bool,
    head: Option<HeadOf>,
}

impl Seen {
    fn of(framed: &Framed<'_>) -> Self {
        Self {
            len: framed.line.bytes.len(),
            consumed: framed.consumed,
            is_utf8: framed.line.is_utf8,
            is_cut: framed.line.is_cut,
            head: None,
        }
    }

    /// The same once more, of the bytes that begin with it.
    fn framed(self, bytes: &[u8]) -> Framed<'_> {
        Framed {
            line: Line {
                bytes: &bytes[..self.len],
                is_utf8: self.is_utf8,
                is_cut: self.is_cut,
            },
            consumed: self.consumed,
        }
    }
}

/// Cuts records at one place in a file after the other.
#[derive(Debug)]
pub(crate) struct Cutter {
    framer: Framer,
    learned: Learned,
    /// What is learned and how far it goes on, once the record at hand is taken.
    taken: (Joiner, usize),
    /// Lines that were looked at already: the one at the position, and the one behind the record
    /// at hand.
    seen: [Option<Seen>; 2],
    /// Which of them is the one at the position: they take turns, so that none is moved.
    here: usize,
    group: Group,
}

impl Cutter {
    /// Cuts records whose text has at most `max_line` bytes.
    pub(crate) fn new(max_line: usize) -> Self {
        Self {
            framer: Framer::new(max_line),
            learned: Learned::default(),
            taken: (Joiner::default(), 0),
            seen: [None, None],
            here: 0,
            group: Group::new(max_line),
        }
    }

    /// How many bytes must be at hand for [`Cutter::next`] to say something in any case but that
    /// a record may go on.
    pub(crate) fn window(&self) -> usize {
        2 * self.framer.window() + enveloped::LONGEST_PART
    }

    /// Gives the buffers back to the system; what is begun must be begun again.
    pub(crate) fn shrink(&mut self) {
        self.group.shrink();
    }

    /// Begins at a position for which this was learned.
    pub(crate) fn begin(&mut self, learned: Learned) {
        self.learned = learned;
        self.rewind();
    }

    /// The bytes that come next are read anew from the position.
    pub(crate) fn rewind(&mut self) {
        self.seen[self.here] = None;
        self.group.rewind(self.learned);
    }

    /// What was learned up to the position.
    pub(crate) fn learned(&self) -> Learned {
        self.learned
    }

    /// Notes that the records of this file have times of their own.
    pub(crate) fn note_timed(&mut self) {
        self.learned.is_timed = true;
    }

    /// Notes whether the record behind the one at hand, in the same pipe, begins within a private
    /// key.
    pub(crate) fn note_key(&mut self, pipe: Option<Pipe>, is_in_key: bool) {
        self.learned.note_key(pipe, is_in_key);
    }

    /// The same, and the level of the record at hand, for its rest if it may go on.
    #[inline]
    pub(crate) fn note(&mut self, pipe: Option<Pipe>, level: Option<Level>, is_in_key: bool) {
        let may_go_on = if self.learned.envelope == Envelope::Bare {
            self.taken.0.before != Before::Whole
        } else {
            self.group.may_go_on()
        };
        self.learned.note_level(pipe, level.filter(|_| may_go_on));
        self.learned.note_key(pipe, is_in_key);
    }

    /// The record at the position, which is where `bytes` begin. The first `known_utf8` bytes are
    /// known to be UTF-8.
    #[inline]
    pub(crate) fn next<'a>(
        &'a mut self,
        bytes: &'a [u8],
        known_utf8: usize,
        behind: Behind,
        rules: &Rules,
    ) -> Cut<'a> {
        if self.learned.envelope == Envelope::Unknown {
            self.learned.envelope = match rules.envelope() {
                Envelope::Unknown => match self.envelope_of(bytes, known_utf8, behind) {
                    Some(envelope) => envelope,
                    None => return Cut::None { is_held: false },
                },
                known => known,
            };
            self.group.rewind(self.learned);
        }
        if self.learned.envelope == Envelope::Bare {
            self.next_bare(bytes, known_utf8, behind, rules)
        } else {
            self.group.next(&self.learned, bytes, behind, rules)
        }
    }

    /// Takes the record that was just returned: how many bytes further the position is.
    #[inline]
    pub(crate) fn take(&mut self) -> usize {
        if self.learned.envelope == Envelope::Bare {
            let (joiner, consumed) = self.taken;
            self.learned.out = joiner;
            self.seen[self.here] = None;
            self.here ^= 1;
            return consumed;
        }
        self.group.take(&mut self.learned)
    }

    /// Moves the position, where [`Cutter::next`] had no record, over lines that were given out
    /// before: how many bytes.
    pub(crate) fn pass(&mut self) -> usize {
        self.group.pass(&mut self.learned)
    }

    /// The envelope of a file that begins with these bytes, once its first line is there. That of
    /// Docker is known by its whole line, however long a record may be.
    fn envelope_of(&self, bytes: &[u8], known_utf8: usize, behind: Behind) -> Option<Envelope> {
        let framer = if Envelope::may_be_docker(bytes) {
            self.group.raw
        } else {
            self.framer
        };
        let first = framer.next(bytes, known_utf8, behind == Behind::Nothing)?;
        Some(Envelope::of_first(first.line.bytes))
    }

    fn next_bare<'a>(
        &mut self,
        bytes: &'a [u8],
        known_utf8: usize,
        behind: Behind,
        rules: &Rules,
    ) -> Cut<'a> {
        let is_over = behind == Behind::Nothing;
        let [one, other] = &mut self.seen;
        let (seen, next_seen) = if self.here == 0 {
            (one, other)
        } else {
            (other, one)
        };
        *next_seen = None;
        // A record which is offered again is not looked at twice.
        let seen = match seen {
            Some(seen) => seen,
            None => match self.framer.next(bytes, known_utf8, is_over) {
                Some(first) => seen.insert(Seen::of(&first)),
                None => return Cut::None { is_held: false },
            },
        };
        let first = seen.framed(bytes);
        let mut joiner = self.learned.out;
        let is_mid_line = joiner.before == Before::MidLine;
        let head = match seen.head {
            Some(HeadOf(head)) => head,
            None if is_mid_line || !rules.reads_heads() => None,
            None => head_of(first.line.bytes, rules),
        };
        seen.head = Some(HeadOf(head));
        let mut record = Record {
            line: first.line,
            head,
            lines: 1,
            trace: Mode::None,
            is_continued: false,
            level_of_rest: None,
            pipe: None,
            time: None,
            broken: 0,
        };
        if is_mid_line || first.line.is_cut {
            let is_rest = if is_mid_line {
                true
            } else {
                let open = joiner.begin(first.line.bytes, head, rules);
                record.trace = open.trace;
                open.continues
            };
            record.level_of_rest = self.learned.level(None).filter(|_| is_rest);
            joiner.before = if first.line.is_cut {
                Before::MidLine
            } else {
                Before::Cut
            };
            self.taken = (joiner, first.consumed);
            return Cut::Record(record);
        }
        let before = joiner.before;
        let mut open = joiner.begin(first.line.bytes, head, rules);
        record.is_continued = open.continues && before == Before::Waited;
        record.level_of_rest = self.learned.level(None).filter(|_| open.continues);
        record.trace = open.trace;
        if open.is_whole {
            joiner.before = Before::Whole;
            self.taken = (joiner, first.consumed);
            return Cut::Record(record);
        }
        let mut at = first.consumed;
        let mut end = first.line.bytes.len();
        let mut text_len = first.line.shipped_len();
        let mut is_utf8 = first.line.is_utf8;
        let mut is_cut = false;
        loop {
            let Some(next) = self
                .framer
                .next(&bytes[at..], known_utf8.saturating_sub(at), is_over)
            else {
                if behind.is_patient() {
                    return Cut::None {
                        is_held: behind == Behind::End,
                    };
                }
                joiner.before = Before::Waited;
                break;
            };
            let line = next.line.bytes;
            let seen = next_seen.insert(Seen::of(&next));
            let continued = joiner.continued_by(line, &mut open, rules, || {
                let head = head_of(line, rules);
                seen.head = Some(HeadOf(head));
                head
            });
            let Some(continued) = continued else {
                joiner.before = Before::Whole;
                break;
            };
            let gap = at - end;
            let longer = text_len + gap + next.line.shipped_len();
            if next.line.is_cut || open.lines >= rules.max_lines || !self.framer.has_room(longer) {
                joiner.before = Before::Cut;
                is_cut = self.framer.has_room(text_len);
                break;
            }
            text_len = longer;
            *next_seen = None;
            joiner = continued;
            open.lines += 1;
            is_utf8 &= next.line.is_utf8;
            end = at + line.len();
            at += next.consumed;
        }
        record.head = open.head;
        record.lines = open.lines;
        record.trace = open.trace;
        record.line = Line {
            bytes: &bytes[..end],
            is_utf8,
            is_cut,
        };
        self.taken = (joiner, at);
        Cut::Record(record)
    }
}

impl Framer {
    /// Whether a record of so many bytes has room for the mark of a cut.
    pub(super) fn has_room(self, text_len: usize) -> bool {
        text_len + CUT_MARK.len() + CONTINUED_MARK.len() <= self.max_line()
    }
}

#[cfg(test)]
mod tests;
