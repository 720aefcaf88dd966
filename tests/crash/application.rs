//! The application whose log it is: writes lines that can be told apart, runs of lines that
//! cannot, a banner at the head of every file, and rotates. Remembers all that it wrote; knows
//! nothing of the agent.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::xxh3_64;

use crate::case::Rotation;
use crate::dice::Dice;
use crate::harness::pass;

/// Every file begins with so many lines of 127 bytes: 2 KiB that are the same everywhere.
const BANNER_LINES: usize = 16;
/// How often something is written.
const STEP: Duration = Duration::from_millis(5);

/// The application.
pub(crate) struct Application {
    /// The file that is written to.
    log: PathBuf,
    rotation: Rotation,
    file: File,
    dice: Dice,
    /// How often each line was written, by its hash.
    pub(crate) written: HashMap<u64, Times>,
    /// How many lines were written.
    pub(crate) lines: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// How often the log was rotated.
    pub(crate) rotations: u32,
}

/// How often a line was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) count: u64,
    /// The number of all lines before the first of these.
    pub(crate) first: u64,
}

impl Application {
    /// Begins a log.
    pub(crate) fn new(log: PathBuf, rotation: Rotation, dice: Dice) -> Self {
        let file = open_to_append(&log);
        let mut application = Self {
            log,
            rotation,
            file,
            dice,
            written: HashMap::new(),
            lines: 0,
            bytes: 0,
            rotations: 0,
        };
        application.write_banner();
        application
    }

    /// Writes about so many bytes at once.
    pub(crate) fn write(&mut self, bytes: usize) {
        let mut text = String::with_capacity(bytes + 256);
        while text.len() < bytes {
            if self.dice.roll(0..64) == 0 {
                // Written together: they are the same within a millisecond.
                let again = self.dice.roll(2..40);
                for _ in 0..again {
                    self.add(&mut text, "and the same once more");
                }
            } else {
                let width = usize::try_from(self.dice.roll(0..180)).unwrap();
                let line = format!("{:010} {:x<width$}", self.lines, "");
                self.add(&mut text, &line);
            }
        }
        self.file.write_all(text.as_bytes()).unwrap();
    }

    /// Rotates the log.
    pub(crate) fn rotate(&mut self) {
        match self.rotation {
            Rotation::Never | Rotation::Independent => return,
            Rotation::NewName => {
                self.rotations += 1;
                self.log
                    .set_file_name(format!("app-{:04}.log", self.rotations));
                self.file = open_to_append(&self.log);
                return self.write_banner();
            }
            Rotation::Rename | Rotation::CopyTruncate | Rotation::Gzip => {}
        }
        make_room(&self.log, self.rotations);
        self.rotations += 1;
        let first = rotated(&self.log, 1, "");
        if self.rotation == Rotation::CopyTruncate {
            fs::copy(&self.log, &first).unwrap();
            self.file.set_len(0).unwrap();
        } else {
            fs::rename(&self.log, &first).unwrap();
            self.file = open_to_append(&self.log);
        }
        self.write_banner();
        if self.rotation == Rotation::Gzip {
            let compressed = File::create(rotated(&self.log, 1, ".gz")).unwrap();
            let mut compressed = GzEncoder::new(BufWriter::new(compressed), Compression::fast());
            compressed.write_all(&fs::read(&first).unwrap()).unwrap();
            compressed.finish().unwrap().flush().unwrap();
            fs::remove_file(first).unwrap();
        }
    }

    fn write_banner(&mut self) {
        let mut text = String::new();
        for number in 0..BANNER_LINES {
            let mut line = String::new();
            write!(line, "# {number:02} {:=<122}", "").unwrap();
            self.add(&mut text, &line);
        }
        self.file.write_all(text.as_bytes()).unwrap();
    }

    fn add(&mut self, text: &mut String, line: &str) {
        let first = self.lines;
        let hash = xxh3_64(line.as_bytes());
        let times = self
            .written
            .entry(hash)
            .or_insert(Times { count: 0, first });
        times.count += 1;
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
        text.push_str(line);
        text.push('\n');
    }
}

/// Gives each rotated file the next higher number.
pub(crate) fn make_room(log: &Path, rotations: u32) {
    for number in (1..=rotations).rev() {
        for end in ["", ".gz"] {
            let (from, to) = (rotated(log, number, end), rotated(log, number + 1, end));
            if from.exists() {
                fs::rename(from, to).unwrap();
            }
        }
    }
}

/// The name of a rotated file.
pub(crate) fn rotated(log: &Path, number: u32, end: &str) -> PathBuf {
    let mut path = log.to_owned().into_os_string();
    path.push(format!(".{number}{end}"));
    path.into()
}

/// How fast it writes and how often it rotates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Bytes a second.
    pub(crate) rate: usize,
    /// The time between two rotations.
    pub(crate) rotate_every: Duration,
}

/// Lets it write until `is_over`, and rotate while `rotates`.
pub(crate) fn work(
    application: &Mutex<Application>,
    pace: Pace,
    is_over: &AtomicBool,
    rotates: &AtomicBool,
) {
    // What could not be written in time is not made up for beyond this.
    let most = pace.rate / 10;
    let mut last_step = Instant::now();
    let mut last_time = last_step;
    while !is_over.load(Ordering::Relaxed) {
        {
            let mut application = lock(application);
            let owed = pace.rate * usize::try_from(last_step.elapsed().as_micros()).unwrap();
            last_step = Instant::now();
            application.write((owed / 1_000_000).min(most));
            if rotates.load(Ordering::Relaxed) && last_time.elapsed() >= pace.rotate_every {
                last_time = Instant::now();
                application.rotate();
            }
        }
        pass(STEP);
    }
}

/// The application, for a look or an order.
pub(crate) fn lock(application: &Mutex<Application>) -> MutexGuard<'_, Application> {
    application.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_to_append(path: &Path) -> File {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap()
}
