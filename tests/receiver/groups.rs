//! The `CloudWatch` Logs API by hand: groups, streams, and what cannot be read back.

use pinnace::receiver::{CloudwatchLimits, Keep, Options, Rate};
use serde_json::{Value, json};

use crate::client::{aws, now_ms, put, put_body, start, with_stream};
use crate::cloudwatch::failed;

#[test]
fn creating_follows_the_rules_of_names_and_of_what_is_there() {
    let receiver = start(Options::default());
    let group = |name: &str| json!({ "logGroupName": name });
    let stream = |group: &str, name: &str| json!({ "logGroupName": group, "logStreamName": name });
    let retention =
        |name: &str, days: i64| json!({ "logGroupName": name, "retentionInDays": days });
    let long = "x".repeat(513);
    for (operation, body, code, sentence) in [
        ("CreateLogGroup", group("/apps/a"), "", ""),
        (
            "CreateLogGroup",
            group("/apps/a"),
            "ResourceAlreadyExistsException",
            "log group already exists",
        ),
        (
            "CreateLogGroup",
            group("a b"),
            "InvalidParameterException",
            "regular expression",
        ),
        (
            "CreateLogGroup",
            group(""),
            "InvalidParameterException",
            "length greater",
        ),
        (
            "CreateLogGroup",
            group(&long),
            "InvalidParameterException",
            "equal to 512",
        ),
        (
            "CreateLogGroup",
            group("aws/x"),
            "InvalidParameterException",
            "reserved",
        ),
        (
            "CreateLogGroup",
            json!({}),
            "InvalidParameterException",
            "must not be null",
        ),
        ("CreateLogStream", stream("/apps/a", "s-é"), "", ""),
        (
            "CreateLogStream",
            stream("/apps/a", "s-é"),
            "ResourceAlreadyExistsException",
            "log stream already exists",
        ),
        (
            "CreateLogStream",
            stream("/apps/b", "s"),
            "ResourceNotFoundException",
            "log group does not exist",
        ),
        (
            "CreateLogStream",
            stream("/apps/a", "s:1"),
            "InvalidParameterException",
            "regular expression",
        ),
        (
            "CreateLogStream",
            stream("/apps/a", "s*"),
            "InvalidParameterException",
            "regular expression",
        ),
        (
            "CreateLogStream",
            stream("/apps/a", &long),
            "InvalidParameterException",
            "equal to 512",
        ),
        (
            "CreateLogStream",
            group("/apps/a"),
            "InvalidParameterException",
            "must not be null",
        ),
        ("PutRetentionPolicy", retention("/apps/a", 14), "", ""),
        (
            "PutRetentionPolicy",
            retention("/apps/a", 15),
            "InvalidParameterException",
            "enum value set",
        ),
        (
            "PutRetentionPolicy",
            retention("/apps/b", 14),
            "ResourceNotFoundException",
            "log group does not exist",
        ),
        (
            "PutLogEvents",
            put_body(&[(now_ms(), "x")]),
            "ResourceNotFoundException",
            "log group does not exist",
        ),
        (
            "DeleteLogGroup",
            group("/apps/a"),
            "UnknownOperationException",
            "DeleteLogGroup",
        ),
    ] {
        let answer = aws(&receiver, operation, &body).unwrap();
        if code.is_empty() {
            assert_eq!(
                (answer.status, answer.text()),
                (200, ""),
                "{operation} {body}"
            );
        } else {
            assert_eq!(answer.status, 400, "{operation} {body}");
            failed(&answer, code, sentence);
        }
    }
    let mut body = put_body(&[(now_ms(), "x")]);
    body["logGroupName"] = json!("/apps/a");
    let answer = aws(&receiver, "PutLogEvents", &body).unwrap();
    failed(
        &answer,
        "ResourceNotFoundException",
        "log stream does not exist",
    );
}

#[test]
fn describing_pages_by_name_and_by_time() {
    let receiver = start(Options::default());
    for n in 0..60 {
        let body = json!({ "logGroupName": format!("g{n:02}"), "logGroupClass": "STANDARD" });
        assert_eq!(aws(&receiver, "CreateLogGroup", &body).unwrap().status, 200);
        let body = json!({ "logGroupName": "g00", "logStreamName": format!("s{n:02}") });
        assert_eq!(
            aws(&receiver, "CreateLogStream", &body).unwrap().status,
            200
        );
    }
    let ask = |operation: &str, body: Value| aws(&receiver, operation, &body).unwrap().json();
    let first = ask("DescribeLogGroups", json!({}));
    assert_eq!(first["logGroups"].as_array().unwrap().len(), 50);
    let rest = ask(
        "DescribeLogGroups",
        json!({ "nextToken": first["nextToken"] }),
    );
    assert_eq!(rest["logGroups"].as_array().unwrap().len(), 10);
    assert_eq!(rest["logGroups"][0]["logGroupName"], "g50");
    assert_eq!(rest.get("nextToken"), None);
    let few = ask(
        "DescribeLogGroups",
        json!({ "logGroupNamePrefix": "g1", "limit": 3 }),
    );
    assert_eq!(few["logGroups"][0]["logGroupName"], "g10");
    assert_eq!(few["logGroups"].as_array().unwrap().len(), 3);
    let streams = ask(
        "DescribeLogStreams",
        json!({ "logGroupName": "g00", "descending": true }),
    );
    assert_eq!(streams["logStreams"][0]["logStreamName"], "s59");
    let body = json!({
        "logGroupName": "g00",
        "logStreamName": "s30",
        "logEvents": [{ "timestamp": now_ms(), "message": "x" }],
    });
    assert_eq!(aws(&receiver, "PutLogEvents", &body).unwrap().status, 200);
    let by_time = json!({ "logGroupName": "g00", "orderBy": "LastEventTime", "descending": true });
    let streams = ask("DescribeLogStreams", by_time);
    assert_eq!(streams["logStreams"][0]["logStreamName"], "s30");
    assert!(streams["logStreams"][0]["lastEventTimestamp"].is_i64());
    for (operation, body) in [
        ("DescribeLogGroups", json!({ "limit": 51 })),
        (
            "DescribeLogStreams",
            json!({ "logGroupName": "g00", "orderBy": "Size" }),
        ),
        (
            "DescribeLogStreams",
            json!({ "logGroupName": "g00", "orderBy": "LastEventTime", "logStreamNamePrefix": "s" }),
        ),
    ] {
        let answer = aws(&receiver, operation, &body).unwrap();
        failed(&answer, "InvalidParameterException", "");
    }
}

