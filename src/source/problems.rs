//! What cannot be read at the moment, in sentences with their mending. Tells the log of each once, and
//! of many at once in one line; only notes, decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::source::finding::discover::PassedOver;
use crate::span::GenerationId;

/// Files and folders that cannot be read, each with a sentence.
#[derive(Debug, Default)]
pub(super) struct Problems {
    sentences: BTreeMap<PathBuf, String>,
    /// Those of the last whole look, which need not be told again.
    earlier: BTreeMap<PathBuf, String>,
    /// Folders that are not entered though nothing in them is left unread: told, and no problem.
    spared: BTreeSet<PathBuf>,
    /// Those of the last whole look.
    spared_earlier: BTreeSet<PathBuf>,
    /// What the log is still to be told, by what is wrong: a sentence, and how many there are.
    untold: BTreeMap<String, (String, usize)>,
    /// Open files that cannot be read.
    reading: BTreeMap<GenerationId, String>,
}

impl Problems {
    /// A whole look begins: what is not noted again by it is mended.
    pub(super) fn begin_look(&mut self) {
        self.earlier = std::mem::take(&mut self.sentences);
        self.spared_earlier = std::mem::take(&mut self.spared);
    }

    /// Something cannot be done with a file or folder.
    pub(super) fn note(&mut self, path: &Path, action: &str, error: &io::Error) {
        let sentence = sentence(path, action, error);
        if !self.is_known(path, &sentence) {
            let untold = self.untold.entry(format!("{action}: {error}"));
            let (_, count) = untold.or_insert_with(|| (sentence.clone(), 0));
            *count += 1;
        }
        self.sentences.insert(path.to_owned(), sentence);
    }

    /// A folder is not entered.
    pub(super) fn note_passed_over(&mut self, folder: &Path, why: PassedOver) {
        let sentence = format!("{} is not entered: {why}", folder.display());
        let is_known = self.is_known(folder, &sentence)
            || self.spared.contains(folder)
            || self.spared_earlier.contains(folder);
        if !is_known {
            tracing::warn!(problem = sentence, "a folder is not entered");
        }
        if why == PassedOver::IsTooDeep {
            self.sentences.insert(folder.to_owned(), sentence);
        } else {
            self.spared.insert(folder.to_owned());
        }
    }

    fn is_known(&self, path: &Path, sentence: &str) -> bool {
        let told = [&self.sentences, &self.earlier];
        told.iter()
            .any(|known| known.get(path).is_some_and(|it| it == sentence))
    }

    /// Tells the log what was noted since the last time.
    pub(super) fn tell(&mut self) {
        for (problem, count) in std::mem::take(&mut self.untold).into_values() {
            let others = (count > 1).then(|| count - 1);
            tracing::warn!(problem, others, "not all files can be read");
        }
    }

    /// An open file cannot be read.
    pub(super) fn note_reading(&mut self, id: GenerationId, path: &Path, error: &io::Error) {
        let sentence = sentence(path, "read", error);
        if self.reading.get(&id) != Some(&sentence) {
            tracing::warn!(problem = sentence, "not all files can be read");
            self.reading.insert(id, sentence);
        }
    }

    /// Forgets open files that can be read again.
    pub(super) fn keep_reading(&mut self, is_unreadable: impl Fn(GenerationId) -> bool) {
        self.reading.retain(|id, _| is_unreadable(*id));
    }

    /// A file can be read after all.
    pub(super) fn mended(&mut self, path: &Path) {
        self.sentences.remove(path);
    }

    /// The sentences.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let all = self.sentences.values().chain(self.reading.values());
        all.map(String::as_str)
    }
}

fn sentence(path: &Path, action: &str, error: &io::Error) -> String {
    let mending = match error.kind() {
        io::ErrorKind::PermissionDenied => permission_mending(path),
        _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "; raise the limit of open files (ulimit -n)".to_owned()
        }
        _ => String::new(),
    };
    format!("cannot {action} {}: {error}{mending}", path.display())
}

/// Who may read the file, or enter the folder that bars the way to it, who we are, and what would
/// help.
pub(crate) fn permission_mending(path: &Path) -> String {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let mut ways = path.ancestors();
    let seen = ways.find_map(|it| Some((it, std::fs::metadata(it).ok()?)));
    let owner = seen.map_or_else(String::new, |(seen, metadata)| {
        let whose = if seen == path {
            "it".to_owned()
        } else {
            format!("the folder {}", seen.display())
        };
        format!(
            " {whose} belongs to uid {}, gid {}, mode {:04o};",
            metadata.uid(),
            metadata.gid(),
            metadata.mode() & 0o7777
        )
    });
    format!(
        ";{owner} this process runs as uid {uid}, gid {gid}: run it as the same user, or in a group that may read (in a pod: fsGroup or the same runAsUser)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_problem_only_where_something_is_left_unread() {
        let mut problems = Problems::default();
        let folder = Path::new("/a/b");
        for why in [PassedOver::LeadsBack, PassedOver::HasManyNames] {
            problems.note_passed_over(folder, why);
            assert_eq!(problems.iter().count(), 0, "{why:?}");
        }
        problems.note_passed_over(folder, PassedOver::IsTooDeep);
        assert_eq!(problems.iter().count(), 1);
    }

    #[test]
    fn many_files_with_one_fault_are_one_line() {
        let mut problems = Problems::default();
        for name in ["a.log", "b.log", "c.log"] {
            let denied = io::ErrorKind::PermissionDenied;
            problems.note(Path::new(name), "open", &denied.into());
        }
        problems.note(Path::new("logs"), "list", &io::ErrorKind::Other.into());
        let told = |problems: &Problems| {
            let untold = problems.untold.values();
            let told = untold.map(|(first, count)| (first.contains("open a.log"), *count));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&problems), [(false, 1), (true, 3)]);
        problems.tell();
        problems.begin_look();
        let denied = io::ErrorKind::PermissionDenied;
        problems.note(Path::new("b.log"), "open", &denied.into());
        assert_eq!(told(&problems), [], "it was told");
        assert_eq!(problems.iter().count(), 1);
    }

    #[test]
    fn a_refused_permission_names_the_owner_and_the_mending() {
        let mut problems = Problems::default();
        let dir = tempfile::tempdir().unwrap();
        problems.note(dir.path(), "open", &io::ErrorKind::PermissionDenied.into());
        let sentence = problems.iter().next().unwrap().to_owned();
        assert!(sentence.starts_with("cannot open "), "{sentence}");
        assert!(
            sentence.contains("mode 0") && sentence.contains("fsGroup"),
            "{sentence}"
        );
        problems.begin_look();
        assert_eq!(
            problems.iter().count(),
            0,
            "what is not noted again is mended"
        );
    }
}
