//! The journal's two files. Owns which of the two is current, how a new one is
//! begun, and what is read back. What cannot be read is set aside, never deleted.

use std::io;
use std::path::{Path, PathBuf};

use super::Recovery;
use super::entry::Entry;
use super::format::{self, HeaderError};
use super::lock::OpenError;
use super::recovery::{Found, NAMES};
use super::state::{Earlier, State};
use super::volume::{Handle as _, Volume};
use crate::crash_point;

/// What outlives a failure of the disk.
#[derive(Debug)]
pub(super) struct Kept<L> {
    lock: L,
    /// The segment that is known to hold a whole checkpoint on the device. It is not touched
    /// until there is another one.
    safe: Option<usize>,
    epoch: u64,
}

impl<L> Kept<L> {
    /// Nothing is known yet of what is in the directory.
    pub(super) fn only(lock: L) -> Self {
        Self {
            lock,
            safe: None,
            epoch: 0,
        }
    }

    pub(super) fn lock(&self) -> &L {
        &self.lock
    }

    /// Looks at what is in the directory, unless that is known: what must not be overwritten, and
    /// what an earlier run told, which is taken into `past` if that is asked for.
    pub(super) fn look<V: Volume<Lock = L>>(
        mut self,
        volume: &V,
        dir: &Path,
        past: Option<(&mut State, &mut Earlier)>,
    ) -> Result<Self, (io::Error, Self)> {
        if self.safe.is_some() {
            return Ok(self);
        }
        let found = match Found::read(volume, dir) {
            Ok(found) => found,
            Err((_, error)) => return Err((error, self)),
        };
        if let Err(error) = set_unreadable_aside(volume, dir, &found) {
            return Err((io::Error::other(error), self));
        }
        self.safe = found.best();
        self.epoch = self.epoch.max(found.highest_epoch());
        if let Some((state, earlier)) = past {
            state.take_in(found.state(), earlier);
        }
        Ok(self)
    }
}

/// The segments of an open journal.
#[derive(Debug)]
pub(super) struct Segments<V: Volume> {
    volume: V,
    dir: PathBuf,
    kept: Kept<V::Lock>,
    current: usize,
    file: V::File,
    len: u64,
    checkpoint_len: u64,
    /// Whether all that was written is on the device, and nothing says so yet.
    is_mark_due: bool,
}

impl<V: Volume> Segments<V> {
    /// Reads what is there and begins a new segment with it.
    pub(super) fn open(
        volume: V,
        dir: &Path,
        lock: V::Lock,
    ) -> Result<(Self, State, Recovery), OpenError> {
        let read_error = |(name, error)| OpenError::io("read", &dir.join(name))(error);
        let found = Found::read(&volume, dir).map_err(read_error)?;
        let state = found.state();
        let mut recovery = Recovery {
            findings: set_unreadable_aside(&volume, dir, &found)?,
            is_new: found.best().is_none(),
        };
        recovery.findings.extend(found.findings());
        let kept = Kept {
            lock,
            safe: found.best(),
            epoch: found.highest_epoch(),
        };
        let segments = Self::create(volume, dir, kept, &state)
            .map_err(|(error, _)| OpenError::io("write a journal in", dir)(error))?;
        Ok((segments, state, recovery))
    }

    /// Begins the segment that is not needed.
    pub(super) fn create(
        volume: V,
        dir: &Path,
        mut kept: Kept<V::Lock>,
        state: &State,
    ) -> Result<Self, (io::Error, Kept<V::Lock>)> {
        let current = kept.safe.map_or(0, |safe| 1 - safe);
        kept.epoch += 1;
        let file = match begin_file(&volume, &dir.join(NAMES[current])) {
            Ok(file) => file,
            Err(error) => return Err((error, kept)),
        };
        crash_point::pass("segment_begun");
        let mut segments = Self {
            volume,
            dir: dir.to_owned(),
            kept,
            current,
            file,
            len: 0,
            checkpoint_len: 0,
            is_mark_due: false,
        };
        match segments.write_checkpoint(state) {
            Ok(()) => Ok(segments),
            Err(error) => Err((error, segments.kept)),
        }
    }

    fn write_checkpoint(&mut self, state: &State) -> io::Result<()> {
        let epoch = self.kept.epoch;
        let mut bytes = format::header(epoch).to_vec();
        state
            .entries()
            .for_each(|entry| format::put(&mut bytes, epoch, &entry));
        self.write(&bytes)?;
        self.checkpoint_len = self.len;
        crash_point::pass("checkpoint_written");
        self.sync()?;
        crash_point::pass("checkpoint_synced");
        // The name must be as durable as the content.
        self.volume.sync_dir(&self.dir)?;
        self.kept.safe = Some(self.current);
        Ok(())
    }

    /// Writes frames of the current epoch at the end.
    pub(super) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.is_mark_due) {
            let mut marked = Vec::with_capacity(frames.len() + format::FRAME_HEAD);
            format::put(&mut marked, self.kept.epoch, &Entry::Synced);
            marked.extend_from_slice(frames);
            return self.write(&marked);
        }
        self.file.write_at(frames, self.len)?;
        self.len += frames.len() as u64;
        Ok(())
    }

    /// Begins the other segment with a checkpoint; this one stays as the fallback.
    pub(super) fn switch(&mut self, state: &State) -> io::Result<()> {
        self.sync()?;
        let next = 1 - self.current;
        self.file = begin_file(&self.volume, &self.dir.join(NAMES[next]))?;
        crash_point::pass("segment_recycled");
        self.current = next;
        self.kept.epoch += 1;
        self.len = 0;
        self.is_mark_due = false;
        self.write_checkpoint(state)
    }

    /// Makes what was written survive a power loss.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.is_mark_due = true;
        Ok(())
    }

    /// The epoch that frames must be made for.
    pub(super) fn epoch(&self) -> u64 {
        self.kept.epoch
    }

    /// Bytes in the current segment.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of the checkpoint that the current segment began with.
    pub(super) fn checkpoint_len(&self) -> u64 {
        self.checkpoint_len
    }

    /// Whether the current one is still the file of its name.
    pub(super) fn is_in_place(&self) -> bool {
        self.file.is_at(&self.dir.join(NAMES[self.current]))
    }

    /// The lock of the directory.
    pub(super) fn lock(&self) -> &V::Lock {
        &self.kept.lock
    }

    /// Gives up the files but not the lock.
    pub(super) fn into_kept(self) -> Kept<V::Lock> {
        self.kept
    }
}

