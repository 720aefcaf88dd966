//! One life of a file's content, held open. Owns the descriptor, what was last seen of the file,
//! and where it stands: at a name that is meant, rotated away, or deleted.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reader;
use super::times::TimeMarks;
use crate::record::Time;
use crate::span::{Anchor, GenerationId, Head, Position};

/// A rotated file whose writer has been still for this long gets no more bytes to its last line.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// How long a file that was rotated to a name that is not meant is kept open after its last
/// change: its writer may not have been told yet.
const KEEP_ROTATED: Duration = Duration::from_mins(5);
/// The same for a deleted file, whose space is only freed when it is closed.
const KEEP_DELETED: Duration = Duration::from_secs(10);
/// A modification time that is younger than this, in nanoseconds, may stand for two writes: the
/// system's clock for files moves in steps.
const CLOCK_STEP: i64 = 20_000_000;
/// How far back the beginning of the last line is looked for.
const LAST_LINE: u64 = 64 * 1024;

/// What tells open files apart within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileKey {
    /// Device number.
    pub(crate) device: u64,
    /// Inode number.
    pub(crate) inode: u64,
}

impl FileKey {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// Where the content stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the name under which it was first seen.
    Home,
    /// At another name that is meant too.
    Moved,
    /// At no name that is meant.
    Rotated,
    /// At no name at all.
    Deleted,
    /// Nowhere: it was truncated away.
    Gone,
}

impl Place {
    /// The word for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Moved => "moved",
            Self::Rotated => "rotated",
            Self::Deleted => "deleted",
            Self::Gone => "gone",
        }
    }
}

/// A generation whose file is open.
#[derive(Debug)]
pub(crate) struct Generation {
    /// Its number.
    pub(crate) id: GenerationId,
    /// Index of the input that it belongs to.
    pub(crate) input: usize,
    /// Where it was first seen: labels are made from this path.
    pub(crate) origin: Arc<Path>,
    /// Where it was last seen.
    pub(crate) path: PathBuf,
    /// Which file it is.
    pub(crate) key: FileKey,
    /// Where it stands.
    pub(crate) place: Place,
    /// The open file.
    pub(crate) file: File,
    /// Its size when last seen, in bytes.
    pub(crate) size: u64,
    /// Its beginning.
    pub(crate) head: Head,
    /// When its bytes were written.
    pub(crate) times: TimeMarks,
    /// No more bytes come to its last line.
    pub(crate) is_over: bool,
    last_change: Instant,
    /// The modification time when last seen, and when that was.
    modified: (Time, Time),
}

/// What a look at a generation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing new.
    Same,
    /// There is more of it.
    Grew,
    /// There is less of it, or it begins differently.
    Shrunk,
    /// It may have been written, and is no longer and no shorter than before.
    Touched,
}

impl Generation {
    /// Takes a file that was opened now, at `time`, as a generation.
    pub(super) fn new(
        id: GenerationId,
        input: usize,
        origin: Arc<Path>,
        path: PathBuf,
        opened: Opened,
        (now, time): (Instant, Time),
    ) -> Self {
        let mut times = TimeMarks::default();
        let size = opened.metadata.len();
        let modified = modified(&opened.metadata);
        times.note(size, modified);
        Self {
            id,
            input,
            place: if *origin == *path {
                Place::Home
            } else {
                Place::Moved
            },
            origin,
            path,
            key: FileKey::of(&opened.metadata),
            file: opened.file,
            size,
            head: Head::of(&opened.head),
            times,
            is_over: false,
            last_change: now,
            modified: (modified, time),
        }
    }

    /// Takes note of what the system says of the file. Bytes that are new are from `time`.
    pub(super) fn look(&mut self, metadata: &Metadata, now: Instant, time: Time) -> Look {
        let (size, modified) = (metadata.len(), modified(metadata));
        let (before, seen) = std::mem::replace(&mut self.modified, (modified, time));
        if size == self.size {
            // Emptied and filled to the very same length, or only touched: the content tells.
            let is_same =
                modified == before && (time == seen || seen.nanos_since(before) > CLOCK_STEP);
            return if is_same { Look::Same } else { Look::Touched };
        }
        let look = if size > self.size {
            Look::Grew
        } else {
            Look::Shrunk
        };
        self.size = size;
        self.last_change = now;
        if look == Look::Grew {
            self.times.note(size, time);
        }
        look
    }

    /// Hashes more of the beginning once there is more. `None` when the file now begins
    /// differently.
    pub(super) fn grow_head(&mut self) -> io::Result<Option<bool>> {
        if self.head.is_full() || u64::from(self.head.len) >= self.size {
            return Ok(Some(false));
        }
        let bytes = reader::read_head(&self.file)?;
        if !self.head.matches(&bytes) {
            return Ok(None);
        }
        let head = Head::of(&bytes);
        let is_longer = head != self.head;
        self.head = head;
        Ok(Some(is_longer))
    }

    /// Whether the file still stands at its name, which its writer fills.
    pub(crate) fn is_at_home(&self) -> bool {
        self.place == Place::Home
    }

    /// Moves it to another place.
    pub(super) fn place_at(&mut self, place: Place, now: Instant) {
        if self.place != place {
            self.place = place;
            self.last_change = now;
            self.is_over = false;
        }
    }

    /// When its last line can be taken as complete: never while it stands at its name.
    pub(super) fn over_at(&self) -> Option<Instant> {
        (!self.is_at_home() && !self.is_over).then(|| self.last_change + QUIET)
    }

    /// Whether it may be closed once it is delivered.
    pub(crate) fn may_close(&self, now: Instant) -> bool {
        let keep = match self.place {
            Place::Home | Place::Moved => return false,
            Place::Rotated => KEEP_ROTATED,
            Place::Deleted => KEEP_DELETED,
            Place::Gone => Duration::ZERO,
        };
        now.duration_since(self.last_change) >= keep
    }

    /// Where a reader begins who wants only what comes from now on: after the last complete line.
    pub(crate) fn position_at_end(&self) -> io::Result<Position> {
        use std::os::unix::fs::FileExt as _;
        let window = self.size.min(LAST_LINE);
        let mut bytes = vec![0; usize::try_from(window).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, self.size - window)?;
        let offset = match memchr::memrchr(b'\n', &bytes) {
            Some(at) => self.size - window + at as u64 + 1,
            None if window == self.size => 0,
            None => self.size,
        };
        let before = reader::read_before(&self.file, offset)?;
        Ok(Position {
            offset,
            anchor: Anchor::at_end_of(&before),
        })
    }

    /// Whether the file begins as it did.
    pub(crate) fn begins_as_before(&self) -> bool {
        reader::read_head(&self.file).is_ok_and(|bytes| self.head.matches(&bytes))
    }

    /// Whether the bytes before `position` are what they were.
    pub(crate) fn proves(&self, position: Position) -> io::Result<bool> {
        Ok(position
            .anchor
            .holds(&reader::read_before(&self.file, position.offset)?))
    }
}

/// A file that was just opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
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
        Self::of(file)
    }

    /// Looks at an open file anew.
    pub(super) fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let head = reader::read_head(&file)?;
        Ok(Self {
            file,
            metadata,
            head,
        })
    }
}

/// The modification time.
pub(super) fn modified(metadata: &Metadata) -> Time {
    Time(
        metadata
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(metadata.mtime_nsec()),
    )
}
