//! What must have arrived, what may be missing, and what did arrive.
//!
//! What nobody can tell from the files is excused, and nothing else:
//!
//! 1. Bytes that were emptied away, overwritten or deleted while no agent held them, and that were in
//!    no batch by then, are lost.
//! 2. Where contents are short: a log that was emptied or deleted when nothing of its own was in
//!    batches, only lines that are the same everywhere, may seem to be as it was when it is filled
//!    again: the lines that both contents begin with may be missing once.
//! 3. What lies under a rotated name, or nowhere, when an output is configured for the first time is
//!    no debt to it.
//! 4. Batches of an output that is taken out of the configuration are given up. What was stored of
//!    them, unheard, comes again should the output come back, and its order and times begin anew.
//!    Files without a name are not held open for it.
//! 5. A line without an end is over in a file that is copied, rotated, or away for some seconds: its
//!    beginning arrives. So does that of a record which lacks its last line in a copy. Where the
//!    wait was over before that line came, what was read by then is a record, and the rest another.
//! 6. Where contents are short: what was copied or compressed when less than 4 KiB of it were there, or
//!    in batches, may be a file of its own. Its first 4 KiB may come again, for each such time, and
//!    with them the beginning of a line.
//! 7. Where contents are short: a copied or compressed file that is shorter than 4 KiB, and holds
//!    nothing but what another content of its log begins with, may be taken for that one: what was not
//!    read of it may be missing. The same holds for any content that begins with the same 4 KiB as
//!    another one of its log.
//!
//! And some things do not happen in a life, since they could not be told apart: a copy is made of a
//! log that no agent has seen and that is read on, or of one that has a rotated name already; the
//! clock is set back and put forward again between two looks, or set back while no agent runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::acts::Setup;
use super::backend::{Backend, refuses};
use super::files::{Content, Files, Lies, own_begin};
use super::stage::{OUTPUTS, Stage};
use crate::span::PROOF_ENOUGH;

/// What is excused, for each output.
#[derive(Debug, Default)]
pub(super) struct Excused {
    /// Lines that were out of reach before they were read: of which content, and which.
    missing: [BTreeSet<(usize, usize)>; 2],
    /// Up to where the agent is known to have read each content.
    read: [HashMap<usize, u64>; 2],
    /// Contents that were emptied of which nothing of their own was read by then.
    unproven: Vec<usize>,
    /// What was copied or compressed, and may be taken for another content.
    copied: Vec<Lies>,
    /// Whether contents may be short.
    is_short: bool,
    /// What proves too little, copied or compressed.
    doubled: Vec<Lies>,
    /// Outputs that were ever configured.
    is_met: [bool; 2],
    /// Beginnings of lines: they are lines where nothing more was to come.
    beginnings: HashMap<String, usize>,
}

impl Excused {
    /// Nothing yet.
    pub(super) fn of(setup: Setup) -> Self {
        Self {
            is_short: setup.own_lines == 0,
            ..Self::default()
        }
    }

    /// What an output has not taken by now of bytes that nobody can reach any more, it will never
    /// get.
    pub(super) fn note_losses(&mut self, files: &Files, stage: &Stage, takers: [bool; 2]) {
        let outputs = takers.into_iter().zip(&stage.backends);
        let outputs = outputs.zip(&self.read);
        for (((takes, backend), read), missing) in outputs.zip(&mut self.missing) {
            for (id, reach) in files.out_of_reach(|inode| takes || stage.holds(inode)) {
                let read = read.get(&id).copied().unwrap_or(0);
                let lost = lost_of(files, id, (reach, read), backend);
                missing.extend(lost.map(|number| (id, number)));
            }
            for (id, len) in files.alike(&self.copied) {
                let read = read.get(&id).copied().unwrap_or(0);
                let lines = (0..).zip(&files.contents[id].lines);
                let unread = lines.filter(|(_, (_, end))| *end as u64 > read && *end <= len);
                missing.extend(unread.map(|(number, _)| (id, number)));
            }
        }
    }

    /// Notes up to where the agent has read what lies in each file.
    pub(super) fn note_read(&mut self, files: &Files, stage: &Stage) {
        for (id, inode) in files.of_contents() {
            let now = stage.read_up_to(inode);
            for (read, now) in self.read.iter_mut().zip(now) {
                let before = read.entry(id).or_default();
                *before = now.max(*before);
            }
        }
    }

    /// An output begins anew, or is configured no longer. Behind its last batch it reads again, and what
    /// was on its way may be given up.
    pub(super) fn forget_read(&mut self, output: usize) {
        self.read[output].clear();
    }

