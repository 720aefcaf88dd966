//! Timestamp formats of the configuration, in the letters of `strftime`: compiled once, with what
//! is wrong said in words.

use super::{Cursor, Found, SECOND, Shape, Stamp, dated};
use crate::record::Time;
use crate::record::civil;

/// A format, ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    /// One or more blanks.
    Blanks,
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    Weekday,
    Hour,
    Minute,
    Second,
    Fraction,
    HalfOfDay,
    Offset,
    Epoch,
}

/// What was read so far.
#[derive(Debug, Default)]
struct Parts {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: i64,
    is_afternoon: Option<bool>,
    offset: Option<i64>,
    epoch: Option<i64>,
    has_time: bool,
}

impl Format {
    /// Compiles a format, or says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let pieces = Self::pieces(text)?;
        let has = |piece| pieces.contains(&piece);
        let has_month = has(Piece::Month) || has(Piece::MonthName);
        if !has(Piece::Epoch) && !has(Piece::Hour) {
            return Err("says no time of day: %H, %I, %T or %s is missing".to_owned());
        }
        if has_month != has(Piece::Day)
            || ((has(Piece::Year) || has(Piece::ShortYear)) && !has_month)
        {
            return Err(
                "says a part of a date: it needs both month and day, or neither".to_owned(),
            );
        }
        Ok(Self { pieces })
    }

    fn pieces(text: &str) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut characters = text.bytes();
        while let Some(byte) = characters.next() {
            let piece = match byte {
                b' ' => Piece::Blanks,
                b'%' => {
                    let letter = characters.next().ok_or("ends with a single %")?;
                    if let Some(long) = Self::shorthand(letter) {
                        pieces.extend(Self::pieces(long)?);
                        continue;
                    }
                    Self::piece(letter)?
                }
                other => Piece::Byte(other),
            };
            pieces.push(piece);
        }
        Ok(pieces)
    }

    fn shorthand(letter: u8) -> Option<&'static str> {
        match letter {
            b'F' => Some("%Y-%m-%d"),
            b'T' => Some("%H:%M:%S"),
            b'R' => Some("%H:%M"),
            b'D' => Some("%m/%d/%y"),
            _ => None,
        }
    }

    fn piece(letter: u8) -> Result<Piece, String> {
        Ok(match letter {
            b'Y' => Piece::Year,
            b'y' => Piece::ShortYear,
            b'm' => Piece::Month,
            b'b' | b'B' | b'h' => Piece::MonthName,
            b'd' | b'e' => Piece::Day,
            b'a' | b'A' => Piece::Weekday,
            b'H' | b'I' | b'k' | b'l' => Piece::Hour,
            b'M' => Piece::Minute,
            b'S' => Piece::Second,
            b'f' | b'L' | b'N' => Piece::Fraction,
            b'p' | b'P' => Piece::HalfOfDay,
            b'z' | b'Z' => Piece::Offset,
            b's' => Piece::Epoch,
            b'%' => Piece::Byte(b'%'),
            other => return Err(format!("holds %{}, which is not known", char::from(other))),
        })
    }

    /// The timestamp at the beginning of `bytes`.
    pub(crate) fn at_start(&self, bytes: &[u8]) -> Option<Found> {
        let mut cursor = Cursor::new(bytes);
        let mut parts = Parts::default();
        for piece in &self.pieces {
            parts.read(*piece, &mut cursor)?;
        }
        Some(Found {
            stamp: parts.stamp()?,
            shape: Shape::Custom,
            len: cursor.at(),
        })
    }
}

