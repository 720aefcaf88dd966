//! The journal against a model, on a simulated disk: whatever is done, whatever fails and
//! whenever the machine stops, what comes back is a state that was, and none older than what was
//! promised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::format::tests::{identity, seal};
use super::recovery::NAMES;
use super::simulated::{Fault, Simulated};
use super::{Cursor, Entry, Journal, Route, State, format};
use crate::batch::BatchId;
use crate::record::Time;
use crate::span::{Anchor, GenerationId, Position, Span};

const DIR: &str = "/state";
const OUTPUTS: [&str; 2] = ["cloud", "loki"];

#[derive(Debug, Clone)]
enum Act {
    Generation,
    Seal {
        generation: usize,
        output: usize,
        len: u16,
        body: u16,
    },
    SealOfTwo {
        output: usize,
    },
    Acknowledge {
        which: usize,
    },
    Unseal {
        which: usize,
    },
    Forget {
        which: usize,
    },
    Skip {
        generation: usize,
        output: usize,
    },
    Route {
        number: usize,
    },
    Commit,
    Sync,
    Pass,
    Shrink,
    Fail {
        fault: Fault,
        operations: u32,
    },
    Mend,
    Stop {
        is_power: bool,
        operations: u32,
        seed: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let number = || 0usize..8;
    let fault = prop_oneof![Just(Fault::Full), Just(Fault::Broken), Just(Fault::Sync)];
    prop_oneof![
        2 => Just(Act::Generation),
        6 => (number(), 0usize..2, 1u16..500, 1u16..9000)
            .prop_map(|(generation, output, len, body)| Act::Seal { generation, output, len, body }),
        1 => (0usize..2).prop_map(|output| Act::SealOfTwo { output }),
        6 => number().prop_map(|which| Act::Acknowledge { which }),
        1 => number().prop_map(|which| Act::Unseal { which }),
        1 => number().prop_map(|which| Act::Forget { which }),
        1 => (number(), 0usize..2).prop_map(|(generation, output)| Act::Skip { generation, output }),
        1 => number().prop_map(|number| Act::Route { number }),
        8 => Just(Act::Commit),
        3 => Just(Act::Sync),
        2 => Just(Act::Pass),
        1 => Just(Act::Shrink),
        2 => (fault, 1u32..6).prop_map(|(fault, operations)| Act::Fail { fault, operations }),
        1 => Just(Act::Mend),
        3 => (any::<bool>(), 0u32..24, any::<u64>())
            .prop_map(|(is_power, operations, seed)| Act::Stop { is_power, operations, seed }),
    ]
}

/// What the entries amount to, said as simply as can be.
#[derive(Debug, Clone, Default)]
struct Simple {
    generations: BTreeSet<GenerationId>,
    cursors: BTreeMap<(GenerationId, String), Position>,
    /// In order: number, output, stream, spans, acknowledged.
    batches: Vec<(BatchId, String, String, Vec<Span>, bool)>,
}

impl Simple {
    fn acknowledge(&mut self, id: BatchId) {
        let Some(this) = self.batches.iter_mut().find(|it| it.0 == id) else {
            return;
        };
        this.4 = true;
        let (output, stream) = (this.1.clone(), this.2.clone());
        let mut is_reached = true;
        let cursors = &mut self.cursors;
        let generations = &self.generations;
        self.batches.retain(|it| {
            if (&it.1, &it.2) != (&output, &stream) {
                return true;
            }
            is_reached &= it.4;
            if is_reached {
                for span in
                    it.3.iter()
                        .filter(|it| generations.contains(&it.generation))
                {
                    cursors.insert((span.generation, output.clone()), span.end);
                }
            }
            !is_reached
        });
    }

    fn unseal(&mut self, id: BatchId) {
        let Some(this) = self.batches.iter().find(|it| it.0 == id) else {
            return;
        };
        let (output, stream) = (this.1.clone(), this.2.clone());
        self.batches
            .retain(|it| it.0 < id || (&it.1, &it.2) != (&output, &stream));
    }

    fn forget(&mut self, id: GenerationId) {
        self.generations.remove(&id);
        self.cursors.retain(|(other, _), _| *other != id);
    }

