//! The `CloudWatch` Logs API by hand: limits, answers, errors.

use pinnace::receiver::{Backend, CloudwatchLimits, Options};
use serde_json::{Value, json};

use crate::client::{AUTHORIZATION, Answer, aws, aws_as, gzip, now_ms, put, put_body, with_stream};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

pub(crate) fn failed(answer: &Answer, code: &str, sentence: &str) {
    assert_eq!(answer.json()["__type"], code, "{}", answer.text());
    assert_eq!(answer.header("x-amzn-errortype"), Some(code));
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(sentence), "{message}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
}

#[test]
fn events_are_stored_plain_and_compressed() {
    let receiver = with_stream(Options::default());
    let now = now_ms();
    let body = put_body(&[(now, "été \"quoted\" \n"), (now + 1, "b")]).to_string();
    for (headers, sent) in [
        (&[][..], body.clone().into_bytes()),
        (&[("content-encoding", "gzip")][..], gzip(body.as_bytes())),
    ] {
        let answer = aws_as(&receiver, "PutLogEvents", headers, &sent).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), json!({ "nextSequenceToken": "1" }));
    }
    let records = receiver.records(Backend::Cloudwatch);
    assert_eq!(records.len(), 4);
    assert_eq!(&*records[0].stream, "g:s");
    assert_eq!(records[0].line, "été \"quoted\" \n");
    assert_eq!(records[0].timestamp_ns, now * 1_000_000);
    let summary = receiver.summary(Backend::Cloudwatch);
    assert_eq!((summary.repeated, summary.replayed), (2, 0));
    assert!(summary.decoded_bytes > 2 * body.len() as u64);
    assert!(summary.body_bytes < summary.decoded_bytes);
}

#[test]
fn each_limit_of_a_batch_refuses_it_whole() {
    let now = now_ms();
    let message = |bytes: usize| "x".repeat(bytes);
    let same = |count: usize, text: &str| vec![(now, text.to_owned()); count];
    let full = |last: usize| {
        // Ten events of 104,832 + 26 bytes leave 22 bytes short of the limit with the last.
        let mut events = same(10, &message(104_806));
        events.push((now, message(last)));
        events
    };
    let cases: Vec<(Vec<(i64, String)>, &str)> = vec![
        (vec![], "length greater than or equal to 1"),
        (same(10_000, "x"), ""),
        (same(10_001, "x"), "length less than or equal to 10000"),
        (same(1, &message(1_048_550)), ""),
        (
            same(1, &message(1_048_551)),
            "Log event too large: 1048577 bytes exceeds limit of 1048576",
        ),
        (full(230), ""),
        (
            full(231),
            "Upload too large: 1048577 bytes exceeds limit of 1048576",
        ),
        (
            vec![(now, String::new())],
            "length greater than or equal to 1",
        ),
        (
            vec![(now, "b".into()), (now - 1, "a".into())],
            "chronological order",
        ),
        (vec![(now - DAY + 1, "a".into()), (now, "b".into())], ""),
        (
            vec![(now - DAY, "a".into()), (now, "b".into())],
            "cannot span more than 24 hours",
        ),
        (vec![(-1, "a".into())], "greater than or equal to 0"),
    ];
    for (events, expected) in cases {
        let receiver = with_stream(Options::default());
        let borrowed: Vec<_> = events
            .iter()
            .map(|(at, text)| (*at, text.as_str()))
            .collect();
        let answer = put(&receiver, &borrowed).unwrap();
        let summary = receiver.summary(Backend::Cloudwatch);
        if expected.is_empty() {
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(
                (summary.stored, summary.violation_count),
                (events.len() as u64, 0)
            );
        } else {
            assert_eq!(answer.status, 400);
            failed(&answer, "InvalidParameterException", expected);
            assert_eq!((summary.stored, summary.violation_count), (0, 1));
            assert!(summary.violations[0].sentence.contains(expected));
        }
    }
}

#[test]
fn an_event_of_256_kilobytes_is_the_limit_where_it_is_set() {
    let receiver = with_stream(Options {
        cloudwatch: CloudwatchLimits {
            max_event_bytes: 262_144,
            ..CloudwatchLimits::default()
        },
        ..Options::default()
    });
    let now = now_ms();
    assert_eq!(
        put(&receiver, &[(now, &"x".repeat(262_118))])
            .unwrap()
            .status,
        200
    );
    let answer = put(&receiver, &[(now, &"x".repeat(262_119))]).unwrap();
    failed(
        &answer,
        "InvalidParameterException",
        "exceeds limit of 262144",
    );
}

