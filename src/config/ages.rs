//! How old a record may be for a destination, and what becomes of one that is older.

use std::time::Duration;

/// What an output does with old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// What becomes of records that are too old.
    pub too_old: TooOld,
    /// From which age on they are; without one the destination alone decides.
    pub max_age: Option<Duration>,
}

/// What becomes of a record that is older than the destination takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TooOld {
    /// It goes to the dead letters.
    #[default]
    DeadLetter,
    /// Its time is moved up.
    Rescue,
}

impl Ages {
    /// Times that are older than this are moved up to it.
    pub(crate) fn rescued(&self) -> Option<Duration> {
        self.max_age.filter(|_| self.too_old == TooOld::Rescue)
    }

    /// Records that are older than this are dead letters before they are sent.
    pub(crate) fn buried(&self) -> Option<Duration> {
        self.max_age.filter(|_| self.too_old == TooOld::DeadLetter)
    }
}
