//! Opens files, and finds out by proof which generation each is: one of an earlier run, wherever
//! it lies now, or a new one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::content::Content;
use super::copies::Original;
use super::generation::{FileKey, Generation, Opened, birth_of};
use super::{Moment, Source, rotation};
use crate::journal::{Entry, Identity, Journal};
use crate::span::GenerationId;

impl Source {
    /// Opens a file that an input means, and finds out which generation it is. Nothing when it
    /// is a copy of one, or when that cannot be told yet.
    pub(super) fn open(
        &mut self,
        input: usize,
        path: &Path,
        journal: &mut Journal,
        at: Moment,
    ) -> io::Result<Option<GenerationId>> {
        let opened = match Opened::at(path) {
            Ok(opened) => opened,
            // A gzip that is still being written: its end will be told.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        match self.original_of(input, path, &opened, at) {
            Original::Is(original) => {
                self.note_alias(input, path, &opened, original);
                return Ok(None);
            }
            Original::Unsettled => {
                self.deferred.insert((input, path.to_owned()));
                return Ok(None);
            }
            Original::None => {}
        }
        let recognised = self.recognise(input, path, &opened, journal);
        let origin = match recognised {
            Some(id) => {
                let known = journal.state().generations.get(&id);
                Arc::<Path>::from(known.map_or(path, |known| known.identity.path.as_path()))
            }
            None => Arc::<Path>::from(path),
        };
        let id = self.take(input, path, origin, opened, recognised, (journal, at));
        Ok(Some(id))
    }

    /// Takes an open file as a generation: a known one, or a new one.
    pub(super) fn take(
        &mut self,
        input: usize,
        path: &Path,
        origin: Arc<Path>,
        opened: Opened,
        known: Option<GenerationId>,
        (journal, at): (&mut Journal, Moment),
    ) -> GenerationId {
        let id = known.unwrap_or_else(|| journal.new_generation());
        let path = path.to_owned();
        let generation = Generation::new(id, input, origin, path, opened, (at.now, at.time));
        // Also what an output has read that is configured no longer, or what is on its way.
        for position in journal.state().positions_in(id) {
            generation.note_reached(position);
        }
        self.by_key.insert((input, generation.key), id);
        self.generations.insert(id, Box::new(generation));
        self.note_identity(id, journal, at);
        id
    }

    /// Tells the journal how a generation is recognised.
    pub(crate) fn note_identity(&self, id: GenerationId, journal: &mut Journal, at: Moment) {
        let Some(generation) = self.generations.get(&id) else {
            return;
        };
        let known = journal.state().generations.get(&id);
        let identity = Identity {
            input: self.inputs[generation.input].name.clone(),
            path: generation.origin.to_path_buf(),
            device: generation.key.device,
            inode: generation.key.inode,
            birth: generation.birth,
            head: generation.head,
            seen: at.time,
            size: Some(generation.size),
            skipped: known.map_or(0, |known| known.identity.skipped),
        };
        journal.append(&Entry::Generation(id, identity));
    }

    /// The generation of an earlier run that an open one proves to be, though it was opened as a
    /// new one.
    pub(crate) fn known_before(&self, id: GenerationId, journal: &Journal) -> Option<GenerationId> {
        let generation = self.generations.get(&id)?;
        let is_gzip = matches!(generation.content, Content::Gzip(_));
        let file = generation.content.file().try_clone().ok()?;
        let opened = Opened::of(file, is_gzip).ok()?;
        self.recognise(generation.input, &generation.path, &opened, journal)
    }

    /// Finds the generation that this file proves to be, among those that are known and not
    /// open.
    pub(super) fn recognise(
        &self,
        input: usize,
        path: &Path,
        opened: &Opened,
        journal: &Journal,
    ) -> Option<GenerationId> {
        let key = FileKey::of(&opened.metadata);
        let candidate = rotation::Candidate {
            path,
            inode: key.inode,
            birth: birth_of(&opened.metadata),
            size: opened.len(),
            head: &opened.head,
        };
        let name = &self.inputs[input].name;
        let known = journal.state().generations.iter().filter(|(id, known)| {
            known.identity.input == *name && !self.generations.contains_key(id)
        });
        let known = known.map(|(id, known)| {
            let positions = journal.state().positions_in(*id);
            let furthest = positions.iter().map(|position| position.offset).max();
            (*id, &known.identity, furthest.unwrap_or(0))
        });
        rotation::suggestions(&candidate, known)
            .into_iter()
            .find(|id| {
                let positions = journal.state().positions_in(*id);
                positions.iter().all(|position| opened.proves(*position))
            })
    }
}
