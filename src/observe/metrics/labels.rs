//! The labels of the metrics. None ever holds a path.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};

/// What became of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "label values are lower case")]
pub(crate) enum RecordResult {
    /// Stored at the destination.
    delivered,
    /// Refused by the destination.
    rejected,
}

/// What became of a configuration that was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "label values are lower case")]
pub(crate) enum ReloadResult {
    /// It is in force.
    accepted,
    /// It is wrong, and the earlier one stays in force.
    refused,
}

/// Labels of configurations that were read again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reloads {
    /// What became of them.
    pub(crate) result: ReloadResult,
}

/// Labels of an output's records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Records {
    /// The output's name.
    pub(crate) output: String,
    /// What became of them.
    pub(crate) result: RecordResult,
}

/// Labels of an output's requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Requests {
    /// The output's name.
    pub(crate) output: String,
    /// The class of the answer.
    pub(crate) class: &'static str,
}

/// The label of an output.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfOutput {
    /// The output's name.
    pub(crate) output: String,
}

/// The label of an input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfInput {
    /// The input's name.
    pub(crate) input: String,
}

/// Labels of refused records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfRefused {
    /// The output's name.
    pub(crate) output: String,
    /// Why.
    pub(crate) reason: &'static str,
}

/// Labels of a blocked output.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BlockedBy {
    /// The output's name.
    pub(crate) output: String,
    /// Why.
    pub(crate) reason: &'static str,
}

/// The label of a loss.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    /// Why.
    pub(crate) reason: &'static str,
}
