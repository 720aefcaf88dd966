//! What was refused since the agent runs: counted for `pinnace status`, and told in the log, each
//! output and reason by itself. Only notes; decides nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::dead_letters::Occasion;
use crate::observe::refused::RefusedStatus;
use crate::observe::snapshot::utc;
use crate::source::Moment;

/// Records that one output refuses for one reason are told of at most this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The refused records of every output, by its name. One that is configured no more stays.
#[derive(Debug, Default)]
pub(super) struct RefusedRecords {
    outputs: BTreeMap<String, OfOutput>,
}

#[derive(Debug, Default)]
struct OfOutput {
    reasons: BTreeMap<&'static str, OfReason>,
    status: RefusedStatus,
}

#[derive(Debug)]
struct OfReason {
    stream: String,
    answer: String,
    /// Records that the log was not told of yet.
    buried: usize,
    dropped: usize,
    /// They are told of from then on.
    tell_at: Instant,
}

/// What the log is told of one output and one reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Telling<'a> {
    pub(super) output: &'a str,
    pub(super) reason: &'static str,
    /// The stream of the last of them, and what was answered.
    pub(super) stream: &'a str,
    pub(super) answer: &'a str,
    pub(super) buried: usize,
    pub(super) dropped: usize,
}

impl OfReason {
    fn is_told(&self) -> bool {
        self.buried + self.dropped == 0
    }
}

impl RefusedRecords {
    /// Records of a batch were refused: so many are in the dead letters, so many were dropped.
    pub(super) fn note(&mut self, occasion: &Occasion, buried: usize, dropped: usize, at: Moment) {
        let output = self.outputs.entry(occasion.output.clone()).or_default();
        let reason = output
            .reasons
            .entry(occasion.reason)
            .or_insert_with(|| OfReason {
                stream: String::new(),
                answer: String::new(),
                buried: 0,
                dropped: 0,
                tell_at: at.now,
            });
        reason.stream.clone_from(&occasion.stream);
        reason.answer.clone_from(&occasion.answer);
        reason.buried += buried;
        reason.dropped += dropped;
        let status = &mut output.status;
        let records = status.reasons.entry(occasion.reason.to_owned());
        *records.or_default() += (buried + dropped) as u64;
        status.dropped += dropped as u64;
        status.output.clone_from(&occasion.output);
        status.last_at = utc(at.time);
        status.last_answer.clone_from(&occasion.answer);
        status.last_files.clear();
        for span in &occasion.spans {
            if !status.last_files.contains(&span.path) {
                status.last_files.push(span.path.clone());
            }
        }
    }

    /// Hands on what the log is to be told by now.
    pub(super) fn tell(&mut self, now: Instant, mut log: impl FnMut(&Telling<'_>)) {
        for (output, of_output) in &mut self.outputs {
            for (&reason, it) in &mut of_output.reasons {
                if it.is_told() || it.tell_at > now {
                    continue;
                }
                log(&Telling {
                    output,
                    reason,
                    stream: &it.stream,
                    answer: &it.answer,
                    buried: std::mem::take(&mut it.buried),
                    dropped: std::mem::take(&mut it.dropped),
                });
                it.tell_at = now + TELL_EVERY;
            }
        }
    }

    /// When [`Self::tell`] has something to tell.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let reasons = self.outputs.values().flat_map(|it| it.reasons.values());
        let untold = reasons.filter(|it| !it.is_told());
        untold.map(|it| it.tell_at).min()
    }

    /// The agent ends: what was not told is to be told now.
    pub(super) fn hurry(&mut self, now: Instant) {
        for of_output in self.outputs.values_mut() {
            for it in of_output.reasons.values_mut() {
                it.tell_at = now;
            }
        }
    }

    /// All of it, for whoever looks.
    pub(super) fn statuses(&self) -> Vec<RefusedStatus> {
        let outputs = self.outputs.values();
        outputs.map(|it| it.status.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchId;
    use crate::dead_letters::Bytes;

    fn occasion(output: &str, reason: &'static str, paths: &[&str]) -> Occasion {
        let span = |path: &&str| Bytes {
            path: (*path).to_owned(),
            generation: 1,
            start: 0,
            end: 9,
        };
        Occasion {
            batch: BatchId(1),
            output: output.to_owned(),
            stream: "s".to_owned(),
            reason,
            answer: format!("{reason}: no"),
            may_be_stored: false,
            spans: paths.iter().map(span).collect(),
            is_replay: false,
        }
    }

    fn told(refused: &mut RefusedRecords, now: Instant) -> Vec<(String, &'static str, usize)> {
        let mut told = Vec::new();
        refused.tell(now, |it| {
            told.push((it.output.to_owned(), it.reason, it.buried));
        });
        told
    }

    #[test]
    fn each_output_and_reason_is_told_by_itself_and_nothing_is_left_untold() {
        let begin = Moment::now();
        let mut refused = RefusedRecords::default();
        let row = |output: &str, reason, buried| (output.to_owned(), reason, buried);
        assert_eq!(refused.next_due(), None);
        refused.note(&occasion("a", "too_old", &[]), 3, 0, begin);
        assert_eq!(told(&mut refused, begin.now), [row("a", "too_old", 3)]);
        for (output, reason) in [("a", "too_old"), ("a", "refused"), ("b", "too_old")] {
            refused.note(&occasion(output, reason, &[]), 2, 0, begin);
            refused.note(&occasion(output, reason, &[]), 2, 0, begin);
        }
        let others = [row("a", "refused", 4), row("b", "too_old", 4)];
        assert_eq!(told(&mut refused, begin.now), others);
        let later = begin.now + TELL_EVERY;
        assert_eq!(refused.next_due(), Some(later));
        assert_eq!(told(&mut refused, later), [row("a", "too_old", 4)]);
        assert_eq!(refused.next_due(), None);
        refused.note(&occasion("a", "too_old", &[]), 1, 0, begin);
        assert_eq!(told(&mut refused, later), []);
        refused.hurry(later);
        assert_eq!(told(&mut refused, later), [row("a", "too_old", 1)]);
    }

    #[test]
    fn an_output_is_known_with_its_reasons_and_the_files_of_its_last_refusal() {
        let at = Moment::now();
        let mut refused = RefusedRecords::default();
        refused.note(&occasion("a", "too_old", &["/x"]), 3, 0, at);
        refused.note(&occasion("b", "too_old", &["/z"]), 1, 0, at);
        refused.note(&occasion("a", "too_new", &["/x", "/y", "/x"]), 1, 2, at);
        told(&mut refused, at.now);
        let statuses = refused.statuses();
        assert_eq!(statuses.len(), 2);
        let expected = RefusedStatus {
            output: "a".to_owned(),
            reasons: BTreeMap::from([("too_new".to_owned(), 3), ("too_old".to_owned(), 3)]),
            dropped: 2,
            last_at: utc(at.time),
            last_files: vec!["/x".to_owned(), "/y".to_owned()],
            last_answer: "too_new: no".to_owned(),
        };
        assert_eq!(statuses[0], expected);
    }
}
