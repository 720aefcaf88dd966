//! How the agent comes to its backends: TLS, who it says it is, proxies, connections that are kept,
//! AWS credentials. Every failure has its sentence, and nothing is lost while it lasts. The agent is
//! the built program; servers and authorities are made by the test.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

#[path = "connecting/auth.rs"]
mod auth;
#[path = "connecting/authority.rs"]
mod authority;
#[path = "connecting/aws.rs"]
mod aws;
#[path = "connecting/aws_ways.rs"]
mod aws_ways;
#[path = "connecting/creation.rs"]
mod creation;
#[path = "connecting/failures.rs"]
mod failures;
#[path = "harness/harness.rs"]
mod harness;
#[path = "connecting/iam.rs"]
mod iam;
#[path = "connecting/keeping.rs"]
mod keeping;
#[path = "connecting/live.rs"]
mod live;
#[path = "connecting/live_agent.rs"]
mod live_agent;
#[path = "connecting/live_denied.rs"]
mod live_denied;
#[path = "connecting/many.rs"]
mod many;
#[path = "connecting/permissions.rs"]
mod permissions;
#[path = "connecting/proxies.rs"]
mod proxies;
#[path = "connecting/sso.rs"]
mod sso;
#[path = "connecting/tls.rs"]
mod tls;