    /// An output is configured. What lies under rotated names by then, or nowhere, is no debt to one
    /// that is new.
    pub(super) fn note_met(&mut self, files: &Files, output: usize) {
        if !std::mem::replace(&mut self.is_met[output], true) {
            for id in files.not_at_home() {
                let lines = 0..files.contents[id].lines.len();
                self.missing[output].extend(lines.map(|number| (id, number)));
            }
        }
    }

    /// What lies in a file is about to be emptied or deleted. When nothing of its own was read, nobody can
    /// tell it from the next content that begins with the same lines: then those of the next may be taken
    /// as read.
    pub(super) fn note_gone(&mut self, files: &Files, gone: Option<Lies>, backends: &[Backend; 2]) {
        let Some(id) = gone.filter(|_| self.is_short).map(|it| it.content) else {
            return;
        };
        let own = own_begin(id);
        let mut lines = files.contents[id].lines.iter().map(|(line, _)| line);
        let is_proven = lines.any(|line| {
            let mut sealed = backends.iter().map(|it| it.sealed.contains_key(line));
            line.starts_with(&own) && sealed.any(|it| it)
        });
        self.unproven.extend((!is_proven).then_some(id));
    }

    /// Another file with what lies in one was made: a copy, or a gzip.
    pub(super) fn note_doubled(
        &mut self,
        files: &Files,
        original: Option<Lies>,
        backends: &[Backend; 2],
    ) {
        let Some(original) = original.filter(|_| self.is_short) else {
            return;
        };
        self.copied.push(original);
        let content = &files.contents[original.content];
        let read = content.lines.iter().filter(|(line, _)| {
            let mut backends = backends.iter();
            backends.any(|it| it.sealed.contains_key(line))
        });
        let read = read.map(|(_, end)| *end).max().unwrap_or(0);
        self.doubled.extend((read < enough()).then_some(original));
    }

    /// The beginning of a line may arrive as a line.
    pub(super) fn note_beginning(&mut self, line: Option<String>) {
        *self.beginnings.entry(line.unwrap_or_default()).or_default() += 1;
    }

    /// How often each line may be missing.
    fn excused<'a>(&'a self, files: &'a Files, output: usize) -> BTreeMap<&'a String, usize> {
        let missing = lines_of(files, &self.missing[output]);
        let shared = self.unproven.iter().flat_map(|id| files.shared_by(*id));
        count(missing.chain(shared))
    }

    /// How many bytes can be lost, at the most: what some output lacks of each content.
    fn most_lacking(&self, files: &Files) -> u64 {
        let most_of = |(id, content): (usize, &Content)| {
            let lacks = self.missing.iter();
            let lacks = lacks.flat_map(|it| it.range((id, 0)..(id + 1, 0)));
            let lacks: BTreeSet<_> = lacks.map(|(_, number)| *number).collect();
            let bytes = lacks.iter().map(|it| content.lines[*it].0.len() as u64 + 1);
            bytes.sum::<u64>() + content.begun_len()
        };
        files.contents.iter().enumerate().map(most_of).sum()
    }

    /// How many bytes can be said to be lost, at the most. A copy that proves too little may be taken
    /// for a content of its own, and be lost as such. And what was given up unheard need not be lost.
    pub(super) fn most_lost(
        &self,
        files: &Files,
        backends: &[Backend; 2],
        is_all_there: bool,
    ) -> u64 {
        let lacking = (!is_all_there).then(|| self.most_lacking(files));
        let copied = self.doubled.iter().map(|it| it.len.min(enough()));
        let given_up = backends.iter().flat_map(|it| &it.come_again);
        let given_up = given_up.map(|(line, count)| (line.len() + 1) * count);
        lacking.unwrap_or(0) + copied.chain(given_up).sum::<usize>() as u64
    }

