//! Finds the files that an input means, and the folders in which more of them can appear.
//! Lists folders; opens no file and remembers nothing.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::links::Links;

/// How deep folders are entered below a `**`.
const MAX_DEPTH: usize = 64;

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Names of files that match, each once, in the order of their bytes.
    pub(crate) files: Vec<PathBuf>,
    /// Folders in which a change can matter.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// Links on the way.
    pub(super) links: Links,
    /// Folders that could not be listed or entered, and why.
    pub(crate) problems: Vec<(PathBuf, io::Error)>,
}

/// The compiled globs of one input.
#[derive(Debug)]
pub(crate) struct Globs {
    include: Vec<Pattern>,
    exclude: Vec<String>,
}

#[derive(Debug)]
struct Pattern {
    glob: String,
    /// The folder above the first wildcard.
    base: PathBuf,
    /// For each depth below the root the pattern that a folder must match to be entered; shorter
    /// than the pattern where that cannot be said (`**`, braces that hold a slash).
    folders: Vec<String>,
    /// The number of components, or nothing when folders of any depth can hold a match.
    depth: Option<usize>,
}

impl Globs {
    /// `include` are absolute patterns.
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Self {
        Self {
            include: include.iter().map(|glob| Pattern::new(glob)).collect(),
            exclude: exclude.to_vec(),
        }
    }

    /// Whether this name is meant.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_bytes();
        self.include
            .iter()
            .any(|pattern| fast_glob::glob_match(&pattern.glob, path))
            && !self
                .exclude
                .iter()
                .any(|glob| fast_glob::glob_match(glob, path))
    }

    /// What to include, as it was written.
    pub(super) fn included(&self) -> impl Iterator<Item = &str> {
        self.include.iter().map(|pattern| pattern.glob.as_str())
    }

    /// The folders above the first wildcards.
    pub(crate) fn bases(&self) -> impl Iterator<Item = &Path> {
        self.include.iter().map(|pattern| pattern.base.as_path())
    }

    /// Whether a walk enters a folder of this name.
    pub(super) fn may_enter(&self, folder: &Path) -> bool {
        let depth = folder.components().count();
        let mut patterns = self.include.iter();
        patterns.any(|pattern| pattern.may_hold(folder, depth))
    }

    /// Whether names that are meant may lie in a folder, however deep above it others are.
    pub(super) fn may_hold_files(&self, folder: &Path) -> bool {
        let depth = folder.components().count();
        self.include.iter().any(|pattern| {
            let is_deep_enough = pattern.depth.is_none_or(|it| it == depth + 1);
            is_deep_enough
                && folder.starts_with(&pattern.base)
                && (depth < 2 || pattern.may_hold(folder, depth))
        })
    }

    /// Adds all that is there now to `found`.
    pub(crate) fn walk(&self, found: &mut Found) {
        for pattern in &self.include {
            let mut folder = pattern.base.clone();
            let Found { links, folders, .. } = found;
            links.follow_path(&folder, folders);
            let metadata = std::fs::metadata(&folder);
            if metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
                let depth = folder.components().count();
                self.visit(pattern, &folder, depth, found);
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

    fn visit(&self, pattern: &Pattern, folder: &Path, depth: usize, found: &mut Found) {
        found.folders.insert(folder.to_owned());
        let listing = match std::fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                found.problems.push((folder.to_owned(), error));
                return;
            }
        };
        for entry in listing {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    found.problems.push((folder.to_owned(), error));
                    return;
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
                    self.visit(pattern, &path, depth + 1, found);
                }
            } else if kind.is_file() && self.matches(&path) {
                if is_link {
                    found.links.follow_to_file(&path, &mut found.folders);
                }
                found.files.push(path);
            }
        }
    }
}

impl Pattern {
    fn new(glob: &str) -> Self {
        let parts: Vec<&str> = glob.split('/').skip(1).collect();
        let plain = parts.iter().take_while(|part| !is_pattern(part)).count();
        // With no wildcard at all the last part is the file.
        let plain = plain.min(parts.len() - 1);
        let mut base = PathBuf::from("/");
        base.extend(&parts[..plain]);
        let is_countable = !has_slash_in_braces(glob);
        let known = if is_countable {
            parts.iter().take_while(|part| !part.contains("**")).count()
        } else {
            plain
        };
        let folders = (1..=known.min(parts.len() - 1))
            .map(|count| format!("/{}", parts[..count].join("/")))
            .collect();
        let is_deep = !is_countable || glob.contains("**");
        // The root counts as a component of a path.
        let depth = (!is_deep).then_some(parts.len() + 1);
        Self {
            glob: glob.to_owned(),
            base,
            folders,
            depth,
        }
    }

    /// Whether a folder with `depth` components can hold a match.
    fn may_hold(&self, folder: &Path, depth: usize) -> bool {
        if depth >= self.depth.unwrap_or(MAX_DEPTH) {
            return false;
        }
        self.folders
            .get(depth - 2)
            .is_none_or(|pattern| fast_glob::glob_match(pattern, folder.as_os_str().as_bytes()))
    }
}

fn is_pattern(part: &str) -> bool {
    part.contains(['*', '?', '[', '{', '\\'])
}

fn has_slash_in_braces(glob: &str) -> bool {
    let mut open = 0usize;
    glob.bytes().any(|byte| {
        match byte {
            b'{' => open += 1,
            b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        byte == b'/' && open > 0
    })
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
}
