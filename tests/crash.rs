//! The agent is killed, again and again, while an application writes and rotates its log and the
//! backends fail: each line is stored once, at both backends at the same time. The agent is the
//! built program, the backends are the strict receiver.
//!
//! A failure prints its case and its seed. `PINNACE_TEST_CASE=TEXT` runs only the cases whose
//! names hold the text, `PINNACE_TEST_SEED=N` takes other seeds. `tests/chaos.rs` runs the same
//! cases for as long as one likes.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use application::Pace;
use case::{CASES, Case, Script};
use outcome::{Row, table};
use pinnace::receiver::Backend;
use points::POINTS;
use run::Scale;

#[path = "crash/application.rs"]
mod application;
#[path = "crash/case.rs"]
mod case;
#[path = "crash/cut.rs"]
mod cut;
#[path = "crash/dice.rs"]
mod dice;
#[path = "harness/harness.rs"]
mod harness;
#[path = "crash/outcome.rs"]
mod outcome;
#[path = "crash/points.rs"]
mod points;
#[path = "crash/rotator.rs"]
mod rotator;
#[path = "crash/run.rs"]
mod run;

/// Cases that go on at the same time: they mostly wait.
const AT_ONCE: usize = 3;
const SEED: u64 = 1;
const SCALE: Scale = Scale {
    pace: Pace {
        rate: 250_000,
        rotate_every: Duration::from_millis(500),
    },
    rounds: 1,
    kills: 22,
    deaths: 20,
    fast_rate: 250_000,
    hang: Duration::from_secs(3),
    outage: Duration::from_secs(3),
    full: Duration::from_secs(3),
};
/// Kills at a moment of chance, over all cases.
const RANDOM_KILLS: u64 = 200;

#[test]
fn whenever_it_is_killed_nothing_is_lost_and_nothing_is_there_twice() {
    let rows = live_all(&CASES);
    for backend in Backend::ALL {
        let of_backend = rows.iter().filter(|row| row.backend == backend);
        let (kills, replayed) = of_backend.fold((0, 0), |(kills, replayed), row| {
            (kills + row.kills, replayed + row.replayed)
        });
        assert!(
            (replayed > 0 && kills >= RANDOM_KILLS) || wanted().is_some(),
            "{kills} kills, and {replayed} times one met what was on its way to {backend}\n{}",
            table(&rows)
        );
    }
}

#[test]
fn wherever_it_dies_nothing_is_lost_and_nothing_is_there_twice() {
    let rows = live_all(&POINTS);
    for row in &rows {
        assert!(row.kills >= SCALE.deaths, "{}\n{}", row.case, table(&rows));
    }
}

#[test]
fn every_place_in_the_code_at_which_it_can_die_is_tried() {
    let mut in_code = BTreeSet::new();
    find_places(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut in_code,
    );
    let tried = POINTS.iter().filter_map(|case| match case.script {
        Script::Point(point) => Some(point.place.to_owned()),
        _ => None,
    });
    assert_eq!(in_code, tried.collect());
}

fn find_places(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_places(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let calls = text.split("crash_point::pass(\"").skip(1);
        found.extend(calls.filter_map(|call| Some(call.split_once('"')?.0.to_owned())));
    }
}

fn wanted() -> Option<String> {
    run::variable("PINNACE_TEST_CASE")
}

/// Lives the cases through that are wanted. All is well with each.
#[expect(clippy::print_stdout, reason = "for whoever watches")]
fn live_all(cases: &'static [Case]) -> Vec<Row> {
    let seed = run::variable("PINNACE_TEST_SEED").unwrap_or(SEED);
    let wanted = wanted().unwrap_or_default();
    let next = Mutex::new(cases.iter().filter(|case| case.name.contains(&wanted)));
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = one_of(&next) {
                    let done = run::live(case, seed, &SCALE);
                    // Shown at once, for whoever watches a run that does not end.
                    print!("{}", table(&done));
                    rows.lock().unwrap().extend(done);
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap();
    let shown = table(&rows);
    assert!(rows.iter().all(Row::is_flawless), "seed {seed}\n{shown}");
    rows
}

fn one_of<'a>(cases: &Mutex<impl Iterator<Item = &'a Case>>) -> Option<&'a Case> {
    cases.lock().unwrap().next()
}
