//! The cases, as a table. Does nothing.

use pinnace::receiver::Backend;

use crate::points::{Point, Trouble};

/// One way of living.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// The pattern of the input.
    pub(crate) glob: &'static str,
    /// What the application does with its log from time to time.
    pub(crate) rotation: Rotation,
    /// What happens to the agent and its backends.
    pub(crate) script: Script,
    /// Whether the application writes as fast as any.
    pub(crate) is_fast: bool,
    /// What it writes.
    pub(crate) style: Style,
}

/// What a log is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Lines without a head.
    Lines,
    /// Records of one or more lines with times, levels and secrets: joined, dropped, sampled and
    /// redacted, with their level as a label on Loki.
    Records,
    /// Records of one line each in the two pipes of a container, one beside the other.
    Pipes,
}

/// How a log is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    Never,
    /// Renamed and made anew.
    Rename,
    /// Copied and truncated by the application itself, between two lines.
    CopyTruncate,
    /// Copied and truncated by another process, at any moment.
    Independent,
    /// Renamed and made anew, and compressed at once.
    Gzip,
    /// Left as it is: the application goes on in a file of another name.
    NewName,
}

/// What happens meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Kills at any moment.
    Kills,
    /// Deaths at a named place of the code.
    Point(Point),
    /// The same while every second answer is 500, though the request was carried out.
    StoredThenFailed,
    /// The same while some requests are carried out and never answered.
    StoredThenSilent,
    /// The same while every second request is throttled.
    Throttled,
    /// No request is answered for a while, with kills.
    Hang,
    /// Every request is answered with 503 for a while, with ten rotations and three kills.
    Outage,
    /// Killed with batches on their way, and started with other labels, another log stream, other
    /// limits and, for the pipes of a container, other rules where records end.
    OtherConfiguration,
    /// The log is rotated three times while no agent runs.
    RotatedWhileDead,
    /// The volume of the state directory is full for a while, with kills before and after.
    StateFull,
}

impl Script {
    /// How often it plays in a round: the short ones more often.
    pub(crate) fn times(self) -> u64 {
        match self {
            Self::OtherConfiguration | Self::RotatedWhileDead => 2,
            _ => 1,
        }
    }
}

impl Case {
    /// Whether the backends are to store every line that is written.
    pub(crate) fn all_is_stored(&self) -> bool {
        let has_bad = matches!(self.script, Script::Point(it) if it.trouble == Trouble::Bad);
        self.rotation != Rotation::Independent && !has_bad
    }

    /// The outputs of its agent.
    pub(crate) fn backends(&self) -> &'static [Backend] {
        match self.script {
            Script::Point(point) => point.backends,
            _ => &Backend::ALL,
        }
    }
}

const fn kills(name: &'static str, glob: &'static str, rotation: Rotation) -> Case {
    case(name, glob, rotation, Script::Kills)
}

const fn case(name: &'static str, glob: &'static str, rotation: Rotation, script: Script) -> Case {
    Case {
        name,
        glob,
        rotation,
        script,
        is_fast: false,
        style: Style::Lines,
    }
}

pub(crate) const fn of_records(case: Case) -> Case {
    Case {
        style: Style::Records,
        ..case
    }
}

const fn of_pipes(case: Case) -> Case {
    Case {
        style: Style::Pipes,
        ..case
    }
}

const fn fast(case: Case) -> Case {
    Case {
        is_fast: true,
        ..case
    }
}

/// The log alone is meant.
pub(crate) const LOG: &str = "*.log";
/// What it is rotated to is meant too.
const ALL: &str = "app.log*";

/// All of them.
pub(crate) const CASES: [Case; 26] = [
    kills("kills, appending", LOG, Rotation::Never),
    fast(kills("kills, renamed", LOG, Rotation::Rename)),
    kills("kills, renamed, all meant", ALL, Rotation::Rename),
    fast(kills(
        "kills, copied and truncated",
        LOG,
        Rotation::CopyTruncate,
    )),
    kills("kills, copied, all meant", ALL, Rotation::CopyTruncate),
    kills("kills, compressed", LOG, Rotation::Gzip),
    kills("kills, compressed, all meant", ALL, Rotation::Gzip),
    kills("kills, new names", LOG, Rotation::NewName),
    kills("kills, copied by another", LOG, Rotation::Independent),
    of_records(kills("records, kills, renamed", LOG, Rotation::Rename)),
    of_records(kills("records, kills, copied", LOG, Rotation::CopyTruncate)),
    of_pipes(kills("two pipes, kills, renamed", LOG, Rotation::Rename)),
    of_pipes(case(
        "two pipes, other configuration",
        LOG,
        Rotation::Rename,
        Script::OtherConfiguration,
    )),
    of_records(case(
        "records, stored, then 500",
        LOG,
        Rotation::Rename,
        Script::StoredThenFailed,
    )),
    of_records(case(
        "records, other configuration",
        LOG,
        Rotation::Rename,
        Script::OtherConfiguration,
    )),
    case(
        "stored, then 500",
        LOG,
        Rotation::Rename,
        Script::StoredThenFailed,
    ),
    case(
        "stored, then 500, copied",
        LOG,
        Rotation::CopyTruncate,
        Script::StoredThenFailed,
    ),
    case(
        "stored, then silence",
        LOG,
        Rotation::Rename,
        Script::StoredThenSilent,
    ),
    case("half throttled", ALL, Rotation::Rename, Script::Throttled),
    case("no answer for a while", LOG, Rotation::Rename, Script::Hang),
    case(
        "outage, 10 rotations",
        LOG,
        Rotation::Rename,
        Script::Outage,
    ),
    case("outage, 10 compressed", ALL, Rotation::Gzip, Script::Outage),
    case(
        "other configuration",
        LOG,
        Rotation::Rename,
        Script::OtherConfiguration,
    ),
    case(
        "compressed while dead",
        LOG,
        Rotation::Gzip,
        Script::RotatedWhileDead,
    ),
    case(
        "compressed while dead, all meant",
        ALL,
        Rotation::Gzip,
        Script::RotatedWhileDead,
    ),
    case(
        "state directory full",
        LOG,
        Rotation::Rename,
        Script::StateFull,
    ),
];
