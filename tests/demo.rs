//! `pinnace demo` as a newcomer meets it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in its tools"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, test_kill_process};

/// The demo with an empty environment but for a folder of its own for temporary files, and a
/// HOME that nothing can be written to.
fn demo(folder: &Path) -> Command {
    let home = folder.join("home");
    let temporary = folder.join("temporary");
    for path in [&home, &temporary] {
        std::fs::create_dir(path).unwrap();
    }
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o500)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinnace"));
    command
        .arg("demo")
        .env_clear()
        .env("HOME", home)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn left_in(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder.join("temporary"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The numbers of a row of the table.
fn row<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(name));
    line.unwrap_or_else(|| panic!("no row {name:?} in:\n{text}"))
        .split_whitespace()
        .collect()
}

/// Reads until the agent runs, and returns its process id.
fn agent_of(out: &mut BufReader<ChildStdout>) -> Pid {
    let mut text = String::new();
    while !text.contains("(process ") {
        assert_ne!(out.read_line(&mut text).unwrap(), 0, "{text}");
    }
    let (_, id) = text.split_once("(process ").unwrap();
    let id = id.split(')').next().unwrap();
    Pid::from_raw(id.parse().unwrap()).unwrap()
}

fn start(folder: &Path) -> (Child, BufReader<ChildStdout>, Pid) {
    let mut child = demo(folder).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let agent = agent_of(&mut out);
    (child, out, agent)
}

#[test]
fn every_line_arrives_once_and_in_order_at_both_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path())
        // None of these may lead the agent anywhere else.
        .env("AWS_ACCESS_KEY_ID", "someone")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_PROFILE", "nobody")
        .env("PINNACE_CONFIG", "version: 7")
        .env("http_proxy", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}\n{complaint}");
    assert_eq!(complaint, "");
    let written = row(&text, "lines written");
    assert_eq!(row(&text, "lines delivered"), written);
    assert!(written[0].len() >= "7,000".len(), "{text}");
    for name in ["lost", "duplicated", "out of order"] {
        assert_eq!(row(&text, name), ["0", "0"], "{text}");
    }
    for event in [
        "the agent is stopped with SIGTERM, in the middle of a line",
        "the agent starts again",
        "the log is rotated",
        " - CRITICAL - Arrêt sur erreur imprévue",
        "Where to go next",
    ] {
        assert!(text.contains(event), "{event}\n{text}");
    }
    assert!(!text.contains('\x1b'), "{text}");
    assert_eq!(left_in(folder.path()), [""; 0]);
}

#[test]
fn an_interrupt_ends_the_agent_and_removes_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut out, agent) = start(folder.path());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(test_kill_process(agent).is_err());
    assert_eq!(left_in(folder.path()), [""; 0]);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let mut complaint = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut complaint).unwrap();
    assert!(complaint.contains("interrupted"), "{complaint}");
}

#[test]
fn an_agent_that_is_killed_is_told_with_its_log_and_the_files_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut out, agent) = start(folder.path());
    kill_process(agent, Signal::KILL).unwrap();
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(text.contains("Kept to look into"), "{text}");
    assert_eq!(left_in(folder.path()).len(), 1);
}

#[test]
fn a_demo_that_is_killed_takes_its_agent_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _out, agent) = start(folder.path());
    let agent = pidfd_open(agent, PidfdFlags::empty()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut ended = [PollFd::new(&agent, PollFlags::IN)];
    let limit = Timespec {
        tv_sec: 20,
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut ended, Some(&limit)).unwrap(), 1);
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let output = demo(folder.path()).env("TMPDIR", missing).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint.contains("set TMPDIR"), "{complaint}");
}
