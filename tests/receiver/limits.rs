//! Every limit of the Loki push API, and the options that widen it.

use std::time::Duration;

use pinnace::receiver::{Backend, LokiLimits, Options, Rate};

use crate::client::{Line, line, now_ns, push, push_as, start};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const LABELS: &str = "{app=\"x\"}";

#[test]
fn each_limit_of_labels_refuses_the_stream() {
    let many = |count: usize| {
        let labels: Vec<_> = (0..count).map(|n| format!("l{n}=\"v\"")).collect();
        format!("{{{}}}", labels.join(","))
    };
    let cases = [
        ("{}".to_owned(), "missing_labels", "at least one label pair"),
        (many(15), "", ""),
        (
            many(16),
            "max_label_names_per_series",
            "has 16 label names; limit 15",
        ),
        (many(15).replace('}', ",service_name=\"s\"}"), "", ""),
        (format!("{{{}=\"v\"}}", "n".repeat(1024)), "", ""),
        (
            format!("{{{}=\"v\"}}", "n".repeat(1025)),
            "label_name_too_long",
            "label name too long",
        ),
        (format!("{{n=\"{}\"}}", "v".repeat(2048)), "", ""),
        (
            format!("{{n=\"{}\"}}", "v".repeat(2049)),
            "label_value_too_long",
            "value too long",
        ),
        (
            "{a=\"1\",a=\"2\"}".to_owned(),
            "duplicate_label_names",
            "duplicate label name: 'a'",
        ),
    ];
    for (labels, reason, expected) in cases {
        let receiver = start(Options::default());
        let answer = push(&receiver, &[(&labels, &[line(now_ns(), "x")])]).unwrap();
        let summary = receiver.summary(Backend::Loki);
        if reason.is_empty() {
            assert_eq!((answer.status, summary.stored), (204, 1), "{labels}");
        } else {
            assert_eq!((answer.status, summary.stored), (400, 0), "{labels}");
            assert!(answer.text().contains(expected), "{}", answer.text());
            assert_eq!(summary.rejected.get(reason), Some(&1), "{labels}");
            assert_eq!(summary.violations[0].rule, reason);
        }
    }
}

