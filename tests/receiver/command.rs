//! `pinnace receiver` as a process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::{call, line, now_ns, protobuf, snappy};

fn run(arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(["receiver", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

fn push(url: &str) -> u16 {
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    let headers = [("content-type", "application/x-protobuf")];
    let body = snappy(&protobuf(&[("{a=\"b\"}", &[line(now_ns(), "hello")])]));
    let answer = call(address, "POST", "/loki/api/v1/push", &headers, &body);
    answer.unwrap().status
}

#[test]
fn it_prints_what_arrives_as_json_and_a_summary_at_a_signal() {
    let (mut child, mut out) = run(&["--json", "--fault", "loki:status=503,count=1"]);
    let mut next = || {
        let mut text = String::new();
        out.read_line(&mut text).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let started = next();
    assert_eq!(started["event"], "listening");
    let url = started["url"].as_str().unwrap();
    assert_eq!(push(url), 503);
    assert_eq!(push(url), 204);
    let told: Vec<_> = (0..3).map(|_| next()).collect();
    assert_eq!(
        (&told[0]["event"], &told[0]["status"]),
        (&"request".into(), &503.into())
    );
    assert_eq!(
        (&told[1]["event"], &told[1]["line"]),
        (&"record".into(), &"hello".into())
    );
    assert_eq!(
        (&told[2]["event"], &told[2]["stored"]),
        (&"request".into(), &1.into())
    );
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    let summary = next();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["loki"]["stored"], 1);
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_prints_lines_for_people() {
    let (mut child, mut out) = run(&[]);
    let mut text = String::new();
    while !text.contains("/_receiver/summary") {
        assert_ne!(out.read_line(&mut text).unwrap(), 0);
    }
    let url = text
        .split_whitespace()
        .find(|word| word.starts_with("http://"));
    assert_eq!(push(url.unwrap().trim_end_matches(',')), 204);
    while !text.contains("loki push -> 204, 1 stored") {
        assert_ne!(out.read_line(&mut text).unwrap(), 0);
    }
    assert!(text.contains(" {a=\"b\"} hello\n"), "{text}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("records stored                       1                 0"),
        "{rest}"
    );
    assert!(rest.contains("loki: 1 records in {a=\"b\"}"), "{rest}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_address_in_use_and_a_wrong_fault_are_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, code, sentence) in [
        (
            ["--listen", &*address],
            69,
            "choose another address with --listen",
        ),
        (["--fault", "loki:stat=1"], 64, "there is no fault"),
        (
            ["--fault", "kafka:status=500"],
            64,
            "neither loki nor cloudwatch",
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinnace"));
        let output = command.arg("receiver").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(complaint.contains(sentence), "{complaint}");
    }
}
