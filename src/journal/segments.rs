//! The journal's two files. Owns which of the two is current, how a new one is
//! begun, and what is read back. What cannot be read is set aside, never deleted.

use std::io;
use std::path::{Path, PathBuf};

use super::Recovery;
use super::format::{self, Contents, Entry, HeaderError};
use super::lock::OpenError;
use super::state::State;
use super::volume::{Handle as _, Volume};

/// The two files that take turns.
const NAMES: [&str; 2] = ["journal.0", "journal.1"];

/// The segments of an open journal.
#[derive(Debug)]
pub(super) struct Segments<V: Volume> {
    volume: V,
    dir: PathBuf,
    lock: V::Lock,
    current: usize,
    file: V::File,
    epoch: u64,
    len: u64,
    checkpoint_len: u64,
}

impl<V: Volume> Segments<V> {
    /// Reads what is there and begins a new segment with it.
    pub(super) fn open(
        volume: V,
        dir: &Path,
        lock: V::Lock,
    ) -> Result<(Self, State, Recovery), OpenError> {
        let mut recovery = Recovery::default();
        let mut best: Option<(Contents, usize)> = None;
        let mut highest_epoch = 0;
        for (index, name) in NAMES.iter().enumerate() {
            let path = dir.join(name);
            let bytes = match volume.read(&path) {
                Ok(bytes) if bytes.is_empty() => continue,
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(OpenError::io("read", &path)(error)),
            };
            match format::read(&bytes) {
                Ok(contents) => {
                    highest_epoch = highest_epoch.max(contents.epoch);
                    let has_checkpoint = contents
                        .entries
                        .iter()
                        .any(|entry| matches!(entry, Entry::CheckpointEnd(_)));
                    let is_newer = best
                        .as_ref()
                        .is_none_or(|(other, _)| other.epoch < contents.epoch);
                    if has_checkpoint && is_newer {
                        best = Some((contents, index));
                    }
                }
                Err(error) => {
                    let aside = set_aside(&volume, dir, name)?;
                    recovery.findings.push(unreadable(&path, &error, &aside));
                }
            }
        }
        let mut state = State::default();
        recovery.is_new = best.is_none();
        if let Some((contents, index)) = &best {
            for entry in &contents.entries {
                state.apply(entry);
            }
            let name = NAMES[*index];
            if contents.damaged > 0 {
                recovery.findings.push(format!(
                    "{name}: {} damaged bytes were skipped; what they told is sent again",
                    contents.damaged
                ));
            }
            if contents.torn > 0 {
                recovery.findings.push(format!(
                    "{name}: the last {} bytes were cut off in the middle of a write",
                    contents.torn
                ));
            }
        }
        let next = best.as_ref().map_or(0, |(_, index)| 1 - index);
        let mut segments = Self::create(volume, dir, lock, next, highest_epoch + 1)
            .map_err(|(error, _)| OpenError::io("write", &dir.join(NAMES[next]))(error))?;
        segments
            .write_checkpoint(&state)
            .map_err(OpenError::io("write", &dir.join(NAMES[next])))?;
        Ok((segments, state, recovery))
    }

    /// Begins anew with `state`, whatever is in the directory: after a failed write.
    pub(super) fn begin(
        volume: V,
        dir: &Path,
        lock: V::Lock,
        state: &State,
    ) -> Result<Self, (io::Error, V::Lock)> {
        // The segment with the lower epoch is the one to give up.
        let epochs = NAMES.map(|name| {
            volume
                .read(&dir.join(name))
                .ok()
                .and_then(|bytes| format::read(&bytes).ok())
                .map_or(0, |contents| contents.epoch)
        });
        let next = usize::from(epochs[0] > epochs[1]);
        let mut segments = Self::create(volume, dir, lock, next, epochs[0].max(epochs[1]) + 1)?;
        match segments.write_checkpoint(state) {
            Ok(()) => Ok(segments),
            Err(error) => Err((error, segments.lock)),
        }
    }

    fn create(
        volume: V,
        dir: &Path,
        lock: V::Lock,
        index: usize,
        epoch: u64,
    ) -> Result<Self, (io::Error, V::Lock)> {
        match begin_file(&volume, &dir.join(NAMES[index])) {
            Ok(file) => Ok(Self {
                volume,
                dir: dir.to_owned(),
                lock,
                current: index,
                file,
                epoch,
                len: 0,
                checkpoint_len: 0,
            }),
            Err(error) => Err((error, lock)),
        }
    }

    fn write_checkpoint(&mut self, state: &State) -> io::Result<()> {
        let mut bytes = format::header(self.epoch).to_vec();
        state
            .entries()
            .for_each(|entry| format::put(&mut bytes, self.epoch, &entry));
        self.write(&bytes)?;
        self.checkpoint_len = self.len;
        self.sync()?;
        // The name must be as durable as the content.
        self.volume.sync_dir(&self.dir)
    }

