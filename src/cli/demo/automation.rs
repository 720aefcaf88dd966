//! The demo's automation at work: writes the script's lines to its log in bursts, in the middle
//! of a line as often as not, and rotates the log. Remembers what it wrote. Never waits.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::script::{Entry, Fate, Script, file_name};

/// Orders of each run: today's five runs make about 7,500 lines.
const ORDERS: u64 = 640;
const YESTERDAYS_ORDERS: u64 = 400;
/// Today's runs.
const FATES: [Fate; 5] = [
    Fate::Well,
    Fate::Stumbles,
    Fate::Well,
    Fate::Dies,
    Fate::Well,
];
const DAY_MS: u64 = 86_400_000;

/// Writes the log.
#[derive(Debug)]
pub(super) struct Automation {
    today: PathBuf,
    file: File,
    entries: VecDeque<Entry>,
    total: usize,
    /// The second half of a line whose first half is in the file.
    held: Vec<u8>,
    written: BTreeMap<String, Vec<String>>,
    lines: usize,
    bytes: u64,
}

impl Automation {
    /// Begins in a folder that exists. Yesterday's log is written at once.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let now_ms = now_ms();
        let mut script = Script::new();
        let yesterdays = script.run(YESTERDAYS_ORDERS, Fate::Well);
        let entries: VecDeque<Entry> = FATES
            .into_iter()
            .flat_map(|fate| script.run(ORDERS, fate))
            .collect();
        let today = folder.join(file_name(now_ms));
        let mut automation = Self {
            file: create(&folder.join(file_name(now_ms - DAY_MS)))?,
            today,
            total: entries.len(),
            entries,
            held: Vec::new(),
            written: BTreeMap::new(),
            lines: 0,
            bytes: 0,
        };
        let name = file_name(now_ms - DAY_MS);
        let mut text = Vec::new();
        for (entry, before_ms) in yesterdays.iter().zip((1..=yesterdays.len() as u64).rev()) {
            automation.log(&name, entry, now_ms - DAY_MS - before_ms, &mut text);
        }
        automation.file.write_all(&text)?;
        automation.file = create(&automation.today)?;
        Ok(automation)
    }

    /// Logs this many calls of the logger, and ends in the middle of a line if not at the end of
    /// all.
    pub(super) fn burst(&mut self, calls: usize) -> io::Result<()> {
        let now_ms = now_ms();
        let name = self.today_name();
        let mut text = std::mem::take(&mut self.held);
        let calls = calls.min(self.entries.len());
        let mut last_line_at = 0;
        for entry in self.entries.drain(..calls).collect::<Vec<_>>() {
            last_line_at = text.len();
            self.log(&name, &entry, now_ms, &mut text);
        }
        if !self.is_over() {
            let middle = last_line_at + (text.len() - last_line_at) / 2;
            self.held = text.split_off(middle);
        }
        self.file.write_all(&text)
    }

    /// Renames the log and begins a new one under its name, as `logrotate` does. Returns the new
    /// name of the old file.
    pub(super) fn rotate(&mut self) -> io::Result<String> {
        self.file.write_all(&std::mem::take(&mut self.held))?;
        let name = format!("{}.1", self.today_name());
        fs::rename(&self.today, self.today.with_file_name(&name))?;
        self.file = create(&self.today)?;
        Ok(name)
    }

    /// Whether there is nothing more to log.
    pub(super) fn is_over(&self) -> bool {
        self.entries.is_empty()
    }

    /// Calls of the logger in all of today's runs.
    pub(super) fn calls(&self) -> usize {
        self.total
    }

    /// How much of today's runs is written.
    pub(super) fn percent(&self) -> usize {
        100 * (self.total - self.entries.len()) / self.total.max(1)
    }

    /// Whether the last line is there by half only.
    pub(super) fn is_in_a_line(&self) -> bool {
        !self.held.is_empty()
    }

    /// Lines written up to now.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Bytes written up to now, newlines included.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The lines of each file in the order of writing, by the name under which they were written.
    pub(super) fn written(&self) -> &BTreeMap<String, Vec<String>> {
        &self.written
    }

    /// The name of today's log, without its folder.
    pub(super) fn today_name(&self) -> String {
        let name = self.today.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn log(&mut self, name: &str, entry: &Entry, at_ms: u64, text: &mut Vec<u8>) {
        let before = text.len();
        let lines = self.written.entry(name.to_owned()).or_default();
        for line in entry.lines(at_ms) {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
            lines.push(line);
            self.lines += 1;
        }
        self.bytes += (text.len() - before) as u64;
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).open(path)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 is wrong enough for any date.
    since.map_or(2 * DAY_MS, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_files_hold_what_it_says_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let mut automation = Automation::new(folder.path()).unwrap();
        let today = folder.path().join(automation.today_name());
        let mut has_stopped_in_a_line = false;
        while automation.entries.len() > 2000 {
            automation.burst(97).unwrap();
            has_stopped_in_a_line |= automation.is_in_a_line();
        }
        assert!(has_stopped_in_a_line);
        let old = folder.path().join(automation.rotate().unwrap());
        assert!(read(&old).ends_with('\n'));
        while !automation.is_over() {
            automation.burst(101).unwrap();
        }
        let mut bytes = 0;
        for (name, lines) in automation.written() {
            let mut text = read(&folder.path().join(name));
            if *name == automation.today_name() {
                assert_eq!(read(&today), text);
                text.insert_str(0, &read(&old));
            }
            bytes += text.len() as u64;
            assert_eq!(text.lines().collect::<Vec<_>>(), *lines, "{name}");
        }
        assert_eq!(automation.written().len(), 2);
        assert_eq!(automation.bytes(), bytes);
        assert_eq!(
            automation.lines(),
            automation.written().values().map(Vec::len).sum::<usize>()
        );
    }
}
