//! Deleted files that are held open until they are delivered. Decides which are let go because
//! they hold too much, for too long, or while the volume runs full; and counts what that costs.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::Worker;
use crate::config::HoldDeleted;
use crate::source::{Generation, Moment, Place};
use crate::span::GenerationId;

/// The floor of free space is at most this part of a volume.
const SMALLEST_PART: u64 = 20;

/// A deleted file of which something is owed.
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

/// Which of the files, oldest first, are let go. Because of free space it is one of a volume at a
/// time: whether that helped is seen at the next look.
fn to_let_go(held: &[Held]) -> BTreeMap<GenerationId, Limit> {
    let mut go = BTreeMap::new();
    let mut total: BTreeMap<usize, u64> = BTreeMap::new();
    for it in held {
        if it.age > it.limits.max_age {
            go.insert(it.id, Limit::Age);
        } else {
            *total.entry(it.input).or_default() += it.bytes;
        }
    }
    for it in held {
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
    for it in held {
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
    /// Lets deleted files go that are beyond the limits.
    pub(super) fn let_go_of_deleted(&mut self, at: Moment) {
        let held: Vec<_> = self
            .source
            .generations()
            .filter(|it| it.place == Place::Deleted)
            .filter(|it| {
                let mut outputs = self.outputs.iter();
                !outputs.all(|output| output.dispatcher.is_finished(it))
            })
            .filter_map(|it| self.held(it, at))
            .collect();
        for (id, limit) in to_let_go(&held) {
            self.let_go(id, "hold_deleted", limit.why(), at);
        }
    }

    fn held(&self, generation: &Generation, at: Moment) -> Option<Held> {
        let file = generation.content.file();
        let metadata = file.metadata().ok()?;
        let volume = rustix::fs::fstatvfs(file).ok()?;
        let done = self.outputs.iter();
        let done = done.filter_map(|it| it.dispatcher.progress(generation.id));
        let oldest = generation
            .times
            .oldest_from(done.map(|it| it.done).min()?)?;
        let owed_for = u64::try_from(at.time.nanos_since(oldest)).unwrap_or(0);
        Some(Held {
            id: generation.id,
            input: generation.input,
            bytes: metadata.blocks() * 512,
            age: generation
                .in_place_for(at.now)
                .min(Duration::from_nanos(owed_for)),
            volume: Volume {
                device: metadata.dev(),
                free: volume.f_bavail.saturating_mul(volume.f_frsize),
                total: volume.f_blocks.saturating_mul(volume.f_frsize),
            },
            limits: self.opening.hold_deleted(generation.input)?,
        })
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
