//! The shapes of timestamps: reads one at the beginning of some bytes and says how long it is.
//! Knows no zone but those that stand in the text, and no clock: what a timestamp lacks is filled
//! in by [`super::zone`].

use super::Time;
use super::civil;

mod cursor;
pub(crate) mod custom;

pub(crate) use cursor::Cursor;

/// Nanoseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// What a timestamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// A moment.
    Instant(Time),
    /// A date and a time of day, of a zone that it does not name.
    Local { days: i64, of_day: i64 },
    /// No year and no zone.
    NoYear { month: u32, day: u32, of_day: i64 },
    /// A time of day alone.
    NoDate { of_day: i64 },
}

/// The shape of a timestamp, for people and for what was learned of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shape {
    /// `2026-11-22 22:08:23,702`, with or without a zone.
    Iso,
    /// `22/Nov/2026:22:08:23 +0000`.
    AccessLog,
    /// `Nov 22 22:08:23`.
    Syslog,
    /// `Sun Nov 22 22:08:23 2026`.
    Ctime,
    /// `Sun, 22 Nov 2026 22:08:23 +0000`, also without the day of the week.
    DayMonthYear,
    /// `Nov 22, 2026 10:08:23 PM`.
    MonthDayYear,
    /// `1122 22:08:23.702000` behind the letter of a level.
    Klog,
    /// `22:08:23.702`.
    TimeOfDay,
    /// `1795385303.702`: seconds, or thousandths, millionths or billionths of one.
    Epoch,
    /// A format of the configuration.
    Custom,
}

impl Shape {
    /// The shape in a word, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iso => "ISO 8601",
            Self::AccessLog => "access log",
            Self::Syslog => "syslog",
            Self::Ctime => "ctime",
            Self::DayMonthYear => "day month year",
            Self::MonthDayYear => "month day, year",
            Self::Klog => "klog",
            Self::TimeOfDay => "time of day",
            Self::Epoch => "epoch",
            Self::Custom => "custom format",
        }
    }
}

/// A timestamp that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) stamp: Stamp,
    pub(crate) shape: Shape,
    /// How many bytes it takes.
    pub(crate) len: usize,
}

/// The timestamp at the beginning of `bytes`, of whatever shape.
pub(crate) fn at_start(bytes: &[u8]) -> Option<Found> {
    let first = *bytes.first()?;
    if first.is_ascii_digit() {
        return iso(bytes)
            .or_else(|| day_month(bytes))
            .or_else(|| time_of_day(bytes))
            .or_else(|| compact(bytes));
    }
    if first.is_ascii_uppercase() {
        return with_weekday(bytes).or_else(|| month_first(bytes));
    }
    None
}

/// A whole text that is a timestamp, as JSON and logfmt hold it.
pub(crate) fn whole(text: &[u8]) -> Option<Found> {
    let text = text.trim_ascii();
    let found = at_start(text).filter(|found| found.len == text.len());
    found.or_else(|| epoch(text))
}

fn found(stamp: Stamp, shape: Shape, cursor: &Cursor<'_>) -> Found {
    Found {
        stamp,
        shape,
        len: cursor.at(),
    }
}

/// Makes a stamp of a date, a time of day and perhaps an offset in seconds.
fn dated(days: i64, of_day: i64, offset: Option<i64>) -> Stamp {
    match offset {
        None => Stamp::Local { days, of_day },
        Some(offset) => {
            let seconds = days * civil::DAY - offset;
            Stamp::Instant(Time(seconds.saturating_mul(SECOND).saturating_add(of_day)))
        }
    }
}

/// `2026-11-22T22:08:23.702+01:00` and its kin: `/` or `.` in the date, a blank or `_` for the
/// `T`, a comma for the point, no seconds' fraction, no zone.
fn iso(bytes: &[u8]) -> Option<Found> {
    // The commonest line of all: decided without a loop.
    let (date, rest) = bytes.split_first_chunk::<11>()?;
    let [y0, y1, short @ .., behind] = date;
    let separator = short[2];
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let [year, month, day] = cursor::three_pairs(*short, separator)?;
    let year = 100 * cursor::two_digits([*y0, *y1])? + year;
    if !matches!(behind, b'T' | b't' | b' ' | b'_' | b'-' | b':') || rest.len() < 5 {
        return None;
    }
    let days = civil::days(i64::from(year), month, day)?;
    let mut cursor = Cursor::new(bytes);
    cursor.skip(date.len());
    cursor.take(b' ');
    let of_day = cursor.time_of_day()?;
    let offset = cursor.offset();
    Some(found(dated(days, of_day, offset), Shape::Iso, &cursor))
}

/// `20261122T220823Z`, `20261122 22:08:23.702`, and `261122 22:08:23` of old databases.
fn compact(bytes: &[u8]) -> Option<Found> {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let mut cursor = Cursor::new(bytes);
    let year = match digits {
        8 => cursor.digits(4)?,
        6 => 2000 + cursor.digits(2)?,
        _ => return None,
    };
    let (month, day) = (cursor.digits(2)?, cursor.digits(2)?);
    let days = civil::days(i64::from(year), month, day)?;
    if !(cursor.take(b'T') || cursor.take(b' ') || cursor.take(b'-')) {
        return None;
    }
    cursor.take(b' ');
    let of_day = match cursor.time_of_day() {
        Some(of_day) => of_day,
        None => cursor.packed_time_of_day()?,
    };
    let offset = cursor.offset();
    Some(found(dated(days, of_day, offset), Shape::Iso, &cursor))
}

