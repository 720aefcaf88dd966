//! One life of a file's content, held open. Owns the descriptor, what was last seen of the file,
//! and where it stands: at a name that is meant, rotated away, or deleted.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::content::Content;
use self::place::Place;
use self::times::TimeMarks;
use crate::journal::OwnFile;
use crate::record::Time;
use crate::source::identity::opened::Opened;
#[cfg(test)]
use crate::source::meanwhile;
use crate::source::system::file::{FileKey, Stat, birth_of, modified};
use crate::source::system::writers::Writer;
use crate::span::{ANCHOR_BYTES, Anchor, GenerationId, Head, PROOF_ENOUGH, Position};

pub(super) mod closing;
pub(crate) mod content;
mod growth;
pub(super) mod held;
pub(super) mod past;
pub(super) mod place;
pub(crate) mod reader;
pub(crate) mod room;
pub(super) mod times;

pub(super) use growth::Look;

/// A rotated file whose writer has been still for this long gets no more bytes to its last line.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// A modification time that is younger than this, in nanoseconds, may stand for two writes: the
/// system's clock for files moves in steps.
const CLOCK_STEP: i64 = 20_000_000;
/// So many ends of what was read or seen are remembered.
const TRAIL: usize = 8;
/// How far back the beginning of the last line is looked for.
const LAST_LINE: u64 = 64 * 1024;

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
    pub(crate) path: Arc<Path>,
    /// Which file it is.
    pub(crate) key: FileKey,
    /// Where it stands.
    pub(crate) place: Place,
    /// The open file.
    pub(crate) content: Content,
    /// Its size when last seen, in bytes.
    pub(crate) size: u64,
    /// The same when it held for certain what it had held before: how much was seen of it.
    seen: u64,
    /// Its beginning.
    pub(crate) head: Head,
    /// When its bytes were written.
    pub(crate) times: TimeMarks,
    /// No more bytes come to its last line.
    pub(crate) is_over: bool,
    /// When its file was made.
    pub(super) birth: Time,
    /// When its first file was made: no copy of it is older.
    pub(super) begun: Time,
    /// It goes on in a copy of its first file, which was so long when it was found.
    pub(super) copy_len: Option<u64>,
    /// The file in which an earlier run knew it, where it lies in a copy now.
    pub(super) left: Option<OwnFile>,
    /// When it was opened there was less in it than was read of it before the power went.
    pub(crate) has_lost_end: bool,
    /// The furthest that any output has read, or that a copy was seen to hold.
    reached: Cell<Position>,
    /// Earlier ends of what was read, or seen where that proved more: a copy that was made before the
    /// last of them proves these.
    trail: RefCell<Vec<Position>>,
    /// Where it ended when that proved more than what was read: a banner proves little.
    end: Position,
    pub(super) last_change: Instant,
    /// When it was last found written, or opened.
    pub(super) last_write: Instant,
    /// Who writes it, and when that was asked.
    pub(super) writer: Option<(Instant, Writer)>,
    /// Since when it stands where it stands.
    placed: Instant,
    /// The modification time when last seen, and when that was.
    modified: (Time, Time),
}

