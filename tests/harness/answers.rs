//! The tables of what each answer means, as the document shows them, which is printed from the code.

use std::fs;
use std::path::Path;

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    /// The codes or the statuses; what happened where there was no answer.
    pub(crate) answer: String,
    /// The class that they fall into.
    pub(crate) class: String,
    /// The reason, in a word.
    pub(crate) reason: String,
    /// What would mend it.
    pub(crate) mending: String,
}

/// The rows under a heading.
pub(crate) fn rows(heading: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/answers.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, text) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let text = text.split_once("\n## ").map_or(text, |(text, _)| text);
    let rows: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .skip(1)
        .map(|line| {
            let cells: Vec<_> = line.split(" | ").map(str::trim).collect();
            Row {
                answer: cells[0].to_owned(),
                class: cells[1].to_owned(),
                reason: cells[2].trim_matches('`').to_owned(),
                mending: cells[3].to_owned(),
            }
        })
        .collect();
    assert!(rows.len() >= 8, "{rows:?}");
    rows
}
