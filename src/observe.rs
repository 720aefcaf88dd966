//! What the operator sees: metrics, health and status. Only looks; decides nothing.

pub(crate) mod control;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod snapshot;
