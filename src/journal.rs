//! The state on disk: which generations there are, how far each is delivered to each output, and
//! the sealed batches on their way. Owns the state directory. Entries are applied to the state in
//! memory first, so an unwritable disk costs protection, never delivery.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use bodies::Bodies;
pub(crate) use entry::{Cursor, Entry, Route, Seal};
pub(crate) use identity::{Identity, OwnFile, Unopened};
use in_hand::InHand;
pub(crate) use lock::{OpenError, Place, look_at_place, who_may_look};
pub(crate) use looks::MOST_UNOPENED;
use segments::{Kept, Segments};
pub(crate) use state::{Earlier, Known, State};

use volume::{Real, Volume};

use crate::batch::BatchId;
use crate::crash_point;
use crate::span::GenerationId;

mod bodies;
mod bound;
mod cursors;
mod entry;
mod format;
pub(crate) mod fuzzing;
mod identity;
mod in_hand;
pub(crate) mod inspection;
mod lock;
mod looks;
#[cfg(test)]
mod model;
mod recovery;
mod reopening;
mod segments;
#[cfg(test)]
mod simulated;
mod state;
mod text;
mod volume;

/// After this many bytes a segment is full and the other one is begun with a checkpoint.
const SEGMENT_BYTES: u64 = 1 << 20;
/// The same where the crash suite wants to see segments recycled.
const SMALL_SEGMENT_BYTES: u64 = 8 << 10;
/// What is appended between two commits keeps this much room; the first look takes far more.
const PENDING_BYTES: usize = 64 << 10;
/// How often the segment is synced to the device: what a power loss can cost.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long to wait after a failed write before the next attempt.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The journal of one agent.
#[derive(Debug)]
pub(crate) struct Journal<V: Volume = Real> {
    volume: V,
    dir: PathBuf,
    segment_bytes: u64,
    state: State,
    in_hand: InHand,
    /// Batches that nobody sends at the moment.
    idle: BTreeSet<BatchId>,
    disk: Disk<V>,
    is_unsynced: bool,
    last_sync: Instant,
    past: Past,
}

/// What an earlier run left, where it could not be read at the start.
#[derive(Debug, PartialEq, Eq)]
enum Past {
    /// All of it is in the state.
    Known,
    /// The directory could not be opened yet. What was found there, should an attempt to write there
    /// have failed since.
    Unread(Earlier),
    /// It was taken in, and nobody has been told yet.
    Regained(Earlier),
}

/// Where the state goes.
#[derive(Debug)]
enum Disk<V: Volume> {
    /// Into the files of the state directory.
    Good(Files<V>),
    /// Nowhere for now: an earlier write failed, or the directory could not be opened.
    Failed {
        tried: Instant,
        error: String,
        kept: Option<Kept<V::Lock>>,
        /// What was written can still be read, even when it has no name any more.
        bodies: Option<Bodies<V::File>>,
    },
}

#[derive(Debug)]
struct Files<V: Volume> {
    segments: Segments<V>,
    bodies: Bodies<V::File>,
    /// Frames not yet written.
    pending: Vec<u8>,
    /// Places of bodies that are free once the frames are written: a body must not be
    /// overwritten before it is known to be of no use.
    released: Vec<entry::Extent>,
}

/// What was found on opening.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Sentences for the operator: what was damaged, and where it was put.
    pub(crate) findings: Vec<String>,
    /// Whether the state is new: nothing usable was there.
    pub(crate) is_new: bool,
}

impl Journal {
    /// Opens the journal in `dir`, which is created when it is missing, and locks it.
    pub(crate) fn open(dir: &Path, now: Instant) -> Result<(Self, Recovery), OpenError> {
        Self::open_on(Real, dir, segment_bytes(), now)
    }

    /// A journal that lives in memory until `dir` can be used. What an earlier run may have left
    /// there is not known: the numbers are above all that were given before, so that both can be
    /// told apart later.
    pub(crate) fn unprotected(dir: &Path, now: Instant, error: String) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let first = since_1970.map_or(0, |it| it.as_secs().saturating_mul(1000));
        Self {
            volume: Real,
            dir: dir.to_owned(),
            segment_bytes: segment_bytes(),
            state: State::beginning_at(first),
            in_hand: InHand::default(),
            idle: BTreeSet::new(),
            disk: Disk::Failed {
                tried: now,
                error,
                kept: None,
                bodies: None,
            },
            is_unsynced: false,
            last_sync: now,
            past: Past::Unread(Earlier::default()),
        }
    }
}

