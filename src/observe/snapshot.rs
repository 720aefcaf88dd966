//! What `pinnace status` shows: the worker's view of files and outputs, and what is known of
//! each output's destination. Only data and its text.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::health::Blocked;
use super::refused::RefusedStatus;
use crate::record::Time;

/// What the reading side knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerView {
    /// Every open file.
    pub(crate) files: Vec<FileStatus>,
    /// Every output, in the order of the configuration.
    pub(crate) outputs: Vec<OutputView>,
    /// Every input, in the order of the configuration.
    pub(crate) inputs: Vec<InputView>,
    /// How many files are open.
    pub(crate) open_files: usize,
    /// The size of the file of dead letters.
    pub(crate) dead_letters_bytes: u64,
    /// What is in it, in a sentence.
    pub(crate) dead_letters: Option<String>,
    /// What each output refused in this run.
    pub(crate) refused: Vec<RefusedStatus>,
    /// What cannot be read.
    pub(crate) problems: Vec<String>,
    /// What was lost last.
    pub(crate) losses: Vec<String>,
    /// Globs that match no file.
    pub(crate) unmatched: Vec<String>,
    /// Why the journal is not written.
    pub(crate) journal_trouble: Option<String>,
}

/// The volume of one input.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputView {
    /// The input's name.
    pub(crate) name: String,
    /// What its files take, where that is limited.
    pub(crate) bytes: Option<u64>,
    /// Free bytes on the volume.
    pub(crate) volume_free: Option<u64>,
}

/// The reading side of one output.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputView {
    /// Bytes not yet delivered.
    pub(crate) lag_bytes: u64,
    /// Age of the oldest of them in seconds.
    pub(crate) lag_seconds: f64,
    /// Streams that are fed.
    pub(crate) streams: usize,
    /// Batches on their way.
    pub(crate) in_flight_batches: usize,
    /// Bytes of their bodies.
    pub(crate) in_flight_bytes: usize,
}

/// Why an output does not deliver, since when, what would mend it, and how much waits.
pub(crate) fn why_blocked(output: &str, blocked: &Blocked, view: &OutputView) -> String {
    let age = Duration::try_from_secs_f64(view.lag_seconds).unwrap_or_default();
    format!(
        "output {output} has not delivered since {}: {}; {} wait, the oldest for {}",
        utc_of(blocked.since),
        blocked.sentence,
        bytes(view.lag_bytes),
        duration(age.as_secs())
    )
}

/// All that is told of a running agent. The field names are part of `status --json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The version that runs.
    pub(crate) version: String,
    /// Its process id.
    pub(crate) pid: u32,
    /// How long it has been running.
    pub(crate) uptime_seconds: u64,
    /// Whether everything works. Records that are refused by themselves hold up nothing.
    pub(crate) ready: bool,
    /// What does not, in sentences.
    pub(crate) troubles: Vec<String>,
    /// What was lost last, in sentences.
    #[serde(default)]
    pub(crate) losses: Vec<String>,
    /// Globs that match no file right now, in sentences. That may be as it should be.
    #[serde(default)]
    pub(crate) unmatched: Vec<String>,
    /// What each output refused in this run.
    #[serde(default)]
    pub(crate) refused: Vec<RefusedStatus>,
    /// Records that a destination refused and that lie in the dead letters.
    #[serde(default)]
    pub(crate) dead_letters: Option<String>,
    /// The outputs.
    pub(crate) outputs: Vec<OutputStatus>,
    /// The open files.
    pub(crate) files: Vec<FileStatus>,
}

/// One output.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct OutputStatus {
    /// Its name.
    pub(crate) name: String,
    /// Why it does not deliver, in a word.
    pub(crate) blocked: Option<String>,
    /// When it last delivered, in UTC.
    pub(crate) last_delivered: Option<String>,
    /// What last went wrong.
    pub(crate) last_error: Option<String>,
    /// When that was, in UTC.
    pub(crate) last_error_at: Option<String>,
    /// Bytes not yet delivered.
    pub(crate) lag_bytes: u64,
    /// Age of the oldest of them in seconds.
    pub(crate) lag_seconds: f64,
    /// Streams that are fed.
    pub(crate) streams: usize,
    /// Batches on their way.
    pub(crate) in_flight_batches: usize,
    /// Bytes of their bodies.
    pub(crate) in_flight_bytes: usize,
}

/// One open file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct FileStatus {
    /// Where it is.
    pub(crate) path: String,
    /// Its generation.
    pub(crate) generation: String,
    /// Its input.
    pub(crate) input: String,
    /// Whether it stands at its name.
    pub(crate) place: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// For each output that takes it, how many bytes are delivered.
    pub(crate) delivered: Vec<Delivered>,
    /// By how much the times in its lines are steadily ahead of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ahead_by: Option<String>,
}

