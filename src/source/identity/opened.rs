//! A file that was just opened, before anybody knows whose content it holds.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::journal::OwnFile;
use crate::source::generation::content::{self, Content};
use crate::source::generation::reader;
#[cfg(test)]
use crate::source::meanwhile;
#[cfg(test)]
use crate::source::system::denied;
use crate::source::system::file::birth_of;
use crate::span::{ANCHOR_BYTES, Anchor, Position};

/// A file that is found shorter than the system has just said is asked again so often.
const SETTLES_WITHIN: u8 = 8;

/// The beginning of what a file holds: what tells most files that hold another content.
pub(in crate::source) fn head_at(path: &Path) -> io::Result<Vec<u8>> {
    content::head_of(open(path)?, may_be_gzip(path))
}

/// Opens what is there, and waits for nobody: it may be no file by now.
pub(in crate::source) fn open(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(nonblocking).open(path)?;
    #[cfg(test)]
    denied::check(&file)?;
    Ok(file)
}

fn may_be_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "gz")
}

/// A file that was just opened.
#[derive(Debug)]
pub(in crate::source) struct Opened {
    pub(in crate::source) content: Content,
    pub(in crate::source) metadata: Metadata,
    pub(in crate::source) head: Vec<u8>,
    len: u64,
    /// Where it ended then, with the proof of what lay before.
    end: Option<Position>,
}

impl Opened {
    /// Opens a regular file for reading; nothing else is ever opened for long. A gzip that has a
    /// name for the time in which it is made is not complete.
    pub(in crate::source) fn at(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        if path.extension().is_some_and(|it| it == "tmp") && content::gzip::is_gzip(&file)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Self::of(file, may_be_gzip(path))
    }

    /// Looks at an open file anew; `may_be_gzip` says whether its name promises a gzip.
    pub(in crate::source) fn of(file: File, may_be_gzip: bool) -> io::Result<Self> {
        let mut metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let content = Content::of(file, may_be_gzip)?;
        let (mut head, mut end) = (Vec::new(), content.known_end());
        let mut len = end.map_or(0, |end| end.offset);
        if end.is_some() {
            head = reader::read_head(&content)?;
        }
        for _ in 0..SETTLES_WITHIN {
            if end.is_some() {
                break;
            }
            // There is less of it when it is emptied just now: then it is what it is by now. What is
            // read before its size is known may be less than is in it.
            metadata = content.file().metadata()?;
            len = content.len(metadata.len());
            head = reader::read_head(&content)?;
            head.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            // It may be filled anew between both: then they are of two contents.
            end = end_of(&content, len)?.filter(|_| begins_with(&content, &head));
        }
        #[cfg(test)]
        meanwhile::happen(meanwhile::After::Opening);
        Ok(Self {
            content,
            metadata,
            head,
            len,
            end,
        })
    }

    /// Whether it still holds what it was opened with: what was found out of it meanwhile says
    /// something of this content only then. One that is written on holds it.
    pub(in crate::source) fn is_as_opened(&self) -> bool {
        self.content.is_whole()
            || self.end.is_none_or(|end| {
                begins_with(&self.content, &self.head)
                    && reader::holds(&self.content, end).unwrap_or(false)
            })
    }

    /// Which file it is.
    pub(in crate::source) fn file(&self) -> OwnFile {
        OwnFile {
            inode: self.metadata.ino(),
            birth: birth_of(&self.metadata),
        }
    }

    /// How long its content is.
    pub(in crate::source) fn len(&self) -> u64 {
        self.len
    }

    /// Where it ends, with the proof of what lies before.
    pub(in crate::source) fn position_at_end(&self) -> io::Result<Position> {
        let end = match self.end {
            None => end_of(&self.content, self.len())?,
            some => some,
        };
        end.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Whether it ends where one of these copies does, with the same bytes.
    pub(in crate::source) fn is_copied_up_to(&self, ends: &[Position]) -> bool {
        let mut ends = ends.iter().filter(|end| end.offset == self.len());
        ends.any(|end| self.proves(*end))
    }

    /// Whether it holds what lies before `position`.
    pub(in crate::source) fn proves(&self, position: Position) -> bool {
        // The end of a gzip is far to read.
        if let Some(end) = self.content.known_end()
            && (end.offset, end.anchor.len) == (position.offset, position.anchor.len)
        {
            return end == position;
        }
        position.offset <= self.len() && reader::holds(&self.content, position).unwrap_or(false)
    }
}

fn begins_with(content: &Content, head: &[u8]) -> bool {
    reader::read_head(content).is_ok_and(|it| it.starts_with(head))
}

/// An end with the proof of what lies before; nothing where the content does not reach that far.
fn end_of(content: &Content, offset: u64) -> io::Result<Option<Position>> {
    let before = reader::read_before(content, offset)?;
    let is_there = before.len() as u64 == offset.min(ANCHOR_BYTES as u64);
    let anchor = Anchor::at_end_of(&before);
    Ok(is_there.then_some(Position { offset, anchor }))
}
