//! How `pinnace receiver` shows what arrives: as lines for people, or as JSON. Writes only to
//! the writer it is given.

use std::io::{self, Write};
use std::net::SocketAddr;

use serde_json::json;

use crate::receiver::{Backend, Exchange, Receiver, Record, Summary};

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Lines,
    Json,
    Quiet,
}

#[derive(Debug)]
pub(super) struct Printer {
    form: Form,
    colour: bool,
    /// The next arrival to print, of each backend.
    next: [u64; 2],
}

type Count = fn(&Summary) -> u64;

const DIM: &str = "2";
const RED: &str = "31";
const CYAN: &str = "36";
const MAGENTA: &str = "35";
const BOLD: &str = "1";

impl Printer {
    pub(super) fn new(form: Form, colour: bool) -> Self {
        Self {
            form,
            colour,
            next: [0; 2],
        }
    }

    /// Says where it listens, and how to point a configuration at it.
    pub(super) fn start(&self, out: &mut impl Write, address: SocketAddr) -> io::Result<()> {
        let url = format!("http://{address}");
        if self.form == Form::Json {
            writeln!(out, "{}", json!({ "event": "listening", "url": url }))?;
            return out.flush();
        }
        let head = format!("Receiving on {url}, as Loki and as CloudWatch Logs.");
        writeln!(out, "{} Ctrl-C ends it.", self.paint(BOLD, &head))?;
        write!(
            out,
            "
To send to it, put this into the configuration of Pinnace:

outputs:
  - name: loki
    type: loki
    url: {url}
    labels: {{ service_name: try, filename: \"{{path}}\" }}
  - name: cloudwatch
    type: cloudwatch_logs
    log_group: /try
    log_stream: try
    region: eu-west-1
    endpoint_url: {url}
    create: {{ log_group: true, log_stream: true }}

and into its environment, since CloudWatch Logs wants a signature (any will do):

AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any

For scripts: GET {url}/_receiver/summary, records, streams; POST faults, pause, resume, clear.

"
        )?;
        out.flush()
    }

    /// Prints the records that are new, and the request that brought them.
    pub(super) fn exchange(
        &mut self,
        out: &mut impl Write,
        receiver: &Receiver,
        exchange: &Exchange,
    ) -> io::Result<()> {
        if self.form == Form::Quiet {
            return Ok(());
        }
        let backend = exchange.backend;
        let next = &mut self.next[usize::from(backend == Backend::Cloudwatch)];
        let mut records = receiver.records_since(backend, *next);
        // Requests that are still to be printed may have brought more by now.
        records.retain(|record| record.arrival < exchange.arrivals);
        *next = exchange.arrivals.max(*next);
        for record in &records {
            self.record(out, backend, record)?;
        }
        if self.form == Form::Json {
            let mut value = json!(exchange);
            value["event"] = json!("request");
            writeln!(out, "{value}")?;
        } else {
            writeln!(out, "{}", self.request(exchange))?;
        }
        out.flush()
    }

    /// Prints the accounts of both backends side by side.
    pub(super) fn summary(&self, out: &mut impl Write, receiver: &Receiver) -> io::Result<()> {
        let [loki, cloudwatch] = Backend::ALL.map(|backend| receiver.summary(backend));
        if self.form == Form::Json {
            let value = json!({ "event": "summary", "loki": loki, "cloudwatch": cloudwatch });
            writeln!(out, "{value}")?;
            return out.flush();
        }
        writeln!(out)?;
        let head = format!("{:<24}{:>14}{:>18}", "", "Loki", "CloudWatch Logs");
        writeln!(out, "{}", self.paint(BOLD, &head))?;
        let rows: [(&str, Count); 11] = [
            ("requests", |summary| summary.requests),
            ("batches", |summary| summary.batches),
            ("records stored", |summary| summary.stored),
            ("bytes of records", |summary| summary.stored_bytes),
            ("bytes on the wire", |summary| summary.body_bytes),
            ("replays dropped", |summary| summary.replayed),
            ("stored once more", |summary| summary.repeated),
            ("records refused", Summary::rejected_total),
            ("faults played", |summary| summary.injected),
            ("most requests at once", |summary| summary.max_in_flight),
            ("limits broken", |summary| summary.violation_count),
        ];
        for (name, count) in rows {
            let (left, right) = (count(&loki), count(&cloudwatch));
            writeln!(out, "{name:<24}{left:>14}{right:>18}")?;
        }
        for (backend, summary) in Backend::ALL.into_iter().zip([&loki, &cloudwatch]) {
            for stream in &summary.streams {
                let (name, lines) = (visible(&stream.name), stream.digest.lines);
                writeln!(out, "{backend}: {lines} records in {name}")?;
            }
            for violation in &summary.violations {
                let (rule, sentence) = (violation.rule, visible(&violation.sentence));
                let line = format!("{backend}: {rule}: {sentence}");
                writeln!(out, "{}", self.paint(RED, &line))?;
            }
        }
        out.flush()
    }

    fn record(&self, out: &mut impl Write, backend: Backend, record: &Record) -> io::Result<()> {
        if self.form == Form::Json {
            let mut value = json!(record);
            value["event"] = json!("record");
            value["backend"] = json!(backend);
            return writeln!(out, "{value}");
        }
        let colour = match backend {
            Backend::Loki => CYAN,
            Backend::Cloudwatch => MAGENTA,
        };
        let of_day = record
            .timestamp_ns
            .div_euclid(1_000_000)
            .rem_euclid(86_400_000);
        let time = format!(
            "{:02}:{:02}:{:02}.{:03}",
            of_day / 3_600_000,
            of_day / 60_000 % 60,
            of_day / 1000 % 60,
            of_day % 1000
        );
        write!(
            out,
            "{} {}",
            self.paint(DIM, &time),
            self.paint(colour, &visible(&record.stream))
        )?;
        write!(out, " {}", visible(&record.line))?;
        for (name, value) in &record.metadata {
            let pair = format!(" {}={}", visible(name), visible(value));
            write!(out, "{}", self.paint(DIM, &pair))?;
        }
        writeln!(out)
    }

    fn request(&self, exchange: &Exchange) -> String {
        let status = exchange.status.map_or_else(
            || "connection dropped".to_owned(),
            |status| status.to_string(),
        );
        let mut line = format!(
            "{} {} -> {status}",
            exchange.backend,
            visible(&exchange.operation)
        );
        for (count, what) in [
            (exchange.stored, "stored"),
            (exchange.replayed, "replayed"),
            (exchange.rejected, "refused"),
            (exchange.body_bytes, "bytes"),
        ] {
            if count > 0 {
                line.extend([", ", &count.to_string(), " ", what]);
            }
        }
        if exchange.injected {
            line.push_str(", as asked");
        }
        if let Some(error) = &exchange.error {
            line.extend([", ", &visible(error)]);
        }
        if let Some(message) = &exchange.message {
            line.extend([": ", &visible(message)]);
        }
        let good = exchange.status.is_some_and(|status| status < 300) && exchange.error.is_none();
        self.paint(if good { DIM } else { RED }, &line)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The text with control characters written out, so that no log line can play tricks with the
/// terminal.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Exchange {
        Exchange {
            backend: Backend::Loki,
            request: 1,
            operation: "push".to_owned(),
            status: Some(400),
            error: Some("too_far_behind".to_owned()),
            message: Some("one\ntwo\x1b[2J".to_owned()),
            injected: false,
            stored: 2,
            replayed: 0,
            rejected: 1,
            arrivals: 2,
            body_bytes: 90,
            decoded_bytes: 120,
        }
    }

    #[test]
    fn a_refused_request_is_one_line_that_cannot_harm_the_terminal() {
        let plain = Printer::new(Form::Lines, false).request(&refused());
        let expected = "loki push -> 400, 2 stored, 1 refused, 90 bytes, too_far_behind: \
                        one\\ntwo\\u{1b}[2J";
        assert_eq!(plain, expected);
        let painted = Printer::new(Form::Lines, true).request(&refused());
        assert_eq!(painted, format!("\x1b[31m{expected}\x1b[0m"));
    }

    #[test]
    fn the_start_shows_both_outputs() {
        let mut out = Vec::new();
        let address = SocketAddr::from(([127, 0, 0, 1], 9900));
        Printer::new(Form::Lines, false)
            .start(&mut out, address)
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\n    url: http://127.0.0.1:9900\n"));
        assert!(text.contains("\n    endpoint_url: http://127.0.0.1:9900\n"));
        assert!(text.contains("filename: \"{path}\" }"));
    }
}
