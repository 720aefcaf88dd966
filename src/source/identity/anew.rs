//! A file no longer holds what it held: its old life goes on in a copy or ends, and a new one
//! begins.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::opened::Opened;
use crate::journal::Journal;
use crate::source::finding::names::Name;
use crate::source::generation::place::Place;
use crate::source::{Change, Moment, Source};
use crate::span::{GenerationId, Position};

/// What became of a file that no longer holds what it held.
#[derive(Debug, Default)]
pub(crate) struct Anew {
    /// The old content is read on in a copy.
    pub(crate) goes_on_in_copy: bool,
    /// What followed.
    pub(crate) changes: Vec<Change>,
}

impl Source {
    /// Begins a new life for a file that no longer holds what it held. The old life goes on in a
    /// copy, if one lies beside it that holds what was read up to `positions`; else it is left
    /// without content, and what of it is on its way can still be acknowledged.
    pub(crate) fn begin_anew(
        &mut self,
        id: GenerationId,
        positions: &[Position],
        journal: &mut Journal,
        at: Moment,
    ) -> Anew {
        self.all_settled.set(None);
        let mut anew = Anew::default();
        let Some(old) = self.generations.get(&id) else {
            return anew;
        };
        let (input, path, key) = (old.input, old.path.clone(), old.key);
        let was_in_copy = old.copy_len.is_some();
        // Else a file renamed meanwhile would count as one that stands at its own name, and its
        // last line would wait for ever.
        let origin = Arc::clone(&old.origin);
        let is_gzip = old.content.is_whole();
        let file = old.content.file().try_clone();
        anew.goes_on_in_copy = self.adopt_copy(id, positions, journal, at);
        if !anew.goes_on_in_copy {
            if let Some(old) = self.generations.get_mut(&id) {
                old.place_at(Place::Gone, at.now);
            }
            self.release(id, input, key, &path);
            self.release_aliases(id);
        }
        let mut names = vec![Name::Meant(input, path.to_path_buf())];
        match file.and_then(|file| Opened::of(file, is_gzip)) {
            // By now the name may be that of another file, or of none: the open file is what
            // counts.
            Ok(opened) if !was_in_copy => {
                let new = self.take(input, &path, origin, opened, None, (journal, at));
                anew.changes.push(Change::Opened(new));
                names.push(Name::Nameless(new));
            }
            // A copy that is filled anew is a copy of something else, or nobody's debt.
            Ok(_) => {
                let folder = path.parent().unwrap_or(Path::new("/"));
                names.extend(self.siblings_in(folder, |_| true).0);
            }
            // A gzip that is written anew: its end will be told.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => self.problems.note(&path, "read", &error),
        }
        anew.changes.extend(self.look_at_names(names, journal, at));
        anew
    }
}
