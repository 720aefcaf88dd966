//! What must be known of the records before a position to go on behind it. Written with the cursor;
//! cuts nothing.

use serde::{Deserialize, Serialize};

use crate::record::envelope::{Envelope, Pipe};
use crate::record::join::Joiner;
use crate::record::level::Level;

/// What must be known to go on in a file at a position. Small, and written with the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Learned {
    /// The envelope of the file's lines.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) envelope: Envelope,
    /// The lines of the program's stdout, and of every file without an envelope.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) out: Joiner,
    /// The lines of its stderr.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) err: Joiner,
    /// What of stdout is given out behind the position; `out` is what was learned up to there.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) out_given: Given,
    /// The same of stderr.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) err_given: Given,
    /// In place of that, earlier versions counted the records that end behind the position and were
    /// given out. Never counted any more, since it holds only as long as they end in the same order.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) given: u32,
    /// Whether records had times of their own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_timed: bool,
    /// Whether the next record of stdout, or of a file without an envelope, begins within a private
    /// key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_in_key: bool,
    /// The same of stderr.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_err_in_key: bool,
    /// The level of the last record of stdout, or of a file without an envelope, where it may go
    /// on behind the position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<Level>,
    /// The same of stderr.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) err_level: Option<Level>,
}

/// What of a pipe is given out although it lies behind the position, where records of the two pipes
/// lie in each other. It holds by whatever rules the file is read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Given {
    /// The lines of the pipe that begin less than so many bytes behind the position.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) lines: usize,
    /// So many bytes of the text of the lines from there on, with one for each line end: a record
    /// that is too long is given out in pieces.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) text: usize,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Learned {
    /// Whether the next record of a pipe begins within a private key.
    pub(crate) fn is_in_key(&self, pipe: Option<Pipe>) -> bool {
        match pipe {
            Some(Pipe::Stderr) => self.is_err_in_key,
            Some(Pipe::Stdout) | None => self.is_in_key,
        }
    }

    /// Whether something behind the position is given out.
    pub(crate) fn has_given(&self) -> bool {
        let none = Given::default();
        (self.out_given, self.err_given, self.given) != (none, none, 0)
    }

    /// The level of the last record of a pipe, where it may go on.
    pub(super) fn level(&self, pipe: Option<Pipe>) -> Option<Level> {
        match pipe {
            Some(Pipe::Stderr) => self.err_level,
            Some(Pipe::Stdout) | None => self.level,
        }
    }

    pub(super) fn note_key(&mut self, pipe: Option<Pipe>, is_in_key: bool) {
        match pipe {
            Some(Pipe::Stderr) => self.is_err_in_key = is_in_key,
            Some(Pipe::Stdout) | None => self.is_in_key = is_in_key,
        }
    }

    pub(super) fn note_level(&mut self, pipe: Option<Pipe>, level: Option<Level>) {
        match pipe {
            Some(Pipe::Stderr) => self.err_level = level,
            Some(Pipe::Stdout) | None => self.level = level,
        }
    }

    /// The same of the file, and nothing of its last records.
    pub(crate) fn without_records(self) -> Self {
        Self {
            envelope: self.envelope,
            out: self.out.without_record(),
            err: self.err.without_record(),
            is_timed: self.is_timed,
            ..Self::default()
        }
    }

    /// The same behind a pause that was so long that what comes continues no record, in text or in time.
    pub(crate) fn after_pause(self) -> Self {
        let (out, err) = (self.out.after_pause(), self.err.after_pause());
        Self {
            level: self.level.filter(|_| out == self.out),
            err_level: self.err_level.filter(|_| err == self.err),
            out,
            err,
            is_timed: false,
            ..self
        }
    }

    /// The same, with what was given out of either pipe by another run, which stands so many bytes
    /// before this one, where that is further.
    pub(crate) fn with_given_of(mut self, other: &Self, before: usize) -> Self {
        let out = other.out_given.seen_from(before);
        let err = other.err_given.seen_from(before);
        let is_further = out > self.out_given || err > self.err_given;
        if is_further && self.envelope == Envelope::default() {
            self.envelope = other.envelope;
        }
        if out > self.out_given {
            (self.out, self.out_given) = (other.out, out);
            (self.is_in_key, self.level) = (other.is_in_key, other.level);
        }
        if err > self.err_given {
            (self.err, self.err_given) = (other.err, err);
            (self.is_err_in_key, self.err_level) = (other.is_err_in_key, other.err_level);
        }
        self
    }

    /// Whether there is nothing to remember.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Given {
    /// The same from so many bytes further: nothing when all of it lies before that.
    fn seen_from(self, further: usize) -> Self {
        let lines = self.lines.checked_sub(further);
        lines.map_or_else(Self::default, |lines| Self { lines, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::level::Level;

    fn given(lines: usize, text: usize) -> Given {
        Given { lines, text }
    }

    #[test]
    fn of_each_pipe_what_was_given_out_further_counts() {
        let own = Learned {
            out_given: given(500, 0),
            err_given: given(100, 7),
            level: Some(Level::Info),
            ..Learned::default()
        };
        let other = Learned {
            out_given: given(540, 9),
            err_given: given(150, 8),
            level: Some(Level::Warn),
            err_level: Some(Level::Error),
            ..Learned::default()
        };
        let both = own.with_given_of(&other, 50);
        assert_eq!(both.out_given, given(500, 0));
        assert_eq!(both.level, Some(Level::Info));
        assert_eq!(both.err_given, given(100, 8));
        assert_eq!(both.err_level, Some(Level::Error));
        assert_eq!(own.with_given_of(&other, 600), own);
        assert_eq!(own.with_given_of(&Learned::default(), 0), own);
    }
}
