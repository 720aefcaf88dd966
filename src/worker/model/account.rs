//! What must have arrived, what may be missing, and what did arrive.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::files::Files;
use super::stage::{Backend, OUTPUTS};

/// What is excused, for each output.
#[derive(Debug, Default)]
pub(super) struct Excused {
    /// Lines that were out of reach before they were read, each so often.
    missing: [HashMap<String, usize>; 2],
    /// Beginnings of lines: they are lines where nothing more was to come.
    beginnings: HashMap<String, usize>,
}

impl Excused {
    /// What an output has not taken by now of bytes that nobody can reach any more, it will never
    /// get.
    pub(super) fn note_losses(&mut self, files: &Files, backends: &[Backend; 2]) {
        for (id, reach) in files.out_of_reach() {
            let content = &files.contents[id];
            for (backend, missing) in backends.iter().zip(&mut self.missing) {
                let is_taken = |line: &String| backend.sealed.contains_key(line);
                // Lines that are the same everywhere say nothing.
                let taken = content
                    .lines
                    .iter()
                    .rposition(|(line, _)| line.starts_with(&format!("c{id} ")) && is_taken(line));
                let rest = &content.lines[taken.map_or(0, |it| it + 1)..];
                for (line, _) in rest.iter().filter(|(_, end)| *end > reach) {
                    let in_all = files.contents.iter().flat_map(|it| &it.lines);
                    let in_all = in_all.filter(|(other, _)| other == line).count();
                    let missing = missing.entry(line.clone()).or_default();
                    *missing = (*missing + 1).min(in_all);
                }
            }
        }
    }

    /// A log is about to be emptied. When nothing but its banner was read, nobody can tell it from
    /// the next content with that banner: then that of the next may be taken as read.
    pub(super) fn note_emptied(&mut self, files: &Files, log: usize, backends: &[Backend; 2]) {
        let Some(id) = files.content_of(log) else {
            return;
        };
        let own = format!("c{id} ");
        let mut lines = files.contents[id].lines.iter().map(|(line, _)| line);
        let is_proven = lines.any(|line| {
            let mut sealed = backends.iter().map(|it| it.sealed.contains_key(line));
            line.starts_with(&own) && sealed.any(|it| it)
        });
        if !is_proven {
            for missing in &mut self.missing {
                for line in files.banner() {
                    *missing.entry(line).or_default() += 1;
                }
            }
        }
    }

    /// The beginning of a line may arrive as a line.
    pub(super) fn note_beginning(&mut self, line: Option<String>) {
        *self.beginnings.entry(line.unwrap_or_default()).or_default() += 1;
    }

    /// Compares what is stored with what was written.
    pub(super) fn compare(
        &self,
        files: &Files,
        output: usize,
        backend: &Backend,
    ) -> Result<(), TestCaseError> {
        let name = OUTPUTS[output];
        let mut written: BTreeMap<&String, usize> = BTreeMap::new();
        for (line, _) in files.contents.iter().flat_map(|it| &it.lines) {
            *written.entry(line).or_default() += 1;
        }
        let mut arrived: BTreeMap<&String, usize> = BTreeMap::new();
        for stored in &backend.stored {
            *arrived.entry(&stored.line).or_default() += 1;
        }
        let last_words = files.last_words();
        for (line, most) in &written {
            let got = arrived.remove(line).unwrap_or(0);
            let excused = self.missing[output].get(*line).copied().unwrap_or(0);
            let least = most.saturating_sub(excused);
            prop_assert!(
                got >= least,
                "{name}: {got} of {least}..={most} {line:?}: LOST"
            );
            prop_assert!(
                got <= *most,
                "{name}: {got} of {least}..={most} {line:?}: TWICE"
            );
        }
        for (line, got) in arrived {
            let most = self.beginnings.get(line).copied().unwrap_or(0)
                + usize::from(last_words.contains(line));
            prop_assert!(
                got <= most.min(1),
                "{name}: {got} times {line:?}, which nobody wrote"
            );
        }
        in_order(name, backend)
    }
}

/// Within a stream, times rise, and the lines of a content come in their order.
fn in_order(name: &str, backend: &Backend) -> Result<(), TestCaseError> {
    let mut times: HashMap<&str, i64> = HashMap::new();
    let mut numbers: HashMap<(&str, &str), &str> = HashMap::new();
    for stored in &backend.stored {
        if let Some(before) = times.insert(&stored.stream, stored.time) {
            let rises = if name == OUTPUTS[0] {
                stored.time > before
            } else {
                stored.time >= before
            };
            prop_assert!(
                rises,
                "{name}: the time of {stored:?} is not after {before}"
            );
        }
        let mut words = stored.line.split(' ');
        if let (Some(content), Some(number)) = (words.next(), words.next())
            && content.starts_with('c')
        {
            let before = numbers.insert((&stored.stream, content), number);
            prop_assert!(
                before.is_none_or(|it| it < number),
                "{name}: {stored:?} comes after number {before:?}"
            );
        }
    }
    Ok(())
}
