//! Opens files, and finds out by proof which generation each is: one of an earlier run, wherever
//! it lies now, or a new one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::copies::{Original, note_end};
use super::opened::Opened;
use super::rotation::{self, Lineage};
use crate::journal::{Entry, Identity, Journal};
use crate::source::generation::Generation;
use crate::source::generation::content::Content;
use crate::source::generation::place::Place;
use crate::source::system::file::{FileKey, birth_of};
use crate::source::{Change, Moment, Source};
use crate::span::{GenerationId, PROOF_ENOUGH};

/// What a file proves to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Identified {
    /// A generation of the journal that is not open.
    Known(GenerationId),
    /// A copy of an open one, or of one that was read as far or further: there is nothing new in it.
    Copy(GenerationId),
    /// All that is in the copy in which this open one lies, and more.
    Longer(GenerationId),
    /// That cannot be told yet: to be asked again once other changes are dealt with, or what is on
    /// its way.
    Later,
    /// None that is known.
    New,
}

impl Source {
    /// Opens a file that an input means, and finds out which generation it is: a new one, one of
    /// an earlier run, one that goes on in it, or one that is open and was given this name just
    /// now. Nothing when it is a copy of one, or when that cannot be told yet.
    pub(in crate::source) fn open(
        &mut self,
        input: usize,
        path: &Path,
        (journal, at): (&mut Journal, Moment),
        changes: &mut Vec<Change>,
    ) -> io::Result<Option<GenerationId>> {
        let opened = match Opened::at(path) {
            Ok(opened) => opened,
            // A gzip that is still being written: its end will be told.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = opened.metadata.clone();
        // The name was given to another file since the system was asked which one it leads to.
        if let Some(id) = self.by_key.get(&(input, FileKey::of(&metadata))) {
            return Ok(Some(*id));
        }
        let known = match self.identify(input, path, &opened, journal, at) {
            Identified::Copy(of) => {
                self.note_alias(input, path, &opened, of, journal);
                self.note_opened(input, &metadata, journal);
                return Ok(None);
            }
            Identified::Later => {
                self.deferred.insert((input, path.to_owned()));
                return Ok(None);
            }
            Identified::Longer(id) => {
                self.go_on_in(id, path, opened, journal, at);
                self.note_opened(input, &metadata, journal);
                changes.push(Change::Grew(id));
                return Ok(Some(id));
            }
            Identified::Known(id) => Some(id),
            Identified::New => None,
        };
        let origin = match known {
            Some(id) => {
                let known = journal.state().generations.get(&id);
                Arc::<Path>::from(known.map_or(path, |known| known.identity.path.as_path()))
            }
            None => Arc::<Path>::from(path),
        };
        let id = self.take(input, path, origin, opened, known, (journal, at));
        self.note_opened(input, &metadata, journal);
        changes.push(Change::Opened(id));
        Ok(Some(id))
    }

    /// Finds out which content a file holds that was just opened.
    pub(in crate::source) fn identify(
        &mut self,
        input: usize,
        path: &Path,
        opened: &Opened,
        journal: &Journal,
        at: Moment,
    ) -> Identified {
        let lineage = self.links.lineage_from_above(path);
        let identified = match self.identify_by(&lineage, input, opened, journal, at) {
            Identified::New => self.identify_apart((input, path), opened, journal, at),
            identified => identified,
        };
        if !opened.is_as_opened() {
            // It was emptied meanwhile: what it did not prove says nothing.
            return Identified::Later;
        }
        match identified {
            Identified::New
                if self.may_become_copy_of_unopened(input, path, opened, journal, at)
                    || self.waits_for_unmet_original(input, path, opened, journal) =>
            {
                Identified::Later
            }
            identified => identified,
        }
    }

    /// The same, where it comes from the names of this lineage.
    pub(in crate::source) fn identify_by(
        &mut self,
        lineage: &Lineage<'_>,
        input: usize,
        opened: &Opened,
        journal: &Journal,
        at: Moment,
    ) -> Identified {
        match self.original_of(lineage, input, opened, journal, at) {
            Original::Is(original) => Identified::Copy(original),
            Original::Unsettled => Identified::Later,
            Original::Shorter(id) => match self.recognise(lineage, input, opened, journal) {
                // Another run of a job that writes the same may begin with all of that, and end here.
                known @ (Identified::Known(known_id) | Identified::Copy(known_id))
                    if known_id != id && ends_at(known_id, opened.len(), journal) =>
                {
                    known
                }
                _ => Identified::Longer(id),
            },
            Original::None => match self.without_its_end(input, opened, journal) {
                // Cursors go back to its end once nothing moves them forward.
                Some(id) if journal.is_on_its_way(id) => Identified::Later,
                Some(id) => Identified::Known(id),
                None => self.recognise(lineage, input, opened, journal),
            },
        }
    }

    /// Takes an open file as a generation: a known one, or a new one.
    pub(in crate::source) fn take(
        &mut self,
        input: usize,
        path: &Path,
        origin: Arc<Path>,
        opened: Opened,
        known: Option<GenerationId>,
        (journal, at): (&mut Journal, Moment),
    ) -> GenerationId {
        let id = known.unwrap_or_else(|| journal.new_generation());
        let is_at_home = origin.as_os_str() == path.as_os_str();
        let path = if is_at_home {
            Arc::clone(&origin)
        } else {
            path.into()
        };
        let mut generation = Generation::new(id, input, origin, path, opened, (at.now, at.time));
        if let Some(before) = journal.state().generations.get(&id).map(|it| &it.identity) {
            let (file, own) = (generation.file(), before.left.unwrap_or(before.file()));
            generation.left = Some(own).filter(|it| *it != file);
            if file != own && file != before.file() {
                // It lies in a copy now, and there may be others.
                generation.begun = generation.begun.min(before.birth);
                generation.copy_len = Some(generation.size);
                note_end(&generation, journal);
            }
        }
        // Also what an output has read that is configured no longer, or what is on its way.
        // Of a copy that was overtaken, up to its end.
        let positions = journal.state().positions_in(id).into_iter();
        let len = generation.size;
        let (within, beyond): (Vec<_>, Vec<_>) = positions.partition(|it| it.offset <= len);
        for position in within {
            generation.note_reached(position);
        }
        generation.has_lost_end = generation.copy_len.is_none()
            && self.boot.is_later_than(generation.modified())
            && !beyond.is_empty();
        self.note_cut(&generation, journal);
        self.by_key.insert((input, generation.key), id);
        self.generations.insert(id, Box::new(generation));
        self.note_named(id);
        self.note_identity(id, journal, at);
        if known.is_none() {
            self.note_may_be_of_unread(id, journal);
        }
        id
    }

    /// Lets the journal remember how much was seen of a file whose end was cut off while it was not
    /// open, but for what was lost with the power.
    fn note_cut(&self, generation: &Generation, journal: &mut Journal) {
        let known = journal.state().generations.get(&generation.id);
        let Some(before) = known.map(|it| &it.identity) else {
            return;
        };
        let is_cut = generation.copy_len.is_none()
            && before.size.is_some_and(|it| it > generation.size)
            && !self.boot.is_later_than(generation.modified());
        if is_cut {
            let identity = Identity {
                missed: before.missed.max(before.size),
                ..before.clone()
            };
            journal.append(&Entry::Generation(generation.id, identity));
        }
    }

    /// Tells the journal how a generation is recognised.
    pub(crate) fn note_identity(&self, id: GenerationId, journal: &mut Journal, at: Moment) {
        let Some(generation) = self.generations.get(&id) else {
            return;
        };
        let known = journal.state().generations.get(&id);
        if let Some(known) = known
            && Self::lies_in_overtaken_copy(generation, journal)
        {
            let identity = Identity {
                seen: at.time,
                size: Some(generation.size),
                ..known.identity.clone()
            };
            return journal.append(&Entry::Generation(id, identity));
        }
        let identity = Identity {
            size: Some(generation.size),
            end: generation.seen_end(),
            ..self.last_seen(generation, journal, at)
        };
        journal.append(&Entry::Generation(id, identity));
    }

    /// How a generation was known when it was last for certain in its file.
    pub(crate) fn last_seen(
        &self,
        generation: &Generation,
        journal: &Journal,
        at: Moment,
    ) -> Identity {
        let known = journal.state().generations.get(&generation.id);
        Identity {
            input: self.inputs[generation.input].name.clone(),
            path: generation.origin.to_path_buf(),
            device: generation.key.device,
            inode: generation.key.inode,
            birth: generation.birth,
            head: generation.head,
            seen: at.time,
            size: Some(generation.seen_len()),
            end: Some(generation.known()).filter(|it| it.offset > 0),
            skipped: known.map_or(0, |known| known.identity.skipped),
            is_gone: false,
            missed: known.and_then(|known| known.identity.missed),
            left: generation.left,
            may_be_of: known.map_or_else(Vec::new, |known| known.identity.may_be_of.clone()),
        }
    }

    /// Whether a generation lies in a copy that ends before what was read of it: the file in which
    /// that was read may be there still, and is to be known when it is met.
    fn lies_in_overtaken_copy(generation: &Generation, journal: &Journal) -> bool {
        let positions = journal.state().positions_in(generation.id);
        let mut further = positions.iter().filter(|it| it.offset > generation.size);
        generation.copy_len.is_some() && further.next().is_some()
    }

    /// The generation of an earlier run that an open one proves to be, though it was opened as a
    /// new one.
    pub(crate) fn known_before(&self, id: GenerationId, journal: &Journal) -> Option<GenerationId> {
        let generation = self.generations.get(&id)?;
        let is_gzip = matches!(generation.content, Content::Gzip(_));
        let file = generation.content.file().try_clone().ok()?;
        let opened = Opened::of(file, is_gzip).ok()?;
        let lineage = self.links.lineage_from_above(&generation.path);
        match self.recognise(&lineage, generation.input, &opened, journal) {
            Identified::Known(known) => Some(known),
            _ => None,
        }
    }

    /// Finds the generation that this file proves to be, among those that are known and have no
    /// bytes of their own.
    fn recognise(
        &self,
        lineage: &Lineage<'_>,
        input: usize,
        opened: &Opened,
        journal: &Journal,
    ) -> Identified {
        let path = lineage.path();
        let candidate = rotation::Candidate {
            name: lineage,
            inode: FileKey::of(&opened.metadata).inode,
            birth: birth_of(&opened.metadata),
            size: opened.len(),
            head: &opened.head,
        };
        let state = journal.state();
        let name = &self.inputs[input].name;
        let mut known: Vec<_> = match lineage.earlier_names() {
            Some(names) => state
                .known_at(candidate.inode, names.chain([path]))
                .collect(),
            None => state
                .generations
                .iter()
                .map(|(id, it)| (*id, &**it))
                .collect(),
        };
        // What took the name of a file that lies elsewhere, or whose content does, is another one, however
        // alike they are, and so is what was rotated after it.
        let key = FileKey::of(&opened.metadata);
        let file = opened.file();
        let is_unopened = self.unopened(input, &opened.metadata, journal).is_some();
        known.retain(|(id, it)| {
            let is_own = it.identity.file() == file;
            // When its own file could not be opened, a copy of it may have been met before.
            let is_itself = is_unopened && (is_own || it.identity.left == Some(file));
            let has_its_name = it.identity.path.as_os_str() == path.as_os_str();
            it.identity.input == *name
                && self.has_no_bytes(*id)
                && (is_itself
                    || !(self.elsewhere.excludes((*id, it), path, key)
                        || has_its_name && !is_own && self.has_copy_of(*id)))
        });
        // A copy that was met before its original was read further, and emptied.
        let copied = known.iter().find(|(id, known)| {
            lineage.can_come_from(&known.identity.path)
                && (opened.is_copied_up_to(&known.copies)
                    || self.is_overtaken_copy(opened, (*id, &known.identity), journal))
        });
        if let Some(&(id, known)) = copied
            && (known.identity.inode, known.identity.birth) != (candidate.inode, candidate.birth)
            && state.is_read(id, opened.len())
        {
            return Identified::Copy(id);
        }
        let identities = known.iter().map(|(id, known)| (*id, &known.identity));
        let furthest_of = |id| {
            let positions = state.positions_in(id).into_iter();
            positions.map(|it| it.offset).max().unwrap_or(0)
        };
        let proof_of = |id, identity: &Identity| {
            let seen = identity.end.filter(|end| opened.proves(*end));
            furthest_of(id).max(seen.map_or(0, |end| end.offset))
        };
        let is_known_enough = |id: GenerationId| {
            let known = state.generations.get(&id);
            known.is_some_and(|known| proof_of(id, &known.identity) >= PROOF_ENOUGH)
        };
        let is_proven = |id: &GenerationId| {
            let positions = state.positions_in(*id);
            positions.iter().all(|position| opened.proves(*position))
                && (!lineage.is_apart() || is_known_enough(*id))
        };
        let suggested = rotation::suggestions(&candidate, identities, furthest_of, proof_of);
        let proven = suggested.into_iter().find(is_proven);
        // A copy was compared up to its end; who has read less of another one proves less.
        let copied = copied.map(|(id, _)| *id);
        let whole = proven.filter(|id| furthest_of(*id) >= opened.len());
        match whole.or(copied).or(proven) {
            Some(id) if !self.generations.contains_key(&id) => Identified::Known(id),
            Some(id) if state.is_read(id, opened.len()) => Identified::Copy(id),
            Some(_) => Identified::Later,
            None => Identified::New,
        }
    }

    fn has_no_bytes(&self, id: GenerationId) -> bool {
        let open = self.generations.get(&id);
        open.is_none_or(|it| it.place == Place::Gone)
    }
}

/// Whether what is known of a generation goes up to this offset.
fn ends_at(id: GenerationId, offset: u64, journal: &Journal) -> bool {
    let state = journal.state();
    let known = state.generations.get(&id);
    let seen = known.and_then(|it| it.identity.end);
    let mut known = state.positions_in(id).into_iter().chain(seen);
    known.any(|it| it.offset == offset)
}