impl Parts {
    fn read(&mut self, piece: Piece, cursor: &mut Cursor<'_>) -> Option<()> {
        match piece {
            Piece::Byte(byte) => return cursor.take(byte).then_some(()),
            Piece::Blanks => return cursor.blanks(),
            Piece::Year => self.year = Some(i64::from(cursor.digits(4)?)),
            Piece::ShortYear => self.year = Some(2000 + i64::from(cursor.digits(2)?)),
            Piece::Month => self.month = Some(cursor.some_digits(1, 2)?),
            Piece::MonthName => {
                self.month = Some(cursor.month()?);
                while cursor.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    cursor.skip(1);
                }
            }
            Piece::Day => {
                cursor.take(b' ');
                self.day = Some(cursor.some_digits(1, 2)?);
            }
            Piece::Weekday => {
                cursor.weekday()?;
                while cursor.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    cursor.skip(1);
                }
            }
            Piece::Hour => {
                cursor.take(b' ');
                self.hour = cursor.some_digits(1, 2)?;
                self.has_time = true;
            }
            Piece::Minute => self.minute = cursor.digits(2)?,
            Piece::Second => self.second = cursor.digits(2)?.min(59),
            Piece::Fraction => self.nanos = cursor.fraction()?,
            Piece::HalfOfDay => {
                self.is_afternoon = Some(match cursor.rest().get(..2)? {
                    b"AM" | b"am" => false,
                    b"PM" | b"pm" => true,
                    _ => return None,
                });
                cursor.skip(2);
            }
            Piece::Offset => self.offset = Some(cursor.offset()?),
            Piece::Epoch => self.epoch = Some(cursor.long_number()?),
        }
        Some(())
    }

    fn stamp(&self) -> Option<Stamp> {
        if let Some(seconds) = self.epoch {
            let nanos = seconds.checked_mul(SECOND)?.checked_add(self.nanos)?;
            return Some(Stamp::Instant(Time(nanos)));
        }
        let hour = match self.is_afternoon {
            Some(_) if self.hour > 12 => return None,
            Some(is_afternoon) => self.hour % 12 + if is_afternoon { 12 } else { 0 },
            None => self.hour,
        };
        if !self.has_time || hour > 23 || self.minute > 59 {
            return None;
        }
        let seconds = i64::from(hour * 3600 + self.minute * 60 + self.second);
        let of_day = seconds * SECOND + self.nanos;
        match (self.year, self.month, self.day) {
            (Some(year), Some(month), Some(day)) => {
                Some(dated(civil::days(year, month, day)?, of_day, self.offset))
            }
            (None, Some(month), Some(day)) => {
                civil::days(2028, month, day)?;
                Some(Stamp::NoYear { month, day, of_day })
            }
            _ => Some(Stamp::NoDate { of_day }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, text: &str) -> Option<Found> {
        Format::new(format).unwrap().at_start(text.as_bytes())
    }

    #[test]
    fn formats_read_what_they_say() {
        let days = civil::days(2026, 11, 22).unwrap();
        let evening = (22 * 3600 + 8 * 60 + 23) * SECOND;
        let local = |of_day| Stamp::Local { days, of_day };
        for (format, text, stamp) in [
            ("%d.%m.%Y %H:%M:%S", "22.11.2026 22:08:23 x", local(evening)),
            (
                "%F %T.%f",
                "2026-11-22 22:08:23.702",
                local(evening + 702_000_000),
            ),
            (
                "[%d %B %Y %I:%M:%S %p]",
                "[22 November 2026 10:08:23 PM]",
                local(evening),
            ),
            (
                "%A, %e %b %y %k:%M",
                "Sunday,  2 Nov 26  9:08",
                Stamp::Local {
                    days: days - 20,
                    of_day: (9 * 3600 + 8 * 60) * SECOND,
                },
            ),
            (
                "%s.%L",
                "1795385303.5",
                Stamp::Instant(Time(1_795_385_303_500_000_000)),
            ),
            ("%T", "22:08:23", Stamp::NoDate { of_day: evening }),
            (
                "%m/%d %T",
                "11/22 22:08:23",
                Stamp::NoYear {
                    month: 11,
                    day: 22,
                    of_day: evening,
                },
            ),
            (
                "%F %T %z",
                "2026-11-22 22:08:23 +0100",
                Stamp::Instant(Time(days * 86_400 * SECOND + evening - 3600 * SECOND)),
            ),
        ] {
            let found = read(format, text).unwrap_or_else(|| panic!("{format}: {text}"));
            assert_eq!(found.stamp, stamp, "{format}: {text}");
        }
        for (format, text) in [
            ("%d.%m.%Y %T", "31.02.2026 22:08:23"),
            ("%T", "25:00:00"),
            ("%F %T", "2026-11-22"),
            ("%I %p", "13 PM"),
        ] {
            assert_eq!(read(format, text), None, "{format}: {text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_format_is_said() {
        for (format, wrong) in [
            ("%H:%", "ends with a single %"),
            ("%H %Q", "holds %Q, which is not known"),
            (
                "%Y-%m-%d",
                "says no time of day: %H, %I, %T or %s is missing",
            ),
            (
                "%Y %H",
                "says a part of a date: it needs both month and day, or neither",
            ),
        ] {
            assert_eq!(Format::new(format), Err(wrong.to_owned()));
        }
    }
}
