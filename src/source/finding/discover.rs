//! Finds the files that an input means, and the folders in which more of them can appear.
//! Lists folders; opens no file and remembers nothing.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use super::globs::{Globs, Pattern};
use super::links::Links;
use crate::source::system::file::FileKey;

/// By how many names one folder is entered below a `**`: where links lead to folders with links, the
/// names can be as many as the powers of two.
const MOST_NAMES: usize = 100;
/// How long a path may be that Linux takes, in bytes.
const LONGEST: usize = 4095;
/// So many folders that are not entered are told.
const MOST_TOLD: usize = 100;

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Names of files that match, each once, in the order of their bytes.
    pub(crate) files: Vec<PathBuf>,
    /// Folders in which a change can matter.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// Links on the way.
    pub(in crate::source) links: Links,
    /// Folders that could not be listed or entered, and why.
    pub(crate) problems: Vec<(PathBuf, io::Error)>,
    /// Folders that are not entered, and why: the first of them.
    pub(crate) passed_over: Vec<(PathBuf, PassedOver)>,
}

impl Found {
    fn pass_over(&mut self, folder: PathBuf, why: PassedOver) {
        if self.passed_over.len() < MOST_TOLD {
            self.passed_over.push((folder, why));
        }
    }
}

/// Why a folder is not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PassedOver {
    /// It is a folder on the way to it.
    LeadsBack,
    /// It was entered by enough other names.
    HasManyNames,
    /// Its path is longer than the system takes.
    IsTooDeep,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeadsBack => f.write_str("it leads back to a folder on the way to it"),
            Self::HasManyNames => {
                write!(f, "links lead to it by more than {MOST_NAMES} names")
            }
            Self::IsTooDeep => write!(f, "its path is longer than {LONGEST} bytes"),
        }
    }
}

/// Which folders a walk has entered below a `**`.
#[derive(Debug, Default)]
struct Entered {
    /// Those on the way to where it is, each with its depth.
    way: Vec<(usize, FileKey)>,
    /// By how many names each of them.
    names: HashMap<FileKey, usize>,
}

impl Entered {
    /// Enters one more. Where that would lead round in a circle, or too often to the same, says so
    /// instead.
    fn enter(
        &mut self,
        pattern: &Pattern,
        depth: usize,
        folder: &Metadata,
    ) -> Result<(), PassedOver> {
        if !pattern.is_open_at(depth) {
            return Ok(());
        }
        let key = FileKey::of(folder);
        let on_way = self.way.iter().take_while(|(above, _)| *above < depth);
        let (above, times) = on_way.fold((0, 0), |(above, times), (_, it)| {
            (above + 1, times + usize::from(*it == key))
        });
        self.way.truncate(above);
        if times >= pattern.rounds {
            return Err(PassedOver::LeadsBack);
        }
        let names = self.names.entry(key).or_default();
        if *names >= MOST_NAMES {
            return Err(PassedOver::HasManyNames);
        }
        *names += 1;
        self.way.push((depth, key));
        Ok(())
    }
}

impl Globs {
    /// Adds all that is there now to `found`.
    pub(crate) fn walk(&self, found: &mut Found) {
        for pattern in &self.include {
            let mut folder = pattern.base.clone();
            let Found { links, folders, .. } = found;
            links.follow_path(&folder, folders);
            let metadata = std::fs::metadata(&folder);
            if metadata.as_ref().is_ok_and(Metadata::is_dir) {
                self.visit_all(pattern, folder, found);
                continue;
            }
            if let Err(error) = metadata
                && error.kind() == io::ErrorKind::PermissionDenied
            {
                found.problems.push((folder.clone(), error));
            }
            // It may be made later: the nearest folder that is there will tell.
            while folder.pop() {
                if folder.is_dir() {
                    found.folders.insert(folder);
                    break;
                }
            }
        }
        let files = &mut found.files;
        files.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        files.dedup_by(|a, b| a.as_os_str() == b.as_os_str());
    }

    /// Visits a folder and all below it in which something can be meant.
    fn visit_all(&self, pattern: &Pattern, base: PathBuf, found: &mut Found) {
        let mut entered = Entered::default();
        let depth = base.components().count();
        let mut waiting = vec![(depth, base)];
        while let Some((depth, folder)) = waiting.pop() {
            // Another may have taken its name since it was listed.
            let is_entered = match std::fs::metadata(&folder) {
                Ok(metadata) => entered.enter(pattern, depth, &metadata),
                Err(_) if folder.as_os_str().len() > LONGEST => Err(PassedOver::IsTooDeep),
                Err(_) => Ok(()),
            };
            match is_entered {
                Ok(()) => {
                    let below = self.visit(pattern, &folder, depth, found);
                    waiting.extend(below.into_iter().map(|it| (depth + 1, it)));
                }
                Err(why) => found.pass_over(folder, why),
            }
        }
    }

