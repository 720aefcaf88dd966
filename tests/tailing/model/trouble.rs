//! How a backend answers for a while: one answer of every class that lets all records through in the
//! end.

use pinnace::receiver::{Action, Backend, Faults};

use super::dice::Dice;

/// More than any record takes by itself, and less than many do together.
const FEW_BYTES: u64 = 2000;

/// The next few answers.
pub(super) fn of(backend: Backend, dice: &mut Dice) -> Faults {
    let faults = match dice.roll(6) {
        // To be tried again: what is carried out may have been, or not.
        0 => Faults::of(Action::Status(503)),
        1 => Faults::of(Action::Reset),
        2 => Faults::of(Action::Status(500)).after_storing(),
        3 => Faults::of(throttled(backend)),
        // Somebody has to mend something.
        4 => Faults::of(forbidden(backend)),
        // To be divided.
        _ => Faults {
            above_bytes: Some(FEW_BYTES),
            ..Faults::default()
        },
    };
    faults.times(1 + dice.roll(3))
}

fn throttled(backend: Backend) -> Action {
    match backend {
        Backend::Loki => Action::Status(429),
        Backend::Cloudwatch => Action::Error("ThrottlingException".to_owned()),
    }
}

fn forbidden(backend: Backend) -> Action {
    match backend {
        Backend::Loki => Action::Status(401),
        Backend::Cloudwatch => Action::Error("AccessDeniedException".to_owned()),
    }
}