    /// Compares what is stored with what was written. Says whether nothing is missing, be it excused
    /// or never owed.
    pub(super) fn compare(
        &self,
        files: &Files,
        output: usize,
        backend: &Backend,
        letters: &[String],
        lets_go: impl Fn(&str, usize) -> bool,
    ) -> Result<bool, TestCaseError> {
        let name = OUTPUTS[output];
        let mut is_all_there = true;
        let mut written: BTreeMap<&String, usize> = BTreeMap::new();
        for (line, end) in files.contents.iter().flat_map(|it| &it.lines) {
            let is_let_go = lets_go(line, *end);
            *written.entry(line).or_default() += usize::from(!is_let_go);
            // Whether it was read does not show.
            is_all_there &= !is_let_go;
        }
        let (mut arrived, mut refused) = (BTreeMap::new(), BTreeMap::new());
        for stored in backend.stored() {
            *arrived.entry(&stored.line).or_insert(0usize) += 1;
        }
        for letter in letters {
            let is_bad = refuses(output, letter);
            prop_assert!(is_bad, "{name}: {letter:?} is in the dead letters");
            *refused.entry(letter).or_insert(0usize) += 1;
        }
        let excused = self.excused(files, output);
        let can_lack = |whole: &String| excused.contains_key(whole);
        is_all_there &= files.divided.join(&mut arrived, can_lack);
        let again = self.doubled.iter().flat_map(|it| {
            let lines = files.contents[it.content].lines.iter();
            let first = lines.filter(|(_, end)| *end <= it.len.min(enough()));
            first.map(|(line, _)| line)
        });
        let again = count(again);
        let last_words = files.last_words();
        for (line, most) in &written {
            let got = arrived.get(line).copied().unwrap_or(0);
            if got != *most {
                eprintln!(
                    "ARRIVED {name} {got} of {most} {:?}",
                    line.get(..70).unwrap_or(line)
                );
            }
        }
        for (line, most) in &written {
            let got = arrived.remove(line).unwrap_or(0) + refused.remove(line).unwrap_or(0);
            is_all_there &= got >= *most;
            let excused = excused.get(line).copied().unwrap_or(0);
            let least = most.saturating_sub(excused);
            let most = most
                + backend.come_again.get(*line).copied().unwrap_or(0)
                + again.get(line).copied().unwrap_or(0);
            prop_assert!(
                got >= least,
                "{name}: {got} of {least}..={most} {line:?}: LOST"
            );
            prop_assert!(
                got <= most,
                "{name}: {got} of {least}..={most} {line:?}: TWICE"
            );
        }
        for (line, got) in arrived.into_iter().chain(refused) {
            let most = self.beginnings.get(line).copied().unwrap_or(0)
                + usize::from(last_words.contains(line));
            // A short copy may be a file of its own.
            let most = if self.is_short { most } else { most.min(1) };
            let copies = self.doubled.iter().filter(|it| it.is_of(line)).count();
            let most = most + copies + backend.come_again.get(line).copied().unwrap_or(0);
            prop_assert!(
                got <= most,
                "{name}: {got} times {line:?}, which nobody wrote"
            );
        }
        let doubled = self.doubled.iter().map(|it| format!("c{}", it.content));
        in_order(name, backend, &doubled.collect())?;
        Ok(is_all_there)
    }
}

/// So many bytes prove what a content is.
fn enough() -> usize {
    usize::try_from(PROOF_ENOUGH).unwrap()
}

/// The lines of a content that lie beyond its reach and were not taken by then.
fn lost_of(
    files: &Files,
    id: usize,
    (reach, read_up_to): (usize, u64),
    backend: &Backend,
) -> impl Iterator<Item = usize> {
    let lines = &files.contents[id].lines;
    let own = own_begin(id);
    let is_taken = |line: &String| files.divided.is_in(&backend.sealed, line);
    // Lines that are the same everywhere say nothing, but for those around them.
    let mut in_order = lines.iter();
    let first = in_order.position(|(line, _)| line.starts_with(&own) && !is_taken(line));
    let read = &lines[..first.unwrap_or(lines.len())];
    let taken = read.iter().rposition(|(line, _)| line.starts_with(&own));
    let from = taken.map_or(0, |it| it + 1);
    let lost = (0..).zip(lines).filter(move |(number, (line, end))| {
        let is_lost = if line.starts_with(&own) {
            !is_taken(line)
        } else {
            let is_read = *end as u64 <= read_up_to;
            !is_read && (*number >= from || backend.taken_back.contains(line))
        };
        is_lost && *end > reach
    });
    lost.map(|(number, _)| number)
}

fn lines_of<'a>(
    files: &'a Files,
    which: impl IntoIterator<Item = &'a (usize, usize)>,
) -> impl Iterator<Item = &'a String> {
    let which = which.into_iter();
    which.map(|&(id, number)| &files.contents[id].lines[number].0)
}

fn count<'a>(lines: impl Iterator<Item = &'a String>) -> BTreeMap<&'a String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

/// Within a stream, times rise, and the lines of a content come in their order.
fn in_order(
    name: &str,
    backend: &Backend,
    doubled: &BTreeSet<String>,
) -> Result<(), TestCaseError> {
    let mut times: HashMap<&str, i64> = HashMap::new();
    let mut numbers: HashMap<(&str, &str), &str> = HashMap::new();
    for stored in backend.stored_for_good() {
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
            && !doubled.contains(content)
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
