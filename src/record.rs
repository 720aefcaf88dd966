//! What is cut from a file: lines, later joined and understood. Pure: no clock, no file, no
//! socket, and nothing here fails.

pub(crate) mod civil;
pub(crate) mod cut;
pub(crate) mod emf;
pub(crate) mod envelope;
pub(crate) mod explain;
pub(crate) mod facts;
pub(crate) mod fields;
pub(crate) mod filter;
pub(crate) mod frame;
pub(crate) mod fuzzing;
pub(crate) mod head;
pub(crate) mod join;
pub(crate) mod json;
pub(crate) mod level;
pub(crate) mod logfmt;
pub(crate) mod redact;
pub(crate) mod rules;
pub(crate) mod skew;
pub(crate) mod stamp;
pub(crate) mod trace;
pub(crate) mod zone;

pub(crate) use frame::{Framer, Line};

/// So much do clocks differ, in nanoseconds.
const AHEAD: i64 = 300 * 1_000_000_000;

/// A point in time as nanoseconds since the Unix epoch: what a record carries.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub(crate) struct Time(pub(crate) i64);

impl Time {
    /// Whole milliseconds since the epoch, rounded down.
    pub(crate) fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole seconds since the epoch, rounded down, and the nanoseconds above them.
    pub(crate) fn seconds_and_nanos(self) -> (i64, u32) {
        let nanos = u32::try_from(self.0.rem_euclid(1_000_000_000)).unwrap_or(0);
        (self.0.div_euclid(1_000_000_000), nanos)
    }

    /// The smallest time after this one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The last nanosecond of this time's millisecond.
    pub(crate) fn end_of_millisecond(self) -> Self {
        Self(self.millis().saturating_add(1).saturating_mul(1_000_000) - 1)
    }

    /// How much later than `earlier`, in nanoseconds; negative when it is before.
    pub(crate) fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether it lies further ahead of a clock than clocks differ: then it is no time of anything
    /// that has happened.
    pub(crate) fn is_ahead_of(self, now: Self) -> bool {
        self.nanos_since(now) > AHEAD
    }
}

impl std::fmt::Display for Time {
    /// As RFC 3339 writes it, with as many digits as there are.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, nanos) = self.seconds_and_nanos();
        let (year, month, day) = civil::date(seconds.div_euclid(civil::DAY));
        let of_day = seconds.rem_euclid(civil::DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if nanos > 0 {
            let digits = format!("{nanos:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl From<std::time::SystemTime> for Time {
    fn from(time: std::time::SystemTime) -> Self {
        let nanos = match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos)
            }
        };
        Self(nanos)
    }
}
