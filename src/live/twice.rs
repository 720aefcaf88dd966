//! Files that two inputs read for one output, as the disk is right now.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::config::{Config, Input};
use crate::source::discover::{Found, Globs};
use crate::source::twice;

/// A sentence for each two inputs and each output that sends files of both twice, with one of the
/// files.
pub(crate) fn read_twice(config: &Config) -> Vec<String> {
    let mut sentences = Vec::new();
    for (index, first) in config.inputs.iter().enumerate() {
        for second in &config.inputs[index + 1..] {
            let takes = |names: &[String]| {
                [first, second]
                    .iter()
                    .all(|input| names.contains(&input.name))
            };
            let outputs = config.outputs.iter().filter(|it| takes(&it.inputs));
            let mut outputs = outputs.peekable();
            if outputs.peek().is_none() {
                continue;
            }
            if let Some(path) = file_of_both(first, second) {
                let inputs = [&*first.name, &*second.name];
                sentences.extend(outputs.map(|it| twice::sentence(inputs, &it.name, &path)));
            }
        }
    }
    sentences
}

/// A file that both inputs mean, whatever each calls it.
fn file_of_both(first: &Input, second: &Input) -> Option<PathBuf> {
    let [first, second] = [first, second].map(|it| Globs::new(&it.include, &it.exclude));
    // Neither walks over the disk where they cannot meet.
    let can_meet = first.bases().any(|one| {
        second
            .bases()
            .any(|other| one.starts_with(other) || other.starts_with(one))
    });
    if !can_meet {
        return None;
    }
    let [first, second] = [first, second].map(|globs| files(&globs));
    first
        .into_iter()
        .find(|(key, _)| second.contains_key(key))
        .map(|(_, path)| path)
}

/// The files that are meant, by device and inode.
fn files(globs: &Globs) -> BTreeMap<(u64, u64), PathBuf> {
    let mut found = Found::default();
    globs.walk(&mut found);
    let files = found.files.into_iter().rev();
    files
        .filter_map(|path| {
            let metadata = std::fs::metadata(&path).ok()?;
            Some(((metadata.dev(), metadata.ino()), path))
        })
        .collect()
}
