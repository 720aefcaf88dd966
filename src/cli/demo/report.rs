//! What a demo found out, as the text of its last page. Pure.

use std::fmt::Write as _;

use super::account::{Account, What};
use crate::receiver::{Record, Summary};

/// What a demo found out.
#[derive(Debug)]
pub(super) struct Report {
    /// Lines written.
    pub(super) lines: u64,
    /// Bytes written.
    pub(super) bytes: u64,
    /// The most memory that the agent had in use, in bytes.
    pub(super) peak_bytes: u64,
    /// How long it took.
    pub(super) seconds: f64,
    /// Loki, then CloudWatch Logs.
    pub(super) outputs: [AtOutput; 2],
}

/// What one output got.
#[derive(Debug, Default)]
pub(super) struct AtOutput {
    pub(super) account: Account,
    pub(super) summary: Summary,
    pub(super) records: Vec<Record>,
}

const NAMES: [&str; 2] = ["Loki", "CloudWatch Logs"];
/// More faults of an output than this are only counted.
const FAULTS: usize = 5;
/// A longer line is cut, in characters.
const WIDTH: usize = 160;
/// What the samples are to show, and from which output.
const SAMPLES: [(usize, &str); 4] = [
    (0, " - INFO - "),
    (1, " - WARNING - "),
    (0, " - ERROR - "),
    (1, " - CRITICAL - "),
];

impl Report {
    /// Whether every line arrived once and in order, everywhere.
    pub(super) fn is_whole(&self) -> bool {
        let faults = |output: &AtOutput| output.account.faults.len();
        self.outputs.iter().all(|output| faults(output) == 0)
    }

    /// The table, a few of the records, and what is wrong.
    pub(super) fn text(&self) -> String {
        let mut text = self.table();
        if self.is_whole() {
            text.push_str("\nA few of the records, as they were received:\n\n");
            self.samples(&mut text);
            let _ = write!(
                text,
                "\nNothing lost, nothing twice, all in order: over a restart and a rotation, \
                 in {:.0} seconds.\n",
                self.seconds
            );
        } else {
            self.faults(&mut text);
        }
        text
    }

    fn table(&self) -> String {
        let each = |value: &dyn Fn(&AtOutput) -> String| self.outputs.each_ref().map(value);
        let count = |what| each(&|output| grouped(output.account.count(what) as u64));
        let once = |value: String| [value, String::new()];
        let mut rows = vec![
            ("", NAMES.map(str::to_owned)),
            ("lines written", each(&|_| grouped(self.lines))),
            (
                "lines delivered",
                each(&|output| grouped(output.account.delivered as u64)),
            ),
        ];
        for what in What::ALL {
            let counts = count(what);
            // That this happens at all is worth a row only when it does.
            if what != What::Strange || counts.iter().any(|count| count != "0") {
                rows.push((what.name(), counts));
            }
        }
        rows.extend([
            ("batches", each(&|output| grouped(output.summary.batches))),
            (
                "bytes on the wire",
                each(&|output| bytes(output.summary.body_bytes)),
            ),
            ("bytes of the log", once(bytes(self.bytes))),
            ("peak memory of the agent", once(bytes(self.peak_bytes))),
        ]);
        let mut text = String::new();
        for (name, [loki, cloudwatch]) in rows {
            let row = format!("  {name:<26}{loki:>12}{cloudwatch:>19}");
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }

    fn samples(&self, text: &mut String) {
        let mut samples = Vec::new();
        for (output, part) in SAMPLES {
            let records = &self.outputs[output].records;
            let of_level = |record: &&Record| record.line.contains(part);
            if let Some(record) = records.iter().rev().find(of_level) {
                samples.push((&record.line, NAMES[output]));
            }
        }
        // Each line begins with its time.
        samples.sort_unstable();
        for (line, name) in samples {
            let _ = writeln!(text, "  {name:<15}  {}", cut(line));
        }
    }

    fn faults(&self, text: &mut String) {
        for (name, output) in NAMES.iter().zip(&self.outputs) {
            let faults = &output.account.faults;
            if faults.is_empty() {
                continue;
            }
            let _ = writeln!(text, "\nNot as it should be at {name}:");
            for fault in faults.iter().take(FAULTS) {
                let _ = writeln!(
                    text,
                    "  {}: {}, line {}: {}",
                    fault.what.name(),
                    fault.file,
                    fault.number,
                    cut(&fault.line)
                );
            }
            if faults.len() > FAULTS {
                let more = grouped((faults.len() - FAULTS) as u64);
                let _ = writeln!(text, "  and {more} more");
            }
        }
    }
}

/// At most so much as fits on a line of a terminal, without what could harm it.
fn cut(line: &str) -> String {
    let mut shown: String = line
        .chars()
        .take(WIDTH)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.chars().nth(WIDTH).is_some() {
        shown.push('…');
    }
    shown
}

/// With a comma after each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In the unit that a person would choose.
fn bytes(count: u64) -> String {
    const KIB: f64 = 1024.0;
    let count = count as f64;
    if count < KIB {
        format!("{count} B")
    } else if count < KIB * KIB {
        format!("{:.0} KiB", count / KIB)
    } else {
        format!("{:.1} MiB", count / KIB / KIB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::account::Arrived;

    fn report(arrived: [&[&str]; 2]) -> Report {
        let written = ["one", "two", "three"].map(str::to_owned);
        let outputs = arrived.map(|lines| {
            let mut output = AtOutput::default();
            let lines = lines.iter().map(|line| Arrived {
                timestamp_ns: 0,
                line,
            });
            output.account.add("report.log", &written, lines);
            output.summary.batches = 1234;
            output.summary.body_bytes = 70 * 1024;
            output
        });
        Report {
            lines: 3,
            bytes: 3 << 20,
            peak_bytes: 999,
            seconds: 9.7,
            outputs,
        }
    }

    #[test]
    fn a_whole_one_says_so_in_a_table() {
        let all: &[&str] = &["one", "two", "three"];
        let report = report([all, all]);
        assert!(report.is_whole());
        let expected = "                                    Loki    CloudWatch Logs
  lines written                        3                  3
  lines delivered                      3                  3
  lost                                 0                  0
  duplicated                           0                  0
  out of order                         0                  0
  batches                          1,234              1,234
  bytes on the wire               70 KiB             70 KiB
  bytes of the log               3.0 MiB
  peak memory of the agent         999 B

A few of the records, as they were received:


Nothing lost, nothing twice, all in order: over a restart and a rotation, in 10 seconds.
";
        assert_eq!(report.text(), expected);
    }

    #[test]
    fn a_fault_at_either_output_is_told_with_its_line() {
        let all: &[&str] = &["one", "two", "three"];
        let broken: &[&str] = &["one", "three", "three"];
        for arrived in [[broken, all], [all, broken]] {
            let report = report(arrived);
            assert!(!report.is_whole());
            let text = report.text();
            for part in [
                "  duplicated: report.log, line 3: three\n",
                "  lost: report.log, line 2: two\n",
            ] {
                assert!(text.contains(part), "{text}");
            }
            assert!(!text.contains("Nothing lost"), "{text}");
        }
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456_789, "123,456,789"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_harms_no_terminal() {
        assert_eq!(cut("é\u{1b}[2J"), "é [2J");
        let long = "é".repeat(WIDTH + 1);
        assert_eq!(cut(&long), format!("{}…", "é".repeat(WIDTH)));
    }
}
