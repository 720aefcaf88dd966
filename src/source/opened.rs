//! A file that was just opened, before anybody knows whose content it holds.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::content::Content;
use super::reader;
use crate::span::{Anchor, Position};

/// A file that was just opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) content: Content,
    pub(super) metadata: Metadata,
    pub(super) head: Vec<u8>,
}

impl Opened {
    /// Opens a regular file for reading; nothing else is ever opened for long.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nonblocking)
            .open(path)?;
        Self::of(file, path.extension().is_some_and(|it| it == "gz"))
    }

    /// Looks at an open file anew; `may_be_gzip` says whether its name promises a gzip.
    pub(super) fn of(file: File, may_be_gzip: bool) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let content = Content::of(file, may_be_gzip)?;
        let head = reader::read_head(&content)?;
        Ok(Self {
            content,
            metadata,
            head,
        })
    }

    /// How long its content is.
    pub(super) fn len(&self) -> u64 {
        self.content.len(&self.metadata)
    }

    /// Where it ends, with the proof of what lies before.
    pub(super) fn position_at_end(&self) -> io::Result<Position> {
        let offset = self.len();
        let anchor = Anchor::at_end_of(&reader::read_before(&self.content, offset)?);
        Ok(Position { offset, anchor })
    }

    /// Whether it ends where one of these copies does, with the same bytes.
    pub(super) fn is_copied_up_to(&self, ends: &[Position]) -> bool {
        let mut ends = ends.iter().filter(|end| end.offset == self.len());
        ends.any(|end| self.proves(*end))
    }

    /// Whether it holds what lies before `position`.
    pub(super) fn proves(&self, position: Position) -> bool {
        position.offset <= self.len() && reader::holds(&self.content, position).unwrap_or(false)
    }
}
