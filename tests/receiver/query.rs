//! What is stored can be read back as from Loki.

use pinnace::receiver::{Options, Receiver};
use serde_json::{Value, json};

use crate::client::{Line, call, line, now_ns, push, start};

fn query(receiver: &Receiver, parameters: &str) -> (u16, Value) {
    let path = format!("/loki/api/v1/query_range?{parameters}");
    let answer = call(receiver.address(), "GET", &path, &[], &[]).unwrap();
    let value = serde_json::from_slice(answer.text().as_bytes());
    (
        answer.status,
        value.unwrap_or_else(|_| answer.text().into()),
    )
}

#[test]
fn lines_are_read_back_by_equal_labels_in_a_span_of_time() {
    let receiver = start(Options::default());
    let now = now_ns();
    let with_pod = Line(now + 2, b"three".to_vec(), vec![("pod".into(), "p".into())]);
    let ours = [line(now, "one"), line(now + 1, "two"), with_pod];
    push(&receiver, &[("{app=\"a b\", env=\"x\"}", &ours)]).unwrap();
    push(&receiver, &[("{app=\"other\"}", &[line(now, "no")])]).unwrap();
    let stream = |labels: Value, lines: &[(i64, &str)]| {
        let values: Vec<_> = lines
            .iter()
            .map(|(after, text)| json!([(now + after).to_string(), text]))
            .collect();
        json!({ "stream": labels, "values": values })
    };
    let plain = || json!({ "app": "a b", "env": "x" });
    let of_pod = || json!({ "app": "a b", "env": "x", "pod": "p" });
    let by_app = "query=%7Bapp%3D%22a+b%22%7D";
    let all = vec![
        stream(plain(), &[(0, "one"), (1, "two")]),
        stream(of_pod(), &[(2, "three")]),
    ];
    let table = [
        (
            format!("start={now}&end={}&direction=forward", now + 3),
            all,
        ),
        // The latest first, unless asked otherwise.
        (
            format!("start={now}&end={}&limit=2", now + 3),
            vec![
                stream(plain(), &[(1, "two")]),
                stream(of_pod(), &[(2, "three")]),
            ],
        ),
        // The end is not in the span.
        (
            format!("start={}&end={}", now + 1, now + 2),
            vec![stream(plain(), &[(1, "two")])],
        ),
        (format!("start={}&end={}", now + 3, now + 9), vec![]),
    ];
    for (span, expected) in table {
        let (status, answer) = query(&receiver, &format!("{by_app}&{span}"));
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["data"]["resultType"], "streams");
        assert_eq!(answer["data"]["result"], Value::from(expected), "{span}");
    }
}

#[test]
fn what_is_no_query_of_equal_labels_is_refused() {
    let receiver = start(Options::default());
    for (parameters, sentence) in [
        ("", "parse error"),
        ("query=%7B%7D", "at least one matcher"),
        ("query=rate(%7Ba%3D%22b%22%7D)", "parse error"),
        ("query=%7Ba%3D%22b%22%7D&limit=5001", "max entries limit"),
        (
            "query=%7Ba%3D%22b%22%7D&start=yesterday",
            "start is not a number",
        ),
    ] {
        let (status, answer) = query(&receiver, parameters);
        assert_eq!(status, 400, "{answer}");
        assert!(answer.as_str().unwrap().contains(sentence), "{answer}");
    }
}
