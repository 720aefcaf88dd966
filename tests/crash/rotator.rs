//! A rotator that the application knows nothing of: it copies the log and empties it, with
//! programs of the system, while the application writes. What is written between the two is in no
//! file any more.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::application::{make_room, rotated};
use crate::harness::pass;

/// Rotates from time to time while `rotates`, until it is over. Returns how often.
pub(crate) fn work(log: &Path, every: Duration, is_over: &AtomicBool, rotates: &AtomicBool) -> u32 {
    let mut rotations = 0;
    while !is_over.load(Ordering::Relaxed) {
        pass(every);
        if rotates.load(Ordering::Relaxed) {
            make_room(log, rotations);
            rotations += 1;
            run(Command::new("cp").arg(log).arg(rotated(log, 1, "")));
            run(Command::new("truncate").args(["--size", "0"]).arg(log));
        }
    }
    rotations
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// What is in the log and its copies.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// How often each line is there, by its hash.
    pub(crate) lines: HashMap<u64, u64>,
    /// Pieces of lines at the ends of copies.
    pub(crate) pieces: BTreeSet<String>,
    /// All of it, in bytes.
    pub(crate) bytes: u64,
}

impl Remains {
    /// Reads the log and its copies.
    pub(crate) fn of(log: &Path, rotations: u32) -> Self {
        let mut remains = Self::default();
        let copies = (1..=rotations).map(|number| rotated(log, number, ""));
        for path in copies.chain([log.to_owned()]) {
            let text = fs::read_to_string(path).unwrap();
            remains.bytes += text.len() as u64;
            for line in text.split_inclusive('\n') {
                match line.strip_suffix('\n') {
                    Some(line) => *remains.lines.entry(xxh3_64(line.as_bytes())).or_default() += 1,
                    None => {
                        remains.pieces.insert(line.to_owned());
                    }
                }
            }
        }
        remains
    }
}