/// How far one output has one file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Delivered {
    /// The output.
    pub(crate) output: String,
    /// Delivered without holes up to this byte.
    pub(crate) bytes: u64,
    /// In batches up to this byte.
    pub(crate) read: u64,
}

impl Status {
    /// Whether nothing is wrong, and nothing was refused in this run.
    pub(crate) fn is_well(&self) -> bool {
        self.ready && self.refused.is_empty()
    }

    /// The text for people.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let state = if self.is_well() {
            "all well"
        } else {
            "not all well"
        };
        writeln!(
            out,
            "pinnace {}  pid {}  up {}  {state}",
            self.version,
            self.pid,
            duration(self.uptime_seconds)
        )?;
        let refused = self.refused.iter().map(RefusedStatus::sentence);
        for trouble in self.troubles.iter().cloned().chain(refused) {
            writeln!(out, "  ! {trouble}")?;
        }
        let notes = self.losses.iter().chain(&self.dead_letters);
        for sentence in notes.chain(&self.unmatched) {
            writeln!(out, "  - {sentence}")?;
        }
        writeln!(out)?;
        let mut rows = vec![
            [
                "OUTPUT",
                "STATE",
                "LAG",
                "OLDEST",
                "IN FLIGHT",
                "LAST DELIVERED",
            ]
            .map(str::to_owned),
        ];
        for output in &self.outputs {
            rows.push([
                output.name.clone(),
                output.blocked.clone().unwrap_or_else(|| "ok".to_owned()),
                bytes(output.lag_bytes),
                format!("{:.1}s", output.lag_seconds),
                format!(
                    "{} / {}",
                    output.in_flight_batches,
                    bytes(output.in_flight_bytes as u64)
                ),
                output
                    .last_delivered
                    .clone()
                    .unwrap_or_else(|| "never".to_owned()),
            ]);
        }
        table(out, &rows)?;
        for output in &self.outputs {
            if let (Some(error), Some(at)) = (&output.last_error, &output.last_error_at) {
                writeln!(out, "{}: last error {at}: {error}", output.name)?;
            }
        }
        writeln!(out)?;
        let mut rows = vec![["FILE", "SIZE", "DELIVERED", "PLACE"].map(str::to_owned)];
        for file in &self.files {
            let delivered: Vec<_> = file
                .delivered
                .iter()
                .map(|it| format!("{} {}", it.output, share(it.bytes, file.size)))
                .collect();
            rows.push([
                file.path.clone(),
                bytes(file.size),
                delivered.join(", "),
                file.place.clone(),
            ]);
        }
        table(out, &rows)?;
        for file in &self.files {
            if let Some(ahead_by) = &file.ahead_by {
                writeln!(
                    out,
                    "{}: the times in its lines are {ahead_by} from the clock, so they are read in a wrong zone; set the timezone of its input",
                    file.path
                )?;
            }
        }
        Ok(())
    }
}

/// How much of a file, never rounded up to the whole.
fn share(done: u64, size: u64) -> String {
    if done >= size {
        return "100%".to_owned();
    }
    format!(
        "{:.1}%",
        (done as f64 / size as f64 * 1000.0).floor().min(999.0) / 10.0
    )
}

fn table<const N: usize>(out: &mut String, rows: &[[String; N]]) -> std::fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// A number of bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{minutes}m"),
        _ => format!("{days}d{hours}h"),
    }
}

/// A time as `2026-11-22T10:00:00.123Z`.
pub(crate) fn utc(time: Time) -> String {
    let (seconds, nanos) = time.seconds_and_nanos();
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from days since 1970, in years that begin in March and eras of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        nanos / 1_000_000
    )
}

/// The same for a time of the system.
pub(crate) fn utc_of(time: SystemTime) -> String {
    utc(time.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000Z"),
            (1_795_341_600_123_999_999, "2026-11-22T10:00:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ];
        for (nanos, text) in table {
            assert_eq!(utc(Time(nanos)), text);
        }
    }

    #[test]
    fn why_an_output_is_blocked_is_one_sentence() {
        let blocked = Blocked {
            reason: "down",
            sentence: "no connection to http://x: refused".to_owned(),
            since: SystemTime::UNIX_EPOCH,
        };
        let view = OutputView {
            lag_bytes: 1536,
            lag_seconds: 75.9,
            ..OutputView::default()
        };
        assert_eq!(
            why_blocked("loki", &blocked, &view),
            "output loki has not delivered since 1970-01-01T00:00:00.000Z: no connection to \
             http://x: refused; 1.5 KiB wait, the oldest for 1m15s"
        );
    }

    #[test]
    fn a_share_is_only_whole_when_all_is_delivered() {
        assert_eq!(share(999_999, 1_000_000), "99.9%");
        assert_eq!(share(1_000_000, 1_000_000), "100%");
        assert_eq!(share(0, 0), "100%");
        assert_eq!(share(1, 3), "33.3%");
    }

    #[test]
    fn sizes_are_shown_in_units() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 30), "5.0 GiB");
    }
}