#[test]
fn what_is_not_kept_cannot_be_read_back() {
    let body = json!({ "logGroupName": "g", "logStreamName": "s" });
    let receiver = with_stream(Options {
        keep: Keep::Digest,
        ..Options::default()
    });
    assert_eq!(put(&receiver, &[(now_ms(), "x")]).unwrap().status, 200);
    let answer = aws(&receiver, "GetLogEvents", &body).unwrap();
    failed(&answer, "InvalidOperationException", "digests only");

    let receiver = with_stream(Options {
        keep: Keep::Last(1),
        ..Options::default()
    });
    for _ in 0..4 {
        put(&receiver, &[(now_ms(), "gone"), (now_ms(), "kept")]).unwrap();
    }
    let answer = aws(&receiver, "GetLogEvents", &body).unwrap();
    assert_eq!(answer.json()["events"].as_array().unwrap().len(), 1);
    assert_eq!(answer.json()["events"][0]["message"], "kept");
}

#[test]
fn quotas_are_kept_when_they_are_switched_on() {
    let receiver = with_stream(Options {
        cloudwatch: CloudwatchLimits {
            rates: vec![(
                "GetLogEvents",
                Rate {
                    per_second: 0,
                    burst: 2,
                },
            )],
            ..CloudwatchLimits::default()
        },
        ..Options::default()
    });
    let body = json!({ "logGroupName": "g", "logStreamName": "s" });
    for _ in 0..2 {
        assert_eq!(aws(&receiver, "GetLogEvents", &body).unwrap().status, 200);
    }
    let answer = aws(&receiver, "GetLogEvents", &body).unwrap();
    failed(&answer, "ThrottlingException", "Rate exceeded");
    assert_eq!(put(&receiver, &[(now_ms(), "x")]).unwrap().status, 200);
}

#[test]
fn each_stream_has_a_quota_of_puts_of_its_own_when_that_is_switched_on() {
    let receiver = with_stream(Options {
        cloudwatch: CloudwatchLimits {
            stream_puts: Some(Rate {
                per_second: 0,
                burst: 1,
            }),
            ..CloudwatchLimits::default()
        },
        ..Options::default()
    });
    assert_eq!(put(&receiver, &[(now_ms(), "x")]).unwrap().status, 200);
    let answer = put(&receiver, &[(now_ms(), "y")]).unwrap();
    failed(&answer, "ThrottlingException", "Rate exceeded");
    let mut body = json!({ "logGroupName": "g", "logStreamName": "other" });
    let created = aws(&receiver, "CreateLogStream", &body).unwrap();
    assert_eq!(created.status, 200);
    body["logEvents"] = json!([{ "timestamp": now_ms(), "message": "z" }]);
    assert_eq!(aws(&receiver, "PutLogEvents", &body).unwrap().status, 200);
}

#[test]
fn groups_of_another_class_take_events_and_do_not_give_them_back() {
    let receiver = start(Options::default());
    let group = json!({ "logGroupName": "g", "logGroupClass": "INFREQUENT_ACCESS" });
    let stream = json!({ "logGroupName": "g", "logStreamName": "s" });
    aws(&receiver, "CreateLogGroup", &group).unwrap();
    aws(&receiver, "CreateLogStream", &stream).unwrap();
    assert_eq!(put(&receiver, &[(now_ms(), "x")]).unwrap().status, 200);
    let answer = aws(&receiver, "GetLogEvents", &stream).unwrap();
    failed(&answer, "InvalidOperationException", "class");
}

#[test]
fn a_token_that_was_never_given_is_refused_or_leads_nowhere() {
    let receiver = with_stream(Options::default());
    put(&receiver, &[(now_ms(), "x")]).unwrap();
    for (token, status) in [
        ("", 400),
        ("x/1-1", 400),
        ("f/1", 400),
        ("f/9223372036854775807-18446744073709551615", 200),
        ("b/0-0", 200),
    ] {
        let body = json!({ "logGroupName": "g", "logStreamName": "s", "nextToken": token });
        let answer = aws(&receiver, "GetLogEvents", &body).unwrap();
        assert_eq!(answer.status, status, "{token}");
        if status == 200 {
            assert_eq!(answer.json()["events"], json!([]));
        }
    }
}
