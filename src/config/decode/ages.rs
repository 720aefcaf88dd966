//! Decodes `too_old` and `max_age`, which depends on it.

use std::time::Duration;

use super::super::ages::{Ages, TooOld};
use super::super::choices::{Choice, word};
use super::super::fields::{Fields, Notes};

/// What Loki takes by default, less a day for an outage after the time was moved.
const RESCUED_FOR_LOKI: Duration = Duration::from_hours(6 * 24);
/// What CloudWatch Logs takes, whatever the retention.
const OF_CLOUDWATCH: Duration = Duration::from_hours(14 * 24);
/// The same less a day.
const RESCUED_FOR_CLOUDWATCH: Duration = Duration::from_hours(13 * 24);

pub(super) fn of_loki(fields: &Fields<'_>, notes: &mut Notes) -> Ages {
    // What a Loki takes is configured there: it is asked.
    ages(fields, notes, None, RESCUED_FOR_LOKI)
}

pub(super) fn of_cloudwatch(fields: &Fields<'_>, notes: &mut Notes) -> Ages {
    ages(fields, notes, Some(OF_CLOUDWATCH), RESCUED_FOR_CLOUDWATCH)
}

fn ages(
    fields: &Fields<'_>,
    notes: &mut Notes,
    buried: Option<Duration>,
    rescued: Duration,
) -> Ages {
    let too_old = word(fields, "too_old", notes);
    let usual = match too_old {
        TooOld::DeadLetter => buried,
        TooOld::Rescue => Some(rescued),
    };
    Ages {
        too_old,
        max_age: fields.optional("max_age", notes).or(usual),
    }
}

impl Choice for TooOld {
    fn from_word(word: &str) -> Self {
        match word {
            "rescue" => Self::Rescue,
            _ => Self::DeadLetter,
        }
    }
}
