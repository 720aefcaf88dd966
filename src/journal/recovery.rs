//! What the two segments amount to: which of them counts, and what is to be said about damage.
//! Reads; changes nothing.

use std::io;
use std::path::Path;

use super::format::{self, Contents, HeaderError};
use super::state::State;
use super::volume::Volume;

/// The two files that take turns.
pub(super) const NAMES: [&str; 2] = ["journal.0", "journal.1"];

/// What is in the files of both segments.
#[derive(Debug)]
pub(super) struct Found {
    /// By the index of their names; nothing where a file is missing or empty.
    pub(super) segments: [Option<Result<Contents, HeaderError>>; 2],
}

impl Found {
    /// Reads both files.
    pub(super) fn read<V: Volume>(
        volume: &V,
        dir: &Path,
    ) -> Result<Self, (&'static str, io::Error)> {
        let mut segments = [None, None];
        for (segment, name) in segments.iter_mut().zip(NAMES) {
            *segment = match volume.read(&dir.join(name)) {
                Ok(bytes) if bytes.is_empty() => None,
                Ok(bytes) => Some(format::read(&bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err((name, error)),
            };
        }
        Ok(Self { segments })
    }

    /// What a segment holds, if it can be read.
    pub(super) fn contents(&self, index: usize) -> Option<&Contents> {
        self.segments[index].as_ref()?.as_ref().ok()
    }

    /// The segment that counts: the younger one of those with a complete checkpoint.
    pub(super) fn best(&self) -> Option<usize> {
        (0..NAMES.len())
            .filter(|index| self.contents(*index).is_some_and(|it| it.has_checkpoint))
            .max_by_key(|index| self.contents(*index).map(|it| it.epoch))
    }

    /// The highest epoch that was ever begun.
    pub(super) fn highest_epoch(&self) -> u64 {
        let epochs = (0..NAMES.len()).filter_map(|index| Some(self.contents(index)?.epoch));
        epochs.max().unwrap_or(0)
    }

    /// The state that the entries amount to.
    pub(super) fn state(&self) -> State {
        let mut state = State::default();
        if let Some(contents) = self.best().and_then(|index| self.contents(index)) {
            let (sound, behind) = contents.entries.split_at(contents.sound);
            for entry in sound {
                state.apply(entry);
            }
            for entry in behind {
                state.apply_behind_damage(entry);
            }
        }
        state
    }

    /// What is not as it should be in the segment that counts, in sentences.
    pub(super) fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let Some(index) = self.best() else {
            let is_begun = |index: &usize| self.contents(*index).is_some();
            if let Some(index) = (0..NAMES.len()).find(is_begun) {
                findings.push(format!(
                    "{}: its first checkpoint was never finished; what it told is not known",
                    NAMES[index]
                ));
            }
            return findings;
        };
        let Some(contents) = self.contents(index) else {
            return findings;
        };
        let name = NAMES[index];
        if contents.damaged > 0 {
            findings.push(format!(
                "{name}: {} damaged bytes were skipped; what they told is sent again",
                contents.damaged
            ));
        }
        if contents.torn > 0 {
            findings.push(format!(
                "{name}: the last {} bytes were cut off in the middle of a write",
                contents.torn
            ));
        }
        findings
    }
}
