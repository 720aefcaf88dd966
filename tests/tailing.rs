//! Files as they live: rotated, truncated, deleted, linked, made later. And random lives against
//! a simple model of what must arrive. The agent is the built program on real files.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

#[path = "tailing/alike.rs"]
mod alike;
#[path = "tailing/blocked.rs"]
mod blocked;
#[path = "tailing/clock.rs"]
mod clock;
#[path = "tailing/containers.rs"]
mod containers;
#[path = "harness/harness.rs"]
mod harness;
#[path = "tailing/holes.rs"]
mod holes;
#[path = "tailing/links.rs"]
mod links;
#[path = "tailing/midnight.rs"]
mod midnight;
#[path = "tailing/model.rs"]
mod model;
#[path = "tailing/names.rs"]
mod names;
#[path = "tailing/preallocated.rs"]
mod preallocated;
#[path = "tailing/python.rs"]
mod python;
#[path = "tailing/replaced.rs"]
mod replaced;
#[path = "tailing/rotation.rs"]
mod rotation;
#[path = "tailing/small.rs"]
mod small;
#[path = "tailing/storm.rs"]
mod storm;
