//! Pinnace tails the log files of one application, remembers exactly how far each is
//! delivered, and ships them to CloudWatch Logs or a Loki push endpoint.
//!
//! The modules stand in the order in which a line travels:
//!
//! ```text
//! source → record → batch → journal → deliver
//! discover → identify → read → frame → (join → parse) → batch → seal → deliver → acknowledge
//! ```
//!
//! Data goes one way. Only acknowledgements come back, and only to the journal.
//! ARCHITECTURE.md holds the map and the invariants.

mod batch;
pub mod cli;
pub mod config;
mod connect;
mod crash_point;
mod dead_letters;
mod deliver;
mod dispatch;
mod exit;
#[doc(hidden)]
pub mod fuzzing;
mod journal;
mod live;
#[doc(hidden)]
pub mod measuring;
mod observe;
mod pipeline;
pub mod receiver;
mod record;
mod source;
mod span;
mod worker;
