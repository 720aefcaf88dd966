//! The last lines of files that are past and keep their names: each day has a file of its own, and
//! that of a day before was left without a line end. Decides when no more bytes come to them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::source::stock::family::{Kin, Member, past};
use crate::source::system::writers::Writer;
use crate::source::{Change, Generation, Moment, Source};
use crate::span::GenerationId;

/// So long must such a file have been still: its name, unlike a rotated one's, says nothing of its
/// writer.
const STILL_FOR: Duration = Duration::from_secs(5);
/// How often it is asked who has them open: that looks at every process.
const ASK_EVERY: Duration = Duration::from_secs(10);

impl Source {
    /// Takes last lines as complete, of those `unfinished` files that stand at home, are past,
    /// still, and written by nobody, as far as that can be known.
    pub(crate) fn end_past(
        &mut self,
        unfinished: &BTreeSet<GenerationId>,
        at: Moment,
    ) -> Vec<Change> {
        let waiting = unfinished.iter().filter_map(|id| self.get(*id));
        let waiting: Vec<_> = waiting.filter(|it| is_still(it, at)).collect();
        let inputs: BTreeSet<_> = waiting.iter().map(|it| it.input).collect();
        let past: BTreeSet<_> = (inputs.into_iter())
            .flat_map(|input| self.past_of(input).into_iter().map(move |it| (input, it)))
            .collect();
        let is_past = |it: &&Generation| past.contains(&(it.input, it.path.to_path_buf()));
        let ended: Vec<_> = waiting.into_iter().filter(is_past).collect();
        if ended.is_empty() || at.now < self.next_past {
            return Vec::new();
        }
        let mut ended: Vec<_> = ended.iter().map(|it| (it.id, it.key)).collect();
        let files = ended.iter().filter_map(|(id, key)| {
            let generation = self.generations.get(id)?;
            Some((*key, Ok(generation.content.file())))
        });
        let writers = self.writers.ask(files);
        ended.retain(|(_, key)| writers.get(key) != Some(&Writer::There));
        let ended: Vec<_> = ended.into_iter().map(|(id, _)| id).collect();
        self.next_past = at.now + ASK_EVERY;
        for id in &ended {
            if let Some(generation) = self.generations.get_mut(id) {
                generation.is_over = true;
            }
        }
        ended.into_iter().map(Change::Over).collect()
    }

    /// The paths of an input's open files that are past lives of their logs.
    fn past_of(&self, input: usize) -> Vec<PathBuf> {
        let there = self.generations();
        let there = there.filter(|it| it.input == input && it.has_name());
        let members: Vec<_> = there.map(member).collect();
        let past = past(&members).concat();
        past.into_iter().map(|it| it.path.clone()).collect()
    }
}

/// Whether a file stands at home and nothing came to it for a while.
fn is_still(generation: &Generation, at: Moment) -> bool {
    generation.is_at_home()
        && !generation.is_over
        && at.now.duration_since(generation.still_since()) >= STILL_FOR
        && generation.is_as_last_seen()
}

/// An open file as a member of its family. What the deletion of files asks for is left out.
fn member(generation: &Generation) -> Member {
    Member {
        path: generation.path.to_path_buf(),
        kin: Kin::of_first_seen_at(&generation.path, &generation.origin),
        modified: generation.modified(),
        bytes: generation.size,
        is_delivered: false,
        is_written: false,
    }
}
