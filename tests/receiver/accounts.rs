//! The accounts, in process and over HTTP, and what is kept of the records.

use std::sync::{Arc, Mutex};

use pinnace::receiver::{Backend, Digest, Keep, Observer, Options, Receiver};
use serde_json::{Value, json};

use crate::client::{PATIENCE, call, line, now_ms, now_ns, push, put, start, with_stream};

const LABELS: &str = "{app=\"x\"}";

fn get(receiver: &Receiver, path: &str) -> Vec<Value> {
    let path = format!("/_receiver/{path}");
    let answer = call(receiver.address(), "GET", &path, &[], b"").unwrap();
    assert_eq!(answer.status, 200);
    let lines = answer.text().lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

fn post(receiver: &Receiver, path: &str, body: &str) -> u16 {
    let path = format!("/_receiver/{path}");
    call(receiver.address(), "POST", &path, &[], body.as_bytes())
        .unwrap()
        .status
}

#[test]
fn digests_tell_the_same_as_the_lines() {
    let lines: Vec<_> = (0..100).map(|n| format!("line {n}")).collect();
    let mut expected = Digest::default();
    for text in &lines {
        expected.add(text.as_bytes());
    }
    for keep in [Keep::Full, Keep::Digest, Keep::Last(10)] {
        let receiver = with_stream(Options {
            keep,
            ..Options::default()
        });
        let now = now_ns();
        let entries: Vec<_> = (now..)
            .zip(&lines)
            .map(|(at, text)| line(at, text))
            .collect();
        for part in entries.chunks(7) {
            push(&receiver, &[(LABELS, part)]).unwrap();
        }
        let at = now_ms();
        let events: Vec<_> = lines.iter().map(|text| (at, text.as_str())).collect();
        for part in events.chunks(9) {
            assert_eq!(put(&receiver, part).unwrap().status, 200);
        }
        for (backend, stream, batches) in [
            (Backend::Loki, LABELS, 15),
            (Backend::Cloudwatch, "g:s", 12),
        ] {
            let summary = receiver.summary(backend);
            assert_eq!(summary.digest, expected);
            assert_eq!(summary.stream(stream).unwrap().digest, expected);
            assert_eq!(summary.batches, batches);
            let kept = receiver.records(backend);
            let first = match keep {
                Keep::Full => 0,
                Keep::Last(most) => lines.len() - most,
                Keep::Digest => lines.len(),
            };
            let told: Vec<_> = kept.iter().map(|record| record.line.as_str()).collect();
            assert_eq!(told, lines[first..]);
            assert_eq!(receiver.records_since(backend, 99).len(), told.len().min(1));
        }
        assert_eq!(receiver.total().stored, 200);
    }
}

#[test]
fn who_waits_is_woken_by_what_arrives() {
    let receiver = start(Options::default());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| receiver.wait_until(PATIENCE, |total| total.stored >= 3));
        for n in 0..3 {
            push(&receiver, &[(LABELS, &[line(now_ns() + n, "x")])]).unwrap();
        }
        assert!(waiting.join().unwrap());
    });
    let never = std::time::Duration::from_millis(1);
    assert!(!receiver.wait_for(Backend::Cloudwatch, never, |summary| summary.stored > 0));
}

#[test]
fn scripts_see_the_same_over_http() {
    let receiver = with_stream(Options::default());
    push(&receiver, &[(LABELS, &[line(now_ns(), "to loki")])]).unwrap();
    put(&receiver, &[(now_ms(), "to cloudwatch")]).unwrap();
    let summary = &get(&receiver, "summary")[0];
    assert_eq!(summary["loki"]["stored"], 1);
    assert_eq!(summary["cloudwatch"]["by_operation"]["PutLogEvents"], 1);
    assert_eq!(
        get(&receiver, "summary?backend=loki")[0].get("cloudwatch"),
        None
    );
    let records = get(&receiver, "records");
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["line"], "to loki");
    assert_eq!(records[1]["backend"], "cloudwatch");
    assert_eq!(get(&receiver, "records?backend=loki&since=1").len(), 0);
    let streams = &get(&receiver, "streams")[0];
    assert_eq!(streams["loki"]["streams"][0]["name"], LABELS);
    assert_eq!(
        streams["cloudwatch"]["groups"][0]["streams"],
        json!([{ "name": "s", "events": 1 }])
    );
    assert_eq!(post(&receiver, "clear", ""), 204);
    assert_eq!(get(&receiver, "records").len(), 0);
    assert_eq!(receiver.total().requests, 0);
    // Who follows by arrival is not led astray by a clearing.
    push(&receiver, &[(LABELS, &[line(now_ns(), "next")])]).unwrap();
    assert_eq!(get(&receiver, "records?backend=loki&since=1").len(), 1);
    receiver.clear();

    let faults = r#"{"backend": "loki", "faults": {"action": {"status": 500}, "count": 1}}"#;
    assert_eq!(post(&receiver, "faults", faults), 204);
    let lines = [line(now_ns(), "x")];
    assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 500);
    assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 204);
    assert_eq!(post(&receiver, "pause?backend=loki", ""), 204);
    assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 503);
    assert_eq!(post(&receiver, "resume", ""), 204);
    assert_eq!(push(&receiver, &[(LABELS, &lines)]).unwrap().status, 204);
    for (path, body) in [
        ("faults", "{\"faults\": {\"acton\": \"hang\"}}"),
        ("pause?backend=splunk", ""),
    ] {
        assert_eq!(post(&receiver, path, body), 400);
    }
    assert_eq!(post(&receiver, "nothing", ""), 404);
}

#[test]
fn a_watcher_is_told_of_each_request() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let for_observer = Arc::clone(&seen);
    let receiver = start(Options {
        observer: Some(Observer::new(move |exchange| {
            let told = (exchange.operation.clone(), exchange.status, exchange.stored);
            for_observer.lock().unwrap().push(told);
        })),
        ..Options::default()
    });
    call(receiver.address(), "GET", "/ready", &[], b"").unwrap();
    push(&receiver, &[(LABELS, &[line(now_ns(), "x")])]).unwrap();
    drop(receiver);
    assert_eq!(
        *seen.lock().unwrap(),
        [
            ("ready".to_owned(), Some(200), 0),
            ("push".to_owned(), Some(204), 1)
        ]
    );
}

#[test]
fn a_dropped_receiver_is_gone() {
    let receiver = start(Options::default());
    let address = receiver.address();
    drop(receiver);
    assert!(std::net::TcpStream::connect(address).is_err());
}
