//! From the start to the end: stops and restarts, faults at the start, a process that stays up
//! and says what is wrong, and what it tells while it runs. The agent is the built program.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

#[path = "lifecycle/dawdling.rs"]
mod dawdling;
#[path = "lifecycle/degraded.rs"]
mod degraded;
#[path = "lifecycle/disk.rs"]
mod disk;
#[path = "lifecycle/faults.rs"]
mod faults;
#[path = "harness/harness.rs"]
mod harness;
#[path = "lifecycle/late_state.rs"]
mod late_state;
#[path = "lifecycle/looking.rs"]
mod looking;
#[path = "lifecycle/missing.rs"]
mod missing;
#[path = "lifecycle/outputs.rs"]
mod outputs;
#[path = "lifecycle/power.rs"]
mod power;
#[path = "lifecycle/put_back.rs"]
mod put_back;
#[path = "lifecycle/refusing.rs"]
mod refusing;
#[path = "lifecycle/reloading.rs"]
mod reloading;
#[path = "lifecycle/rotated.rs"]
mod rotated;
#[path = "lifecycle/stopping.rs"]
mod stopping;
#[path = "lifecycle/unprotected.rs"]
mod unprotected;
#[path = "lifecycle/unseen.rs"]
mod unseen;
#[path = "lifecycle/watching.rs"]
mod watching;
#[path = "lifecycle/writers.rs"]
mod writers;
