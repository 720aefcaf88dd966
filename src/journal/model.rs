//! The journal against a model, on a simulated disk: whatever is done, whatever fails and
//! whenever the machine stops, what comes back is a state that was, and none older than what was
//! promised.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::recovery::NAMES;
use super::simulated::Simulated;
use super::{Journal, format};
use acts::{Act, act};
use bench::{Bench, DIR, OUTPUTS};

mod acts;
mod bench;

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
        Act::Cut { which: 0, at: 1 },
        Act::Settle {
            which: 0,
            record: 0,
            is_refused: false,
        },
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
    #![proptest_config(cases(1500))]

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
            prop_assert!(done <= bench.delivered_up_to(id, output), "delivered before it was");
        }
        for (_, seal) in before.unacknowledged() {
            for span in &seal.spans {
                let output = &seal.output;
                let read = after.read_from(span.generation, output).map_or(0, |it| it.position.offset);
                let again = after.unacknowledged().filter(|(_, it)| it.output == *output);
                let again: Vec<_> = again
                    .flat_map(|(_, it)| &it.spans)
                    .filter(|it| it.generation == span.generation)
                    .collect();
                let is_known = after.generations.contains_key(&span.generation);
                // What is neither read nor sent again must have been delivered.
                for byte in (span.start..span.end.offset.min(read)).filter(|_| is_known) {
                    let is_sent = again.iter().any(|it| (it.start..it.end.offset).contains(&byte));
                    prop_assert!(
                        is_sent || bench.is_delivered(span.generation, output, byte),
                        "byte {} of {} is skipped", byte, span.generation
                    );
                }
            }
        }
    }
}
