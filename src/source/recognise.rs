//! Opens files, and finds out by proof which generation each is: one of an earlier run, wherever
//! it lies now, or a new one.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::generation::{Generation, Opened};
use super::{Change, Moment, Source, reader, rotation};
use crate::journal::{Entry, Identity, Journal};
use crate::span::{GenerationId, Head};

impl Source {
    /// Opens a file and finds out which generation it is.
    pub(super) fn open(
        &mut self,
        input: usize,
        path: &Path,
        journal: &mut Journal,
        at: Moment,
    ) -> io::Result<GenerationId> {
        let opened = Opened::at(path)?;
        let recognised = self.recognise(input, path, &opened, journal)?;
        let (id, origin) = match recognised {
            Some(id) => {
                let known = journal.state().generations.get(&id);
                let origin = known.map_or(path, |known| known.identity.path.as_path());
                (id, Arc::<Path>::from(origin))
            }
            None => (journal.new_generation(), Arc::<Path>::from(path)),
        };
        self.hold(id, input, (origin, path), opened, journal, at);
        Ok(id)
    }

    /// Holds an open file as this generation from now on.
    pub(super) fn hold(
        &mut self,
        id: GenerationId,
        input: usize,
        (origin, path): (Arc<Path>, &Path),
        opened: Opened,
        journal: &mut Journal,
        at: Moment,
    ) {
        let identity = Identity {
            input: self.inputs[input].name.clone(),
            path: origin.to_path_buf(),
            device: opened.metadata.dev(),
            inode: opened.metadata.ino(),
            head: Head::of(&opened.head),
            seen: at.time,
        };
        journal.append(&Entry::Generation(id, identity));
        let generation = Generation::new(
            id,
            input,
            origin,
            path.to_owned(),
            opened,
            (at.now, at.time),
        );
        self.by_key.insert((input, generation.key), id);
        self.generations.insert(id, generation);
    }

    /// Finds the generation of an earlier run that this file proves to be.
    fn recognise(
        &self,
        input: usize,
        path: &Path,
        opened: &Opened,
        journal: &Journal,
    ) -> io::Result<Option<GenerationId>> {
        let candidate = rotation::Candidate {
            path,
            inode: opened.metadata.ino(),
            size: opened.metadata.len(),
            head: &opened.head,
        };
        let name = &self.inputs[input].name;
        let known = journal.state().generations.iter().filter(|(id, known)| {
            known.identity.input == *name && !self.generations.contains_key(id)
        });
        for id in rotation::suggestions(&candidate, known.map(|(id, known)| (*id, known))) {
            let Some(known) = journal.state().generations.get(&id) else {
                continue;
            };
            let mut is_proven = true;
            for cursor in known.cursors.values() {
                let before = reader::read_before(&opened.file, cursor.position.offset)?;
                is_proven &= cursor.position.anchor.holds(&before);
            }
            if is_proven {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// After a start: known generations that no input means any more may lie beside their old
    /// name, rotated while nobody looked.
    pub(super) fn find_rotated_while_away(
        &mut self,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let mut folders: BTreeMap<(usize, PathBuf), Vec<PathBuf>> = BTreeMap::new();
        for (id, known) in &journal.state().generations {
            let input = self
                .inputs
                .iter()
                .position(|input| input.name == known.identity.input);
            if let (Some(input), false) = (input, self.generations.contains_key(id))
                && let Some(folder) = known.identity.path.parent()
            {
                folders
                    .entry((input, folder.to_owned()))
                    .or_default()
                    .push(known.identity.path.clone());
            }
        }
        for ((input, folder), names) in folders {
            let Ok(listing) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in listing.flatten() {
                let path = entry.path();
                let is_sibling = names.iter().any(|name| rotation::is_rotation(name, &path));
                if !is_sibling || self.by_path.contains_key(&(input, path.clone())) {
                    continue;
                }
                let Ok(opened) = Opened::at(&path) else {
                    continue;
                };
                if let Ok(Some(_)) = self.recognise(input, &path, &opened, journal)
                    && let Ok(id) = self.open(input, &path, journal, at)
                {
                    changes.push(Change::Opened(id));
                }
            }
        }
    }
}