    /// Lists a folder. Returns those in it that are to be visited.
    fn visit(
        &self,
        pattern: &Pattern,
        folder: &Path,
        depth: usize,
        found: &mut Found,
    ) -> Vec<PathBuf> {
        let mut below = Vec::new();
        found.folders.insert(folder.to_owned());
        let listing = match std::fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return below,
            Err(error) => {
                found.problems.push((folder.to_owned(), error));
                return below;
            }
        };
        for entry in listing {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    found.problems.push((folder.to_owned(), error));
                    return below;
                }
            };
            let path = entry.path();
            let Ok(mut kind) = entry.file_type() else {
                continue;
            };
            let is_link = kind.is_symlink();
            if is_link {
                let target = match std::fs::metadata(&path) {
                    Ok(target) => target,
                    Err(error) => {
                        // What it leads to may be made later, or may be ours to read later.
                        if self.matches(&path) {
                            found.links.follow_to_file(&path, &mut found.folders);
                            if error.kind() == io::ErrorKind::PermissionDenied {
                                found.files.push(path);
                            }
                        }
                        continue;
                    }
                };
                kind = target.file_type();
            }
            if kind.is_dir() {
                if pattern.may_hold(&path, depth + 1) {
                    if is_link {
                        found.links.follow_to_folder(&path, &mut found.folders);
                    }
                    below.push(path);
                }
            } else if kind.is_file() && self.matches(&path) {
                if is_link {
                    found.links.follow_to_file(&path, &mut found.folders);
                }
                found.files.push(path);
            }
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(include: &[&str], exclude: &[&str], root: &Path) -> (Vec<String>, Vec<String>) {
        let below = |glob: &&str| format!("{}/{glob}", root.display());
        let include: Vec<String> = include.iter().map(below).collect();
        let exclude: Vec<String> = exclude.iter().map(below).collect();
        let mut found = Found::default();
        Globs::new(&include, &exclude).walk(&mut found);
        let relative = |path: &PathBuf| match path.strip_prefix(root) {
            Ok(path) => path.display().to_string(),
            Err(_) => path.display().to_string(),
        };
        (
            found.files.iter().map(relative).collect(),
            found.folders.iter().map(relative).collect(),
        )
    }

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "a.log",
            "b.log",
            "b.txt",
            "x/a.log",
            "x/y/a.log",
            "x/y/z/deep.log",
            "w/a.log",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        dir
    }

    type Names = &'static [&'static str];

    #[test]
    fn files_and_their_folders_are_found() {
        let dir = tree();
        let table: &[(Names, Names, Names, Names)] = &[
            (&["*.log"], &[], &["a.log", "b.log"], &[""]),
            (&["*.log"], &["b*"], &["a.log"], &[""]),
            (&["a.log"], &[], &["a.log"], &[""]),
            (&["*/a.log"], &[], &["w/a.log", "x/a.log"], &["", "w", "x"]),
            (&["x/*/a.log"], &[], &["x/y/a.log"], &["x", "x/y"]),
            (
                &["{x,w}/a.log"],
                &[],
                &["w/a.log", "x/a.log"],
                &["", "w", "x"],
            ),
            (
                &["{x/y,w}/a.log"],
                &[],
                &["w/a.log", "x/y/a.log"],
                &["", "w", "x", "x/y", "x/y/z"],
            ),
            (
                &["x/**/*.log"],
                &[],
                &["x/a.log", "x/y/a.log", "x/y/z/deep.log"],
                &["x", "x/y", "x/y/z"],
            ),
            (&["later/than/*.log"], &[], &[], &[""]),
            (
                &["?.log", "*.txt"],
                &[],
                &["a.log", "b.log", "b.txt"],
                &[""],
            ),
        ];
        for (include, exclude, files, folders) in table {
            let (found, watched) = walk(include, exclude, dir.path());
            assert_eq!(&found, files, "{include:?}");
            assert_eq!(&watched, folders, "{include:?}");
        }
    }

    #[test]
    fn the_folders_of_a_links_chain_are_watched() {
        let dir = tree();
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join("real"), "x").unwrap();
        std::os::unix::fs::symlink(other.path().join("real"), dir.path().join("w/hop")).unwrap();
        std::os::unix::fs::symlink("w/hop", dir.path().join("linked.log")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling.log")).unwrap();
        let (files, folders) = walk(&["*.log"], &["[ab].log"], dir.path());
        assert_eq!(files, ["linked.log"]);
        let mut expected = vec![
            String::new(),
            "w".into(),
            other.path().canonicalize().unwrap().display().to_string(),
        ];
        expected.sort();
        let mut folders = folders;
        folders.sort();
        assert_eq!(folders, expected);
    }

    /// Two links to a folder above them double the names with each level.
    #[test]
    fn a_folder_that_leads_back_to_itself_is_told_and_not_entered() {
        let dir = tree();
        for link in ["x/one", "x/two", "w/three"] {
            std::os::unix::fs::symlink(dir.path(), dir.path().join(link)).unwrap();
        }
        let (files, folders) = walk(&["**/a.log"], &[], dir.path());
        assert_eq!(files, ["a.log", "w/a.log", "x/a.log", "x/y/a.log"]);
        assert!(folders.len() < 10, "{folders:?}");
        let mut found = Found::default();
        let glob = format!("{}/**/*.log", dir.path().display());
        Globs::new(&[glob], &[]).walk(&mut found);
        let mut told: Vec<_> = found.passed_over.into_iter().collect();
        told.sort_by(|(one, _), (other, _)| one.cmp(other));
        let expected = ["w/three", "x/one", "x/two"];
        let expected = expected.map(|it| (dir.path().join(it), PassedOver::LeadsBack));
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_meant_only_by_a_name_that_leads_back_is_found() {
        let dir = tree();
        std::os::unix::fs::symlink(".", dir.path().join("x/logs")).unwrap();
        let table: &[(&str, &[&str])] = &[
            ("**/logs/*.log", &["x/logs/a.log"]),
            ("*/logs/*.log", &["x/logs/a.log"]),
            ("*/logs/**/a.log", &["x/logs/a.log", "x/logs/y/a.log"]),
        ];
        for (glob, expected) in table {
            let (files, _) = walk(&[glob], &[], dir.path());
            assert_eq!(&files, expected, "{glob}");
        }
    }

    /// Each of these folders has two links to the next one.
    #[test]
    fn a_folder_with_many_names_is_entered_by_some_of_them() {
        let dir = tempfile::tempdir().unwrap();
        for level in 0..30 {
            let folder = dir.path().join(level.to_string());
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("a.log"), "x").unwrap();
            for link in ["one", "two"] {
                let next = format!("../{}", level + 1);
                std::os::unix::fs::symlink(next, folder.join(link)).unwrap();
            }
        }
        let mut found = Found::default();
        let glob = format!("{}/0/**/*.log", dir.path().display());
        Globs::new(&[glob], &[]).walk(&mut found);
        assert!(found.files.len() < 30 * MOST_NAMES);
        let mut why = found.passed_over.iter().map(|(_, why)| *why);
        assert!(why.all(|it| it == PassedOver::HasManyNames));
        assert_eq!(found.passed_over.len(), MOST_TOLD);
    }

    #[test]
    fn a_folder_is_entered_however_deep_it_lies_and_told_where_the_system_takes_no_such_path() {
        let dir = tempfile::tempdir().unwrap();
        let deep = ["d"; 200].join("/");
        std::fs::create_dir_all(dir.path().join(&deep)).unwrap();
        std::fs::write(dir.path().join(&deep).join("a.log"), "x").unwrap();
        let (files, _) = walk(&["**/*.log"], &[], dir.path());
        assert_eq!(files, [format!("{deep}/a.log")]);
        let mut below = std::fs::File::open(dir.path()).unwrap();
        let name = "e".repeat(250);
        for _ in 0..20 {
            use rustix::fs::{Mode, OFlags, mkdirat, openat};
            mkdirat(&below, &*name, Mode::RWXU).unwrap();
            below = openat(&below, &*name, OFlags::RDONLY, Mode::empty())
                .unwrap()
                .into();
        }
        let mut found = Found::default();
        let glob = format!("{}/**/*.log", dir.path().display());
        Globs::new(&[glob], &[]).walk(&mut found);
        let told: Vec<_> = found.passed_over.iter().map(|(_, why)| *why).collect();
        assert_eq!(told, [PassedOver::IsTooDeep]);
        assert!(found.problems.is_empty(), "{:?}", found.problems);
    }
}