    fn agrees_with(&self, state: &State) -> Result<(), TestCaseError> {
        let generations: BTreeSet<_> = state.generations.keys().copied().collect();
        prop_assert_eq!(&generations, &self.generations);
        let cursors: BTreeMap<_, _> = state
            .generations
            .iter()
            .flat_map(|(id, known)| {
                let cursors = known.cursors.iter();
                cursors.map(move |(output, cursor)| ((*id, output.clone()), cursor.position))
            })
            .collect();
        prop_assert_eq!(&cursors, &self.cursors);
        let on_the_way: Vec<_> = state.unacknowledged().map(|(id, _)| id).collect();
        let expected = self.batches.iter().filter(|it| !it.4);
        prop_assert_eq!(on_the_way, expected.map(|it| it.0).collect::<Vec<_>>());
        Ok(())
    }
}

/// The journal under test, with all that must be known to judge what comes back.
struct Bench {
    disk: Simulated,
    journal: Option<Journal<Simulated>>,
    segment_bytes: u64,
    now: Instant,
    /// Every state that was since the last start, with its simple twin, oldest first.
    past: Vec<(State, Simple)>,
    /// The oldest that may come back after a kill, and after a power loss.
    kept: usize,
    synced: usize,
    bodies: BTreeMap<BatchId, Vec<u8>>,
    /// Bodies that a power loss took.
    lost: BTreeSet<BatchId>,
    stop: Option<(bool, u64)>,
}

impl Bench {
    fn new(segment_bytes: u64) -> Self {
        Self {
            disk: Simulated::default(),
            journal: None,
            segment_bytes,
            now: Instant::now(),
            past: vec![(State::default(), Simple::default())],
            kept: 0,
            synced: 0,
            bodies: BTreeMap::new(),
            lost: BTreeSet::new(),
            stop: None,
        }
    }

    fn simple(&mut self) -> Simple {
        self.past.last().unwrap().1.clone()
    }

    fn append(&mut self, entry: &Entry, simple: Simple) -> Result<(), TestCaseError> {
        self.journal.as_mut().unwrap().append(entry);
        self.note(simple)
    }

    fn note(&mut self, simple: Simple) -> Result<(), TestCaseError> {
        let state = self.journal.as_ref().unwrap().state().clone();
        simple.agrees_with(&state)?;
        self.past.push((state, simple));
        Ok(())
    }

    fn seal(
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
                .map_or(0, |it| it.0.offset);
            let end = start + len;
            let anchor = Anchor::at_end_of(&end.to_le_bytes());
            made.spans.push(Span {
                generation: *generation,
                start,
                end: Position {
                    offset: end,
                    anchor,
                },
            });
        }
        let spans = made.spans.clone();
        let id = journal.seal(made, body, self.now);
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

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
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
                        .map(|at| (at * 7 + number * 31 + at / 256) as u8)
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
                    };
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
            Act::Commit => self.commit(),
            Act::Sync => {
                self.commit();
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

    fn commit(&mut self) {
        let journal = self.journal.as_mut().unwrap();
        let was_bad = journal.trouble().is_some();
        journal.commit(self.now);
        if journal.trouble().is_none() && !self.disk.is_over() {
            self.kept = self.past.len() - 1;
            if was_bad {
                // It began anew, with a checkpoint that is synced.
                self.synced = self.kept;
            }
        }
    }

    /// Ends the process or the power, and judges what is found.
    fn start_again(&mut self, is_power: bool, seed: u64) -> Result<(), TestCaseError> {
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

    fn open(&mut self, all_bodies: bool) -> Result<(), TestCaseError> {
        let dir = Path::new(DIR);
        let (journal, _) = Journal::open_on(self.disk.clone(), dir, self.segment_bytes, self.now)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let state = journal.state();
        let found = (self.kept..self.past.len()).find(|at| self.past[*at].0 == *state);
        let Some(found) = found else {
            let ever = self.past.iter().rposition(|(it, _)| it == state);
            return Err(TestCaseError::fail(format!(
                "what came back is not among the states {}..{}; it is {ever:?}\nfound {state:#?}\nexpected {:#?}",
                self.kept,
                self.past.len(),
                self.past[self.kept].0,
            )));
        };
        for (id, seal) in state.unacknowledged() {
            let body = journal.body_of(seal);
            let sealed = &self.bodies[&id];
            match body {
                Some(body) => prop_assert_eq!(&body[..], &sealed[..]),
                None => {
                    let is_excused = !all_bodies || seal.body.is_none() || self.lost.contains(&id);
                    prop_assert!(is_excused, "the body of {:?} is lost", id);
                    self.lost.insert(id);
                }
            }
        }
        self.past = vec![self.past.swap_remove(found)];
        (self.kept, self.synced) = (0, 0);
        self.journal = Some(journal);
        Ok(())
    }

    fn run(&mut self, acts: &[Act]) -> Result<(), TestCaseError> {
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
        self.commit();
        self.commit();
        prop_assert!(self.journal.as_ref().unwrap().trouble().is_none());
        prop_assert_eq!(self.kept, self.past.len() - 1);
        self.start_again(false, 0)
    }
}

fn stream_of(id: GenerationId) -> &'static str {
    if id.0.is_multiple_of(2) { "a" } else { "b" }
}

/// As many cases as fit a run of all tests; more where `PROPTEST_CASES` asks for them.
fn cases(usual: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(usual),
    }
}

/// The younger segment.
fn current(disk: &Simulated) -> PathBuf {
    let epoch = |path: &PathBuf| {
        let content = disk.content(path)?;
        format::read(&content).ok().map(|it| it.epoch)
    };
    NAMES
        .map(|name| Path::new(DIR).join(name))
        .into_iter()
        .max_by_key(epoch)
        .unwrap()
}