/// Opens a segment's file without what was in it.
fn begin_file<V: Volume>(volume: &V, path: &Path) -> io::Result<V::File> {
    let file = volume.open(path)?;
    file.set_len(0)?;
    Ok(file)
}

/// Makes room for new segments where nobody can read what is there, and says so.
fn set_unreadable_aside<V: Volume>(
    volume: &V,
    dir: &Path,
    found: &Found,
) -> Result<Vec<String>, OpenError> {
    let mut findings = Vec::new();
    for (segment, name) in found.segments.iter().zip(NAMES) {
        if let Some(Err(error)) = segment {
            let aside = set_aside(volume, dir, name)?;
            findings.push(unreadable(&dir.join(name), error, &aside));
        }
    }
    Ok(findings)
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
            crash_point::pass("set_aside");
            return Ok(aside);
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::{identity, seal};
    use super::super::{Cursor, Journal};
    use super::*;
    use bytes::Bytes;

    use crate::record::Time;
    use crate::span::{Anchor, GenerationId, Position};
    use std::time::{Duration, Instant};

    fn cursor(offset: u64) -> Cursor {
        let anchor = Anchor::at_end_of(&offset.to_le_bytes());
        Cursor {
            position: Position { offset, anchor },
            last_time: Time(5),
            ..Cursor::default()
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
        assert!(matches!(error, OpenError::Locked { .. }), "{error}");
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

    #[test]
    fn a_journal_that_begins_without_its_directory_takes_in_what_is_found_there_later() {
        let dir = tempfile::tempdir().unwrap();
        let (earlier, old) = filled(dir.path());
        let before = earlier.state().clone();
        drop(earlier);
        let now = Instant::now();
        let mut journal = Journal::unprotected(dir.path(), now, "not mounted".into());
        let new = journal.new_generation();
        assert!(new > old, "numbers are given once");
        journal.append(&Entry::Generation(new, identity(2)));
        journal.commit(now + Duration::from_secs(3));
        assert!(journal.trouble().is_none());
        assert!(journal.take_regained().is_some() && journal.take_regained().is_none());
        drop(journal);
        let (journal, _) = Journal::open(dir.path(), now).unwrap();
        let state = journal.state();
        assert_eq!(state.generations.get(&old), before.generations.get(&old));
        assert!(state.generations.contains_key(&new));
    }

    #[test]
    fn a_directory_that_is_removed_is_noticed_at_the_next_sync_and_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("state");
        let (mut journal, _) = filled(&state_dir);
        let before = journal.state().clone();
        std::fs::remove_dir_all(&state_dir).unwrap();
        let now = Instant::now();
        journal.sync(now);
        assert!(journal.trouble().is_some_and(|it| it.contains("removed")));
        journal.commit(now + Duration::from_secs(3));
        assert!(journal.trouble().is_none());
        drop(journal);
        let (journal, _) = Journal::open(&state_dir, now).unwrap();
        assert_eq!(*journal.state(), before);
    }

    #[test]
    fn a_file_that_is_removed_or_replaced_is_noticed_at_the_next_sync_and_made_anew() {
        for name in [NAMES[0], "batches", "lock"] {
            for is_replaced in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let (mut journal, id) = filled(dir.path());
                let now = Instant::now();
                let body = Bytes::from_static(b"what was sealed");
                let batch = journal.seal(seal("loki", "a", id, 10, 20), &body, now);
                journal.put_away(batch);
                journal.commit(now);
                let before = journal.state().clone();
                let path = dir.path().join(name);
                let aside = path.with_extension("aside");
                std::fs::rename(&path, &aside).unwrap();
                if is_replaced {
                    std::fs::copy(&aside, &path).unwrap();
                }
                journal.sync(now);
                assert!(journal.trouble().is_some_and(|it| it.contains("removed")));
                journal.commit(now + Duration::from_secs(3));
                assert_eq!(journal.trouble(), None, "{name}, replaced: {is_replaced}");
                drop(journal);
                let (journal, _) = Journal::open(dir.path(), now).unwrap();
                assert_eq!(journal.state().generations, before.generations);
                assert_eq!(journal.body_of(batch), Some(body));
            }
        }
    }

    #[test]
    fn a_body_can_be_read_while_the_directory_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("state");
        let (mut journal, id) = filled(&state_dir);
        let now = Instant::now();
        let sealed = seal("loki", "a", id, 10, 20);
        let body = Bytes::from_static(b"what was sealed");
        let batch = journal.seal(sealed, &body, now);
        journal.put_away(batch);
        std::fs::remove_dir_all(&state_dir).unwrap();
        journal.sync(now);
        assert!(journal.trouble().is_some());
        assert_eq!(journal.body_of(batch), Some(body.clone()));
        // Where it is written anew, what lay in the old one is written too.
        journal.commit(now + Duration::from_secs(3));
        assert!(journal.trouble().is_none());
        assert_eq!(journal.body_of(batch), Some(body));
    }
}
