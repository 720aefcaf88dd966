//! The care for the volume that the logs lie on: deletes rotated files that are delivered, keeps
//! an input's files within their limit, and says where it cannot. Never touches a file that is
//! still filled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Worker;
use crate::config::{AfterDelivery, Disk, WhenFull};
use crate::observe::metrics::OfInput;
use crate::observe::snapshot::{InputView, bytes};
use crate::source::Moment;
use crate::source::stock::family::{Member, may_delete, to_drop};
use crate::source::stock::{self, Stored};
use crate::span::GenerationId;

/// How often the files are looked through.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After a file could not be deleted, nothing is tried in its folder for so long.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(20);

/// What is known of the inputs' volumes.
#[derive(Debug)]
pub(super) struct Care {
    next_look: Instant,
    /// Folders in which nothing can be deleted, with the sentence for that.
    refused: BTreeMap<PathBuf, (Instant, String)>,
    /// Inputs whose files take more than they may, with the sentence for that.
    full: BTreeMap<usize, String>,
    /// What the files of an input take.
    bytes: BTreeMap<usize, u64>,
}

impl Care {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next_look: now,
            refused: BTreeMap::new(),
            full: BTreeMap::new(),
            bytes: BTreeMap::new(),
        }
    }

    /// What cannot be done, in sentences.
    pub(super) fn problems(&self) -> impl Iterator<Item = &str> {
        let refused = self.refused.values().map(|(_, sentence)| sentence);
        refused.chain(self.full.values()).map(String::as_str)
    }
}

impl Worker {
    /// When [`Worker::care_for_volumes`] has something to do.
    pub(super) fn next_care(&self) -> Option<Instant> {
        let mut inputs = self.opening.inputs().iter();
        inputs
            .any(|it| needs_care(&it.after_delivery, &it.disk))
            .then_some(self.care.next_look)
    }

    /// Deletes what may be deleted, when it is time.
    pub(super) fn care_for_volumes(&mut self, at: Moment) {
        if at.now < self.care.next_look {
            return;
        }
        self.care.next_look = at.now + LOOK_EVERY;
        self.care.refused.retain(|_, (until, _)| at.now < *until);
        self.care.full.clear();
        self.care.bytes.clear();
        let mut all = Vec::new();
        for input in 0..self.opening.inputs().len() {
            let facts = &self.opening.inputs()[input];
            let (after_delivery, disk) = (facts.after_delivery, facts.disk);
            if needs_care(&after_delivery, &disk) {
                all.extend(self.care_for(input, after_delivery, disk, at));
            }
        }
        self.source.forget_examined(&all);
    }

    /// Returns the input's files that are there.
    fn care_for(
        &mut self,
        input: usize,
        after_delivery: AfterDelivery,
        disk: Disk,
        at: Moment,
    ) -> Vec<Stored> {
        self.metrics
            .add_careful_input(self.source.input_name(input));
        let mut files = self.source.stock(input);
        let mut members = self.members(&files, at);
        if after_delivery.delete_rotated {
            let keep = usize::try_from(after_delivery.keep).unwrap_or(usize::MAX);
            let paths = may_delete(&members, keep, after_delivery.still_for, at.time);
            let deleted: BTreeSet<_> = chosen(&files, &paths)
                .into_iter()
                .filter(|file| self.delete(file, at))
                .map(|file| file.path)
                .collect();
            files.retain(|it| !deleted.contains(&it.path));
            members.retain(|it| !deleted.contains(&it.path));
        }
        if let Some(most) = disk.max_bytes {
            self.keep_within(input, &files, &members, (most.0, disk.when_full), at);
        }
        files
    }

    fn members(&mut self, files: &[Stored], at: Moment) -> Vec<Member> {
        let mut members = Vec::new();
        for file in files {
            members.push(Member {
                path: file.path.clone(),
                kin: file.kin.clone(),
                modified: file.modified,
                bytes: file.bytes,
                is_delivered: self.is_delivered_to_all(file, at),
                is_written: false,
            });
        }
        self.source.note_writers(files, &mut members);
        members
    }

    /// Whether every output has all of a file, whichever input it takes it from.
    fn is_delivered_to_all(&mut self, file: &Stored, at: Moment) -> bool {
        if self.owed_of(file, at) != Some(0) {
            return false;
        }
        let mut others = self.source.of_others(file);
        others.retain(|(file, _)| {
            let mut outputs = self.outputs.iter();
            outputs.any(|output| output.dispatcher.takes(file.input))
        });
        let mut others = others.into_iter();
        others.all(|(file, reads_it)| match self.owed_by_cursors(&file, at) {
            Some((_, owed)) => owed == 0,
            // What was rotated away before that input was there is not its own.
            None => !reads_it,
        })
    }

