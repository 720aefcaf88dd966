//! The cases of the crash suite for as long as one likes, at a higher pace; `make chaos` runs it.
//! Prints a table by case and backend, and ends with 1 when a row is not 0 lost and 0 duplicated,
//! when a case could not be tried, or when no kill met anything on its way.
//!
//! `CHAOS_SECONDS` is how long new lives begin; each case is lived once, however short that is.
//! `CHAOS_RATE` is how many bytes a second an application writes, `CHAOS_FAST_RATE` the same where
//! rotation is to be hard to follow. `PINNACE_TEST_CASE` and `PINNACE_TEST_SEED` are as in
//! `tests/crash.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a run that prints; when its own files or processes fail, it has failed"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use application::Pace;
use case::CASES;
use outcome::{Row, table};
use pinnace::receiver::Backend;
use run::{Scale, variable};

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
#[allow(dead_code, reason = "a release build has no such places")]
#[path = "crash/points.rs"]
mod points;
#[path = "crash/rotator.rs"]
mod rotator;
#[path = "crash/run.rs"]
mod run;

/// Lives that go on at the same time: they mostly wait.
const AT_ONCE: usize = 2;
/// In this time some kill meets what is on its way.
const LONG_ENOUGH: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    let time = Duration::from_secs(variable("CHAOS_SECONDS").unwrap_or(600));
    let today = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seed: u64 = variable("PINNACE_TEST_SEED").unwrap_or(today);
    let wanted = variable::<String>("PINNACE_TEST_CASE").unwrap_or_default();
    let scale = Scale {
        pace: Pace {
            rate: variable("CHAOS_RATE").unwrap_or(1_000_000),
            rotate_every: Duration::from_millis(500),
        },
        rounds: 3,
        kills: 16,
        deaths: 0,
        fast_rate: variable("CHAOS_FAST_RATE").unwrap_or(6_000_000),
        hang: Duration::from_secs(20),
        outage: Duration::from_secs(30),
        full: Duration::from_secs(10),
    };
    let cases: Vec<_> = CASES
        .iter()
        .filter(|case| case.name.contains(&wanted))
        .collect();
    if cases.is_empty() {
        println!("no case has {wanted:?} in its name");
        return ExitCode::FAILURE;
    }
    println!("seed {seed}, {} s", time.as_secs());
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<Row>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    // However short the time: each case once.
                    if number >= cases.len() && begun.elapsed() >= time {
                        break;
                    }
                    let case = cases[number % cases.len()];
                    if number >= cases.len() {
                        let rows = rows.lock().unwrap();
                        let mut tried = rows.iter().filter(|row| row.not_tried.is_none());
                        if tried.clone().next().is_none() {
                            break;
                        }
                        // What could not be tried once cannot be tried now.
                        if tried.all(|row| row.case != case.name) {
                            continue;
                        }
                    }
                    let lives = u64::try_from(number / cases.len()).unwrap();
                    println!("after {} s: {}", begun.elapsed().as_secs(), case.name);
                    let done = run::live(case, seed + lives, &scale);
                    print!("{}", table(&done));
                    gather(&mut rows.lock().unwrap(), done);
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap();
    println!("\nseed {seed}, after {} s", begun.elapsed().as_secs());
    print!("{}", table(&rows));
    let is_long = wanted.is_empty() && time >= LONG_ENOUGH;
    let faults = faults(&rows, is_long);
    if faults.is_empty() {
        println!("0 lost and 0 duplicated in every row");
        return ExitCode::SUCCESS;
    }
    for fault in faults {
        println!("{fault}");
    }
    ExitCode::FAILURE
}

/// What keeps the rows from proving what they are to prove, in sentences. When it went on for long
/// each backend was met with something on its way.
fn faults(rows: &[Row], is_long: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let slow = rows.iter().filter(|row| row.is_slow()).count();
    if slow > 0 {
        // A matter of the machine, and no fault.
        println!("{slow} rows were written more slowly than asked");
    }
    if !rows.iter().all(Row::is_flawless) {
        faults.push("not every row is 0 lost and 0 duplicated".to_owned());
    }
    for row in rows {
        if let Some(why) = row.not_tried {
            faults.push(format!("not tried, {} to {}: {why}", row.case, row.backend));
        }
    }
    for backend in Backend::ALL {
        let of_backend = rows.iter().filter(|row| row.backend == backend);
        let replayed: u64 = of_backend.map(|row| row.replayed).sum();
        if is_long && replayed == 0 {
            faults.push(format!("no kill met anything on its way to {backend}"));
        }
    }
    faults
}

/// One row for each case and backend, however often it was lived.
fn gather(rows: &mut Vec<Row>, done: Vec<Row>) {
    for row in done {
        let same = rows
            .iter_mut()
            .find(|it| it.case == row.case && it.backend == row.backend);
        let Some(sum) = same else {
            rows.push(row);
            continue;
        };
        sum.lines += row.lines;
        sum.bytes += row.bytes;
        sum.wrote_for += row.wrote_for;
        sum.kills += row.kills;
        sum.rotations += row.rotations;
        sum.lost += row.lost;
        sum.replayed += row.replayed;
        sum.duplicated += row.duplicated;
        sum.beyond += row.beyond;
        sum.doubtful += row.doubtful;
        sum.time += row.time;
        sum.problems.extend(row.problems);
    }
}
