//! The worker's answer to those who look.

use super::Worker;
use crate::observe::snapshot::{Delivered, FileStatus, OutputView, WorkerView};
use crate::record::skew;
use crate::source::Moment;

impl Worker {
    pub(super) fn view(&self, with_files: bool, at: Moment) -> WorkerView {
        let outside = self.source.outside(&self.journal);
        let outputs = self
            .outputs
            .iter()
            .map(|output| {
                let (mut lag_bytes, mut oldest) = output.dispatcher.lag(&self.source);
                for (file, bytes) in self.owed_outside(output, &outside) {
                    lag_bytes += bytes;
                    oldest = Some(oldest.map_or(file.modified, |it| it.min(file.modified)));
                }
                let age = oldest.map_or(0, |oldest| at.time.nanos_since(oldest).max(0));
                let (in_flight_bytes, in_flight_batches) = output.dispatcher.in_flight();
                OutputView {
                    lag_bytes,
                    lag_seconds: age as f64 / 1e9,
                    streams: output.dispatcher.stream_count(),
                    in_flight_batches,
                    in_flight_bytes,
                }
            })
            .collect();
        let journal_trouble = self.journal.trouble().map(|error| {
            format!("the journal cannot be written ({error}): a restart now would send again what is delivered meanwhile")
        });
        WorkerView {
            files: if with_files {
                self.file_statuses()
            } else {
                Vec::new()
            },
            open_files: self.source.generations().count(),
            outputs,
            dead_letters_bytes: self.dead_letters.len(),
            dead_letters: self.dead_letters.sentence(),
            refused: self.refused.statuses(),
            unmatched: if with_files {
                self.source.unmatched().collect()
            } else {
                Vec::new()
            },
            losses: self.losses.last().map(str::to_owned).collect(),
            inputs: self.input_views(),
            problems: {
                let problems = self.source.problems().chain(self.care.problems());
                problems.map(str::to_owned).collect()
            },
            journal_trouble,
        }
    }

    fn file_statuses(&self) -> Vec<FileStatus> {
        self.source
            .generations()
            .map(|generation| FileStatus {
                path: generation.path.display().to_string(),
                generation: generation.id.to_string(),
                input: self.source.input_name(generation.input).to_owned(),
                place: generation.place.name().to_owned(),
                size: generation.size,
                ahead_by: generation.times.off().map(skew::in_words),
                delivered: self
                    .outputs
                    .iter()
                    .filter_map(|output| {
                        let progress = output.dispatcher.progress(generation.id)?;
                        Some(Delivered {
                            output: output.dispatcher.name().to_owned(),
                            bytes: progress.done,
                            read: progress.read,
                        })
                    })
                    .collect(),
            })
            .collect()
    }
}
