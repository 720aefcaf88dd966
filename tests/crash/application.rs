//! The application whose log it is: writes lines or records that can be told apart, runs of some
//! that cannot, a banner at the head of every file, and rotates. Remembers what of it is to arrive;
//! knows nothing of the agent.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::xxh3_64;

use crate::case::{Rotation, Style};
use crate::dice::Dice;
use crate::harness::pass;
use report::Entry;

pub(crate) mod container;
pub(crate) mod report;

/// Every file begins with so many lines of 127 bytes or records: 2 KiB that are the same everywhere.
const BANNER_LINES: usize = 16;
/// How often something is written.
const STEP: Duration = Duration::from_millis(5);

/// The application.
pub(crate) struct Application {
    /// The file that is written to.
    log: PathBuf,
    rotation: Rotation,
    style: Style,
    file: File,
    /// What is in the file, in bytes.
    offset: u64,
    /// What the banners say of the time.
    begun: String,
    dice: Dice,
    /// How often each line or record is to arrive, by its hash.
    pub(crate) written: HashMap<u64, Times>,
    /// How many are to arrive.
    pub(crate) lines: u64,
    /// How many were written that are not.
    pub(crate) kept_back: u64,
    /// All that was written, in bytes.
    pub(crate) bytes: u64,
    /// How long it wrote and rotated.
    pub(crate) wrote_for: Duration,
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
    pub(crate) fn new(log: PathBuf, rotation: Rotation, style: Style, dice: Dice) -> Self {
        let file = open_to_append(&log);
        let mut application = Self {
            log,
            rotation,
            style,
            file,
            offset: 0,
            begun: now(),
            dice,
            written: HashMap::new(),
            lines: 0,
            kept_back: 0,
            bytes: 0,
            wrote_for: Duration::ZERO,
            rotations: 0,
        };
        application.write_banner();
        application
    }

    /// Writes about so many bytes at once.
    pub(crate) fn write(&mut self, bytes: usize) {
        let mut text = String::with_capacity(bytes + 1024);
        let now = now();
        while text.len() < bytes {
            // Written together: they are the same within a millisecond.
            let is_same = self.dice.roll(0..64) == 0;
            let again = if is_same { self.dice.roll(2..40) } else { 1 };
            let number = self.lines + self.kept_back;
            for _ in 0..again {
                let entry = match (self.style, is_same) {
                    (Style::Lines, true) => as_it_is("and the same once more".to_owned()),
                    (Style::Lines, false) => {
                        let width = usize::try_from(self.dice.roll(0..180)).unwrap();
                        as_it_is(format!("{number:010} {:x<width$}", ""))
                    }
                    (Style::Records, true) => report::same(&now),
                    (Style::Records, false) => {
                        let offset = self.offset + text.len() as u64;
                        report::entry(&mut self.dice, number, &now, offset)
                    }
                    (Style::Pipes, _) => self.piped(&now, number, is_same),
                };
                self.add(&mut text, &entry);
            }
        }
        self.put(&text);
    }

    /// A record of one of the pipes: of this number, or the same as others.
    fn piped(&mut self, at: &str, number: u64, is_same: bool) -> Entry {
        let is_err = self.dice.roll(0..2) == 0;
        if is_same {
            return container::piped(at, is_err, report::same(at).written);
        }
        let width = usize::try_from(self.dice.roll(0..120)).unwrap();
        container::numbered(at, is_err, number, &format!("{:x<width$}", ""))
    }

    fn put(&mut self, text: &str) {
        self.file.write_all(text.as_bytes()).unwrap();
        self.offset += text.len() as u64;
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
                self.offset = 0;
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
        self.offset = 0;
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
            let entry = match self.style {
                Style::Lines => as_it_is(format!("# {number:02} {:=<122}", "")),
                Style::Records => report::banner(&self.begun, number),
                Style::Pipes => {
                    let text = report::banner(&self.begun, number).written;
                    container::piped(&self.begun, number.is_multiple_of(3), text)
                }
            };
            self.add(&mut text, &entry);
        }
        self.put(&text);
    }

    fn add(&mut self, text: &mut String, entry: &Entry) {
        let first = self.lines + self.kept_back;
        if let Some(shipped) = &entry.shipped {
            let hash = xxh3_64(shipped.as_bytes());
            let times = self
                .written
                .entry(hash)
                .or_insert(Times { count: 0, first });
            times.count += 1;
            self.lines += 1;
        } else {
            self.kept_back += 1;
        }
        self.bytes += entry.written.len() as u64 + 1;
        text.push_str(&entry.written);
        text.push('\n');
    }
}

fn as_it_is(line: String) -> Entry {
    Entry {
        shipped: Some(line.clone()),
        written: line,
    }
}

/// The time in UTC, as Python's logging writes it.
fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%d %H:%M:%S,%3f")
        .to_string()
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
    let begun = Instant::now();
    let mut last_step = begun;
    let mut last_time = begun;
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
    lock(application).wrote_for = begun.elapsed();
}

/// Ends the writing also when something fails, so that no thread waits for ever.
pub(crate) struct StopOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
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
