//! Small steps through the bytes of a timestamp. Each takes what it knows, or nothing.
#![expect(
    clippy::inline_always,
    reason = "several of these steps are taken for every line, and the crate is built for size"
)]

use super::SECOND;

const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];
const WEEKDAYS: [&[u8; 3]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];

/// Names of zones that mean one offset everywhere, in hours. Others, such as `CST`, mean several
/// and count as the configured zone.
const ZONES: [(&[u8], i64); 16] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"WET", 0),
    (b"WEST", 1),
    (b"CET", 1),
    (b"CEST", 2),
    (b"EET", 2),
    (b"EEST", 3),
    (b"MSK", 3),
    (b"JST", 9),
    (b"EST", -5),
    (b"EDT", -4),
    (b"MST", -7),
    (b"MDT", -6),
    (b"PST", -8),
    (b"PDT", -7),
];

/// The number that two digits make.
#[inline(always)]
pub(super) fn two_digits(digits: [u8; 2]) -> Option<u32> {
    let [tens, ones] = digits.map(|digit| digit.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then_some(u32::from(tens) * 10 + u32::from(ones))
}

/// The three numbers of `22:08:23` or `26-11-22`: of two digits each, with this separator between
/// them. All bytes are looked at together: it is done for nearly every line.
#[inline(always)]
pub(super) fn three_pairs(text: [u8; 8], separator: u8) -> Option<[u32; 3]> {
    // Added to a byte that may stand there, less what stands for it, this leaves the highest bit
    // as it is: 9 at most where a digit is asked for, 0 where the separator is.
    const ROOM: u64 = u64::from_le_bytes([0x76, 0x76, 0x7F, 0x76, 0x76, 0x7F, 0x76, 0x76]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
    let zeros = [b'0', b'0', separator, b'0', b'0', separator, b'0', b'0'];
    let digits = u64::from_le_bytes(text) ^ u64::from_le_bytes(zeros);
    if (digits | digits.wrapping_add(ROOM)) & HIGHEST != 0 {
        return None;
    }
    // Each byte becomes ten times itself and the one behind it.
    let pairs = (digits * 10).wrapping_add(digits >> 8).to_le_bytes();
    Some([pairs[0], pairs[3], pairs[6]].map(u32::from))
}

/// A place in the bytes of a timestamp.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were taken.
    #[inline(always)]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    pub(crate) fn skip(&mut self, count: usize) {
        self.at = (self.at + count).min(self.bytes.len());
    }

    /// Takes this byte, if it is the next.
    #[inline(always)]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes blanks; at least one.
    pub(crate) fn blanks(&mut self) -> Option<()> {
        let count = self.rest().iter().take_while(|byte| **byte == b' ').count();
        self.at += count;
        (count > 0).then_some(())
    }

    /// A number of exactly so many digits.
    #[inline]
    pub(crate) fn digits(&mut self, count: usize) -> Option<u32> {
        let mut number = 0;
        for byte in self.bytes.get(self.at..self.at + count)? {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + u32::from(digit);
        }
        self.at += count;
        Some(number)
    }

    /// A number of `least` to `most` digits.
    pub(crate) fn some_digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let rest = self.rest();
        let count = rest
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count < least {
            return None;
        }
        self.digits(count)
    }

    /// A number of up to twelve digits.
    pub(crate) fn long_number(&mut self) -> Option<i64> {
        let rest = self.rest();
        let digits = rest
            .iter()
            .take(12)
            .take_while(|byte| byte.is_ascii_digit());
        let (count, number) = digits.fold((0, 0), |(count, number), digit| {
            (count + 1, number * 10 + i64::from(digit - b'0'))
        });
        self.at += count;
        (count > 0).then_some(number)
    }

    /// The fraction of a second behind its point, in nanoseconds; further digits are dropped.
    #[inline(always)]
    pub(crate) fn fraction(&mut self) -> Option<i64> {
        /// What one of the last of so many digits stands for.
        const UNITS: [i64; 10] = [
            SECOND,
            100_000_000,
            10_000_000,
            1_000_000,
            100_000,
            10_000,
            1000,
            100,
            10,
            1,
        ];
        let most = UNITS.len() - 1;
        let (mut number, mut count) = (0, 0);
        for byte in self.rest() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            if count < most {
                number = number * 10 + i64::from(digit);
            }
            count += 1;
        }
        self.at += count;
        (count > 0).then(|| number * UNITS[count.min(most)])
    }

    /// `22:08:23`, with or without a fraction behind a point, a comma or a colon: nanoseconds
    /// since midnight. A leap second is the second before it.
    #[inline]
    pub(crate) fn time_of_day(&mut self) -> Option<i64> {
        let start = *self;
        let time = self.try_time_of_day();
        if time.is_none() {
            *self = start;
        }
        time
    }

    #[inline(always)]
    fn try_time_of_day(&mut self) -> Option<i64> {
        if let Some(text) = self.rest().first_chunk()
            && let Some([hour, minute, second]) = three_pairs(*text, b':')
        {
            self.skip(text.len());
            return self.with_fraction(hour, minute, second);
        }
        let hour = self.some_digits(1, 2)?;
        if !self.take(b':') {
            return None;
        }
        let minute = self.digits(2)?;
        if !self.take(b':') {
            return None;
        }
        let second = self.digits(2)?;
        self.with_fraction(hour, minute, second)
    }

    /// `220823`, with or without a fraction.
    pub(crate) fn packed_time_of_day(&mut self) -> Option<i64> {
        let (hour, minute, second) = (self.digits(2)?, self.digits(2)?, self.digits(2)?);
        self.with_fraction(hour, minute, second)
    }

    #[inline(always)]
    fn with_fraction(&mut self, hour: u32, minute: u32, second: u32) -> Option<i64> {
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let whole = i64::from(hour * 3600 + minute * 60 + second.min(59)) * SECOND;
        let point = *self;
        if matches!(self.peek(), Some(b'.' | b',' | b':')) {
            self.skip(1);
            if let Some(nanos) = self.fraction() {
                return Some(whole + nanos);
            }
            *self = point;
        }
        Some(whole)
    }

    /// `AM` or `PM` behind a time of day, if one is there.
    pub(crate) fn half_of_day(&mut self, of_day: i64) -> Option<i64> {
        let start = *self;
        // Java writes a narrow no-break space there.
        if self.rest().starts_with("\u{202f}".as_bytes()) {
            self.skip(3);
        } else {
            self.take(b' ');
        }
        let hours = of_day / (3600 * SECOND);
        let shift = match self.rest().get(..2) {
            Some(b"AM" | b"am") if hours == 12 => -12,
            Some(b"PM" | b"pm") if hours < 12 => 12,
            Some(b"AM" | b"am" | b"PM" | b"pm") => 0,
            _ => {
                *self = start;
                return Some(of_day);
            }
        };
        self.skip(2);
        (hours <= 12).then_some(of_day + shift * 3600 * SECOND)
    }

    /// A zone's offset from UTC in seconds: `Z`, `+01:00`, `+0100`, `+01`, `UTC`, also behind a
    /// blank. Nothing is taken where there is none.
    pub(crate) fn offset(&mut self) -> Option<i64> {
        let start = *self;
        let is_apart = self.take(b' ');
        let offset = match self.peek() {
            Some(b'Z' | b'z') if !self.has_letter_at(1) => {
                self.skip(1);
                Some(0)
            }
            Some(sign @ (b'+' | b'-')) => {
                self.skip(1);
                self.signed_offset(sign, is_apart)
            }
            Some(b'A'..=b'Z') => self.offset_word(),
            _ => None,
        };
        if offset.is_none() {
            *self = start;
        }
        offset
    }

    /// Behind a blank it needs its minutes: `-12` may be anything there.
    fn signed_offset(&mut self, sign: u8, is_apart: bool) -> Option<i64> {
        let hours = self.digits(2)?;
        self.take(b':');
        let minutes = self.digits(2);
        let is_longer = self.peek().is_some_and(|byte| byte.is_ascii_digit());
        if is_apart && minutes.is_none() {
            return None;
        }
        let minutes = minutes.unwrap_or(0);
        if hours > 18 || minutes > 59 || is_longer {
            return None;
        }
        let offset = i64::from(hours * 3600 + minutes * 60);
        Some(if sign == b'-' { -offset } else { offset })
    }

    /// The name of a zone that means one offset, in seconds.
    pub(crate) fn offset_word(&mut self) -> Option<i64> {
        let rest = self.rest();
        let len = rest
            .iter()
            .take_while(|byte| byte.is_ascii_uppercase())
            .count();
        let (_, hours) = ZONES.iter().find(|(name, _)| *name == &rest[..len])?;
        if self.has_letter_at(len) {
            return None;
        }
        self.skip(len);
        Some(hours * 3600)
    }

    fn has_letter_at(&self, ahead: usize) -> bool {
        self.rest()
            .get(ahead)
            .is_some_and(u8::is_ascii_alphanumeric)
    }

    /// The short English name of a month, 1 to 12.
    pub(crate) fn month(&mut self) -> Option<u32> {
        let at = self.word_of(&MONTHS)?;
        u32::try_from(at + 1).ok()
    }

    /// The short English name of a day of the week.
    pub(crate) fn weekday(&mut self) -> Option<()> {
        self.word_of(&WEEKDAYS).map(|_| ())
    }

    fn word_of(&mut self, words: &[&[u8; 3]]) -> Option<usize> {
        let word = self.rest().get(..3)?;
        let at = words.iter().position(|it| it.eq_ignore_ascii_case(word))?;
        self.skip(3);
        Some(at)
    }
}
