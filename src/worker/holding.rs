//! Deleted files that are held open until they are delivered, and while they may be written on.
//! Decides which are let go because they hold too much, for too long, or while the volume runs
//! full; and counts what that costs.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::Worker;
use crate::config::HoldDeleted;
use crate::source::{Generation, Moment, Place, Writer};
use crate::span::GenerationId;

/// The floor of free space is at most this part of a volume.
const SMALLEST_PART: u64 = 20;

/// A deleted file of which something is owed, or may be once its writer goes on.
#[derive(Debug, Clone, Copy)]
struct Held {
    id: GenerationId,
    input: usize,
    /// What it takes on the volume.
    bytes: u64,
    /// How long it has been deleted and its oldest byte owed.
    age: Duration,
    volume: Volume,
    limits: HoldDeleted,
    is_delivered: bool,
}

/// What is known of a file's volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Volume {
    device: u64,
    free: u64,
    total: u64,
}

/// Why a file is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Age,
    Bytes,
    Free,
}

impl Limit {
    fn why(self) -> &'static str {
        match self {
            Self::Age => {
                "the file was deleted, and was held for hold_deleted.max_age without being delivered"
            }
            Self::Bytes => {
                "the file was deleted, and deleted files held more than hold_deleted.max_bytes"
            }
            Self::Free => {
                "the file was deleted, and its volume had less free space than hold_deleted.min_free"
            }
        }
    }
}

/// Which of the files, oldest first, are let go; those that are delivered before all others. Because of free space it is one of a volume at a
/// time: whether that helped is seen at the next look.
fn to_let_go(held: &[Held]) -> BTreeMap<GenerationId, Limit> {
    let mut go = BTreeMap::new();
    let mut total: BTreeMap<usize, u64> = BTreeMap::new();
    let (delivered, owed): (Vec<_>, Vec<_>) = held.iter().partition(|it| it.is_delivered);
    let held: Vec<&Held> = delivered.into_iter().chain(owed).collect();
    for it in &held {
        if it.age > it.limits.max_age {
            go.insert(it.id, Limit::Age);
        } else {
            *total.entry(it.input).or_default() += it.bytes;
        }
    }
    for it in &held {
        let total = total.entry(it.input).or_default();
        if *total > it.limits.max_bytes.0 && !go.contains_key(&it.id) {
            go.insert(it.id, Limit::Bytes);
            *total -= it.bytes;
        }
    }
    let mut relieved: Vec<u64> = held
        .iter()
        .filter(|it| go.contains_key(&it.id))
        .map(|it| it.volume.device)
        .collect();
    for it in &held {
        let floor = it.limits.min_free.0;
        let floor = floor.min(it.volume.total / SMALLEST_PART);
        if it.volume.free < floor && !relieved.contains(&it.volume.device) {
            go.insert(it.id, Limit::Free);
            relieved.push(it.volume.device);
        }
    }
    go
}

impl Worker {
    /// Lets deleted files go that are beyond the limits, but for those that somebody writes: to
    /// close them would free nothing.
    pub(super) fn let_go_of_deleted(&mut self, at: Moment) {
        let deleted = self.source.generations();
        let deleted = deleted.filter(|it| it.place == Place::Deleted);
        let mut held: Vec<_> = deleted.filter_map(|it| self.held(it, at)).collect();
        if to_let_go(&held).is_empty() {
            return;
        }
        let ids: Vec<_> = held.iter().map(|it| it.id).collect();
        let writers = self.source.writers_of(&ids, at);
        held.retain(|it| {
            let is_left = writers.get(&it.id).is_some_and(|it| *it != Writer::There);
            let generation = self.source.get(it.id).filter(|_| is_left);
            generation.is_some_and(|generation| !it.is_delivered || !generation.has_grown())
        });
        for (id, limit) in to_let_go(&held) {
            if held.iter().any(|it| it.id == id && it.is_delivered) {
                self.close_delivered(id, at);
            } else {
                self.let_go(id, "hold_deleted", limit.why(), at);
            }
        }
    }

    fn held(&self, generation: &Generation, at: Moment) -> Option<Held> {
        let is_delivered = self.is_delivered(generation);
        if is_delivered && !generation.may_close(at.now) {
            return None;
        }
        let file = generation.content.file();
        let metadata = file.metadata().ok()?;
        let volume = rustix::fs::fstatvfs(file).ok()?;
        Some(Held {
            id: generation.id,
            input: generation.input,
            bytes: metadata.blocks() * 512,
            age: if is_delivered {
                Duration::ZERO
            } else {
                self.owed_for(generation, at)?
            },
            volume: Volume {
                device: metadata.dev(),
                free: volume.f_bavail.saturating_mul(volume.f_frsize),
                total: volume.f_blocks.saturating_mul(volume.f_frsize),
            },
            limits: self.opening.hold_deleted(generation.input)?,
            is_delivered,
        })
    }

