//! Plays the acts, and says in the end whether all is as it should be.

use std::time::Duration;

use proptest::prelude::*;

use super::account::Excused;
use super::acts::{Act, Labels, Setup, Work};
use super::files::Files;
use super::midst;
use super::stage::Stage;
use super::toll::Toll;

/// In this time all names are looked at twice.
const TWO_LOOKS: Duration = Duration::from_secs(21);

/// The application, the agent, and what is known of both.
#[derive(Debug)]
pub(super) struct World {
    labels: Labels,
    stage: Stage,
    files: Files,
    excused: Excused,
    toll: Toll,
}

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        let labels = setup.labels();
        let mut world = Self {
            labels,
            stage: Stage::new(setup),
            files: Files::new(setup.banner_lines, setup.own_lines),
            excused: Excused::of(setup),
            toll: Toll::default(),
        };
        world.meet(labels);
        world
    }

    pub(super) fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        let Self {
            stage,
            files,
            excused,
            toll,
            labels,
        } = self;
        let takers = labels.takers;
        match *act {
            Act::Copy { log } if files.is_seen(log) && !files.is_linked(log) => {
                excused.note_beginning(files.copy(stage, log));
                excused.note_doubled(files, files.lies_in(log), &stage.backends);
            }
            Act::Copy { .. } => {}
            Act::CopyTruncate { log } => {
                excused.note_gone(files, files.lies_in(log), &stage.backends);
                excused.note_doubled(files, files.lies_in(log), &stage.backends);
                midst::happen(files, stage, act);
            }
            Act::Truncate { log, .. } | Act::Refill { log } => {
                excused.note_gone(files, files.lies_in(log), &stage.backends);
                toll.note_emptied(files, log, stage, takers);
                midst::happen(files, stage, act);
            }
            Act::Delete { log } => {
                excused.note_gone(files, files.lies_in(log), &stage.backends);
                toll.note_deleted(files, log, stage);
                midst::happen(files, stage, act);
            }
            Act::DeleteOldest { log } => {
                excused.note_gone(files, files.lies_in_oldest(log), &stage.backends);
                midst::happen(files, stage, act);
            }
            Act::Gzip {
                log,
                which,
                is_slow,
            } => {
                let compressed = files.gzip(stage, log, which, is_slow);
                excused.note_doubled(files, compressed, &stage.backends);
            }
            Act::GzipInPlace { log } => {
                let compressed = files.gzip_in_place(stage, log);
                excused.note_doubled(files, compressed, &stage.backends);
            }
            Act::FolderFlickers {
                millis,
                is_empty,
                ref meanwhile,
            } => {
                // A line without an end in a file that is away for some seconds is over.
                files.finish_all(stage);
                stage.pass(Duration::from_secs(1));
                toll.interrupt(stage.now());
                stage.take_folder_away(is_empty);
                for act in meanwhile {
                    self.act(act)?;
                }
                self.stage.pass(Duration::from_millis(millis));
                self.stage.bring_folder_back();
            }
            Act::Deny { log } => files.deny(stage, log),
            Act::Allow => files.allow_all(stage),
            Act::Pass { millis } => {
                stage.pass(Duration::from_millis(millis));
            }
            Act::Jump { seconds } => {
                stage.jump(seconds);
                if seconds < 0 {
                    stage.pass(TWO_LOOKS);
                }
            }
            Act::Turn => {
                stage.turn();
            }
            Act::Answer {
                output,
                which,
                outcome,
            } => stage.answer(output, which, outcome),
            Act::AnswerAll { output } => stage.answer_all(output),
            Act::Reload { labels } => {
                toll.interrupt(stage.now());
                stage.reload(labels);
                // An output that was not configured until now was not waited for.
                self.note_losses();
                self.meet(labels);
            }
            Act::Stop {
                labels,
                is_kill,
                ref away,
            } => {
                toll.interrupt(stage.now());
                if is_kill {
                    stage.kill();
                } else {
                    stage.stop([true, labels.version == 0]);
                }
                files.let_go();
                excused.note_losses(files, stage, takers);
                for act in away {
                    self.act(act)?;
                }
                self.stage.start(labels);
                self.meet(labels);
            }
            Act::Midst {
                steps,
                work,
                ref meanwhile,
            } => {
                if work == Work::Start {
                    toll.interrupt(stage.now());
                    stage.kill();
                    files.let_go();
                    excused.note_losses(files, stage, takers);
                }
                let labels = *labels;
                midst::work((files, stage), steps, meanwhile, |stage| match work {
                    Work::Turn => _ = stage.turn(),
                    Work::Pass(millis) => _ = stage.pass(Duration::from_millis(millis)),
                    Work::Start => stage.start(labels),
                });
                if work == Work::Start {
                    self.meet(labels);
                }
            }
            _ => midst::happen(files, stage, act),
        }
        // Only then did the agent look.
        if matches!(
            act,
            Act::Turn
                | Act::Pass { .. }
                | Act::Stop { .. }
                | Act::Reload { .. }
                | Act::Midst { .. }
        ) {
            self.files.note_seen(&self.stage);
        }
        if self.files.is_empty() {
            self.toll.wait(self.stage.now());
        }
        self.excused.note_read(&self.files, &self.stage);
        self.note_losses();
        Ok(())
    }

    /// Notes what nobody can reach any more.
    fn note_losses(&mut self) {
        let takers = self.labels.takers;
        (self.excused).note_losses(&self.files, &self.stage, takers);
    }

    /// The agent goes on by this configuration.
    fn meet(&mut self, labels: Labels) {
        for (output, takes) in labels.takers.into_iter().enumerate() {
            self.excused.forget_read(output);
            if takes {
                self.excused.note_met(&self.files, output);
            }
        }
        self.labels = labels;
    }

    /// Lets everything come to rest, and compares.
    pub(super) fn end(mut self) -> Result<(), TestCaseError> {
        self.files.allow_all(&self.stage);
        self.files.finish_all(&mut self.stage);
        let is_any_missing = self.labels.takers != [true, true];
        if is_any_missing {
            self.act(&Act::Stop {
                labels: Labels {
                    takers: [true, true],
                    ..self.labels
                },
                is_kill: false,
                away: Vec::new(),
            })?;
        }
        for _ in 0..8 {
            self.stage.pass(Duration::from_secs(3));
            for output in 0..2 {
                self.stage.answer_all(output);
            }
        }
        for backend in &mut self.stage.backends {
            backend.writes_all = true;
        }
        self.stage.stop([true, true]);
        let mut is_all_there = self.files.last_words().is_empty();
        for (output, backend) in self.stage.backends.iter().enumerate() {
            let letters = self.stage.letters(output);
            let lets_go = |line: &str, end| self.stage.lets_go(line, end);
            let same = (self.excused).compare(&self.files, output, backend, &letters, lets_go);
            is_all_there &= same.map_err(|error| {
                let (files, agent) = (self.files.told(), self.stage.told());
                TestCaseError::fail(format!("{error}\n{files}\n{agent}"))
            })?;
        }
        let lost = self.stage.said_lost;
        let most = (self.excused).most_lost(&self.files, &self.stage.backends, is_all_there);
        prop_assert!(
            lost <= most,
            "{lost} bytes were said to be lost, and at most {most} are\n{}",
            self.files.told()
        );
        // Another folder may stand in for one that is empty.
        let can_be_sure = !self.files.is_empty();
        let least = if can_be_sure { self.toll.least() } else { 0 };
        prop_assert!(
            lost >= least,
            "{lost} bytes were said to be lost, and {least} are\n{}",
            self.files.told()
        );
        Ok(())
    }
}
