//! Which files an input matches right now, and whether they can be read.

use std::fs::File;

use super::Section;
use crate::config::Input;
use crate::source::finding::discover::Found;
use crate::source::finding::globs::Globs;
use crate::source::permission_mending;

/// So many files and folders that cannot be read are named.
const NAMED: usize = 10;

pub(super) fn look(input: &Input) -> Section {
    let mut section = Section::new(format!("input {}", input.name));
    let mut found = Found::default();
    Globs::new(&input.include, &input.exclude).walk(&mut found);
    let problems = found.problems.iter();
    let mut closed: Vec<String> = problems
        .map(|(path, error)| {
            let mending = mending(path, error);
            format!("cannot list {}: {error}{mending}", path.display())
        })
        .collect();
    closed.extend(found.files.iter().filter_map(|path| {
        let error = File::open(path).err()?;
        let mending = mending(path, &error);
        Some(format!("cannot open {}: {error}{mending}", path.display()))
    }));
    let count = found.files.len();
    match (count, closed.is_empty()) {
        (0, true) => section.note(
            "match",
            format!(
                "no file matches {} right now; one that comes later is read",
                input.include.join(", ")
            ),
        ),
        (_, true) => section.holds("match", format!("{count} files match, and all can be read")),
        (_, false) => section.note("match", format!("{count} files match")),
    }
    for (folder, why) in found.passed_over.iter().take(NAMED) {
        section.note(
            "folders",
            format!("{} is not entered: {why}", folder.display()),
        );
    }
    for sentence in closed.iter().take(NAMED) {
        section.fails("permission", sentence);
    }
    if closed.len() > NAMED {
        section.fails("permission", format!("and {} more", closed.len() - NAMED));
    }
    section
}

fn mending(path: &std::path::Path, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        permission_mending(path)
    } else {
        String::new()
    }
}