impl<V: Volume> Journal<V> {
    fn open_on(
        volume: V,
        dir: &Path,
        segment_bytes: u64,
        now: Instant,
    ) -> Result<(Self, Recovery), OpenError> {
        let lock = volume.lock(dir)?;
        let (segments, state, recovery) = Segments::open(volume.clone(), dir, lock)?;
        let bodies =
            open_bodies(&volume, dir, &state).map_err(OpenError::io("open the batches in", dir))?;
        let journal = Self {
            volume,
            dir: dir.to_owned(),
            segment_bytes,
            state,
            in_hand: InHand::default(),
            idle: BTreeSet::new(),
            disk: Disk::Good(Files::new(segments, bodies)),
            is_unsynced: true,
            last_sync: now,
            past: Past::Known,
        };
        Ok((journal, recovery))
    }

    /// The state as it is.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// A number for a new generation.
    pub(crate) fn new_generation(&mut self) -> GenerationId {
        let id = GenerationId(self.state.next_generation);
        self.state.next_generation = self.state.next_generation.saturating_add(1);
        id
    }

    /// Notes a batch with its body, and gives it a number. It must be committed before it is
    /// sent.
    pub(crate) fn seal(&mut self, mut seal: Seal, body: &Bytes, now: Instant) -> BatchId {
        let id = BatchId(self.state.next_batch);
        if let Disk::Good(files) = &mut self.disk {
            match files.bodies.store(body) {
                Ok(place) => {
                    seal.body = Some(place);
                    crash_point::pass("body_written");
                }
                Err(error) => self.fail(now, &error),
            }
        }
        self.append(&Entry::Seal(id, Box::new(seal)));
        self.in_hand.keep(id, body.clone());
        id
    }

    /// The body of a batch on its way; nothing when an earlier run sealed it and it was not kept
    /// whole.
    pub(crate) fn body_of(&self, id: BatchId) -> Option<Bytes> {
        let on_disk = || {
            let bodies = match &self.disk {
                Disk::Good(files) => Some(&files.bodies),
                Disk::Failed { bodies, .. } => bodies.as_ref(),
            };
            let place = self.state.seal_of(id)?.body?;
            bodies?.load(place).ok().flatten()
        };
        self.in_hand.get(id).or_else(on_disk)
    }

    /// Whether the body of a batch lies on disk.
    pub(crate) fn has_body_of(&self, id: BatchId) -> bool {
        let seal = self.state.seal_of(id);
        matches!(self.disk, Disk::Good(_)) && seal.is_some_and(|it| it.body.is_some())
    }

    /// Whoever sends a batch of an earlier run has its body in memory.
    pub(crate) fn take_in_hand(&mut self, id: BatchId, body: Bytes) {
        self.in_hand.keep(id, body);
    }

    /// Whoever sends a batch has let go of its body, which lies on disk.
    pub(crate) fn put_away(&mut self, id: BatchId) {
        self.in_hand.put_away(id);
    }

    /// Nobody sends these batches for now, and none but these: their bodies lie on disk alone.
    pub(crate) fn set_idle(&mut self, ids: BTreeSet<BatchId>) {
        for id in &ids {
            self.in_hand.put_away(*id);
        }
        self.idle = ids;
    }

    /// The batches that nobody sends.
    pub(crate) fn idle(&self) -> impl Iterator<Item = (BatchId, &Seal)> {
        let ids = self.idle.iter();
        ids.filter_map(|id| Some((*id, self.state.seal_of(*id)?)))
    }

    /// Whether a batch that somebody sends holds bytes of a generation, and may move its cursors.
    pub(crate) fn is_on_its_way(&self, id: GenerationId) -> bool {
        let mut batches = self.state.batches_with(id);
        batches.any(|batch| !self.idle.contains(&batch))
    }

    /// Notes what happened. It is on its way to the disk after the next [`Journal::commit`].
    pub(crate) fn append(&mut self, entry: &Entry) {
        let released = self.state.apply(entry);
        self.in_hand.let_go(entry, &self.state);
        if let Disk::Good(files) = &mut self.disk {
            format::put(&mut files.pending, files.segments.epoch(), entry);
            files.released.extend(released);
        }
    }

    /// Whether something was appended since the last commit.
    pub(crate) fn has_news(&self) -> bool {
        matches!(&self.disk, Disk::Good(files) if !files.pending.is_empty())
    }

    /// Writes what was appended. After this a killed process loses none of it.
    pub(crate) fn commit(&mut self, now: Instant) {
        match &mut self.disk {
            Disk::Good(files) => {
                if files.pending.is_empty() {
                    return;
                }
                self.is_unsynced = true;
                if let Err(error) = files.commit(&self.state, self.segment_bytes) {
                    self.fail(now, &error);
                }
            }
            Disk::Failed { tried, .. } => {
                if now.duration_since(*tried) >= RETRY_AFTER {
                    self.reopen(now);
                }
            }
        }
    }

