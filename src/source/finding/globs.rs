//! The globs of an input: which names they mean, and in which folders such names can lie. Decides by
//! names alone.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::source::identity::rotation::Lineage;

/// The compiled globs of one input.
#[derive(Debug)]
pub(crate) struct Globs {
    pub(in crate::source) include: Vec<Pattern>,
    exclude: Vec<String>,
}

/// One glob to include.
#[derive(Debug)]
pub(in crate::source) struct Pattern {
    glob: String,
    /// The folder above the first wildcard.
    pub(in crate::source) base: PathBuf,
    /// For each depth below the root the pattern that a folder must match to be entered; shorter
    /// than the pattern where that cannot be said (`**`, braces that hold a slash).
    folders: Vec<String>,
    /// The number of components, or nothing when folders of any depth can hold a match.
    depth: Option<usize>,
    /// How often a folder can be on the way to itself and still hold a match that it does not hold by
    /// a shorter name: so often as there are parts behind the last `**`.
    pub(in crate::source) rounds: usize,
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

    /// The name that is meant and to which rotation can have given this one.
    pub(crate) fn original_in<'a>(&self, lineage: &'a Lineage<'_>) -> Option<&'a Path> {
        lineage.originals().find(|it| self.matches(it))
    }

    /// What to include, as it was written.
    pub(in crate::source) fn included(&self) -> impl Iterator<Item = &str> {
        self.include.iter().map(|pattern| pattern.glob.as_str())
    }

    /// The folders above the first wildcards.
    pub(crate) fn bases(&self) -> impl Iterator<Item = &Path> {
        self.include.iter().map(|pattern| pattern.base.as_path())
    }

    /// Whether a walk enters a folder of this name.
    pub(in crate::source) fn may_enter(&self, folder: &Path) -> bool {
        let depth = folder.components().count();
        let mut patterns = self.include.iter();
        patterns.any(|pattern| pattern.may_hold(folder, depth))
    }

    /// Whether names that are meant may lie in a folder, however deep above it others are.
    pub(in crate::source) fn may_hold_files(&self, folder: &Path) -> bool {
        let depth = folder.components().count();
        self.include.iter().any(|pattern| {
            let is_deep_enough = pattern.depth.is_none_or(|it| it == depth + 1);
            is_deep_enough
                && folder.starts_with(&pattern.base)
                && (depth < 2 || pattern.may_hold(folder, depth))
        })
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
        let last_deep = parts.iter().rposition(|part| part.contains("**"));
        let last_deep = last_deep.filter(|_| is_countable);
        let rounds = parts.len() - last_deep.map_or(plain, |it| it + 1);
        Self {
            glob: glob.to_owned(),
            base,
            folders,
            depth,
            rounds: rounds.max(1),
        }
    }

    /// Whether a folder with `depth` components can hold a match.
    pub(in crate::source) fn may_hold(&self, folder: &Path, depth: usize) -> bool {
        if self.depth.is_some_and(|it| depth >= it) {
            return false;
        }
        self.folders
            .get(depth - 2)
            .is_none_or(|pattern| fast_glob::glob_match(pattern, folder.as_os_str().as_bytes()))
    }

    /// Whether what lies in a folder with `depth` components can be as deep as it likes.
    pub(in crate::source) fn is_open_at(&self, depth: usize) -> bool {
        self.depth.is_none() && depth > self.folders.len()
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