#[test]
fn events_outside_the_windows_are_rejected_one_by_one_with_the_indexes_of_aws() {
    let now = now_ms();
    let old = |n: i64| now - 14 * DAY - HOUR + n;
    let expired = |n: i64| now - 3 * DAY - HOUR + n;
    let new = |n: i64| now + 2 * HOUR + MINUTE + n;
    let cases: Vec<(Option<i64>, Vec<i64>, Value, u64)> = vec![
        (None, vec![now, now + 1], Value::Null, 2),
        (None, vec![now - 14 * DAY + MINUTE], Value::Null, 1),
        (None, vec![now + 2 * HOUR - MINUTE], Value::Null, 1),
        (
            None,
            vec![old(0), old(1), now],
            json!({ "tooOldLogEventEndIndex": 2 }),
            1,
        ),
        (
            None,
            vec![now, new(0), new(1)],
            json!({ "tooNewLogEventStartIndex": 1 }),
            1,
        ),
        (
            None,
            vec![old(0), now, now, new(0)],
            json!({ "tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3 }),
            2,
        ),
        (
            None,
            vec![old(0)],
            json!({ "tooOldLogEventEndIndex": 1 }),
            0,
        ),
        (
            None,
            vec![new(0)],
            json!({ "tooNewLogEventStartIndex": 0 }),
            0,
        ),
        (
            Some(3),
            vec![expired(0), now],
            json!({ "expiredLogEventEndIndex": 1 }),
            1,
        ),
        (
            Some(3),
            vec![old(0), expired(0), now],
            json!({ "tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2 }),
            1,
        ),
        (
            Some(30),
            vec![old(0), now],
            json!({ "tooOldLogEventEndIndex": 1 }),
            1,
        ),
    ];
    for (retention, times, expected, stored) in cases {
        let receiver = with_stream(Options::default());
        if let Some(days) = retention {
            let body = json!({ "logGroupName": "g", "retentionInDays": days });
            assert_eq!(
                aws(&receiver, "PutRetentionPolicy", &body).unwrap().status,
                200
            );
        }
        let events: Vec<_> = times.iter().map(|at| (*at, "x")).collect();
        let answer = put(&receiver, &events).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            answer.json()["rejectedLogEventsInfo"],
            expected,
            "{times:?}"
        );
        let summary = receiver.summary(Backend::Cloudwatch);
        assert_eq!(summary.stored, stored);
        assert_eq!(summary.rejected_total(), times.len() as u64 - stored);
        assert_eq!(summary.violation_count == 0, expected.is_null());
    }
}

#[test]
fn the_span_counts_valid_events_only() {
    let receiver = with_stream(Options::default());
    let now = now_ms();
    let answer = put(&receiver, &[(now - 15 * DAY, "old"), (now, "x")]).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(receiver.summary(Backend::Cloudwatch).stored, 1);
}

#[test]
fn a_request_without_a_whole_signature_is_refused() {
    let receiver = with_stream(Options::default());
    for (authorization, code) in [
        ("", "MissingAuthenticationTokenException"),
        ("Basic YTpi", "MissingAuthenticationTokenException"),
        (
            "AWS4-HMAC-SHA256 Credential=a",
            "IncompleteSignatureException",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=",
            "IncompleteSignatureException",
        ),
        (AUTHORIZATION, ""),
    ] {
        let body = put_body(&[(now_ms(), "x")]).to_string();
        let headers = [("authorization", authorization)];
        let answer = aws_as(&receiver, "PutLogEvents", &headers, body.as_bytes()).unwrap();
        if code.is_empty() {
            assert_eq!(answer.status, 200);
        } else {
            assert_eq!(answer.status, 400);
            failed(&answer, code, "");
        }
    }
}

#[test]
fn what_cannot_be_read_is_a_serialization_error() {
    let receiver = with_stream(Options::default());
    for (headers, body) in [
        (&[][..], &b"{"[..]),
        (&[][..], b"{\"logEvents\": [{\"timestamp\": \"1\"}]}"),
        (&[("content-encoding", "gzip")][..], b"{}"),
        (&[("content-encoding", "br")][..], b"{}"),
    ] {
        let answer = aws_as(&receiver, "PutLogEvents", headers, body).unwrap();
        assert_eq!(answer.status, 400);
        failed(&answer, "SerializationException", "");
    }
}
