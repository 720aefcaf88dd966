//! The Loki push API: forms, limits, answers.

use std::time::Duration;

use pinnace::receiver::{Backend, LokiLimits, Options, Rate};

use crate::client::{Line, call, gzip, line, now_ns, protobuf, push, push_as, snappy, start};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const LABELS: &str = "{app=\"x\"}";

#[test]
fn a_push_in_any_form_is_stored_with_its_tenant_time_and_metadata() {
    let receiver = start(Options::default());
    let now = now_ns();
    let json = format!(
        "{{\"streams\":[{{\"stream\":{{\"b\":\"2\",\"a\":\"1\"}},\
         \"values\":[[\"{now}\",\"line\",{{\"pod\":\"p\"}}],[\"{}\",\"other\"]]}}]}}",
        now + 1
    );
    let native = protobuf(&[(
        "{b=\"2\",a=\"1\"}",
        &[
            Line(now, b"line".to_vec(), vec![("pod".into(), "p".into())]),
            line(now + 1, "other"),
        ],
    )]);
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut deflate, json.as_bytes()).unwrap();
    let forms = [
        ("application/x-protobuf", "", snappy(&native)),
        ("application/x-protobuf", "snappy", snappy(&native)),
        ("", "gzip", gzip(&snappy(&native))),
        ("application/json", "", json.clone().into_bytes()),
        (
            "application/json; charset=utf-8",
            "gzip",
            gzip(json.as_bytes()),
        ),
        ("application/json", "deflate", deflate.finish().unwrap()),
    ];
    for (content_type, encoding, body) in forms {
        receiver.clear();
        let headers = [
            ("content-type", content_type),
            ("content-encoding", encoding),
            ("x-scope-orgid", "team-a"),
        ];
        let headers: Vec<_> = headers.into_iter().filter(|(_, v)| !v.is_empty()).collect();
        let answer = call(
            receiver.address(),
            "POST",
            "/loki/api/v1/push",
            &headers,
            &body,
        );
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status, answer.text()),
            (204, ""),
            "{content_type} {encoding}"
        );
        let records = receiver.records(Backend::Loki);
        let told: Vec<_> = records
            .iter()
            .map(|r| {
                (
                    &*r.tenant,
                    &*r.stream,
                    r.timestamp_ns,
                    &*r.line,
                    r.metadata.len(),
                )
            })
            .collect();
        let stream = "{a=\"1\", b=\"2\"}";
        assert_eq!(
            told,
            [
                ("team-a", stream, now, "line", 1),
                ("team-a", stream, now + 1, "other", 0)
            ]
        );
        assert_eq!(receiver.summary(Backend::Loki).violation_count, 0);
    }
}

#[test]
fn ready_and_other_paths_are_answered_as_by_loki() {
    let receiver = start(Options::default());
    for (method, path, status) in [
        ("GET", "/ready", 200),
        ("GET", "/loki/api/v1/push", 405),
        ("POST", "/api/v1/push", 404),
        ("GET", "/", 404),
    ] {
        let answer = call(receiver.address(), method, path, &[], b"").unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[test]
fn a_push_without_a_tenant_is_refused_where_tenants_are_required() {
    let receiver = start(Options {
        loki_auth: true,
        ..Options::default()
    });
    let lines = [line(now_ns(), "x")];
    let answer = push(&receiver, &[(LABELS, &lines)]).unwrap();
    assert_eq!((answer.status, answer.text()), (401, "no org id\n"));
    let answer = push_as(&receiver, &[("x-scope-orgid", "t")], &[(LABELS, &lines)]).unwrap();
    assert_eq!(answer.status, 204);
}

#[test]
fn what_cannot_be_read_is_refused_whole() {
    let receiver = start(Options::default());
    let good = protobuf(&[(LABELS, &[line(now_ns(), "x")])]);
    let mut both = protobuf(&[("{app=", &[line(now_ns(), "y")])]);
    both.extend_from_slice(&good);
    for (content_type, encoding, body, status, expected) in [
        ("application/x-protobuf", "", good.clone(), 400, "snappy"),
        (
            "application/x-protobuf",
            "zstd",
            snappy(&good),
            400,
            "not supported",
        ),
        ("application/x-protobuf", "gzip", snappy(&good), 400, "gzip"),
        (
            "application/x-protobuf",
            "",
            snappy(b"\x0A\x7F"),
            400,
            "unexpected EOF",
        ),
        (
            "application/x-protobuf",
            "",
            snappy(&both),
            400,
            "parse labels",
        ),
        (
            "application/x-protobuf",
            "",
            snappy(b""),
            422,
            "at least one valid stream",
        ),
        ("application/json", "", b"{".to_vec(), 400, "EOF"),
        (
            "application/json",
            "",
            b"{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"x\",\"l\"]]}]}".to_vec(),
            400,
            "ParseInt",
        ),
        (
            "application/json",
            "",
            b"{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[1,\"l\"]]}]}".to_vec(),
            400,
            "unix epoch",
        ),
        (
            "application/x-protobuf",
            "",
            snappy(&vec![0; 4 * 1024 * 1024 + 1]),
            413,
            "4194305 bytes, limit: 4194304 bytes",
        ),
        (
            "application/json",
            "gzip",
            gzip(&vec![b' '; 4 * 1024 * 1024 + 1]),
            413,
            "limit: 4194304 bytes",
        ),
    ] {
        let headers = [
            ("content-type", content_type),
            ("content-encoding", encoding),
        ];
        let address = receiver.address();
        let answer = call(address, "POST", "/loki/api/v1/push", &headers, &body).unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
    let summary = receiver.summary(Backend::Loki);
    assert_eq!((summary.stored, summary.violation_count), (0, 11));
    assert_eq!(
        summary.status(400) + summary.status(413) + summary.status(422),
        11
    );
}

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
fn the_same_entry_twice_is_dropped_and_counted_whatever_the_request() {
    let receiver = start(Options::default());
    let now = now_ns();
    let with = |value: &str| Line(now, b"a".to_vec(), vec![("m".into(), value.into())]);
    let lines = [
        line(now, "a"),
        line(now, "b"),
        line(now + 1, "a"),
        with("1"),
        with("2"),
    ];
    for _ in 0..2 {
        assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 204);
    }
    let other_tenant = push_as(&receiver, &[("x-scope-orgid", "t")], &[(LABELS, &lines)]);
    assert_eq!(other_tenant.unwrap().status, 204);
    let other_stream = push(
        &receiver,
        &[("{app=\"y\"}", &[line(now, "a"), line(now, "a")])],
    );
    assert_eq!(other_stream.unwrap().status, 204);
    let summary = receiver.summary(Backend::Loki);
    assert_eq!((summary.stored, summary.replayed), (11, 6));
    assert_eq!((summary.batches, summary.repeated), (4, 0));
    assert_eq!(receiver.records(Backend::Loki).len(), 11);
}

#[test]
fn a_later_stream_hides_the_failure_of_an_earlier_one() {
    let receiver = start(Options::default());
    let now = now_ns();
    let bad = [line(now, "new"), line(now - 2 * HOUR, "late")];
    let good = [line(now, "fine")];
    let hidden = push(&receiver, &[(LABELS, &bad), ("{app=\"y\"}", &good)]);
    assert_eq!(hidden.unwrap().status, 204);
    assert_eq!(
        receiver.summary(Backend::Loki).rejected["too_far_behind"],
        1
    );
}

#[test]
fn rates_are_kept_when_they_are_switched_on() {
    let rate = |bytes| {
        Some(Rate {
            bytes_per_second: 1,
            burst_bytes: bytes,
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
