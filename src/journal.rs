//! The state on disk: which generations there are and how far each is delivered to each output.
//! Owns the state directory's lock and its segments. Entries are applied to the state in memory
//! first, so an unwritable disk costs protection, never delivery.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use format::{Cursor, Entry, Identity, Route};
pub(crate) use segments::OpenError;
pub(crate) use state::{Known, State};

use crate::span::GenerationId;

mod format;
mod segments;
mod state;
mod text;

/// After this many bytes a segment is full and the other one is begun with a checkpoint.
const SEGMENT_BYTES: u64 = 1 << 20;
/// How often the segment is synced to the device: what a power loss can cost.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long to wait after a failed write before the next attempt.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The journal of one agent.
#[derive(Debug)]
pub(crate) struct Journal {
    state: State,
    /// Frames not yet written, for the current segment's epoch.
    pending: Vec<u8>,
    disk: Disk,
    is_unsynced: bool,
    last_sync: Instant,
}

/// Where the state goes.
#[derive(Debug)]
enum Disk {
    /// Into the segments.
    Good(segments::Segments),
    /// Nowhere for now: an earlier write failed, or the directory could not be opened.
    Failed {
        dir: PathBuf,
        tried: Instant,
        error: String,
        lock: Option<segments::Lock>,
    },
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
        let lock = segments::Lock::take(dir)?;
        let (segments, state, recovery) = segments::Segments::open(dir, lock)?;
        let disk = Disk::Good(segments);
        let journal = Self {
            state,
            pending: Vec::new(),
            disk,
            is_unsynced: true,
            last_sync: now,
        };
        Ok((journal, recovery))
    }

    /// A journal that lives in memory until `dir` can be used.
    pub(crate) fn unprotected(dir: &Path, now: Instant, error: String) -> Self {
        let disk = Disk::Failed {
            dir: dir.to_owned(),

            tried: now,
            error,
            lock: None,
        };
        Self {
            state: State::default(),
            pending: Vec::new(),
            disk,
            is_unsynced: false,
            last_sync: now,
        }
    }

    /// The state as it is.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// A number for a new generation.
    pub(crate) fn new_generation(&mut self) -> GenerationId {
        let id = GenerationId(self.state.next_generation);
        self.state.next_generation += 1;
        id
    }

    /// Notes what happened. It is on its way to the disk after the next [`Journal::commit`].
    pub(crate) fn append(&mut self, entry: &Entry) {
        self.state.apply(entry);
        if let Disk::Good(segments) = &self.disk {
            format::put(&mut self.pending, segments.epoch(), entry);
        }
    }

    /// Writes what was appended. After this a killed process loses none of it.
    pub(crate) fn commit(&mut self, now: Instant) {
        match &mut self.disk {
            Disk::Good(segments) => {
                if self.pending.is_empty() {
                    return;
                }
                let written = segments.write(&self.pending);
                self.pending.clear();
                self.is_unsynced = true;
                let is_full = segments.len() > SEGMENT_BYTES.max(2 * segments.checkpoint_len());
                let outcome = written.and_then(|()| {
                    if is_full {
                        segments.switch(&self.state)
                    } else {
                        Ok(())
                    }
                });
                if let Err(error) = outcome {
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
        if let Disk::Good(segments) = &mut self.disk
            && let Err(error) = segments.sync()
        {
            // A failed sync is never retried on the same descriptor: the kernel may have dropped
            // the pages and would then report success.
            self.fail(now, &error);
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
        self.pending.clear();
        let placeholder = Disk::Failed {
            dir: PathBuf::new(),

            tried: now,
            error: String::new(),
            lock: None,
        };
        if let Disk::Good(segments) = std::mem::replace(&mut self.disk, placeholder) {
            let (dir, lock) = segments.into_parts();
            tracing::error!(
                state_dir = %dir.display(),
                %error,
                "cannot write the journal; delivery goes on unprotected: a restart before this is mended sends again what was delivered meanwhile"
            );
            let error = error.to_string();
            self.disk = Disk::Failed {
                dir,

                tried: now,
                error,
                lock: Some(lock),
            };
        }
    }

    /// Begins anew with a checkpoint of the whole state, once the directory can be written.
    fn reopen(&mut self, now: Instant) {
        let Disk::Failed {
            dir,
            tried,
            error,
            lock,
            ..
        } = &mut self.disk
        else {
            return;
        };
        *tried = now;
        let taken = lock.take().filter(|lock| lock.is_in_place(dir));
        let lock_again = match taken.map_or_else(|| segments::Lock::take(dir), Ok) {
            Ok(again) => again,
            Err(again) => {
                *error = again.to_string();
                return;
            }
        };
        match segments::Segments::begin(dir, lock_again, &self.state) {
            Ok(segments) => {
                tracing::info!(state_dir = %dir.display(), "the journal can be written again");
                self.disk = Disk::Good(segments);
                self.is_unsynced = true;
            }
            Err((again, returned)) => {
                *error = again.to_string();
                *lock = Some(returned);
            }
        }
    }
}
