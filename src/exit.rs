//! What the exit code of the process means. Listed in README.md and `docs/configuration.md`.

/// All went well.
pub(crate) const OK: u8 = 0;
/// The command ran and what it checked does not hold (a line was lost, a check failed).
pub(crate) const FAILED: u8 = 1;
/// The command line was wrong.
pub(crate) const USAGE: u8 = 64;
/// The HTTP address or the control socket cannot be served.
pub(crate) const UNAVAILABLE: u8 = 69;
/// The state directory cannot be used, or another agent holds it.
pub(crate) const STATE: u8 = 73;
/// The configuration is wrong; every problem is printed.
pub(crate) const CONFIG: u8 = 78;