    /// How many bytes of a file some output of its input does not have yet; nothing when that
    /// cannot be said, or when its beginning was skipped.
    fn owed_of(&mut self, file: &Stored, at: Moment) -> Option<u64> {
        let (id, owed) = self.owed_by_cursors(file, at)?;
        let known = self.journal.state().generations.get(&id)?;
        (known.identity.skipped == 0).then_some(owed)
    }

    /// Whose bytes a file holds, and how many of them are owed to some output of its input.
    fn owed_by_cursors(&mut self, file: &Stored, at: Moment) -> Option<(GenerationId, u64)> {
        let holding = self.source.holding(file, &self.journal, at)?;
        let id = holding.generation;
        let state = self.journal.state();
        let outputs = self.outputs.iter();
        let owed = outputs
            .filter(|output| output.dispatcher.takes(file.input))
            .map(|output| {
                let cursor = state.cursor_of(id, output.dispatcher.name());
                let done = cursor.map_or(0, |cursor| cursor.position.offset);
                holding.len.saturating_sub(done)
            });
        Some((id, owed.max()?))
    }

    /// Deletes whatever the limit asks for, and says what is above it.
    fn keep_within(
        &mut self,
        input: usize,
        files: &[Stored],
        members: &[Member],
        (most, when_full): (u64, WhenFull),
        at: Moment,
    ) {
        let mut total: u64 = members.iter().map(|it| it.bytes).sum();
        if when_full == WhenFull::DropOldest {
            for file in chosen(files, &to_drop(members, most)) {
                let owed = self.owed_of(&file, at);
                if self.delete(&file, at) {
                    total -= file.bytes;
                    self.count_dropped(&file, owed, at);
                }
            }
        }
        self.care.bytes.insert(input, total);
        if total > most {
            let name = self.source.input_name(input);
            let what = match when_full {
                WhenFull::Hold => {
                    "nothing is deleted (when_full: hold): make room, or set after_delivery or when_full"
                }
                WhenFull::DropOldest => {
                    "nothing is left that may be deleted: a file that is still filled is not"
                }
            };
            let sentence = format!(
                "the files of input {name} take {}, more than disk.max_bytes ({}); {what}",
                bytes(total),
                bytes(most)
            );
            self.care.full.insert(input, sentence);
        }
    }

    /// A file was deleted although not all of it was delivered.
    fn count_dropped(&mut self, file: &Stored, owed: Option<u64>, at: Moment) {
        if owed == Some(0) {
            return;
        }
        let why = "the input's files took more than disk.max_bytes (when_full: drop_oldest)";
        if let Some(id) = self.source.generation_in(file) {
            return self.let_go(id, "disk_full", why, at);
        }
        // What is not open and not known is owed when its name is meant; else it is history.
        let lost = owed.unwrap_or(if self.source.is_meant(file) {
            file.bytes
        } else {
            0
        });
        if lost > 0 {
            self.losses
                .note("disk_full", &file.path, lost, why, at.time);
        }
    }

    fn delete(&mut self, file: &Stored, at: Moment) -> bool {
        let folder = stock::folder_of(file);
        if self.care.refused.contains_key(folder) {
            return false;
        }
        let of_input = OfInput {
            input: self.source.input_name(file.input).to_owned(),
        };
        match stock::delete(file) {
            Ok(true) => {
                self.metrics.deleted_files.get_or_create(&of_input).inc();
                tracing::info!(path = %file.path.display(), bytes = file.bytes, "deleted a rotated file");
                true
            }
            Ok(false) => false,
            Err(error) => {
                self.metrics.delete_failures.get_or_create(&of_input).inc();
                let sentence = format!(
                    "cannot delete {}: {error}; let this process write to {}, or set after_delivery.rotated: keep",
                    file.path.display(),
                    folder.display()
                );
                tracing::warn!(problem = sentence, "rotated files stay where they are");
                let until = at.now + TRY_AGAIN_AFTER;
                self.care
                    .refused
                    .insert(folder.to_owned(), (until, sentence));
                false
            }
        }
    }

    /// What is known of each input's volume.
    pub(super) fn input_views(&self) -> Vec<InputView> {
        let inputs = self.opening.inputs().iter().enumerate();
        inputs
            .map(|(index, input)| InputView {
                name: input.name.clone(),
                bytes: self.care.bytes.get(&index).copied(),
                volume_free: self.source.free_bytes(index),
            })
            .collect()
    }
}

fn needs_care(after_delivery: &AfterDelivery, disk: &Disk) -> bool {
    after_delivery.delete_rotated || disk.max_bytes.is_some()
}

fn chosen(files: &[Stored], paths: &[&Path]) -> Vec<Stored> {
    let by_path = |path: &&Path| files.iter().find(|it| it.path == **path).cloned();
    paths.iter().filter_map(by_path).collect()
}
