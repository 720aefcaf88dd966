//! What the tests of the whole agent share: a scene with a folder and a receiver, the agent as a
//! process of its own, numbered lines, and the account of what arrived. Waits for events only;
//! never looks inside the agent.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its part of the harness"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

use std::io::Write as _;
use std::time::{Duration, Instant};

mod account;
mod agent;
mod answers;
mod aside;
mod front;
mod http;
mod scene;
mod stand_in;
mod telling;
mod volume;
mod writer;

pub(crate) use account::{Account, lines_of};
pub(crate) use agent::{Agent, Exit};
pub(crate) use answers::{Row, rows};
pub(crate) use aside::Aside;
pub(crate) use front::{Front, Verdict, header};
pub(crate) use http::{ask_aws, get};
pub(crate) use scene::{Config, Scene, free_port};
pub(crate) use stand_in::stand_in;
pub(crate) use volume::SmallVolume;
pub(crate) use writer::{Numbered, append, expected_digest};

/// Nothing that a test waits for takes this long on a machine that works.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Resident memory that an agent with the default `memory_limit` of 16 MiB may reach, in bytes.
/// A build without optimisation is larger by its code.
pub(crate) const MEMORY_CEILING: u64 = if cfg!(debug_assertions) {
    40 << 20
} else {
    32 << 20
};

/// Asks again and again until `holds`, for what no event tells of. Says whether it came to that.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        pass(Duration::from_millis(10));
    }
}

/// Lets time pass where the passing of time is the subject.
pub(crate) fn pass(time: Duration) {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

/// Says that something could not be tried here, and why: past the capture of a test that passes.
pub(crate) fn skipped(reason: &str) {
    let _ = writeln!(std::io::stderr(), "not tried: {reason}");
}