impl Generation {
    /// Takes a file that was opened now, at `time`, as a generation.
    pub(super) fn new(
        id: GenerationId,
        input: usize,
        origin: Arc<Path>,
        path: Arc<Path>,
        opened: Opened,
        (now, time): (Instant, Time),
    ) -> Self {
        let mut times = TimeMarks::default();
        let size = opened.len();
        let modified = modified(&opened.metadata);
        times.note_backlog(size, modified);
        let is_whole = opened.content.is_whole();
        let end = if is_whole {
            Position::default()
        } else {
            opened.position_at_end().unwrap_or_default()
        };
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
            content: opened.content,
            size,
            seen: size,
            head: Head::of(&opened.head),
            birth: birth_of(&opened.metadata),
            begun: birth_of(&opened.metadata),
            copy_len: None,
            left: None,
            has_lost_end: false,
            reached: Cell::default(),
            trail: RefCell::default(),
            end,
            times,
            is_over: is_whole,
            last_change: now,
            last_write: now,
            writer: None,
            placed: now,
            modified: (modified, time),
        }
    }

    /// Whether the system says of the file what it said when it was last looked at.
    pub(super) fn is_unchanged(&self, stat: &Stat) -> bool {
        let (before, seen) = self.modified;
        self.content.len(stat.len) == self.size
            && stat.modified == before
            && seen.nanos_since(before) > CLOCK_STEP
    }

    /// Whether it is as it was when it was last looked at.
    pub(super) fn is_as_last_seen(&self) -> bool {
        let metadata = self.content.file().metadata();
        metadata.is_ok_and(|it| self.is_unchanged(&Stat::of(&it)))
    }

    /// Whether the file still stands at its name, which its writer fills.
    pub(crate) fn is_at_home(&self) -> bool {
        self.place == Place::Home
    }

    /// Whether it stands at a name that is meant.
    pub(super) fn has_name(&self) -> bool {
        matches!(self.place, Place::Home | Place::Moved)
    }

    /// Moves it to another place.
    pub(super) fn place_at(&mut self, place: Place, now: Instant) {
        if self.place != place {
            self.place = place;
            self.placed = now;
            self.last_change = now;
            self.is_over = false;
        }
    }

    /// How long it has stood where it stands.
    pub(crate) fn in_place_for(&self, now: Instant) -> Duration {
        now.duration_since(self.placed)
    }

    /// When it was last written, or moved to another place.
    pub(crate) fn still_since(&self) -> Instant {
        self.last_change
    }

    /// Its modification time when last seen.
    pub(super) fn modified(&self) -> Time {
        self.modified.0
    }

    /// When its last line can be taken as complete for its place alone: never while it stands at
    /// its name.
    pub(super) fn over_at(&self) -> Option<Instant> {
        (!self.is_at_home() && !self.is_over).then(|| self.last_change + QUIET)
    }

    /// Where a reader begins who wants only what comes from now on: after the last complete line.
    pub(crate) fn position_at_end(&self) -> io::Result<Position> {
        let window = self.size.min(LAST_LINE);
        let mut bytes = vec![0; usize::try_from(window).unwrap_or(0)];
        let (len, _) = self.content.read_at(&mut bytes, self.size - window)?;
        if len < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let offset = match memchr::memrchr(b'\n', &bytes) {
            Some(at) => self.size - window + at as u64 + 1,
            None if window == self.size => 0,
            None => self.size,
        };
        self.position(offset)
    }

    /// An offset with the proof of what lies before it; an error where it does not reach that far.
    pub(crate) fn position(&self, offset: u64) -> io::Result<Position> {
        if let Some(end) = self.content.known_end().filter(|end| end.offset == offset) {
            return Ok(end);
        }
        let before = reader::read_before(&self.content, offset)?;
        if (before.len() as u64) < offset.min(ANCHOR_BYTES as u64) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Position {
            offset,
            anchor: Anchor::at_end_of(&before),
        })
    }

    /// Behind the hole in which a position lies, where the system tells how far that goes.
    pub(crate) fn behind_hole(&self, position: Position) -> Option<Position> {
        let behind = self.content.end_of_hole(position.offset)?;
        let behind = self.position(behind).ok()?;
        // It may have been emptied and filled since.
        behind.is_behind_nuls().then_some(behind)
    }

    /// Goes on in a copy of its content.
    pub(super) fn continue_in(
        &mut self,
        copy: Opened,
        path: Arc<Path>,
        place: Place,
        now: Instant,
    ) {
        self.size = copy.len();
        self.seen = self.size;
        // One that was overtaken may be shorter than the head.
        self.head = Head::of(&copy.head);
        let reached = self.reached.get_mut();
        if reached.offset > self.size {
            // It was overtaken: what is in it was proven when it was met.
            *reached = copy.position_at_end().unwrap_or_default();
        }
        self.modified.0 = modified(&copy.metadata);
        self.times.cut(self.size);
        self.times.note_backlog(self.size, self.modified.0);
        self.key = FileKey::of(&copy.metadata);
        self.birth = birth_of(&copy.metadata);
        self.content = copy.content;
        self.end = Position::default();
        // In its own file it may grow.
        self.copy_len = (place != Place::Home).then_some(self.size);
        self.left = self.left.filter(|it| *it != self.file());
        self.path = path;
        self.place_at(place, now);
    }

    /// An output has read up to here.
    pub(crate) fn note_reached(&self, position: Position) {
        let before = self.reached.get();
        if position.offset > before.offset {
            self.reached.set(position);
            if before.offset >= PROOF_ENOUGH {
                self.leave_behind(before);
            }
        }
    }

    /// What was known of it until now is not the furthest any more.
    fn leave_behind(&self, position: Position) {
        let mut trail = self.trail.borrow_mut();
        let too_many = trail.len() >= TRAIL;
        trail.drain(..usize::from(too_many));
        trail.push(position);
    }

    /// The furthest that any output has read.
    #[cfg(test)]
    pub(crate) fn reached(&self) -> Position {
        self.reached.get()
    }

    /// Where it ended when last seen, with the proof of what lies before.
    pub(super) fn seen_end(&self) -> Option<Position> {
        let may_tell = self.content.is_whole() || self.is_as_seen();
        may_tell.then(|| self.position(self.size).ok())?
    }

    /// How long it is at this moment.
    pub(super) fn len_now(&self) -> io::Result<u64> {
        let len = self.content.len(self.content.file().metadata()?.len());
        #[cfg(test)]
        meanwhile::happen(meanwhile::After::Asking);
        Ok(len)
    }

    /// Whether the file still holds what was last seen of it.
    pub(super) fn is_as_seen(&self) -> bool {
        self.as_seen().unwrap_or(false)
    }

    /// Whether something else is in the file than was last seen. A file that cannot be read at
    /// the moment may hold what it held.
    pub(crate) fn is_another(&self) -> bool {
        self.as_seen().is_ok_and(|is_as_seen| !is_as_seen)
    }

    fn as_seen(&self) -> io::Result<bool> {
        let (reached, known) = (self.reached.get(), self.known());
        Ok(self.len_now()? >= self.size
            && self.begins_with(self.head)?
            && self.proves(known)?
            && (known == reached || self.proves(reached)?))
    }

    /// The furthest proof of what it holds: up to where it was read, or where it ended before that
    /// was much.
    pub(crate) fn known(&self) -> Position {
        let reached = self.reached.get();
        if reached.offset < PROOF_ENOUGH.min(self.end.offset) {
            self.end
        } else {
            reached
        }
    }

    /// Whether so much of it is proven that what is there cannot be another content with the same
    /// banner.
    pub(crate) fn is_well_known(&self) -> bool {
        self.known().offset >= PROOF_ENOUGH
    }

    /// The file in which it lies.
    pub(super) fn file(&self) -> OwnFile {
        OwnFile {
            inode: self.key.inode,
            birth: self.birth,
        }
    }

    /// Whether another file holds what is known of this one: what was read of it may be no more than
    /// a banner.
    pub(super) fn is_in(&self, opened: &Opened) -> bool {
        let (reached, known) = (self.reached.get(), self.known());
        self.head.matches(&opened.head)
            && opened.proves(known)
            && (known == reached || opened.proves(reached))
    }

    /// Whether another file is a copy of this one that was overtaken: it holds what was known of it
    /// some time ago, and nothing behind what was read or seen since.
    pub(super) fn has_overtaken(&self, opened: &Opened) -> bool {
        let (reached, len) = (self.reached.get(), opened.len());
        let trail = self.trail.borrow();
        len < self.known().offset
            && self.head.matches(&opened.head)
            && (len < reached.offset || opened.proves(reached))
            && trail.iter().rev().any(|it| opened.proves(*it))
    }

    /// What of its present size can be its own: all of it, unless it lies in a copy, which others
    /// may fill anew.
    pub(crate) fn own_len(&self) -> u64 {
        self.copy_len.unwrap_or(u64::MAX)
    }

    /// How much of its own was seen: what its file holds by now may be another content.
    pub(crate) fn seen_len(&self) -> u64 {
        self.seen.min(self.own_len())
    }

    /// Whether its first `len` bytes can be read.
    pub(crate) fn holds_up_to(&self, len: u64) -> bool {
        self.place != Place::Gone && self.size.min(self.own_len()) >= len && !self.is_another()
    }

    /// Whether it begins with this now.
    pub(super) fn begins_with(&self, head: Head) -> io::Result<bool> {
        Ok(head.matches(&reader::read_head(&self.content)?))
    }

    /// Whether the bytes before `position` are what they were.
    pub(super) fn proves(&self, position: Position) -> io::Result<bool> {
        reader::holds(&self.content, position)
    }
}
