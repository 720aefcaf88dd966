//! The agent allocates nothing for a line: it is run with an allocator that counts, over the same
//! bytes in short and in long lines, and the counts differ by what more requests take, not by what
//! more lines would.
//!
//! This program is both: the test, and, called as `… run`, the agent under that allocator.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; this one hands everything to the system's"
)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test whose own files or processes fail has failed"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pinnace::receiver::{Backend, Keep, LokiLimits, Options, Receiver};
use rustix::process::{Pid, Signal, kill_process};

/// Bytes of lines that are shipped.
const BYTES: usize = 8_000_000;
/// Nothing here takes this long on a machine that works.
const PATIENCE: Duration = Duration::from_mins(2);
const TELLS: &str = "allocations: ";

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == "run") {
        let code = pinnace::cli::main();
        eprintln!("{TELLS}{}", ALLOCATIONS.load(Ordering::Relaxed));
        return code;
    }
    for (output, backend, begin) in [
        ("type: loki, compression: snappy, url", Backend::Loki, "n="),
        (
            "type: loki, compression: none, url",
            Backend::Loki,
            "2025-01-01 22:08:23,702 WARN ",
        ),
        (
            "type: loki, labels: { app: a, level: \"{level}\", none: \"{field.none}\" }, \
             structured_metadata: { n: \"{field.n}\" }, url",
            Backend::Loki,
            "n=",
        ),
        (
            "type: cloudwatch_logs, log_group: /g, log_stream: s, region: eu-west-1, \
             create: { log_group: true }, compression: gzip, endpoint_url",
            Backend::Cloudwatch,
            "n=",
        ),
    ] {
        let [few, many] = [400, 40].map(|len| allocations(output, backend, begin, len));
        let lines = (BYTES / 40 - BYTES / 400) as u64;
        println!("{backend}: {few} allocations for long lines, {many} for {lines} lines more");
        assert!(
            many.saturating_sub(few) < lines / 20,
            "something is allocated for every line, or for every twentieth"
        );
    }
    ExitCode::SUCCESS
}

/// How often the agent allocates while it ships all bytes in lines of this length, which begin so.
fn allocations(output: &str, backend: Backend, begin: &str, len: usize) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(Options {
        keep: Keep::Digest,
        loki: LokiLimits::default().any_time(),
        ..Options::default()
    })
    .unwrap();
    let lines = BYTES / len;
    let mut text = String::with_capacity(BYTES);
    for number in 0..lines {
        let width = len - begin.len() - 1;
        writeln!(text, "{begin}{number:0>width$}").unwrap();
    }
    fs::write(dir.path().join("app.log"), text).unwrap();
    let config = dir.path().join("pinnace.yaml");
    let folder = dir.path().display();
    fs::write(
        &config,
        format!(
            "state_dir: {folder}/state\nserver: {{ listen: \"off\" }}\n\
             inputs: [{{ name: app, include: [\"{folder}/app.log\"] }}]\n\
             outputs: [{{ name: out, {output}: \"{}\" }}]\n",
            receiver.loki_url()
        ),
    )
    .unwrap();
    let mut agent = Command::new(std::env::current_exe().unwrap())
        .args(["run", "--on-error=exit", "--config"])
        .arg(&config)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let arrived = receiver.wait_for(backend, PATIENCE, |it| it.stored == lines as u64);
    kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
    let mut said = String::new();
    agent
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    agent.wait().unwrap();
    assert!(arrived, "not every line arrived:\n{said}");
    let told = said.lines().find_map(|line| line.strip_prefix(TELLS));
    told.unwrap_or_else(|| panic!("{said}")).parse().unwrap()
}