#[test]
fn each_limit_of_entries_refuses_that_entry_and_stores_the_others() {
    let now = now_ns();
    let metadata = |count: usize, bytes: usize| {
        (0..count)
            .map(|n| (format!("{n:03}"), "v".repeat(bytes)))
            .collect::<Vec<_>>()
    };
    let meta = |pairs| Line(now, b"x".to_vec(), pairs);
    let cases = [
        (line(now, &"x".repeat(262_144)), "", ""),
        (
            line(now, &"x".repeat(262_145)),
            "line_too_long",
            "Max entry size '262144' bytes exceeded for stream '{app=\"x\"}' while adding an entry with length '262145' bytes",
        ),
        (meta(metadata(128, 509)), "", ""),
        (
            meta(metadata(128, 510)),
            "structured_metadata_too_large",
            "too large: '65664' bytes, limit: '65536'",
        ),
        (
            meta(metadata(129, 1)),
            "structured_metadata_too_many",
            "too many structured metadata labels: '129', limit: '128'",
        ),
        (line(now - 7 * 24 * HOUR + MINUTE, "x"), "", ""),
        (
            line(now - 7 * 24 * HOUR - MINUTE, "x"),
            "greater_than_max_sample_age",
            "has timestamp too old: ",
        ),
        (line(now + 9 * MINUTE, "x"), "", ""),
        (
            line(now + 11 * MINUTE, "x"),
            "too_far_in_future",
            "has timestamp too new: ",
        ),
    ];
    for (entry, reason, expected) in cases {
        let receiver = start(Options::default());
        let good = line(entry.0.min(now), "good");
        let answer = push(&receiver, &[(LABELS, &[good, entry])]).unwrap();
        let summary = receiver.summary(Backend::Loki);
        if reason.is_empty() {
            assert_eq!(
                (answer.status, summary.stored),
                (204, 2),
                "{}",
                answer.text()
            );
        } else if reason == "greater_than_max_sample_age" {
            assert_eq!((answer.status, summary.stored), (400, 0));
            assert!(answer.text().starts_with("2 errors like: ") || answer.text().contains("; "));
        } else {
            assert_eq!((answer.status, summary.stored), (400, 1), "{reason}");
            assert!(
                answer.text().starts_with("1 errors like: "),
                "{}",
                answer.text()
            );
            assert_eq!(summary.rejected.get(reason), Some(&1));
            assert_eq!(summary.rejected_total(), 1);
        }
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
}

#[test]
fn an_entry_an_hour_behind_the_newest_is_too_far_behind() {
    let receiver = start(Options::default());
    let now = now_ns() / SECOND * SECOND;
    let lines = [
        line(now, "newest"),
        line(now - 59 * MINUTE, "late"),
        line(now - 61 * MINUTE, "too late"),
        line(now - 62 * MINUTE - SECOND / 2, "later still"),
    ];
    let answer = push_as(&receiver, &[("x-scope-orgid", "t")], &[(LABELS, &lines)]).unwrap();
    assert_eq!(answer.status, 400);
    let text = answer.text();
    let told: Vec<_> = text.lines().collect();
    assert_eq!(told.len(), 3, "{text}");
    assert!(told[0].starts_with("entry with timestamp 20"), "{text}");
    assert!(
        told[0]
            .contains("+0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 20"),
        "{text}"
    );
    assert!(told[1].contains(".5 +0000 UTC"), "{text}");
    assert_eq!(
        told[2],
        "user 't', total ignored: 2 out of 4 for stream: {app=\"x\"}"
    );
    let summary = receiver.summary(Backend::Loki);
    assert_eq!((summary.stored, summary.rejected["too_far_behind"]), (2, 2));
    assert_eq!(summary.streams[0].disordered, 1);
    // Another stream has a newest entry of its own.
    let other = push(
        &receiver,
        &[("{app=\"y\"}", &[line(now - 61 * MINUTE, "x")])],
    );
    assert_eq!(other.unwrap().status, 204);
}

#[test]
fn the_limits_of_time_can_be_widened_and_switched_off() {
    let now = now_ns();
    let lines = [
        line(now + HOUR, "ahead"),
        line(now - 900 * 24 * HOUR, "old"),
    ];
    for (loki, status) in [
        (LokiLimits::default(), 400),
        (LokiLimits::default().any_time(), 204),
        (
            LokiLimits {
                too_old: Some(Duration::from_hours(1000 * 24)),
                too_new: Some(Duration::from_hours(2)),
                out_of_order: None,
                ..LokiLimits::default()
            },
            204,
        ),
    ] {
        let receiver = start(Options {
            loki,
            ..Options::default()
        });
        assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, status);
    }
}

#[test]
fn rates_are_kept_when_they_are_switched_on() {
    let rate = |bytes| {
        Some(Rate {
            per_second: 1,
            burst: bytes,
        })
    };
    let now = now_ns();
    for (loki, expected) in [
        (
            LokiLimits {
                tenant_rate: rate(100),
                ..LokiLimits::default()
            },
            "Ingestion rate limit exceeded for user fake (limit: 1 bytes/sec) while attempting to ingest '1' lines totaling '90' bytes",
        ),
        (
            LokiLimits {
                stream_rate: rate(100),
                ..LokiLimits::default()
            },
            "Per stream rate limit exceeded",
        ),
    ] {
        let receiver = start(Options {
            loki,
            ..Options::default()
        });
        let text = "x".repeat(90);
        let first = push(&receiver, &[(LABELS, &[line(now, &text)])]).unwrap();
        assert_eq!(first.status, 204);
        let second = push(&receiver, &[(LABELS, &[line(now + 1, &text)])]).unwrap();
        assert_eq!(second.status, 429);
        assert!(second.text().contains(expected), "{}", second.text());
        assert_eq!(receiver.summary(Backend::Loki).stored, 1);
    }
}
