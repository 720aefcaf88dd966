//! The strict receiver, through real HTTP and through the real AWS SDK: every limit, every
//! answer, the faults, and the accounts.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in its tools"
)]

#[path = "receiver/accounts.rs"]
mod accounts;
#[path = "receiver/client.rs"]
mod client;
#[path = "receiver/cloudwatch.rs"]
mod cloudwatch;
#[path = "receiver/command.rs"]
mod command;
#[path = "receiver/faults.rs"]
mod faults;
#[path = "receiver/groups.rs"]
mod groups;
#[path = "receiver/limits.rs"]
mod limits;
#[path = "receiver/loki.rs"]
mod loki;
#[path = "receiver/query.rs"]
mod query;
#[path = "receiver/sdk.rs"]
mod sdk;
