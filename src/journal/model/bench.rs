//! The journal on a simulated disk, with all that must be known to judge what comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::super::format::tests::{identity, seal};
use super::super::simulated::Simulated;
use super::super::{Cursor, Entry, Journal, Route, State};
use super::acts::{Act, Simple};
use crate::batch::BatchId;
use crate::batch::parts::Fate;
use crate::record::Time;
use crate::record::cut::Learned;
use crate::span::{Anchor, GenerationId, Position, Span};

pub(super) const DIR: &str = "/state";
pub(super) const OUTPUTS: [&str; 2] = ["cloud", "loki"];

/// The journal under test, with all that must be known to judge what comes back.
pub(super) struct Bench {
    pub(super) disk: Simulated,
    pub(super) journal: Option<Journal<Simulated>>,
    pub(super) segment_bytes: u64,
    pub(super) now: Instant,
    /// Every state that was since the last start, with its simple twin, oldest first.
    pub(super) past: Vec<(State, Simple)>,
    /// The oldest that may come back after a kill, and after a power loss.
    pub(super) kept: usize,
    pub(super) synced: usize,
    pub(super) bodies: BTreeMap<BatchId, Vec<u8>>,
    /// What was acknowledged, or was never owed, by generation and output.
    pub(super) delivered: Vec<(GenerationId, String, u64, u64)>,
    /// Bodies that a power loss took.
    pub(super) lost: BTreeSet<BatchId>,
    pub(super) stop: Option<(bool, u64)>,
}

impl Bench {
    pub(super) fn new(segment_bytes: u64) -> Self {
        Self {
            disk: Simulated::default(),
            journal: None,
            segment_bytes,
            now: Instant::now(),
            past: vec![(State::default(), Simple::default())],
            kept: 0,
            synced: 0,
            bodies: BTreeMap::new(),
            delivered: Vec::new(),
            lost: BTreeSet::new(),
            stop: None,
        }
    }

    pub(super) fn simple(&mut self) -> Simple {
        self.past.last().unwrap().1.clone()
    }

    pub(super) fn append(&mut self, entry: &Entry, simple: Simple) -> Result<(), TestCaseError> {
        self.journal.as_mut().unwrap().append(entry);
        self.note(simple)
    }

    pub(super) fn note(&mut self, simple: Simple) -> Result<(), TestCaseError> {
        let state = self.journal.as_ref().unwrap().state().clone();
        simple.agrees_with(&state)?;
        self.past.push((state, simple));
        Ok(())
    }

    pub(super) fn seal(
        &mut self,
        output: &str,
        stream: &str,
        parts: &[(GenerationId, u64)],
        body: &[u8],
    ) -> Result<(), TestCaseError> {
        let journal = self.journal.as_mut().unwrap();
        let mut made = seal(output, stream, GenerationId(0), 0, 1);
        made.body = None;
        made.spans.clear();
        for (generation, len) in parts {
            let start = journal
                .state()
                .read_from(*generation, output)
                .map_or(0, |it| it.position.offset);
            let end = start + len;
            let anchor = Anchor::at_end_of(&end.to_le_bytes());
            made.spans.push(Span {
                generation: *generation,
                start,
                end: Position {
                    offset: end,
                    anchor,
                },
                learned: Learned::default(),
            });
        }
        let spans = made.spans.clone();
        let id = journal.seal(made, &Bytes::copy_from_slice(body), self.now);
        let mut simple = self.simple();
        prop_assert!(
            simple.batches.iter().all(|it| it.0 != id),
            "a number given twice"
        );
        simple
            .batches
            .push((id, output.to_owned(), stream.to_owned(), spans, false));
        self.bodies.insert(id, body.to_vec());
        self.lost.remove(&id);
        self.note(simple)
    }

