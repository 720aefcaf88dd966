//! The end of a life: what is left is waited for, and what was written is compared with what is stored,
//! refused, and said to be lost.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use pinnace::receiver::Backend;
use serde_json::Value;

use super::{Life, variable};
use crate::application::lock;
use crate::case::Rotation;
use crate::harness::{eventually, get};
use crate::outcome::Row;
use crate::rotator::Remains;

impl Life<'_> {
    /// Adds up what the agent counted, as far as it still answers.
    pub(super) fn take_counters(&mut self) {
        let Some((200, metrics)) = get(self.config.port(), "/metrics") else {
            return;
        };
        let of = |metric: &str, backend: Backend| {
            let series = format!("pinnace_{metric}_total{{output=\"{}\"}} ", backend.name());
            let value = metrics.lines().find_map(|line| line.strip_prefix(&series));
            value.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0)
        };
        for row in &mut self.rows {
            row.doubtful += of("doubtful_resends", row.backend);
            if row.backend == Backend::Cloudwatch {
                row.replayed += of("replayed_batches", row.backend);
            }
        }
    }

    /// Waits for the rest, ends the agent and compares.
    pub(super) fn end(mut self) -> Vec<Row> {
        self.drain();
        if !self.case.all_is_stored() {
            self.config.wait_until_no_lag();
        }
        // The end of its starting: until then a signal ends it like any program.
        let answers = eventually(|| get(self.config.port(), "/healthz").is_some());
        self.take_counters();
        if let Some(agent) = self.agent.take() {
            let exit = agent.stop();
            let _ = writeln!(self.told, "{}", exit.log);
            if exit.code != Some(0) || !answers {
                let problem = format!("the agent ended with {:?}: {}", exit.code, exit.log);
                self.problem(self.rows[0].backend, problem);
            }
        }
        let application = lock(self.application);
        let remains = (self.case.rotation == Rotation::Independent)
            .then(|| Remains::of(&self.scene.log("app.log"), application.rotations));
        // Only what is in no file any more can be lost.
        let beyond = remains
            .as_ref()
            .map_or(0, |it| application.bytes - it.bytes);
        let said: Vec<_> = self.told.lines().filter_map(said_lost).collect();
        let lost: u64 = said.iter().map(|it| it.0).sum();
        if lost > beyond {
            let said: Vec<_> = said.iter().map(|it| it.1).collect();
            let said = said.join("\n");
            let problem = format!("{lost} bytes were said to be lost, {beyond} can be:\n{said}");
            self.problem(self.rows[0].backend, problem);
        }
        for row in &mut self.rows {
            row.lines = application.lines;
            row.bytes = application.bytes;
            row.wrote_for = application.wrote_for;
            row.time = self.begun.elapsed();
            row.rotations = application.rotations.into();
            let records = self.scene.receiver.records(row.backend);
            let summary = self.scene.receiver.summary(row.backend);
            if row.backend == Backend::Loki {
                row.replayed = summary.replayed;
            }
            let letters = letters_to(&self.config.state_dir, row.backend);
            row.compare(
                &application.written,
                remains.as_ref(),
                &records,
                &letters,
                &summary,
            );
        }
        if let Some(row) = self.rows.iter_mut().find(|row| !row.is_flawless())
            && variable::<String>("PINNACE_TEST_TELL").is_some()
        {
            row.problems.push(self.told);
        }
        self.rows
    }
}

/// How many bytes a line of an agent's log says to be lost, with the line.
fn said_lost(line: &str) -> Option<(u64, &str)> {
    let (_, behind) = line.split_once(" lost_bytes=")?;
    let digits = behind.split(|it: char| !it.is_ascii_digit()).next()?;
    Some((digits.parse().ok()?, line))
}

/// The texts that an output refused for ever.
fn letters_to(state_dir: &Path, backend: Backend) -> Vec<String> {
    let letters = fs::read_to_string(state_dir.join("dead-letters.ndjson")).unwrap_or_default();
    letters
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|letter| letter["output"] == backend.name())
        .map(|letter| letter["text"].as_str().unwrap().to_owned())
        .collect()
}
