//! The yardstick: what is physically needed to ship lines, and nothing more. One thread reads,
//! cuts at line ends, encodes, compresses and sends, one request at a time over one connection.
//! It proves nothing and remembers nothing: none of the agent's promises is kept here, so what
//! the agent costs more is what its promises cost. Keep it minimal.

use std::fs::File;
use std::io::{IoSlice, Read, Seek as _, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use memchr::memchr;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};

use crate::job::Wire;

/// As the agent reads and sends.
const CHUNK: usize = 256 * 1024;
const BATCH: usize = 1 << 20;
/// What CloudWatch Logs adds to each event, and how many it takes.
const EVENT_OVERHEAD: usize = 26;
const MAX_EVENTS: usize = 10_000;
/// Room in front of the entries for the header of a Loki stream.
const ROOM: usize = 128;
/// Pieces of a snappy block of literals.
const PIECE: usize = 65_536;

/// What it is asked to do.
pub(crate) struct Job {
    pub(crate) wire: Wire,
    pub(crate) address: SocketAddr,
    /// The certificate of the authority, for TLS.
    pub(crate) authority: Option<String>,
    /// How often to look for more; without it, it ends where the files end.
    pub(crate) every: Option<Duration>,
    pub(crate) folder: String,
}

pub(crate) fn run(job: &Job) -> Result<()> {
    let mut shipment = Shipment {
        wire: job.wire,
        connection: connect(job)?,
        host: job.address.to_string(),
        plain: Vec::with_capacity(BATCH + ROOM),
        packed: Vec::new(),
        counted: 0,
        events: 0,
        clock: u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?,
        snappy: snap::raw::Encoder::new(),
    };
    shipment.prepare()?;
    let mut names: Vec<_> = std::fs::read_dir(&job.folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    names.sort();
    if let Some(every) = job.every {
        let name = names.first().context("a file to follow")?;
        let mut file = File::open(name)?;
        loop {
            shipment.ship(&mut file, name)?;
            std::thread::park_timeout(every);
        }
    }
    for name in &names {
        shipment.ship(&mut File::open(name)?, name)?;
    }
    // Until whoever measures has read what it cost.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn connect(job: &Job) -> Result<Box<dyn ReadWrite>> {
    let stream = TcpStream::connect(job.address)?;
    stream.set_nodelay(true)?;
    let Some(authority) = &job.authority else {
        return Ok(Box::new(stream));
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(job.address.ip());
    let client = rustls::ClientConnection::new(Arc::new(config), name)?;
    Ok(Box::new(rustls::StreamOwned::new(client, stream)))
}

struct Shipment {
    wire: Wire,
    connection: Box<dyn ReadWrite>,
    host: String,
    plain: Vec<u8>,
    packed: Vec<u8>,
    counted: usize,
    events: usize,
    clock: u64,
    snappy: snap::raw::Encoder,
}

impl Shipment {
    /// Ships the complete lines between where `file` stands and its end.
    fn ship(&mut self, file: &mut File, name: &Path) -> Result<()> {
        let mut buffer = vec![0; CHUNK];
        let mut kept = 0;
        self.begin();
        loop {
            let read = file.read(&mut buffer[kept..])?;
            let bytes = &buffer[..kept + read];
            let mut at = 0;
            while let Some(len) = memchr(b'\n', &bytes[at..]) {
                self.push(&bytes[at..at + len], name)?;
                at += len + 1;
            }
            kept = bytes.len() - at;
            if read == 0 {
                break;
            }
            buffer.copy_within(at..at + kept, 0);
        }
        // Its writer is in the middle of a line: the next look begins there.
        file.seek_relative(-i64::try_from(kept)?)?;
        self.send(name)
    }

    fn begin(&mut self) {
        self.plain.clear();
        self.counted = 0;
        self.events = 0;
        if self.wire.is_loki() {
            self.plain.resize(ROOM, 0);
        } else {
            let head = br#"{"logGroupName":"/bench","logStreamName":"bench","logEvents":["#;
            self.plain.extend_from_slice(head);
        }
    }

    fn push(&mut self, line: &[u8], name: &Path) -> Result<()> {
        let more = if self.wire.is_loki() {
            // Keys, lengths and a timestamp.
            line.len() + 24
        } else {
            line.len() + EVENT_OVERHEAD
        };
        if self.counted + more > BATCH || (!self.wire.is_loki() && self.events == MAX_EVENTS) {
            self.send(name)?;
            self.begin();
        }
        self.counted += more;
        self.events += 1;
        self.clock += 1;
        if self.wire.is_loki() {
            self.put_entry(line);
        } else {
            self.put_event(line);
        }
        Ok(())
    }

    fn put_entry(&mut self, line: &[u8]) {
        let mut stamp = [0x08; 16];
        let mut at = 1 + put_varint(&mut stamp[1..], self.clock / 1_000_000_000);
        stamp[at] = 0x10;
        at += 1;
        at += put_varint(&mut stamp[at..], self.clock % 1_000_000_000);
        let mut len = [0; 10];
        let len_len = put_varint(&mut len, line.len() as u64);
        let entry = 2 + at + 1 + len_len + line.len();
        let out = &mut self.plain;
        out.push(0x12);
        extend_varint(out, entry as u64);
        out.push(0x0A);
        extend_varint(out, at as u64);
        out.extend_from_slice(&stamp[..at]);
        out.push(0x12);
        out.extend_from_slice(&len[..len_len]);
        out.extend_from_slice(line);
    }

    fn put_event(&mut self, line: &[u8]) {
        let out = &mut self.plain;
        if self.events > 1 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"timestamp":"#);
        // Writing into a Vec cannot fail.
        let _ = write!(out, "{}", self.clock / 1_000_000);
        out.extend_from_slice(br#","message":""#);
        let mut from = 0;
        for (at, byte) in line.iter().enumerate() {
            if *byte < 0x20 || *byte == b'"' || *byte == b'\\' {
                out.extend_from_slice(&line[from..at]);
                let _ = write!(out, "\\u{byte:04x}");
                from = at + 1;
            }
        }
        out.extend_from_slice(&line[from..]);
        out.extend_from_slice(br#""}"#);
    }

    /// Sends what was taken, if anything.
    fn send(&mut self, name: &Path) -> Result<()> {
        if self.events == 0 {
            return Ok(());
        }
        match self.wire {
            Wire::Snappy | Wire::Literal => {
                let start = self.put_header(name);
                let plain = &self.plain[start..];
                self.packed.clear();
                if self.wire == Wire::Snappy {
                    self.packed
                        .resize(snap::raw::max_compress_len(plain.len()), 0);
                    let len = self.snappy.compress(plain, &mut self.packed)?;
                    self.packed.truncate(len);
                } else {
                    extend_varint(&mut self.packed, plain.len() as u64);
                    for piece in plain.chunks(PIECE) {
                        self.packed.push(61 << 2);
                        let less_one = u16::try_from(piece.len() - 1)?;
                        self.packed.extend_from_slice(&less_one.to_le_bytes());
                        self.packed.extend_from_slice(piece);
                    }
                }
                let body = std::mem::take(&mut self.packed);
                self.request(
                    "/loki/api/v1/push",
                    "Content-Type: application/x-protobuf\r\n",
                    &body,
                )?;
                self.packed = body;
            }
            Wire::Json | Wire::Gzip => {
                self.plain.extend_from_slice(b"]}");
                let mut body = std::mem::take(&mut self.plain);
                let mut headers = String::from(PUT);
                if self.wire == Wire::Gzip {
                    headers.push_str("Content-Encoding: gzip\r\n");
                    let packed = std::mem::take(&mut self.packed);
                    let mut encoder = GzEncoder::new(packed, Compression::fast());
                    encoder.write_all(&body)?;
                    self.packed = encoder.finish()?;
                    std::mem::swap(&mut body, &mut self.packed);
                }
                self.request("/", &headers, &body)?;
                if self.wire == Wire::Gzip {
                    std::mem::swap(&mut body, &mut self.packed);
                    self.packed.clear();
                }
                self.plain = body;
            }
        }
        self.events = 0;
        Ok(())
    }

    /// Puts the stream's header in front of its entries, and returns where it begins.
    fn put_header(&mut self, name: &Path) -> usize {
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        let labels = format!("{{filename=\"{name}\"}}");
        let entries = self.plain.len() - ROOM;
        let mut header = vec![0x0A];
        // The labels are shorter than 128 bytes, so their length takes one.
        extend_varint(&mut header, (2 + labels.len() + entries) as u64);
        header.push(0x0A);
        extend_varint(&mut header, labels.len() as u64);
        header.extend_from_slice(labels.as_bytes());
        let start = ROOM - header.len();
        self.plain[start..ROOM].copy_from_slice(&header);
        start
    }

    /// Makes group and stream, which the real service wants first too.
    fn prepare(&mut self) -> Result<()> {
        if self.wire.is_loki() {
            return Ok(());
        }
        let json = "Content-Type: application/x-amz-json-1.1\r\n";
        for (operation, body) in [
            ("CreateLogGroup", r#"{"logGroupName":"/bench"}"#),
            (
                "CreateLogStream",
                r#"{"logGroupName":"/bench","logStreamName":"bench"}"#,
            ),
        ] {
            let headers = format!("{json}X-Amz-Target: Logs_20140328.{operation}\r\n");
            self.request("/", &headers, body.as_bytes())?;
        }
        Ok(())
    }

    fn request(&mut self, path: &str, headers: &str, body: &[u8]) -> Result<()> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        let sent = self
            .connection
            .write_vectored(&[IoSlice::new(head.as_bytes()), IoSlice::new(body)])?;
        let of_head = sent.min(head.len());
        self.connection.write_all(&head.as_bytes()[of_head..])?;
        self.connection.write_all(&body[sent - of_head..])?;
        self.connection.flush()?;
        let mut answer = [0; 4096];
        let read = self.connection.read(&mut answer)?;
        // The receiver's answers fit into one segment.
        ensure!(
            answer[..read].starts_with(b"HTTP/1.1 20"),
            "{}",
            String::from_utf8_lossy(&answer[..read])
        );
        Ok(())
    }
}

const PUT: &str =
    "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Logs_20140328.PutLogEvents\r\n";

fn put_varint(out: &mut [u8], mut value: u64) -> usize {
    let mut at = 0;
    while value >= 0x80 {
        out[at] = (value & 0x7F) as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    out[at] = (value & 0x7F) as u8;
    at + 1
}

fn extend_varint(out: &mut Vec<u8>, value: u64) {
    let mut bytes = [0; 10];
    let len = put_varint(&mut bytes, value);
    out.extend_from_slice(&bytes[..len]);
}
