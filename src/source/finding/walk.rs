//! A look at everything: all that the inputs mean is listed, and what is not as it was is looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::discover::Found;
use super::links::Links;
use super::names::Name;
use super::rest::Rest;
use super::unmatched::globs_without;
use crate::journal::Journal;
use crate::source::{Change, Moment, POLL_EVERY, RECONCILE_EVERY, Source};

/// What lies in the folders of all inputs.
#[derive(Debug, Default)]
struct Listed {
    /// Names that are meant, with the input that means each, in the order of their bytes.
    files: Vec<(usize, PathBuf)>,
    folders: BTreeSet<PathBuf>,
    /// Those that could not be listed.
    failed: BTreeSet<PathBuf>,
    /// Globs that match nothing, with the input of each.
    unmatched: Vec<(usize, String)>,
}

impl Source {
    /// Looks at everything that the inputs mean.
    pub(crate) fn walk(&mut self, journal: &mut Journal, at: Moment) -> Vec<Change> {
        self.all_settled.set(None);
        self.clock.note(at);
        self.problems.begin_look();
        let names = self.room.begin_look(&self.hidden);
        self.deferred.extend(names);
        Self::limit_unopened(journal);
        let is_first = !std::mem::replace(&mut self.has_walked, true);
        if is_first {
            self.rest = Rest::default();
        }
        let mut new_folders = BTreeSet::new();
        let began = self.clock.mark_of(at.time);
        let at_rest = self.names_at_rest(&mut new_folders, journal);
        let version = at_rest.is_some().then(|| self.by_path.version());
        let (mut names, listed) = if let Some(names) = at_rest {
            self.hidden.begin_look(at.time);
            (names, None)
        } else {
            let mut listed = self.list(&mut new_folders);
            if is_first {
                self.begin_looks(journal, at);
            }
            self.see_unmatched(std::mem::take(&mut listed.unmatched), is_first);
            self.see_folders(&listed.folders, &listed.failed, at);
            let names = self.names_of_listed(&mut listed, is_first, &new_folders, journal);
            (names, Some(listed))
        };
        for (input, path) in std::mem::take(&mut self.deferred) {
            names.extend(self.name_of(input, &path));
        }
        names.sort();
        names.dedup();
        self.forget_deleted_aliases();
        self.forget_never_finished(at);
        let mut changes = self.look_at_names(names, journal, at);
        // As long as every name holds what it held, what stands at home stays there.
        let is_settled = version == Some(self.by_path.version());
        let open = self.generations.values();
        let unsettled = open.filter(|it| !(is_settled && it.is_at_home()));
        let ids: Vec<_> = unsettled.map(|it| it.id).collect();
        for id in ids {
            self.settle(id, journal, at, &mut changes);
        }
        if let Some(listed) = listed {
            self.remember_rest(listed.folders, is_first, listed.failed.is_empty());
        }
        self.hidden.end_walk(began);
        let every = if self.watch.is_polled() {
            POLL_EVERY
        } else {
            RECONCILE_EVERY
        };
        self.next_walk = at.now + every;
        changes
    }

    /// Lists what all inputs mean, and watches the folders. Adds those that are new to the watch:
    /// they may have changed between listing and watching.
    fn list(&mut self, new_folders: &mut BTreeSet<PathBuf>) -> Listed {
        let mut listed = Listed::default();
        for _ in 0..3 {
            listed = Listed::default();
            self.links = Links::default();
            for (index, input) in self.inputs.iter().enumerate() {
                let mut found = Found::default();
                input.globs.walk(&mut found);
                let unmatched = globs_without(index, &input.globs, &found.files);
                listed.unmatched.extend(unmatched);
                let files = found.files.into_iter().map(|file| (index, file));
                listed.files.extend(files);
                listed.folders.extend(found.folders);
                self.links.extend(found.links);
                for (folder, error) in found.problems {
                    self.problems.note(&folder, "list", &error);
                    listed.failed.insert(folder);
                }
                for (folder, why) in found.passed_over {
                    self.problems.note_passed_over(&folder, why);
                }
            }
            let new = self.watch_folders(&listed.folders);
            if new.is_empty() {
                break;
            }
            new_folders.extend(new);
        }
        listed
    }

    /// The names that are to be looked at after everything was listed. Takes the files out of the
    /// list.
    fn names_of_listed(
        &mut self,
        listed: &mut Listed,
        is_first: bool,
        new_folders: &BTreeSet<PathBuf>,
        journal: &Journal,
    ) -> Vec<Name> {
        let files = std::mem::take(&mut listed.files);
        // A name that was not listed is only gone when the system says so of the name itself.
        let unlisted: Vec<_> = (self.by_path.names())
            .filter(|name| {
                let by_bytes = |(input, path): &(usize, PathBuf)| {
                    (*input, path.as_os_str()).cmp(&(name.0, name.1.as_os_str()))
                };
                files.binary_search_by(by_bytes).is_err()
            })
            .map(|(input, path)| (input, path.to_owned()))
            .collect();
        // After the first look only those can be news that were made since: an event may have been
        // missed. A folder that comes back brings all that was in it.
        let mut names = Vec::new();
        for folder in &listed.folders {
            let only_news = !is_first && !new_folders.contains(folder);
            let is_wanted = |path: &Path| !only_news || self.leads_to_news(path, journal);
            let (siblings, is_whole) = self.siblings_in(folder, is_wanted);
            names.extend(siblings);
            if is_first {
                let renamed = self.renamed_in(folder, journal);
                self.renamed.extend(renamed.iter().cloned());
                let renamed = renamed.into_iter();
                names.extend(renamed.map(|((input, path), home)| Name::Sibling(input, home, path)));
            }
            if !is_whole {
                self.hidden.lose(folder, self.clock.looked_at());
            }
        }
        let meant = files.into_iter().chain(unlisted);
        let written = meant.filter(|(input, path)| !self.is_unchanged(*input, path));
        names.extend(written.map(|(input, path)| Name::Meant(input, path)));
        names
    }
}
