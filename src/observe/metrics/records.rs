//! What is counted while bytes become records.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::OfOutput;
use crate::dispatch::{Counters, EmfCounters};
use crate::record::level::Level;
use crate::record::redact::Redactor;

/// The labels of records by level.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLevel {
    output: String,
    level: &'static str,
}

/// The labels of what was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    output: String,
    kind: String,
}

/// The labels of what was let go of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAction {
    output: String,
    action: &'static str,
}

/// The labels of records of the embedded metric format.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEmf {
    output: String,
    result: &'static str,
}

/// Counters of records, by output.
#[derive(Debug, Default)]
pub(crate) struct RecordMetrics {
    by_level: Family<OfLevel, Counter>,
    redacted: Family<OfKind, Counter>,
    filtered: Family<OfAction, Counter>,
    continued: Family<OfOutput, Counter>,
    far_off: Family<OfOutput, Counter>,
    untimed: Family<OfOutput, Counter>,
    broken: Family<OfOutput, Counter>,
    ahead: Family<OfOutput, Counter>,
    too_old: Family<OfOutput, Counter>,
    merged: Family<OfOutput, Counter>,
    behind: Family<OfOutput, Counter>,
    wrong_zone: Family<OfOutput, Counter>,
    emf: Family<OfEmf, Counter>,
}

impl RecordMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "records_by_level",
            "Records put into batches, by level",
            self.by_level.clone(),
        );
        registry.register(
            "redacted",
            "Places in records that were replaced, by what was found",
            self.redacted.clone(),
        );
        registry.register(
            "filtered_records",
            "Records that a filter let go of, by its action",
            self.filtered.clone(),
        );
        registry.register(
            "continued_records",
            "Records that continue one which was shipped because nothing more came in time",
            self.continued.clone(),
        );
        registry.register(
            "timestamps_far_off",
            "Timestamps that can be no time of their record; the text keeps them",
            self.far_off.clone(),
        );
        registry.register(
            "untimed_records",
            "Records without a timestamp, where timestamps are looked for",
            self.untimed.clone(),
        );
        registry.register(
            "broken_envelopes",
            "Lines without the envelope of a container runtime that the lines of their file have",
            self.broken.clone(),
        );
        registry.register(
            "times_ahead",
            "Records whose time lies more than five minutes ahead of the clock and was set back to it",
            self.ahead.clone(),
        );
        registry.register(
            "times_moved_up",
            "Records whose time is older than max_age and was moved up to it",
            self.too_old.clone(),
        );
        registry.register(
            "merged_records",
            "Records that went to the stream without the labels that differ by record, since max_streams is reached",
            self.merged.clone(),
        );
        registry.register(
            "times_behind",
            "Records whose time lies before the last batch of their stream and was moved up to it",
            self.behind.clone(),
        );
        registry.register(
            "wrong_zone_files",
            "Files whose lines are steadily ahead of or behind the clock by whole quarters of an hour",
            self.wrong_zone.clone(),
        );
        registry.register(
            "emf_records",
            "Records of AWS's embedded metric format sent to CloudWatch Logs: valid, invalid",
            self.emf.clone(),
        );
    }

    /// The counters of one output, shown from its start on. `knows_emf` says whether the embedded
    /// metric format means something to it.
    pub(crate) fn of(&self, output: &str, redactor: &Redactor, knows_emf: bool) -> Counters {
        let level = |level: Option<Level>| {
            let labels = OfLevel {
                output: output.to_owned(),
                level: level.map_or("none", Level::name),
            };
            self.by_level.get_or_create(&labels).clone()
        };
        let kind = |by: usize| {
            let labels = OfKind {
                output: output.to_owned(),
                kind: redactor.name(by).to_owned(),
            };
            self.redacted.get_or_create(&labels).clone()
        };
        let action = |action: &'static str| {
            let labels = OfAction {
                output: output.to_owned(),
                action,
            };
            self.filtered.get_or_create(&labels).clone()
        };
        let emf = |result: &'static str| {
            let labels = OfEmf {
                output: output.to_owned(),
                result,
            };
            self.emf.get_or_create(&labels).clone()
        };
        let of_output = OfOutput {
            output: output.to_owned(),
        };
        let [trace, debug, info, warn, error, fatal] = Level::ALL.map(|it| level(Some(it)));
        Counters {
            levels: [trace, debug, info, warn, error, fatal, level(None)],
            redacted: (0..redactor.names())
                .map(|by| redactor.is_on(by).then(|| kind(by)))
                .collect(),
            filtered: ["drop", "keep", "sample"].map(action),
            continued: self.continued.get_or_create(&of_output).clone(),
            far_off: self.far_off.get_or_create(&of_output).clone(),
            untimed: self.untimed.get_or_create(&of_output).clone(),
            broken: self.broken.get_or_create(&of_output).clone(),
            ahead: self.ahead.get_or_create(&of_output).clone(),
            behind: self.behind.get_or_create(&of_output).clone(),
            too_old: self.too_old.get_or_create(&of_output).clone(),
            merged: self.merged.get_or_create(&of_output).clone(),
            wrong_zone: self.wrong_zone.get_or_create(&of_output).clone(),
            emf: knows_emf.then(|| EmfCounters {
                valid: emf("valid"),
                invalid: emf("invalid"),
                has_told: false,
            }),
        }
    }
}