    /// Writes frames of the current epoch at the end.
    pub(super) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.file.write_at(frames, self.len)?;
        self.len += frames.len() as u64;
        Ok(())
    }

    /// Begins the other segment with a checkpoint; this one stays as the fallback.
    pub(super) fn switch(&mut self, state: &State) -> io::Result<()> {
        self.sync()?;
        let next = 1 - self.current;
        let path = self.dir.join(NAMES[next]);
        self.file = begin_file(&self.volume, &path)?;
        self.current = next;
        self.epoch += 1;
        self.len = 0;
        self.write_checkpoint(state)
    }

    /// Makes what was written survive a power loss.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The epoch that frames must be made for.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Bytes in the current segment.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of the checkpoint that the current segment began with.
    pub(super) fn checkpoint_len(&self) -> u64 {
        self.checkpoint_len
    }

    /// Gives up the files but not the lock.
    pub(super) fn into_lock(self) -> V::Lock {
        self.lock
    }
}

/// Opens a segment's file without what was in it.
fn begin_file<V: Volume>(volume: &V, path: &Path) -> io::Result<V::File> {
    let file = volume.open(path)?;
    file.set_len(0)?;
    Ok(file)
}

fn unreadable(path: &Path, error: &HeaderError, aside: &Path) -> String {
    format!(
        "{} cannot be read: {error}; it was set aside as {}",
        path.display(),
        aside.display()
    )
}

/// Renames a file that cannot be read to a free name beside it.
fn set_aside<V: Volume>(volume: &V, dir: &Path, name: &str) -> Result<PathBuf, OpenError> {
    let path = dir.join(name);
    for number in 1.. {
        let aside = dir.join(format!("{name}.unreadable-{number}"));
        if !volume.exists(&aside) {
            volume
                .rename(&path, &aside)
                .map_err(OpenError::io("set aside", &path))?;
            return Ok(aside);
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::identity;
    use super::super::{Cursor, Journal};
    use super::*;
    use crate::record::Time;
    use crate::span::{Anchor, GenerationId, Position};
    use std::time::{Duration, Instant};

    fn cursor(offset: u64) -> Cursor {
        let anchor = Anchor::at_end_of(&offset.to_le_bytes());
        Cursor {
            position: Position { offset, anchor },
            last_time: Time(5),
        }
    }

    fn filled(dir: &Path) -> (Journal, GenerationId) {
        let now = Instant::now();
        let (mut journal, recovery) = Journal::open(dir, now).unwrap();
        assert!(recovery.is_new);
        let id = journal.new_generation();
        journal.append(&Entry::Generation(id, identity(1)));
        journal.append(&Entry::Cursor(id, "loki".into(), cursor(10)));
        journal.commit(now);
        (journal, id)
    }

    #[test]
    fn what_was_committed_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, id) = filled(dir.path());
        let before = journal.state().clone();
        drop(journal);
        let (mut journal, recovery) = Journal::open(dir.path(), Instant::now()).unwrap();
        assert!(!recovery.is_new);
        assert_eq!(recovery.findings, Vec::<String>::new());
        assert_eq!(*journal.state(), before);
        assert!(journal.new_generation() > id);
    }

    #[test]
    fn a_second_agent_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (_journal, _) = filled(dir.path());
        let error = Journal::open(dir.path(), Instant::now()).unwrap_err();
        assert!(matches!(error, OpenError::Locked(_)), "{error}");
    }

    #[test]
    fn segments_take_turns_and_stay_small() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, id) = filled(dir.path());
        let now = Instant::now();
        for offset in 0..30_000 {
            journal.append(&Entry::Cursor(id, "loki".into(), cursor(offset)));
            if offset % 100 == 0 {
                journal.commit(now);
            }
        }
        journal.commit(now);
        let before = journal.state().clone();
        drop(journal);
        for name in NAMES {
            assert!(dir.path().join(name).metadata().unwrap().len() < 2 << 20);
        }
        let (journal, _) = Journal::open(dir.path(), now).unwrap();
        assert_eq!(*journal.state(), before);
    }

    #[test]
    fn a_half_written_segment_falls_back_to_the_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = filled(dir.path());
        let before = journal.state().clone();
        drop(journal);
        // The first life wrote journal.0; a switch that was killed leaves a bare header.
        std::fs::write(dir.path().join("journal.1"), format::header(99)).unwrap();
        let (journal, _) = Journal::open(dir.path(), Instant::now()).unwrap();
        assert_eq!(*journal.state(), before);
    }

    #[test]
    fn an_unreadable_segment_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("journal.0"),
            b"something else entirely, of some length",
        )
        .unwrap();
        let (_journal, recovery) = Journal::open(dir.path(), Instant::now()).unwrap();
        assert!(recovery.is_new);
        assert_eq!(recovery.findings.len(), 1);
        let aside = dir.path().join("journal.0.unreadable-1");
        assert_eq!(
            std::fs::read(aside).unwrap(),
            b"something else entirely, of some length"
        );
    }

    #[test]
    fn a_directory_that_goes_away_costs_protection_until_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("state");
        let now = Instant::now();
        let mut journal = Journal::unprotected(&state_dir, now, "gone".into());
        let id = journal.new_generation();
        journal.append(&Entry::Generation(id, identity(1)));
        journal.commit(now);
        assert!(journal.trouble().is_some());
        journal.commit(now + Duration::from_secs(3));
        assert!(journal.trouble().is_none());
        let before = journal.state().clone();
        drop(journal);
        let (journal, _) = Journal::open(&state_dir, now).unwrap();
        assert_eq!(*journal.state(), before);
    }
}
