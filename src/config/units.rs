//! Sizes and durations as people write them, and back in the shortest exact form.
//! Knows no key and no limit; never rounds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes. Reads `16MiB`, `16Mi`, `256KiB`, `1MB` (a million) and plain numbers;
/// prints the shortest exact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct ByteSize(pub u64);

/// Why a text is no size or no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// It does not begin with a number.
    #[error("it does not begin with a number")]
    NoNumber,
    /// The number has a fraction.
    #[error("the number has a fraction")]
    Fraction,
    /// A duration stands without a unit.
    #[error("the unit is missing")]
    NoUnit,
    /// The unit can be read as a power of ten or of two.
    #[error("`{unit}` can mean {decimal} or {binary}")]
    AmbiguousUnit {
        /// The unit as found.
        unit: String,
        /// Its reading as a power of ten.
        decimal: String,
        /// Its reading as a power of two.
        binary: String,
    },
    /// There is no such unit.
    #[error("`{0}` is no unit")]
    UnknownUnit(String),
    /// The value does not fit into 64 bits.
    #[error("the number is too large")]
    TooLarge,
}

/// Binary before decimal: at equal length the binary one is printed.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
];

const DURATION_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl ByteSize {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, rest) = split_number(text.trim())?;
        let unit = rest.trim_start();
        if unit.is_empty() || unit.eq_ignore_ascii_case("b") {
            return Ok(Self(number));
        }
        let factor = SIZE_UNITS
            .iter()
            .find(|(name, _)| {
                let short = name.strip_suffix("iB").map(|letter| format!("{letter}i"));
                unit.eq_ignore_ascii_case(name)
                    || short.is_some_and(|short| unit.eq_ignore_ascii_case(&short))
            })
            .map(|(_, factor)| *factor);
        match factor {
            Some(factor) => number
                .checked_mul(factor)
                .map(Self)
                .ok_or(UnitError::TooLarge),
            None if ["k", "m", "g", "t"].contains(&unit.to_ascii_lowercase().as_str()) => {
                let letter = unit.to_ascii_uppercase();
                Err(UnitError::AmbiguousUnit {
                    unit: unit.to_owned(),
                    decimal: format!("{number}{letter}B"),
                    binary: format!("{number}{letter}iB"),
                })
            }
            None => Err(UnitError::UnknownUnit(unit.to_owned())),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shortest = self.0.to_string();
        let mut has_unit = false;
        for (name, factor) in SIZE_UNITS {
            if self.0 > 0 && self.0.is_multiple_of(factor) {
                let text = format!("{}{name}", self.0 / factor);
                if text.len() < shortest.len() || (!has_unit && text.len() == shortest.len()) {
                    shortest = text;
                    has_unit = true;
                }
            }
        }
        f.write_str(&shortest)
    }
}

/// Reads `500ms`, `25s`, `5m`, `1h` and sums such as `1m30s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    loop {
        let (number, after) = split_number(rest)?;
        let after = after.trim_start();
        let unit_len = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, tail) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(if tail.is_empty() {
                UnitError::NoUnit
            } else {
                UnitError::UnknownUnit(tail.to_owned())
            });
        }
        let (_, factor) = DURATION_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| UnitError::UnknownUnit(unit.to_owned()))?;
        total = number
            .checked_mul(*factor)
            .and_then(|millis| total.checked_add(millis))
            .ok_or(UnitError::TooLarge)?;
        rest = tail;
        if rest.is_empty() {
            return Ok(Duration::from_millis(total));
        }
    }
}

/// Prints a duration of whole milliseconds with the largest unit that is exact.
pub(crate) fn print_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    for (name, factor) in DURATION_UNITS {
        if millis > 0 && millis.is_multiple_of(factor) {
            return format!("{}{name}", millis / factor);
        }
    }
    "0s".to_owned()
}

fn split_number(text: &str) -> Result<(u64, &str), UnitError> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() {
        return Err(UnitError::NoNumber);
    }
    if rest.starts_with(['.', ',']) {
        return Err(UnitError::Fraction);
    }
    let number = number.parse().map_err(|_| UnitError::TooLarge)?;
    Ok((number, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_in_every_usual_spelling() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("16MiB", 16 << 20),
            ("16Mi", 16 << 20),
            ("16 MiB", 16 << 20),
            ("256KiB", 256 << 10),
            ("256kib", 256 << 10),
            ("1MB", 1_000_000),
            ("1kB", 1_000),
            ("12B", 12),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_told_apart() {
        for (text, message) in [
            ("", "it does not begin with a number"),
            ("-1", "it does not begin with a number"),
            ("1.5MiB", "the number has a fraction"),
            ("16M", "`M` can mean 16MB or 16MiB"),
            ("3 parsecs", "`parsecs` is no unit"),
            ("99999999999999999999", "the number is too large"),
            ("99999999999TiB", "the number is too large"),
        ] {
            let error = text.parse::<ByteSize>().unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
    }

    #[test]
    fn sizes_print_in_the_shortest_exact_form() {
        for (bytes, text) in [
            (0, "0"),
            (7, "7"),
            (1000, "1KB"),
            (1024, "1KiB"),
            (1_048_576, "1MiB"),
            (1_048_550, "1048550"),
            (1_000_000, "1MB"),
            (262_144, "256KiB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    #[test]
    fn durations_are_read_and_printed() {
        for (text, millis, printed) in [
            ("500ms", 500, "500ms"),
            ("25s", 25_000, "25s"),
            ("1m30s", 90_000, "90s"),
            ("60m", 3_600_000, "1h"),
            ("0s", 0, "0s"),
            ("2 h", 7_200_000, "2h"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(print_duration(duration), printed);
        }
    }

    #[test]
    fn what_is_no_duration_is_told_apart() {
        for (text, message) in [
            ("", "it does not begin with a number"),
            ("25", "the unit is missing"),
            ("1.5s", "the number has a fraction"),
            ("5 days", "`days` is no unit"),
            ("5%", "`%` is no unit"),
            ("5s!", "it does not begin with a number"),
        ] {
            assert_eq!(
                parse_duration(text).unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_printed_size_reads_back(bytes in any::<u64>(), shift in 0u32..50) {
            let size = ByteSize(bytes >> shift << (shift / 2));
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn a_printed_duration_reads_back(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".*") {
            let _ = text.parse::<ByteSize>();
            let _ = parse_duration(&text);
        }
    }
}
