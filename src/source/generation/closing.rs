//! Which files without a name of their own are done with: all of them is delivered, and nobody
//! writes them any more, as far as that can be known.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::source::system::writers::Writer;
use crate::source::{Generation, Moment, Place, Source};
use crate::span::GenerationId;

/// How long a file that was rotated to a name that is not meant is kept open after its last
/// change: its writer may not have been told yet.
const KEEP_ROTATED: Duration = Duration::from_mins(5);
/// The same for a deleted file, whose space is only freed when it is closed.
const KEEP_DELETED: Duration = Duration::from_secs(10);
/// How long a file of which nobody can tell whether it is written must have been unwritten before
/// it is taken for one that is not.
const UNWRITTEN: Duration = KEEP_ROTATED;
/// How often every process is looked at for their writers, at most.
const QUESTION_EVERY: Duration = Duration::from_secs(5);
/// So many times as long as a look at every process takes it is not repeated.
const QUESTION_COST: u32 = 50;

impl Generation {
    /// Whether it may be closed once it is delivered, if nobody writes it.
    pub(crate) fn may_close(&self, now: Instant) -> bool {
        let keep = match self.place {
            Place::Home | Place::Moved => return false,
            Place::Rotated => KEEP_ROTATED,
            Place::Deleted => KEEP_DELETED,
            Place::Gone => Duration::ZERO,
        };
        now.duration_since(self.last_change) >= keep
    }

    /// Whether there is more of it than when it was last looked at.
    pub(crate) fn has_grown(&self) -> bool {
        self.len_now().is_ok_and(|len| len > self.size)
    }

    /// It was found out who writes it. Returns whether that is news.
    pub(in crate::source) fn note_writer(&mut self, writer: Writer, now: Instant) -> bool {
        let before = self.writer.replace((now, writer));
        before.is_none_or(|(_, before)| before != writer)
    }

    /// Whether nobody was seen to write it since it last changed.
    pub(in crate::source) fn is_writer_unseen(&self) -> bool {
        self.writer
            .is_some_and(|(asked, it)| it == Writer::Unseen && asked >= self.last_change)
    }

    /// Whether it was not written for so long that nobody is taken to write it.
    pub(in crate::source) fn is_long_unwritten(&self, now: Instant) -> bool {
        now.duration_since(self.last_write) >= UNWRITTEN
    }
}

impl Source {
    /// Which of these files, delivered and still for long enough, may be closed.
    pub(crate) fn done_with(&mut self, ids: Vec<GenerationId>, at: Moment) -> Vec<GenerationId> {
        // What waits to be opened is owed for certain.
        if self.is_short_of_room() {
            return ids;
        }
        let is_emptied = |id: &GenerationId| self.get(*id).is_none_or(|it| it.place == Place::Gone);
        let (mut done, there): (Vec<_>, Vec<_>) = ids.into_iter().partition(is_emptied);
        for (id, writer) in self.writers_of(&there, at) {
            let Some(generation) = self.get(id) else {
                continue;
            };
            let is_left = match writer {
                Writer::There => false,
                Writer::Gone => true,
                Writer::Unseen => generation.is_long_unwritten(at.now),
            };
            // A writer may say something last, and go before anybody looks.
            done.extend((is_left && !generation.has_grown()).then_some(id));
        }
        done
    }

    /// Who writes these files; nothing of those for which every process would have to be looked at
    /// too soon after the last time.
    pub(crate) fn writers_of(
        &mut self,
        ids: &[GenerationId],
        at: Moment,
    ) -> BTreeMap<GenerationId, Writer> {
        let (mut writers, mut unsure) = (BTreeMap::new(), Vec::new());
        let open = ids.iter().filter_map(|id| self.generations.get(id));
        for generation in open {
            match self.writers.of(generation.key, generation.content.file()) {
                Ok(writer) => _ = writers.insert(generation.id, writer),
                Err(_) if generation.is_writer_unseen() => {
                    writers.insert(generation.id, Writer::Unseen);
                }
                Err(file) => unsure.push((generation.id, generation.key, file)),
            }
        }
        if !unsure.is_empty() && at.now >= self.next_question {
            let began = Instant::now();
            let files: Vec<_> = unsure.iter().map(|(.., file)| file).collect();
            let found = self.writers.look_for(&files);
            self.next_question = at.now + QUESTION_EVERY.max(QUESTION_COST * began.elapsed());
            let found = unsure.iter().map(|(id, key, _)| (*id, found[key]));
            writers.extend(found);
        }
        for (id, writer) in &writers {
            if let Some(generation) = self.generations.get_mut(id)
                && generation.note_writer(*writer, at.now)
            {
                let path = generation.path.display();
                tracing::debug!(%path, generation = %id, ?writer, "asked who writes a file that has no name of its own");
            }
        }
        writers
    }
}
