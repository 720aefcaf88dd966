//! Each fault, and the pause.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use pinnace::receiver::{Action, Backend, Faults, Options, Receiver};
use serde_json::json;

use crate::client::{
    Answer, PATIENCE, aws, call, line, now_ms, now_ns, push, put, start, with_stream,
};

const LABELS: &str = "{app=\"x\"}";

/// Pushes a line of its own to Loki.
fn send(receiver: &Receiver) -> std::io::Result<Answer> {
    push(receiver, &[(LABELS, &[line(now_ns(), "x")])])
}

#[test]
fn a_status_is_answered_as_often_as_asked_and_nothing_is_stored() {
    let receiver = start(Options::default());
    for status in [204, 260, 401, 403, 404, 413, 429, 500, 502, 503, 504] {
        receiver.clear();
        let faults = Faults {
            retry_after: Some(7),
            ..Faults::of(Action::Status(status)).times(2)
        };
        receiver.set_faults(Backend::Loki, faults);
        let answers: Vec<_> = (0..3).map(|_| send(&receiver).unwrap()).collect();
        let told: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(told, [status, status, 204]);
        assert_eq!(answers[0].header("retry-after"), Some("7"));
        assert_eq!(answers[2].header("retry-after"), None);
        let summary = receiver.summary(Backend::Loki);
        assert_eq!(
            (summary.stored, summary.injected, summary.violation_count),
            (1, 2, 0)
        );
    }
}

#[test]
fn an_error_of_aws_comes_with_its_code_and_status() {
    let receiver = with_stream(Options::default());
    for (action, status, code) in [
        (
            Action::Error("ThrottlingException".into()),
            400,
            "ThrottlingException",
        ),
        (
            Action::Error("ExpiredTokenException".into()),
            400,
            "ExpiredTokenException",
        ),
        (
            Action::Error("ServiceUnavailableException".into()),
            500,
            "ServiceUnavailableException",
        ),
        (
            Action::Error("InternalFailure".into()),
            500,
            "InternalFailure",
        ),
        (Action::Status(503), 503, "ServiceUnavailableException"),
        (Action::Status(500), 500, "InternalFailure"),
        (Action::Status(429), 429, "ThrottlingException"),
    ] {
        receiver.set_faults(Backend::Cloudwatch, Faults::of(action).on("PutLogEvents"));
        let answer = put(&receiver, &[(now_ms(), "x")]).unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.json()["__type"], code);
        assert_eq!(answer.header("x-amzn-errortype"), Some(code));
        // Another operation is not struck.
        assert_eq!(
            aws(&receiver, "DescribeLogGroups", &json!({}))
                .unwrap()
                .status,
            200
        );
    }
    assert_eq!(receiver.summary(Backend::Cloudwatch).stored, 0);
}

#[test]
fn a_ratio_strikes_the_same_requests_each_time() {
    let receiver = start(Options::default());
    let mut runs = Vec::new();
    for _ in 0..2 {
        receiver.set_faults(
            Backend::Loki,
            Faults {
                ratio: 0.5,
                seed: 42,
                ..Faults::of(Action::Status(503))
            },
        );
        let run: Vec<_> = (0..40).map(|_| send(&receiver).unwrap().status).collect();
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&503) && runs[0].contains(&204));
}

#[test]
fn store_then_fail_stores_and_the_replay_is_recognised() {
    let receiver = start(Options::default());
    receiver.set_faults(
        Backend::Loki,
        Faults::of(Action::Status(500)).times(1).after_storing(),
    );
    let lines = [line(now_ns(), "x")];
    assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 500);
    assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 204);
    let summary = receiver.summary(Backend::Loki);
    assert_eq!((summary.stored, summary.replayed), (1, 1));
}

#[test]
fn a_reset_drops_the_connection_with_or_without_storing() {
    let receiver = with_stream(Options::default());
    for (store, stored) in [(false, 0), (true, 1)] {
        let faults = Faults {
            store,
            ..Faults::of(Action::Reset).times(1)
        };
        receiver.set_faults(Backend::Loki, faults.clone());
        receiver.set_faults(Backend::Cloudwatch, faults);
        for failed in [send(&receiver), put(&receiver, &[(now_ms(), "x")])] {
            let kind = failed.unwrap_err().kind();
            assert_eq!(kind, ErrorKind::ConnectionReset);
        }
        for backend in Backend::ALL {
            assert_eq!(receiver.summary(backend).stored, stored);
        }
    }
    assert_eq!(receiver.total().resets, 4);
    assert_eq!(send(&receiver).unwrap().status, 204);
}

#[test]
fn a_hanging_request_goes_on_when_it_is_freed() {
    let receiver = start(Options::default());
    for store in [false, true] {
        receiver.clear();
        receiver.set_faults(
            Backend::Loki,
            Faults {
                store,
                ..Faults::of(Action::Hang).times(2)
            },
        );
        std::thread::scope(|scope| {
            let hanging: Vec<_> = (0..2).map(|_| scope.spawn(|| send(&receiver))).collect();
            assert!(receiver.wait_for(Backend::Loki, PATIENCE, |summary| summary.hanging == 2));
            let summary = receiver.summary(Backend::Loki);
            assert_eq!(summary.stored, if store { 2 } else { 0 });
            assert_eq!((summary.in_flight, summary.max_in_flight), (2, 2));
            receiver.resume(Backend::Loki);
            for request in hanging {
                assert_eq!(request.join().unwrap().unwrap().status, 204);
            }
        });
        assert!(receiver.wait_for(Backend::Loki, PATIENCE, |summary| summary.in_flight == 0));
        assert_eq!(receiver.summary(Backend::Loki).stored, 2);
    }
}

