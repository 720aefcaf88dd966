//! `pinnace receiver`: runs the stand-in for both backends by itself and prints what arrives.
//! Holds no rule of the backends.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::exit;
use crate::receiver::{
    Backend, CloudwatchLimits, Exchange, Faults, Keep, LokiLimits, Observer, Options, Receiver,
};
use print::{Form, Printer};

mod print;

/// Requests that may wait to be printed. Beyond them only the line about the request is left
/// out: the records it brought are printed with the next one.
const WAITING: usize = 1024;

const FAULT_HELP: &str = "Misbehave; can be repeated. BACKEND is loki or cloudwatch; FAULTS are \
    joined by commas: status=N, error=CODE, hang, reset or reject=SHARE, and ratio=SHARE, seed=N, \
    count=N, store, latency_ms=N, retry_after=SECONDS, only=OPERATION, poison=TEXT, above_bytes=N, \
    visibility_delay_ms=N, late_ms=N, mask. For example loki:status=503,ratio=0.2";

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9900")]
    listen: SocketAddr,
    /// Print neither records nor requests, only the start and the summary.
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
    // The help is no doc comment, since that would be Markdown.
    #[arg(long, value_name = "BACKEND:FAULTS", value_parser = read_fault, help = FAULT_HELP)]
    fault: Vec<(Backend, Faults)>,
    /// Take any timestamp on the Loki side, in any order.
    #[arg(long)]
    any_time: bool,
    /// Throttle as the real ones do by default.
    #[arg(long)]
    rates: bool,
    /// Refuse pushes without a tenant.
    #[arg(long)]
    require_tenant: bool,
    /// How many of the newest records to keep, so that they can be read back.
    #[arg(long, value_name = "RECORDS", default_value_t = 100_000)]
    keep: usize,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let (sender, exchanges) = mpsc::channel(WAITING);
    let receiver = match Receiver::start(options(arguments, sender)) {
        Ok(receiver) => receiver,
        Err(error) => {
            complain(&format!(
                "cannot listen on {}: {error}; choose another address with --listen",
                arguments.listen
            ));
            return exit::UNAVAILABLE;
        }
    };
    for (backend, faults) in &arguments.fault {
        receiver.set_faults(*backend, faults.clone());
    }
    let form = match (arguments.json, arguments.quiet) {
        (true, _) => Form::Json,
        (false, true) => Form::Quiet,
        (false, false) => Form::Lines,
    };
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let printer = Printer::new(form, colour);
    match print_all(&receiver, printer, exchanges) {
        // Whoever read our output has enough of it: no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK,
        Err(error) => {
            complain(&format!("cannot print what arrives: {error}"));
            exit::FAILED
        }
        Ok(()) => exit::OK,
    }
}

fn options(arguments: &Arguments, sender: mpsc::Sender<Exchange>) -> Options {
    let mut loki = LokiLimits::default();
    if arguments.any_time {
        loki = loki.any_time();
    }
    let mut cloudwatch = CloudwatchLimits::default();
    if arguments.rates {
        loki = loki.with_rates();
        cloudwatch = cloudwatch.with_rates();
    }
    Options {
        listen: arguments.listen,
        keep: Keep::Last(arguments.keep),
        loki_auth: arguments.require_tenant,
        loki,
        cloudwatch,
        observer: Some(Observer::new(move |exchange| {
            // Answering goes before printing.
            let _ = sender.try_send(exchange.clone());
        })),
    }
}

/// Prints until a signal comes, then the summary.
fn print_all(
    receiver: &Receiver,
    mut printer: Printer,
    mut exchanges: mpsc::Receiver<Exchange>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        // Before the first line, so that whoever reads it can already send a signal.
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        printer.start(&mut io::stdout().lock(), receiver.address())?;
        loop {
            let exchange = tokio::select! {
                exchange = exchanges.recv() => exchange,
                _ = interrupted.recv() => None,
                _ = terminated.recv() => None,
            };
            let mut out = io::stdout().lock();
            let Some(exchange) = exchange else {
                // What came just before the signal is still to be printed.
                while let Ok(exchange) = exchanges.try_recv() {
                    printer.exchange(&mut out, receiver, &exchange)?;
                }
                break printer.summary(&mut out, receiver);
            };
            printer.exchange(&mut out, receiver, &exchange)?;
        }
    })
}

fn read_fault(text: &str) -> Result<(Backend, Faults), String> {
    let (name, faults) = text
        .split_once(':')
        .ok_or("write loki:FAULTS or cloudwatch:FAULTS")?;
    let backend = Backend::ALL.into_iter().find(|known| known.name() == name);
    let backend = backend.ok_or_else(|| format!("\"{name}\" is neither loki nor cloudwatch"))?;
    let faults = faults.parse().map_err(|error| format!("{error}"))?;
    Ok((backend, faults))
}

fn complain(sentence: &str) {
    // Nobody is left to hear of it when this fails.
    let _ = writeln!(io::stderr().lock(), "pinnace receiver: {sentence}");
}
