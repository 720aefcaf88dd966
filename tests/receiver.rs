//! The strict receiver, through real HTTP and through the real AWS SDK: every limit, every
//! answer, the faults, and the accounts.

#[path = "receiver/accounts.rs"]
mod accounts;
#[path = "receiver/client.rs"]
mod client;
#[path = "receiver/cloudwatch.rs"]
mod cloudwatch;
#[path = "receiver/faults.rs"]
mod faults;
#[path = "receiver/loki.rs"]
mod loki;
#[path = "receiver/sdk.rs"]
mod sdk;