#[test]
fn a_journal_cut_at_any_length_is_a_state_that_was() {
    let acts = [
        Act::Generation,
        Act::Generation,
        Act::Seal {
            generation: 0,
            output: 0,
            len: 9,
            body: 99,
        },
        Act::Seal {
            generation: 0,
            output: 0,
            len: 9,
            body: 99,
        },
        Act::Acknowledge { which: 1 },
        Act::Route { number: 1 },
        Act::Commit,
        Act::Acknowledge { which: 0 },
        Act::Seal {
            generation: 1,
            output: 1,
            len: 9,
            body: 99,
        },
        Act::Sync,
        Act::Unseal { which: 0 },
        Act::Forget { which: 1 },
        Act::Sync,
    ];
    let mut bench = Bench::new(1 << 20);
    bench.open(true).unwrap();
    for act in &acts {
        bench.act(act).unwrap();
    }
    bench.journal = None;
    let path = current(&bench.disk);
    let whole = bench.disk.content(&path).unwrap();
    let mut reached = 0;
    for len in 0..=whole.len() {
        bench.disk.put(&path, &whole[..len]);
        for name in NAMES.map(|name| Path::new(DIR).join(name)) {
            if name != path {
                bench.disk.put(&name, b"");
            }
        }
        let dir = Path::new(DIR);
        let (journal, _) = Journal::open_on(bench.disk.clone(), dir, 1 << 20, bench.now).unwrap();
        let found = bench.past.iter().position(|(it, _)| it == journal.state());
        let found = found.unwrap_or_else(|| panic!("cut at {len}: {:?}", journal.state()));
        assert!(found >= reached, "cut at {len}");
        reached = found;
    }
    assert_eq!(reached, bench.past.len() - 1);
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn what_comes_back_is_a_state_that_was_and_none_older_than_promised(
        segment_bytes in prop_oneof![Just(300u64), Just(2000), Just(1 << 20)],
        acts in proptest::collection::vec(act(), 1..80),
    ) {
        Bench::new(segment_bytes).run(&acts)?;
    }

    #[test]
    fn a_machine_that_stops_while_the_journal_opens_loses_nothing(
        acts in proptest::collection::vec(act(), 1..40),
        stops in proptest::collection::vec((any::<bool>(), 0u32..12, any::<u64>()), 1..6),
    ) {
        let mut bench = Bench::new(1000);
        bench.run(&acts)?;
        let dir = Path::new(DIR);
        for (is_power, operations, seed) in stops {
            bench.journal = None;
            bench.disk.stop_after(operations, seed);
            let opened = Journal::open_on(bench.disk.clone(), dir, 1000, bench.now);
            drop(opened);
            // Everything was synced when the journal was opened before.
            bench.start_again(is_power, seed)?;
        }
    }

    #[test]
    fn a_byte_that_rots_never_loses_a_line(
        acts in proptest::collection::vec(act(), 1..60),
        at in any::<proptest::sample::Index>(), flip in 1u8..=255,
    ) {
        let mut bench = Bench::new(1 << 20);
        bench.open(true)?;
        let quiet = |act: &&Act| !matches!(act, Act::Stop { .. } | Act::Fail { .. });
        for act in acts.iter().filter(quiet) {
            bench.act(act)?;
        }
        for act in [Act::Sync, Act::Route { number: 0 }, Act::Sync] {
            bench.act(&act)?;
        }
        let before = bench.past.last().unwrap().0.clone();
        bench.journal = None;
        let path = current(&bench.disk);
        let mut content = bench.disk.content(&path).unwrap();
        let at = at.index(content.len());
        content[at] ^= flip;
        bench.disk.put(&path, &content);
        let dir = Path::new(DIR);
        let (journal, recovery) = Journal::open_on(bench.disk.clone(), dir, 1 << 20, bench.now)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(!recovery.findings.is_empty(), "nothing is said of it");
        let after = journal.state();
        for (id, output) in before.generations.keys().flat_map(|id| OUTPUTS.map(|it| (*id, it))) {
            let done = after.cursor_of(id, output).map_or(0, |it| it.position.offset);
            let read = before.read_from(id, output).map_or(0, |(position, _)| position.offset);
            prop_assert!(done <= read);
            let on_the_way = before.unacknowledged().filter(|(_, seal)| seal.output == output);
            for span in on_the_way.flat_map(|(_, seal)| &seal.spans) {
                prop_assert!(span.generation != id || done <= span.start, "delivered before it was");
            }
        }
        let there: BTreeSet<_> = after.unacknowledged().map(|(id, _)| id).collect();
        for (id, seal) in before.unacknowledged().filter(|(id, _)| !there.contains(id)) {
            for span in &seal.spans {
                let read = after.read_from(span.generation, &seal.output);
                let read = read.map_or(0, |(position, _)| position.offset);
                let is_known = after.generations.contains_key(&span.generation);
                prop_assert!(!is_known || read <= span.start, "{:?} is skipped", id);
            }
        }
    }
}
