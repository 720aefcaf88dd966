//! The limits that Loki's distributor sets to labels and to each entry by itself. Pure: the
//! clock comes in as a value.

use std::time::Duration;

use super::Entry;
use super::labels::Labels;
use crate::receiver::moment;
use crate::receiver::options::LokiLimits;

/// Why an entry is refused: the reason Loki counts it under, and its sentence.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: &'static str,
    pub(super) sentence: String,
}

pub(super) fn check_labels(
    limits: &LokiLimits,
    name: &str,
    labels: &Labels,
) -> Result<(), Refused> {
    let refuse = |reason, sentence| Err(Refused { reason, sentence });
    let labels = &labels.0;
    if labels.is_empty() {
        let sentence = "error at least one label pair is required per stream".to_owned();
        return refuse("missing_labels", sentence);
    }
    // Loki adds service_name itself, and so does not count it.
    let counted = labels
        .iter()
        .filter(|(label, _)| label != "service_name")
        .count();
    if counted > limits.max_labels {
        return refuse(
            "max_label_names_per_series",
            format!(
                "entry for stream '{name}' has {counted} label names; limit {}",
                limits.max_labels
            ),
        );
    }
    let mut before = None;
    for (label, value) in labels {
        if label.len() > limits.max_label_name_bytes {
            return refuse(
                "label_name_too_long",
                format!("stream '{name}' has label name too long: '{label}'"),
            );
        }
        if value.len() > limits.max_label_value_bytes {
            return refuse(
                "label_value_too_long",
                format!("stream '{name}' has label value too long: '{value}'"),
            );
        }
        if before == Some(label) {
            return refuse(
                "duplicate_label_names",
                format!("stream '{name}' has duplicate label name: '{label}'"),
            );
        }
        before = Some(label);
    }
    Ok(())
}

pub(super) fn check_entry(
    limits: &LokiLimits,
    name: &str,
    entry: &Entry<'_>,
    now_ns: i64,
) -> Result<(), Refused> {
    let refuse = |reason, sentence| Err(Refused { reason, sentence });
    let before = |age: Duration| now_ns.saturating_sub(moment::nanoseconds(age));
    if let Some(oldest) = limits.too_old.map(before)
        && entry.timestamp_ns < oldest
    {
        return Err(too_old(name, entry, oldest));
    }
    if let Some(ahead) = limits.too_new
        && entry.timestamp_ns > now_ns.saturating_add(moment::nanoseconds(ahead))
    {
        let time = moment::rfc3339(entry.timestamp_ns);
        return refuse(
            "too_far_in_future",
            format!("entry for stream '{name}' has timestamp too new: {time}"),
        );
    }
    let (bytes, most) = (entry.line.len(), limits.max_line_bytes);
    if bytes > most {
        return refuse(
            "line_too_long",
            format!(
                "Max entry size '{most}' bytes exceeded for stream '{name}' while adding an entry \
                 with length '{bytes}' bytes"
            ),
        );
    }
    let (bytes, most) = (metadata_bytes(entry), limits.max_metadata_bytes);
    if bytes > most {
        return refuse(
            "structured_metadata_too_large",
            format!(
                "stream '{name}' has structured metadata too large: '{bytes}' bytes, limit: \
                 '{most}' bytes. Please see `limits_config.max_structured_metadata_size` or \
                 contact your Loki administrator to increase it."
            ),
        );
    }
    let (count, most) = (entry.metadata.len(), limits.max_metadata_entries);
    if count > most {
        return refuse(
            "structured_metadata_too_many",
            format!(
                "stream '{name}' has too many structured metadata labels: '{count}', limit: \
                 '{most}'. Please see `limits_config.max_structured_metadata_entries_count` or \
                 contact your Loki administrator to increase it."
            ),
        );
    }
    Ok(())
}

pub(super) fn too_old(name: &str, entry: &Entry<'_>, oldest_ns: i64) -> Refused {
    Refused {
        reason: "greater_than_max_sample_age",
        sentence: format!(
            "entry for stream '{name}' has timestamp too old: {}, oldest acceptable timestamp is: \
             {}",
            moment::rfc3339(entry.timestamp_ns),
            moment::rfc3339(oldest_ns)
        ),
    }
}

pub(super) fn metadata_bytes(entry: &Entry<'_>) -> usize {
    let pairs = entry.metadata.iter();
    pairs.map(|(name, value)| name.len() + value.len()).sum()
}
