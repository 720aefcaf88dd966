//! What the exit code of the process means. README.md and `docs/configuration.md` have this table.

/// All went well.
pub(crate) const OK: u8 = 0;
/// The command ran and what it checked does not hold.
pub(crate) const FAILED: u8 = 1;
/// The command line was wrong.
pub(crate) const USAGE: u8 = 64;
/// The address cannot be served, or no agent answers.
pub(crate) const UNAVAILABLE: u8 = 69;
/// The state directory cannot be used.
pub(crate) const STATE: u8 = 73;
/// The configuration is wrong.
pub(crate) const CONFIG: u8 = 78;

/// Every code with its meaning, for people.
pub(crate) const MEANINGS: [(u8, &str); 6] = [
    (
        OK,
        "All went well. Also of a `run` that was asked to end and had no time to deliver everything: what is left stays in the files for the next start, and its last line says how much that is.",
    ),
    (
        FAILED,
        "What was asked for does not hold or cannot be done: `check --live` found something that fails, `demo` found a line missing or doubled, `status` found something not well, `explain` cannot read a file, `journal verify` found damage.",
    ),
    (USAGE, "The command line was wrong."),
    (
        UNAVAILABLE,
        "The HTTP address cannot be served, or no agent answers.",
    ),
    (
        STATE,
        "The state directory cannot be used, or another agent holds it.",
    ),
    (
        CONFIG,
        "The configuration is wrong; every problem is printed.",
    ),
];
