//! Files that two inputs read for one output, as the disk is right now.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::config::{Config, Input};
use crate::source::finding::discover::Found;
use crate::source::finding::globs::Globs;
use crate::source::finding::twice;

/// A sentence for each two inputs and each output that sends files of both twice, with one of the
/// files.
pub(crate) fn read_twice(config: &Config) -> Vec<String> {
    let meant: Vec<_> = config.inputs.iter().map(Meant::new).collect();
    let mut sentences = Vec::new();
    for (index, first) in config.inputs.iter().enumerate() {
        for (other, second) in config.inputs.iter().enumerate().skip(index + 1) {
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
            if let Some(path) = meant[index].file_of_both(&meant[other]) {
                let inputs = [&*first.name, &*second.name];
                sentences.extend(outputs.map(|it| twice::sentence(inputs, &it.name, path)));
            }
        }
    }
    sentences
}

/// What an input means.
struct Meant {
    globs: Globs,
    /// The files by device and inode, once they are asked for.
    files: OnceCell<BTreeMap<(u64, u64), PathBuf>>,
}

impl Meant {
    fn new(input: &Input) -> Self {
        Self {
            globs: Globs::new(&input.include, &input.exclude),
            files: OnceCell::new(),
        }
    }

    /// A file that both mean. What only links make one is found by the agent, when it opens it: the
    /// disk is not walked over where one folder does not lie in the other.
    fn file_of_both(&self, other: &Self) -> Option<&PathBuf> {
        let can_meet = self.globs.bases().any(|one| {
            let mut others = other.globs.bases();
            others.any(|other| one.starts_with(other) || other.starts_with(one))
        });
        if !can_meet {
            return None;
        }
        let others = other.files();
        let mut files = self.files().iter();
        files
            .find(|(key, _)| others.contains_key(key))
            .map(|(_, path)| path)
    }

    fn files(&self) -> &BTreeMap<(u64, u64), PathBuf> {
        self.files.get_or_init(|| {
            let mut found = Found::default();
            self.globs.walk(&mut found);
            let files = found.files.into_iter().rev();
            files
                .filter_map(|path| {
                    let metadata = std::fs::metadata(&path).ok()?;
                    Some(((metadata.dev(), metadata.ino()), path))
                })
                .collect()
        })
    }
}
