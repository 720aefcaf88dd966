//! The Loki push API: forms, limits, answers.

use pinnace::receiver::{Backend, Options};

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
fn a_line_that_is_not_utf8_is_taken_and_noted() {
    let receiver = start(Options::default());
    let lines = [Line(now_ns(), b"caf\xE9".to_vec(), Vec::new())];
    assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 204);
    let summary = receiver.summary(Backend::Loki);
    assert_eq!(
        (summary.stored, summary.violations[0].rule),
        (1, "invalid_utf8")
    );
    assert_eq!(receiver.records(Backend::Loki)[0].line, "caf\u{FFFD}");
}

#[test]
fn many_clients_at_once_lose_nothing() {
    let receiver = start(Options::default());
    let base = now_ns();
    std::thread::scope(|scope| {
        for client in 0..8_i64 {
            let receiver = &receiver;
            scope.spawn(move || {
                let labels = format!("{{client=\"{client}\"}}");
                for n in 0..25 {
                    let lines = [line(base + 2 * n, "a"), line(base + 2 * n + 1, "b")];
                    assert_eq!(push(receiver, &[(&labels, &lines)]).unwrap().status, 204);
                }
            });
        }
    });
    let summary = receiver.summary(Backend::Loki);
    assert_eq!(
        (summary.stored, summary.batches, summary.streams.len()),
        (400, 200, 8)
    );
    assert!(summary.streams.iter().all(|stream| stream.disordered == 0));
    let arrivals: Vec<_> = receiver
        .records(Backend::Loki)
        .iter()
        .map(|r| r.arrival)
        .collect();
    assert_eq!(arrivals, (0..400).collect::<Vec<_>>());
}
