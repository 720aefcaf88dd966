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

use std::sync::Mutex;
use std::time::Duration;

use application::Pace;
use case::{CASES, Case};
use outcome::{Row, table};
use pinnace::receiver::Backend;
use run::Scale;

#[path = "crash/application.rs"]
mod application;
#[path = "crash/case.rs"]
mod case;
#[path = "crash/dice.rs"]
mod dice;
#[path = "harness/harness.rs"]
mod harness;
#[path = "crash/outcome.rs"]
mod outcome;
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
    kills: 12,
    trouble: Duration::from_secs(3),
};

#[test]
fn whenever_it_is_killed_nothing_is_lost_and_nothing_is_there_twice() {
    let seed = run::variable("PINNACE_TEST_SEED").unwrap_or(SEED);
    let wanted = std::env::var("PINNACE_TEST_CASE").unwrap_or_default();
    let next = Mutex::new(CASES.iter().filter(|case| case.name.contains(&wanted)));
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
    for backend in Backend::ALL {
        let of_backend = rows.iter().filter(|row| row.backend == backend);
        let replayed: u64 = of_backend.map(|row| row.replayed).sum();
        assert!(
            replayed > 0 || !wanted.is_empty(),
            "no kill ever met a batch on its way to {backend}: seed {seed}\n{shown}"
        );
    }
}

fn one_of<'a>(cases: &Mutex<impl Iterator<Item = &'a Case>>) -> Option<&'a Case> {
    cases.lock().unwrap().next()
}
