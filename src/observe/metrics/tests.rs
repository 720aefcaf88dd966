//! The names are those that docs/metrics.md tells.

use super::*;
use crate::record::redact::{Detector, Redactor};

#[test]
fn the_reference_names_every_metric_and_no_other() {
    let metrics = Metrics::new();
    let of = || OfOutput {
        output: "loki".into(),
    };
    metrics
        .records
        .get_or_create(&Records {
            output: "loki".into(),
            result: RecordResult::delivered,
        })
        .inc();
    let refused = OfRefused {
        output: "loki".into(),
        reason: "refused",
    };
    metrics.dead_letters.get_or_create(&refused).inc();
    metrics.dropped.get_or_create(&refused).inc();
    metrics
        .requests
        .get_or_create(&Requests {
            output: "loki".into(),
            class: "delivered",
        })
        .inc();
    let redactor = Redactor::new(&Detector::USUAL, Vec::new());
    drop(metrics.of_records.of("loki", &redactor, true));
    metrics.sent_bytes.get_or_create(&of()).inc();
    metrics.doubtful.get_or_create(&of()).inc();
    metrics.replayed.get_or_create(&of()).inc();
    metrics.delivered_bytes.get_or_create(&of()).inc();
    metrics.replaced.get_or_create(&of()).inc();
    metrics.cut.get_or_create(&of()).inc();
    metrics.merged_files.get_or_create(&of()).inc();
    metrics
        .lost_bytes
        .get_or_create(&Reason {
            reason: "truncated",
        })
        .inc();
    let of_input = || OfInput {
        input: "app".into(),
    };
    metrics.deleted_files.get_or_create(&of_input()).inc();
    metrics.delete_failures.get_or_create(&of_input()).inc();
    metrics.input_bytes.get_or_create(&of_input()).set(1);
    metrics.volume_free.get_or_create(&of_input()).set(1);
    metrics.lag_bytes.get_or_create(&of()).set(1);
    metrics.lag_seconds.get_or_create(&of()).set(1.0);
    metrics
        .blocked
        .get_or_create(&BlockedBy {
            output: "loki".into(),
            reason: "down",
        })
        .set(1);
    metrics.blocked_seconds.get_or_create(&of()).set(1.0);
    metrics.streams.get_or_create(&of()).set(1);
    metrics.in_flight_bytes.get_or_create(&of()).set(1);
    let text = metrics.text();
    let mut names: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    names.sort_unstable();
    names.dedup();
    let reference = include_str!("../../../docs/metrics.md");
    let mut listed: Vec<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
        .collect();
    listed.sort_unstable();
    assert_eq!(names, listed);
}
