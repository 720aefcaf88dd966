//! A small HTTP client and encoders, written apart from the code under test.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinnace::receiver::{Options, Receiver};
use serde_json::{Value, json};

/// Long enough for a loaded machine; no test waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

pub(crate) fn start(options: Options) -> Receiver {
    Receiver::start(options).unwrap()
}

pub(crate) fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: receiver\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for &(name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    Ok(Answer {
        status: status.parse().unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: answer[end + 4..].to_vec(),
    })
}

pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

pub(crate) fn now_ms() -> i64 {
    now_ns() / 1_000_000
}

/// One entry to push: timestamp, line, metadata.
#[derive(Debug, Clone)]
pub(crate) struct Line(
    pub(crate) i64,
    pub(crate) Vec<u8>,
    pub(crate) Vec<(String, String)>,
);

pub(crate) fn line(timestamp_ns: i64, text: &str) -> Line {
    Line(timestamp_ns, text.as_bytes().to_vec(), Vec::new())
}

/// The protobuf of a push, before compression.
pub(crate) fn protobuf(streams: &[(&str, &[Line])]) -> Vec<u8> {
    let mut push = Vec::new();
    for (labels, lines) in streams {
        let mut stream = Vec::new();
        field(&mut stream, 1, labels.as_bytes());
        for Line(timestamp_ns, text, metadata) in *lines {
            let mut time = vec![0x08];
            varint(
                &mut time,
                timestamp_ns.div_euclid(1_000_000_000).cast_unsigned(),
            );
            time.push(0x10);
            varint(
                &mut time,
                timestamp_ns.rem_euclid(1_000_000_000).cast_unsigned(),
            );
            let mut entry = Vec::new();
            field(&mut entry, 1, &time);
            field(&mut entry, 2, text);
            for (name, value) in metadata {
                let mut pair = Vec::new();
                field(&mut pair, 1, name.as_bytes());
                field(&mut pair, 2, value.as_bytes());
                field(&mut entry, 3, &pair);
            }
            field(&mut stream, 2, &entry);
        }
        field(&mut push, 1, &stream);
    }
    push
}

fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7F).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

pub(crate) fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Pushes as Loki's own clients do.
pub(crate) fn push(receiver: &Receiver, streams: &[(&str, &[Line])]) -> io::Result<Answer> {
    push_as(receiver, &[], streams)
}

pub(crate) fn push_as(
    receiver: &Receiver,
    headers: &[(&str, &str)],
    streams: &[(&str, &[Line])],
) -> io::Result<Answer> {
    let mut all = vec![("content-type", "application/x-protobuf")];
    all.extend_from_slice(headers);
    let body = snappy(&protobuf(streams));
    call(receiver.address(), "POST", "/loki/api/v1/push", &all, &body)
}

/// What the signature of a request looks like.
pub(crate) const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKID/20261122/eu-west-1/logs/aws4_request, \
     SignedHeaders=host;x-amz-date;x-amz-target, Signature=0123456789abcdef";

/// Asks for an operation of `CloudWatch` Logs.
pub(crate) fn aws(receiver: &Receiver, operation: &str, body: &Value) -> io::Result<Answer> {
    aws_as(receiver, operation, &[], body.to_string().as_bytes())
}

pub(crate) fn aws_as(
    receiver: &Receiver,
    operation: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let target = format!("Logs_20140328.{operation}");
    let mut all = vec![
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-date", "20261122T100000Z"),
        ("authorization", AUTHORIZATION),
        ("x-amz-target", &target),
    ];
    all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    all.extend(headers.iter().filter(|(_, value)| !value.is_empty()));
    call(receiver.address(), "POST", "/", &all, body)
}

/// A receiver with the group `g` and the stream `s`.
pub(crate) fn with_stream(options: Options) -> Receiver {
    let receiver = start(options);
    for (operation, body) in [
        ("CreateLogGroup", json!({ "logGroupName": "g" })),
        (
            "CreateLogStream",
            json!({ "logGroupName": "g", "logStreamName": "s" }),
        ),
    ] {
        assert_eq!(aws(&receiver, operation, &body).unwrap().status, 200);
    }
    receiver
}

/// Puts events of milliseconds and messages into `g`, `s`.
pub(crate) fn put(receiver: &Receiver, events: &[(i64, &str)]) -> io::Result<Answer> {
    aws(receiver, "PutLogEvents", &put_body(events))
}

pub(crate) fn put_body(events: &[(i64, &str)]) -> Value {
    let events: Vec<_> = events
        .iter()
        .map(|(timestamp, message)| json!({ "timestamp": timestamp, "message": message }))
        .collect();
    json!({ "logGroupName": "g", "logStreamName": "s", "logEvents": events })
}