#[test]
fn a_client_that_gives_up_leaves_nothing_behind() {
    let receiver = start(Options::default());
    receiver.set_faults(Backend::Loki, Faults::of(Action::Hang));
    let stream = {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(receiver.address()).unwrap();
        stream
            .write_all(b"POST /loki/api/v1/push HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        stream
    };
    assert!(receiver.wait_for(Backend::Loki, PATIENCE, |summary| summary.hanging == 1));
    drop(stream);
    assert!(receiver.wait_for(Backend::Loki, PATIENCE, |summary| {
        summary.hanging == 0 && summary.in_flight == 0
    }));
}

#[test]
fn a_receiver_is_dropped_while_requests_hang() {
    let receiver = start(Options::default());
    receiver.set_faults(Backend::Loki, Faults::of(Action::Hang));
    let address = receiver.address();
    let hanging = std::thread::spawn(move || call(address, "GET", "/ready", &[], b""));
    assert!(receiver.wait_until(PATIENCE, |total| total.hanging == 1));
    drop(receiver);
    assert!(hanging.join().unwrap().is_err());
}

#[test]
fn latency_comes_before_each_answer() {
    let receiver = start(Options::default());
    receiver.set_faults(
        Backend::Loki,
        Faults {
            latency_ms: 60,
            ..Faults::default()
        },
    );
    let before = Instant::now();
    assert_eq!(send(&receiver).unwrap().status, 204);
    assert!(before.elapsed() >= Duration::from_millis(60));
}

#[test]
fn a_part_of_the_records_is_refused_at_the_head() {
    let receiver = with_stream(Options::default());
    for backend in Backend::ALL {
        receiver.set_faults(backend, Faults::of(Action::Reject(0.25)).times(1));
    }
    let now = now_ns();
    let lines: Vec<_> = (0..8).map(|n| line(now + n, &n.to_string())).collect();
    let answer = push(&receiver, &[(LABELS, &lines)]).unwrap();
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("has timestamp too old"),
        "{}",
        answer.text()
    );
    let texts: Vec<_> = (0..8).map(|n| n.to_string()).collect();
    let events: Vec<_> = texts.iter().map(|text| (now_ms(), text.as_str())).collect();
    let answer = put(&receiver, &events).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json()["rejectedLogEventsInfo"],
        json!({ "tooOldLogEventEndIndex": 2 })
    );
    for backend in Backend::ALL {
        let summary = receiver.summary(backend);
        assert_eq!((summary.stored, summary.rejected_total()), (6, 2));
        assert_eq!(summary.violation_count, 0);
        assert_eq!(receiver.records(backend)[0].line, "2");
    }
}

#[test]
fn poison_is_refused_for_ever() {
    let receiver = with_stream(Options::default());
    for backend in Backend::ALL {
        let faults = Faults {
            poison: Some("BAD".to_owned()),
            ..Faults::default()
        };
        receiver.set_faults(backend, faults);
    }
    let now = now_ns();
    let lines = [
        line(now, "good"),
        line(now + 1, "is BAD"),
        line(now + 2, "fine"),
    ];
    for stored in [2, 2] {
        assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 400);
        assert_eq!(receiver.summary(Backend::Loki).stored, stored);
    }
    let at = now_ms();
    let answer = put(&receiver, &[(at, "good"), (at, "is BAD")]).unwrap();
    assert_eq!(answer.json()["__type"], "InvalidParameterException");
    assert_eq!(put(&receiver, &[(at, "good")]).unwrap().status, 200);
    assert_eq!(receiver.summary(Backend::Cloudwatch).stored, 1);
}

#[test]
fn what_was_put_can_be_hidden_for_a_while() {
    let receiver = with_stream(Options::default());
    let hide = |visibility_delay_ms| {
        receiver.set_faults(
            Backend::Cloudwatch,
            Faults {
                visibility_delay_ms,
                ..Faults::default()
            },
        );
    };
    let visible = || {
        let body = json!({ "logGroupName": "g", "logStreamName": "s", "startFromHead": true });
        let answer = aws(&receiver, "GetLogEvents", &body).unwrap();
        answer.json()["events"].as_array().unwrap().len()
    };
    hide(3_600_000);
    let before = Instant::now();
    put(&receiver, &[(now_ms(), "x")]).unwrap();
    assert_eq!(visible(), 0);
    hide(100);
    while visible() == 0 {
        assert!(before.elapsed() < PATIENCE);
    }
    assert!(before.elapsed() >= Duration::from_millis(100));
}

#[test]
fn a_paused_backend_is_unavailable_and_the_other_is_not() {
    let receiver = with_stream(Options::default());
    receiver.pause(Backend::Loki);
    assert_eq!(send(&receiver).unwrap().status, 503);
    assert_eq!(put(&receiver, &[(now_ms(), "x")]).unwrap().status, 200);
    receiver.pause(Backend::Cloudwatch);
    let answer = put(&receiver, &[(now_ms(), "x")]).unwrap();
    assert_eq!(answer.json()["__type"], "ServiceUnavailableException");
    receiver.resume(Backend::Loki);
    receiver.resume(Backend::Cloudwatch);
    assert_eq!(send(&receiver).unwrap().status, 204);
    assert_eq!(put(&receiver, &[(now_ms(), "y")]).unwrap().status, 200);
}