/// `22/Nov/2026:22:08:23 +0000`, `22 Nov 2026 22:08:23.702`, `22-Nov-2026 22:08:23.702`,
/// `22-Nov-2026::22:08:23.702`.
fn day_month(bytes: &[u8]) -> Option<Found> {
    let mut cursor = Cursor::new(bytes);
    let day = cursor.some_digits(1, 2)?;
    let separator = cursor.peek()?;
    if !matches!(separator, b'/' | b' ' | b'-') {
        return None;
    }
    cursor.skip(1);
    let month = cursor.month()?;
    if !cursor.take(separator) {
        return None;
    }
    let year = cursor.digits(4)?;
    let days = civil::days(i64::from(year), month, day)?;
    let shape = if cursor.take(b':') {
        if cursor.take(b':') {
            Shape::DayMonthYear
        } else {
            Shape::AccessLog
        }
    } else {
        cursor.take(b',');
        if !cursor.take(b' ') {
            return None;
        }
        Shape::DayMonthYear
    };
    let of_day = cursor.time_of_day()?;
    let offset = cursor.offset();
    Some(found(dated(days, of_day, offset), shape, &cursor))
}

/// `Sun Nov 22 22:08:23 2026`, `Sun Nov 22 22:08:23.702022 2026`, `Sun, 22 Nov 2026 22:08:23 GMT`.
fn with_weekday(bytes: &[u8]) -> Option<Found> {
    let mut cursor = Cursor::new(bytes);
    cursor.weekday()?;
    if cursor.take(b',') {
        cursor.take(b' ');
        let inner = day_month(cursor.rest())?;
        return Some(Found {
            len: cursor.at() + inner.len,
            ..inner
        });
    }
    if !cursor.take(b' ') {
        return None;
    }
    let month = cursor.month()?;
    cursor.blanks()?;
    let day = cursor.some_digits(1, 2)?;
    cursor.blanks()?;
    let of_day = cursor.time_of_day()?;
    cursor.blanks()?;
    let mut offset = None;
    if !cursor.peek()?.is_ascii_digit() {
        offset = cursor.offset_word();
        cursor.blanks()?;
    }
    let year = cursor.digits(4)?;
    let days = civil::days(i64::from(year), month, day)?;
    Some(found(dated(days, of_day, offset), Shape::Ctime, &cursor))
}

/// `Nov 22 22:08:23`, `Nov 22 2026 22:08:23`, `Nov 22, 2026 10:08:23 PM`.
fn month_first(bytes: &[u8]) -> Option<Found> {
    let mut cursor = Cursor::new(bytes);
    let month = cursor.month()?;
    cursor.blanks()?;
    let day = cursor.some_digits(1, 2)?;
    let is_comma = cursor.take(b',');
    cursor.blanks()?;
    let before = cursor;
    if let Some(year) = cursor.digits(4) {
        let days = civil::days(i64::from(year), month, day)?;
        cursor.take(b',');
        cursor.blanks()?;
        let of_day = cursor.time_of_day()?;
        let of_day = cursor.half_of_day(of_day)?;
        let offset = cursor.offset();
        return Some(found(
            dated(days, of_day, offset),
            Shape::MonthDayYear,
            &cursor,
        ));
    }
    if is_comma {
        return None;
    }
    cursor = before;
    let of_day = cursor.time_of_day()?;
    // 2028 is a leap year: what is a day in any year counts.
    civil::days(2028, month, day)?;
    Some(found(
        Stamp::NoYear { month, day, of_day },
        Shape::Syslog,
        &cursor,
    ))
}

/// `22:08:23.702`.
fn time_of_day(bytes: &[u8]) -> Option<Found> {
    if bytes.len() < 8 || bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    let mut cursor = Cursor::new(bytes);
    let of_day = cursor.time_of_day()?;
    Some(found(Stamp::NoDate { of_day }, Shape::TimeOfDay, &cursor))
}

/// `1122 22:08:23.702000`, or `20261122 22:08:23.702000`, as klog and glog write it behind the
/// letter of the level.
pub(crate) fn klog(bytes: &[u8]) -> Option<Found> {
    let mut cursor = Cursor::new(bytes);
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let year = match digits {
        4 => None,
        8 => Some(cursor.digits(4)?),
        _ => return None,
    };
    let (month, day) = (cursor.digits(2)?, cursor.digits(2)?);
    cursor.blanks()?;
    let of_day = cursor.time_of_day()?;
    let days = civil::days(year.map_or(2028, i64::from), month, day)?;
    let stamp = match year {
        Some(_) => Stamp::Local { days, of_day },
        None => Stamp::NoYear { month, day, of_day },
    };
    Some(found(stamp, Shape::Klog, &cursor))
}

/// Seconds since the epoch, whole or with a fraction, or thousandths, millionths or billionths of
/// a second: which of these, the number of digits says. From 2001 to 2286.
pub(crate) fn epoch(text: &[u8]) -> Option<Found> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit: i64 = match digits {
        10 => SECOND,
        13 => 1_000_000,
        16 => 1000,
        19 => 1,
        _ => return None,
    };
    let whole: i64 = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    let mut nanos = whole.checked_mul(unit)?;
    let mut len = digits;
    if let Some((b'.' | b',', fraction)) = text[digits..].split_first() {
        let mut scale = unit;
        let mut count = 0;
        for byte in fraction.iter().take_while(|byte| byte.is_ascii_digit()) {
            scale /= 10;
            nanos = nanos.checked_add(i64::from(byte - b'0') * scale)?;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        len += 1 + count;
    }
    if len != text.len() {
        return None;
    }
    let (stamp, shape) = (Stamp::Instant(Time(nanos)), Shape::Epoch);
    Some(Found { stamp, shape, len })
}

#[cfg(test)]
mod tests;