    /// How long a file has been deleted and its oldest byte owed.
    fn owed_for(&self, generation: &Generation, at: Moment) -> Option<Duration> {
        let done = self.outputs.iter();
        let done = done.filter_map(|it| it.dispatcher.progress(generation.id));
        let done = done.map(|it| it.done).min()?;
        let oldest = generation.times.oldest_from(done)?;
        let owed_for = u64::try_from(at.time.nanos_since(oldest)).unwrap_or(0);
        let owed_for = Duration::from_nanos(owed_for);
        Some(generation.in_place_for(at.now).min(owed_for))
    }

    /// Closes a deleted file although it is not delivered; a copy of it is read on, if there is
    /// one.
    pub(super) fn let_go(&mut self, id: GenerationId, reason: &'static str, why: &str, at: Moment) {
        let positions = self.read_positions(id);
        let goes_on = self
            .source
            .adopt_copy(id, &positions, &mut self.journal, at);
        let Some(generation) = self.source.get(id) else {
            return;
        };
        if goes_on {
            tracing::debug!(path = %generation.path.display(), generation = %id, "a copy of a deleted file is read on");
            return self.recount(id, at);
        }
        let path = generation.path.clone();
        let seen = generation.size;
        let unread = positions.iter().map(|it| seen.saturating_sub(it.offset));
        let lost = unread.max().unwrap_or(0);
        for output in &mut self.outputs {
            output.dispatcher.abandon(id, at.now);
        }
        self.losses.note(reason, &path, lost, why, at.time);
        self.note_closed(id, at);
        self.close(id, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ByteSize;

    const MIB: u64 = 1 << 20;

    type Case = (&'static str, Vec<Held>, &'static [(u64, Limit)]);

    fn held(id: u64, input: usize, mib: u64, age: u64) -> Held {
        Held {
            id: GenerationId(id),
            input,
            bytes: mib * MIB,
            age: Duration::from_secs(age),
            volume: Volume {
                device: 1,
                free: 1000 * MIB,
                total: 10_000 * MIB,
            },
            limits: HoldDeleted {
                max_bytes: ByteSize(if input == 0 { 100 } else { 10 } * MIB),
                max_age: Duration::from_mins(1),
                min_free: ByteSize(64 * MIB),
            },
            is_delivered: false,
        }
    }

    fn delivered(it: Held) -> Held {
        Held {
            age: Duration::ZERO,
            is_delivered: true,
            ..it
        }
    }

    fn on_volume(device: u64, free: u64, total: u64, it: Held) -> Held {
        let (free, total) = (free * MIB, total * MIB);
        let volume = Volume {
            device,
            free,
            total,
        };
        Held { volume, ..it }
    }

    fn decide(held: &[Held]) -> Vec<(u64, Limit)> {
        let go = to_let_go(held);
        go.into_iter().map(|(id, limit)| (id.0, limit)).collect()
    }

    #[test]
    fn beyond_a_limit_the_oldest_are_let_go_and_no_more_than_need_be() {
        let (full, free) = (60, 64);
        let table: &[Case] = &[
            ("nothing held", vec![], &[]),
            ("at the limits", vec![held(1, 0, 100, 60)], &[]),
            ("too old", vec![held(1, 0, 1, 61)], &[(1, Limit::Age)]),
            (
                "the oldest of too many bytes",
                vec![held(1, 0, 50, 9), held(2, 0, 50, 8), held(3, 0, 50, 7)],
                &[(1, Limit::Bytes)],
            ),
            (
                "what goes by age makes room",
                vec![held(1, 0, 50, 61), held(2, 0, 50, 8), held(3, 0, 50, 7)],
                &[(1, Limit::Age)],
            ),
            (
                "what is delivered goes first",
                vec![
                    held(1, 0, 50, 9),
                    held(2, 0, 50, 8),
                    delivered(held(3, 0, 50, 7)),
                    delivered(held(4, 0, 50, 6)),
                ],
                &[(3, Limit::Bytes), (4, Limit::Bytes)],
            ),
            (
                "one file that is too large by itself",
                vec![held(1, 0, 101, 1)],
                &[(1, Limit::Bytes)],
            ),
            (
                "each input by its own limit",
                vec![held(1, 0, 90, 1), held(2, 1, 11, 1)],
                &[(2, Limit::Bytes)],
            ),
            (
                "one of each full volume",
                vec![
                    on_volume(1, full, 10_000, held(1, 0, 1, 1)),
                    on_volume(1, full, 10_000, held(2, 0, 1, 1)),
                    on_volume(2, full, 10_000, held(3, 1, 1, 1)),
                    on_volume(3, free, 10_000, held(4, 1, 1, 1)),
                ],
                &[(1, Limit::Free), (3, Limit::Free)],
            ),
            (
                "what goes for another reason relieves its volume",
                vec![
                    on_volume(1, full, 10_000, held(1, 0, 1, 1)),
                    on_volume(1, full, 10_000, held(2, 0, 1, 61)),
                ],
                &[(2, Limit::Age)],
            ),
            (
                "a small volume has a lower floor",
                vec![
                    on_volume(1, 6, 100, held(1, 0, 1, 1)),
                    on_volume(2, 4, 100, held(2, 0, 1, 1)),
                ],
                &[(2, Limit::Free)],
            ),
        ];
        for (what, files, expected) in table {
            assert_eq!(decide(files), *expected, "{what}");
        }
    }
}
