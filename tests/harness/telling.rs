//! What an agent tells of its records by other ways than its log: metrics, dead letters, and the
//! journal.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{Config, get};

impl Config {
    /// All metrics, as Prometheus reads them.
    pub(crate) fn metrics(&self) -> String {
        get(self.port(), "/metrics").unwrap().1
    }

    /// The sum of all series of a metric whose labels hold `sign`.
    pub(crate) fn metric_sum(&self, name: &str, sign: &str) -> u64 {
        let text = self.metrics();
        let series = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(sign));
        series
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// How many batches the journal holds that are not known to be delivered, by the program
    /// itself. No agent need be running.
    pub(crate) fn batches_on_their_way(&self) -> usize {
        let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
            .args(["journal", "show", "--json", "--state-dir"])
            .arg(&self.state_dir)
            .output()
            .unwrap();
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        shown["batches"].as_array().unwrap().len()
    }

    /// The dead letters, in the order in which they were written.
    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        let path = self.state_dir.join("dead-letters.ndjson");
        let text = fs::read_to_string(path).unwrap_or_default();
        // It may be read while it is written: what has no end yet is no letter.
        let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let lines = whole.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }
}
