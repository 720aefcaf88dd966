//! Globs that match no file: told once, since a mistyped one looks like a log in which nothing
//! happens.

use std::path::{Path, PathBuf};

use super::globs::Globs;
use crate::source::Source;

/// The globs that matched nothing at the last look, with the input of each.
#[derive(Debug, Default)]
pub(in crate::source) struct Unmatched {
    globs: Vec<(usize, String)>,
    /// What the log was told after the last first look.
    told: Vec<String>,
}

impl Unmatched {
    /// The inputs are others: what was found of them is nothing to go by.
    pub(in crate::source) fn forget(&mut self) {
        self.globs.clear();
    }
}

/// That a glob matches nothing, in words.
pub(crate) fn matches_nothing(input: &str, glob: &str) -> String {
    format!("input {input}: {glob} matches no file right now")
}

/// Those of an input's globs that match none of its files.
pub(in crate::source) fn globs_without(
    input: usize,
    globs: &Globs,
    files: &[PathBuf],
) -> Vec<(usize, String)> {
    let is_unmatched = |glob: &&str| !files.iter().any(|path| matches(glob, path));
    let unmatched = globs.included().filter(is_unmatched);
    unmatched.map(|glob| (input, glob.to_owned())).collect()
}

fn matches(glob: &str, path: &Path) -> bool {
    fast_glob::glob_match(glob, path.as_os_str().as_encoded_bytes())
}

impl Source {
    /// After everything was listed: remembers what matched nothing. At a first look the log is told,
    /// but for what it was told at the one before.
    pub(in crate::source) fn see_unmatched(&mut self, globs: Vec<(usize, String)>, is_first: bool) {
        self.unmatched.globs = globs;
        if !is_first {
            return;
        }
        let sentences: Vec<_> = self.unmatched().collect();
        for sentence in &sentences {
            if !self.unmatched.told.contains(sentence) {
                tracing::warn!("{sentence}; what comes later is read");
            }
        }
        self.unmatched.told = sentences;
    }

    /// The globs that match nothing, in sentences.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = String> {
        // A file that came since the last look is known by its name.
        let has_come = |input: usize, glob: &str| {
            let mut names = self.by_path.names();
            names.any(|name| name.0 == input && matches(glob, name.1))
        };
        let globs = self.unmatched.globs.iter();
        globs
            .filter(move |(input, glob)| !has_come(*input, glob))
            .map(|(input, glob)| matches_nothing(self.input_name(*input), glob))
    }
}