    pub(super) fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        let mut simple = self.simple();
        let state = self.journal.as_ref().unwrap().state();
        let known: Vec<_> = state.generations.keys().copied().collect();
        let sealed: Vec<_> = state.unacknowledged().map(|(id, _)| id).collect();
        let pick = |which: usize| known.get(which % known.len().max(1)).copied();
        match *act {
            Act::Generation => {
                let id = self.journal.as_mut().unwrap().new_generation();
                let in_flight = simple.batches.iter().flat_map(|it| &it.3);
                prop_assert!(!known.contains(&id), "{id} given twice");
                prop_assert!(
                    in_flight.clone().all(|span| span.generation != id),
                    "{id} given twice"
                );
                simple.generations.insert(id);
                self.append(&Entry::Generation(id, identity(id.0)), simple)?;
            }
            Act::Seal {
                generation,
                output,
                len,
                body,
            } => {
                if let Some(id) = pick(generation) {
                    let number = self.past.len();
                    let body: Vec<_> = (0..usize::from(body))
                        .map(|at| u8::try_from((at * 7 + number * 31 + at / 256) % 251).unwrap())
                        .collect();
                    let stream = stream_of(id);
                    self.seal(OUTPUTS[output], stream, &[(id, u64::from(len))], &body)?;
                }
            }
            Act::SealOfTwo { output } => {
                let mut both = known.iter().filter(|id| stream_of(**id) == "a");
                if let (Some(first), Some(second)) = (both.next(), both.next()) {
                    let parts = [(*first, 5), (*second, 7)];
                    self.seal(OUTPUTS[output], "a", &parts, b"of two generations")?;
                }
            }
            Act::Acknowledge { which } => {
                if let Some(id) = sealed.get(which % sealed.len().max(1)) {
                    let batch = simple.batches.iter().find(|it| it.0 == *id);
                    for (output, span) in batch
                        .iter()
                        .flat_map(|it| it.3.iter().map(|span| (&it.1, span)))
                    {
                        let range = (span.generation, output.clone(), span.start, span.end.offset);
                        self.delivered.push(range);
                    }
                    simple.acknowledge(*id);
                    self.append(&Entry::Acknowledge(*id), simple)?;
                }
            }
            Act::Unseal { which } => {
                if let Some(id) = sealed.get(which % sealed.len().max(1)) {
                    simple.unseal(*id);
                    self.append(&Entry::Unseal(*id), simple)?;
                }
            }
            Act::Cut { which, at } => {
                if let Some(id) = sealed.get(which % sealed.len().max(1)) {
                    simple.cuts.insert((*id, at));
                    self.append(&Entry::Cut(*id, vec![at]), simple)?;
                }
            }
            Act::Settle {
                which,
                record,
                is_refused,
            } => {
                if let Some(id) = sealed.get(which % sealed.len().max(1)) {
                    let fate = if is_refused {
                        Fate::Refused
                    } else {
                        Fate::Delivered
                    };
                    simple.fates.entry((*id, record)).or_insert(fate);
                    let entry = Entry::Settle(*id, record..record + 1, fate);
                    self.append(&entry, simple)?;
                }
            }
            Act::Forget { which } => {
                if let Some(id) = pick(which) {
                    simple.forget(id);
                    self.append(&Entry::Forget(id), simple)?;
                }
            }
            Act::Skip { generation, output } => {
                let name = OUTPUTS[output];
                if let Some(id) = pick(generation)
                    && state.read_from(id, name).is_none()
                {
                    let position = Position {
                        offset: 77,
                        anchor: Anchor::at_end_of(b"x"),
                    };
                    let cursor = Cursor {
                        position,
                        last_time: Time(3),
                        ..Cursor::default()
                    };
                    self.delivered
                        .push((id, name.to_owned(), 0, position.offset));
                    simple.cursors.insert((id, name.to_owned()), position);
                    self.append(&Entry::Cursor(id, name.to_owned(), cursor), simple)?;
                }
            }
            Act::Route { number } => {
                let route = Route {
                    input: format!("in{number}"),
                    output: "loki".into(),
                };
                self.append(&Entry::Route(route), simple)?;
            }
            Act::Commit => self.commit()?,
            Act::Sync => {
                self.commit()?;
                let journal = self.journal.as_mut().unwrap();
                let was_good = journal.trouble().is_none();
                journal.sync(self.now);
                if was_good && journal.trouble().is_none() && !self.disk.is_over() {
                    self.synced = self.past.len() - 1;
                }
            }
            Act::Pass => self.now += Duration::from_secs(3),
            Act::Shrink => self.journal.as_mut().unwrap().shrink(),
            Act::Fail { fault, operations } => self.disk.fail(fault, operations),
            Act::Mend => self.disk.mend(),
            Act::Stop {
                is_power,
                operations,
                seed,
            } => {
                if self.stop.is_none() {
                    self.disk.stop_after(operations, seed);
                    self.stop = Some((is_power, seed));
                }
            }
        }
        Ok(())
    }

    pub(super) fn is_delivered(&self, id: GenerationId, output: &str, byte: u64) -> bool {
        let mut of_this = self
            .delivered
            .iter()
            .filter(|it| it.0 == id && it.1 == output);
        of_this.any(|it| (it.2..it.3).contains(&byte))
    }

    /// Up to where a generation was delivered to an output without holes, batches that were given
    /// up after they were delivered included.
    pub(super) fn delivered_up_to(&self, id: GenerationId, output: &str) -> u64 {
        let of_this = self
            .delivered
            .iter()
            .filter(|it| it.0 == id && it.1 == output);
        let mut ranges: Vec<_> = of_this.map(|it| (it.2, it.3)).collect();
        ranges.sort_unstable();
        let touching = |reached: u64, (start, end): (u64, u64)| {
            if start <= reached {
                reached.max(end)
            } else {
                reached
            }
        };
        ranges.into_iter().fold(0, touching)
    }

    pub(super) fn commit(&mut self) -> Result<(), TestCaseError> {
        let journal = self.journal.as_mut().unwrap();
        let was_bad = journal.trouble().is_some();
        journal.commit(self.now);
        let state = journal.state();
        if *state != self.past.last().unwrap().0 {
            // Bodies were written that lay in memory alone.
            let simple = self.past.last().unwrap().1.clone();
            self.past.push((state.clone(), simple));
        }
        if journal.trouble().is_none() && !self.disk.is_over() {
            self.kept = self.past.len() - 1;
            if was_bad {
                // It began anew, with a checkpoint that is synced.
                self.synced = self.kept;
            }
            for (id, seal) in state.unacknowledged() {
                let is_kept = seal.body.is_some() || self.lost.contains(&id);
                prop_assert!(is_kept, "the body of {:?} is nowhere", id);
            }
        }
        Ok(())
    }

    /// Ends the process or the power, and judges what is found.
    pub(super) fn start_again(&mut self, is_power: bool, seed: u64) -> Result<(), TestCaseError> {
        self.journal = None;
        if is_power {
            self.disk.after_power_loss(seed);
            // The page cache is gone: all that counts is what was synced.
            self.kept = self.synced;
        } else {
            self.disk.after_kill();
        }
        self.open(!is_power)
    }

    pub(super) fn open(&mut self, all_bodies: bool) -> Result<(), TestCaseError> {
        let dir = Path::new(DIR);
        let (journal, _) = Journal::open_on(self.disk.clone(), dir, self.segment_bytes, self.now)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let state = journal.state().clone();
        let found = (self.kept..self.past.len()).find(|at| self.past[*at].0 == state);
        let Some(found) = found else {
            let ever = self.past.iter().rposition(|(it, _)| *it == state);
            return Err(TestCaseError::fail(format!(
                "what came back is not among the states {}..{}; it is {ever:?}\nfound {state:#?}\nexpected {:#?}",
                self.kept,
                self.past.len(),
                self.past[self.kept].0,
            )));
        };
        for (id, seal) in state.unacknowledged() {
            let body = journal.body_of(id);
            let sealed = &self.bodies[&id];
            if let Some(body) = body {
                prop_assert_eq!(&body[..], &sealed[..]);
            } else {
                let is_excused = !all_bodies || seal.body.is_none() || self.lost.contains(&id);
                prop_assert!(is_excused, "the body of {:?} is lost", id);
                self.lost.insert(id);
            }
        }
        self.past = vec![self.past.swap_remove(found)];
        (self.kept, self.synced) = (0, 0);
        self.journal = Some(journal);
        Ok(())
    }

    pub(super) fn run(&mut self, acts: &[Act]) -> Result<(), TestCaseError> {
        self.open(true)?;
        for act in acts {
            self.act(act)?;
            if self.disk.is_over()
                && let Some((is_power, seed)) = self.stop.take()
            {
                self.start_again(is_power, seed)?;
            }
        }
        // What was in trouble recovers once the disk does.
        self.disk.mend();
        self.stop = None;
        self.disk.after_kill();
        self.now += Duration::from_secs(3);
        self.commit()?;
        self.commit()?;
        prop_assert!(self.journal.as_ref().unwrap().trouble().is_none());
        prop_assert_eq!(self.kept, self.past.len() - 1);
        self.start_again(false, 0)
    }
}

fn stream_of(id: GenerationId) -> &'static str {
    if id.0.is_multiple_of(2) { "a" } else { "b" }
}