    /// Syncs to the device when it is time.
    pub(crate) fn sync_if_due(&mut self, now: Instant) {
        if self.is_unsynced && now.duration_since(self.last_sync) >= SYNC_EVERY {
            self.sync(now);
        }
    }

    /// When [`Journal::sync_if_due`] or [`Journal::commit`] has something to do by itself.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        match &self.disk {
            Disk::Good(_) => self.is_unsynced.then(|| self.last_sync + SYNC_EVERY),
            Disk::Failed { tried, .. } => Some(*tried + RETRY_AFTER),
        }
    }

    /// Syncs to the device now: at the end of a run.
    pub(crate) fn sync(&mut self, now: Instant) {
        self.last_sync = now;
        self.is_unsynced = false;
        let Disk::Good(files) = &mut self.disk else {
            return;
        };
        // Writing to files without a name succeeds, and protects nothing.
        let is_dir_in_place = self.volume.is_in_place(files.segments.lock(), &self.dir);
        if !(is_dir_in_place && files.are_in_place(&self.dir)) {
            let what = if is_dir_in_place {
                "a file of the state directory was removed or replaced"
            } else {
                "the state directory was removed or replaced"
            };
            let gone = io::Error::new(io::ErrorKind::NotFound, what);
            return self.fail(now, &gone);
        }
        if let Err(error) = files.segments.sync() {
            // A failed sync is never retried on the same descriptor: the kernel may have dropped
            // the pages and would then report success.
            self.fail(now, &error);
        }
    }

    /// Gives disk space back while nothing is on its way.
    pub(crate) fn shrink(&mut self) {
        if let Disk::Good(files) = &mut self.disk {
            files.bodies.shrink();
        }
    }

    /// Why the state is not on disk at the moment.
    pub(crate) fn trouble(&self) -> Option<&str> {
        match &self.disk {
            Disk::Good(_) => None,
            Disk::Failed { error, .. } => Some(error),
        }
    }

    fn fail(&mut self, now: Instant, error: &io::Error) {
        tracing::error!(
            state_dir = %self.dir.display(),
            %error,
            "cannot write the journal; delivery goes on unprotected: a restart before this is mended sends again what was delivered meanwhile"
        );
        let failed = Disk::Failed {
            tried: now,
            error: error.to_string(),
            kept: None,
            bodies: None,
        };
        if let Disk::Good(files) = std::mem::replace(&mut self.disk, failed)
            && let Disk::Failed { kept, bodies, .. } = &mut self.disk
        {
            *kept = Some(files.segments.into_kept());
            *bodies = Some(files.bodies);
        }
    }

    /// What an earlier run left, if it could be read by now and was taken in; it is told once.
    pub(crate) fn take_regained(&mut self) -> Option<Earlier> {
        match std::mem::replace(&mut self.past, Past::Known) {
            Past::Regained(earlier) => Some(earlier),
            past => {
                self.past = past;
                None
            }
        }
    }
}

impl<V: Volume> Files<V> {
    fn new(segments: Segments<V>, bodies: Bodies<V::File>) -> Self {
        Self {
            segments,
            bodies,
            pending: Vec::new(),
            released: Vec::new(),
        }
    }

    /// Whether what is written is found under its names.
    fn are_in_place(&self, dir: &Path) -> bool {
        self.segments.is_in_place() && self.bodies.is_in_place(dir)
    }

    fn commit(&mut self, state: &State, segment_bytes: u64) -> io::Result<()> {
        let written = self.segments.write(&self.pending);
        self.pending.clear();
        self.pending.shrink_to(PENDING_BYTES);
        written?;
        if !self.released.is_empty() {
            crash_point::pass("acknowledged");
        }
        for place in self.released.drain(..) {
            self.bodies.release(place);
        }
        if self.segments.len() > segment_bytes.max(2 * self.segments.checkpoint_len()) {
            self.segments.switch(state)?;
        }
        Ok(())
    }
}

fn segment_bytes() -> u64 {
    if crash_point::is_asked_for() {
        SMALL_SEGMENT_BYTES
    } else {
        SEGMENT_BYTES
    }
}

fn open_bodies<V: Volume>(volume: &V, dir: &Path, state: &State) -> io::Result<Bodies<V::File>> {
    Bodies::open(
        volume,
        dir,
        state.unacknowledged().filter_map(|(_, seal)| seal.body),
    )
}
