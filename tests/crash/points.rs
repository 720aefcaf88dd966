//! The places at which the agent is told to kill itself (`src/crash_point.rs`), as a table. Does
//! nothing.

use pinnace::receiver::Backend;

use crate::case::{Case, LOG, Rotation, Script, Style, of_records};

/// A place, and how the agent comes to pass it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// Its name in the code.
    pub(crate) place: &'static str,
    /// The death comes at one of the first so many passings.
    pub(crate) latest: u64,
    /// The outputs of the agent.
    pub(crate) backends: &'static [Backend],
    /// How the backends behave meanwhile.
    pub(crate) trouble: Trouble,
    /// A death elsewhere that comes before each one here: without it the agent does not pass.
    pub(crate) before: Option<&'static str>,
}

/// How backends behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// Requests of more than a few lines are too large.
    TooLarge,
    /// Some lines are refused.
    Bad,
}

const LOKI: &[Backend] = &[Backend::Loki];
const CLOUDWATCH: &[Backend] = &[Backend::Cloudwatch];
const BOTH: &[Backend] = &Backend::ALL;

const fn point(
    name: &'static str,
    place: &'static str,
    latest: u64,
    backends: &'static [Backend],
) -> Case {
    // Where each file has its stream, a batch that waits to be looked for holds up its own only.
    let rotation = if backends.len() == 1 && matches!(backends[0], Backend::Cloudwatch) {
        Rotation::NewName
    } else {
        Rotation::Rename
    };
    let point = Point {
        place,
        latest,
        backends,
        trouble: Trouble::None,
        before: None,
    };
    Case {
        name,
        glob: LOG,
        rotation,
        script: Script::Point(point),
        is_fast: false,
        style: Style::Lines,
    }
}

const fn after(before: &'static str, case: Case) -> Case {
    match case.script {
        Script::Point(point) => Case {
            script: Script::Point(Point {
                before: Some(before),
                ..point
            }),
            ..case
        },
        _ => case,
    }
}

const fn with(trouble: Trouble, case: Case) -> Case {
    match case.script {
        Script::Point(point) => Case {
            script: Script::Point(Point { trouble, ..point }),
            ..case
        },
        _ => case,
    }
}

/// All of them. Those that take longest are first.
pub(crate) const POINTS: [Case; 30] = [
    point("sealed, not sent", "sealed", 2, CLOUDWATCH),
    after("sealed", point("looked for", "looked_for", 2, CLOUDWATCH)),
    after("sealed", point("taken up again", "taken_up", 1, BOTH)),
    after("stored", point("set aside", "set_aside", 1, BOTH)),
    with(
        Trouble::TooLarge,
        point("half of it stored", "stored", 1, CLOUDWATCH),
    ),
    with(
        Trouble::TooLarge,
        point("half of it stored", "stored", 6, LOKI),
    ),
    with(
        Trouble::TooLarge,
        point("half of it noted", "part_settled", 1, CLOUDWATCH),
    ),
    with(
        Trouble::TooLarge,
        point("half of it noted", "part_settled", 6, LOKI),
    ),
    with(
        Trouble::TooLarge,
        point("halved, not sent", "cut", 1, CLOUDWATCH),
    ),
    with(Trouble::TooLarge, point("halved, not sent", "cut", 6, LOKI)),
    with(
        Trouble::Bad,
        point("dead letter written", "buried", 3, LOKI),
    ),
    with(
        Trouble::Bad,
        point("dead letter noted", "burial_noted", 3, LOKI),
    ),
    point("body written, not sealed", "body_written", 4, CLOUDWATCH),
    point("body written, not sealed", "body_written", 8, LOKI),
    point("sealed, not sent", "sealed", 8, LOKI),
    of_records(point("records, sealed, not sent", "sealed", 2, CLOUDWATCH)),
    of_records(point("records, stored, not noted", "stored", 4, CLOUDWATCH)),
    with(
        Trouble::TooLarge,
        of_records(point("records, halved, not sent", "cut", 6, LOKI)),
    ),
    // Each level has a request of its own.
    of_records(point("records, some stored", "stored", 12, LOKI)),
    of_records(point("records, some noted", "part_settled", 6, LOKI)),
    of_records(point("records, sealed, not sent", "sealed", 2, LOKI)),
    point("stored, not noted", "stored", 4, CLOUDWATCH),
    point("stored, not noted", "stored", 8, LOKI),
    point("noted, place kept", "acknowledged", 4, CLOUDWATCH),
    point("noted, place kept", "acknowledged", 8, LOKI),
    after("stored", point("segment begun", "segment_begun", 1, BOTH)),
    point("segment recycled", "segment_recycled", 3, BOTH),
    point("checkpoint written", "checkpoint_written", 3, BOTH),
    point("checkpoint synced", "checkpoint_synced", 3, BOTH),
    // What was rotated before the first start of all is nobody's debt.
    Case {
        rotation: Rotation::Never,
        ..point("state directory made", "state_dir_made", 1, BOTH)
    },
];
