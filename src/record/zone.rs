//! Zones, and what a timestamp lacks: the offset, the year, the date. The zone database is inside
//! the program. Reads no clock: the moments to compare with come in as values.

use jiff::civil as jc;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::Time;
use super::civil::{self, DAY};
use super::stamp::{SECOND, Shape, Stamp};

/// Offsets change at whole quarters of an hour: within one of them what was found holds.
const QUARTER: i64 = 900;
/// The second pass through an hour that is lived twice is told by a step back that is larger than
/// this, in seconds: what is smaller comes from writers that overtake each other.
const JITTER: i64 = 60;
/// What is older than this is no time of a log (1990).
const OLDEST: Time = Time(631_152_000 * SECOND);

/// A zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    zone: TimeZone,
    /// A quarter of an hour of local time, and the offset that holds in it.
    known: Option<(i64, i64)>,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.zone == other.zone
    }
}

impl Zone {
    /// UTC.
    pub(crate) fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
            known: None,
        }
    }

    /// A zone by its name in the IANA database (`Europe/Paris`), or by a rule as `TZ` may hold it
    /// (`CET-1CEST,M3.5.0,M10.5.0/3`).
    pub(crate) fn named(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name)
            .or_else(|_| TimeZone::posix(name))
            .ok()?;
        Some(Self { zone, known: None })
    }

    /// The time of a record: that of its envelope, which names its zone, before that in its text.
    #[inline]
    pub(crate) fn time_of(
        &mut self,
        envelope: Option<Time>,
        stamp: Option<(Stamp, Shape)>,
        seen: Time,
        last: Time,
    ) -> Option<Time> {
        let stamp = match envelope {
            Some(time) => Stamp::Instant(time),
            None => stamp?.0,
        };
        self.resolve(stamp, seen, last)
    }

    /// The moment that a timestamp stands for. `seen` is when its bytes were first seen, or the
    /// file's modification time; `last` is the time of the record before it. Nothing is returned
    /// for a time that cannot be right: one from later than when it was seen, or from the last
    /// century but one decade.
    #[inline]
    pub(crate) fn resolve(&mut self, stamp: Stamp, seen: Time, last: Time) -> Option<Time> {
        let time = match stamp {
            Stamp::Instant(time) => time,
            Stamp::Local { days, of_day } => self.moment(days, of_day, last),
            Stamp::NoYear { month, day, of_day } => {
                let (year, _, _) = civil::date(self.local_day(seen));
                // Right across New Year: the latest that is not from the future.
                (year - 8..=year + 1)
                    .rev()
                    .filter_map(|year| civil::days(year, month, day))
                    .map(|days| self.moment(days, of_day, last))
                    .find(|time| !time.is_ahead_of(seen))?
            }
            Stamp::NoDate { of_day } => {
                let today = self.local_day(seen);
                (today - 2..=today + 1)
                    .rev()
                    .map(|days| self.moment(days, of_day, last))
                    .find(|time| !time.is_ahead_of(seen))?
            }
        };
        (time >= OLDEST && !time.is_ahead_of(seen)).then_some(time)
    }

    /// The moment nearest to `seen` that a timestamp without a zone can stand for, however far that
    /// is; nothing where clocks are being put forward or back, or where it names its zone.
    pub(crate) fn nearest(&mut self, stamp: Stamp, seen: Time) -> Option<Time> {
        let (days, of_day) = match stamp {
            Stamp::Instant(_) => return None,
            Stamp::Local { days, of_day } => (days, of_day),
            Stamp::NoYear { month, day, of_day } => {
                let today = self.local_day(seen);
                let (year, _, _) = civil::date(today);
                let days = (year - 1..=year + 1).filter_map(|it| civil::days(it, month, day));
                (days.min_by_key(|it| (it - today).abs())?, of_day)
            }
            Stamp::NoDate { of_day } => {
                let today = self.local_day(seen);
                let of_now = self.local(seen).rem_euclid(DAY);
                let later = of_day.div_euclid(SECOND) - of_now;
                let days = (later < -DAY / 2).then_some(1);
                let days = days.or((later > DAY / 2).then_some(-1)).unwrap_or(0);
                (today + days, of_day)
            }
        };
        let time = self.moment(days, of_day, Time::default());
        let quarter = (days * DAY + of_day.div_euclid(SECOND)).div_euclid(QUARTER);
        let is_certain = self.known.is_some_and(|(known, _)| known == quarter);
        is_certain.then_some(time)
    }

    /// The offset that holds at a moment, in seconds.
    pub(crate) fn offset_at(&self, time: Time) -> i64 {
        self.local(time) - time.seconds_and_nanos().0
    }

    /// The moment of a local time. In a gap, where clocks are put forward, the time that a clock
    /// shows that was not put forward. In a fold, where an hour is lived twice, the first pass,
    /// unless the record before it is already further.
    fn moment(&mut self, days: i64, of_day: i64, last: Time) -> Time {
        let local = days * DAY + of_day.div_euclid(SECOND);
        let nanos = of_day.rem_euclid(SECOND);
        let quarter = local.div_euclid(QUARTER);
        let at = |offset: i64| {
            Time(
                (local - offset)
                    .saturating_mul(SECOND)
                    .saturating_add(nanos),
            )
        };
        if let Some((known, offset)) = self.known
            && known == quarter
        {
            return at(offset);
        }
        let (year, month, day) = civil::date(days);
        let of_day = i32::try_from(of_day.div_euclid(SECOND)).unwrap_or(0);
        let small = |number: i32| i8::try_from(number).unwrap_or(0);
        let (Ok(year), Ok(month), Ok(day)) =
            (i16::try_from(year), i8::try_from(month), i8::try_from(day))
        else {
            return at(0);
        };
        let Ok(civil) = jc::DateTime::new(
            year,
            month,
            day,
            small(of_day / 3600),
            small(of_day / 60 % 60),
            small(of_day % 60),
            0,
        ) else {
            return at(0);
        };
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                let offset = i64::from(offset.seconds());
                self.known = Some((quarter, offset));
                at(offset)
            }
            AmbiguousOffset::Gap { before, .. } => at(i64::from(before.seconds())),
            AmbiguousOffset::Fold { before, after } => {
                let first = at(i64::from(before.seconds()));
                if last.nanos_since(first) > JITTER * SECOND {
                    at(i64::from(after.seconds()))
                } else {
                    first
                }
            }
        }
    }

    /// The day in this zone, counted from 1970-01-01.
    fn local_day(&self, time: Time) -> i64 {
        self.local(time).div_euclid(DAY)
    }

    /// The time that clocks in this zone show, in seconds from 1970-01-01.
    fn local(&self, time: Time) -> i64 {
        let (seconds, _) = time.seconds_and_nanos();
        let offset =
            jiff::Timestamp::from_second(seconds).map_or(0, |it| self.zone.to_offset(it).seconds());
        seconds + i64::from(offset)
    }
}

/// An offset as `UTC+05:30`.
pub(crate) fn name_of_offset(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A zone in which this offset holds at a moment: a well-known one, or a rule as `TZ` may hold it.
pub(crate) fn example_of(offset: i64, time: Time) -> String {
    let known = WELL_KNOWN.into_iter().find(|name| {
        let zone = Zone::named(name);
        zone.is_some_and(|zone| zone.offset_at(time) == offset)
    });
    known.map_or_else(
        || {
            // In such a rule what is east of Greenwich is negative.
            let (sign, behind) = if offset < 0 { ('-', '+') } else { ('+', '-') };
            let minutes = offset.abs() / 60;
            let clock = format!("{:02}:{:02}", minutes / 60, minutes % 60);
            format!("<{sign}{}>{behind}{clock}", clock.replace(':', ""))
        },
        str::to_owned,
    )
}

/// Zones to give as an example.
const WELL_KNOWN: [&str; 23] = [
    "UTC",
    "Europe/London",
    "Europe/Paris",
    "Europe/Athens",
    "Europe/Moscow",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn paris() -> Zone {
        Zone::named("Europe/Paris").unwrap()
    }

    fn utc(year: i64, month: u32, day: u32, hour: i64, minute: i64) -> Time {
        let days = civil::days(year, month, day).unwrap();
        Time((days * DAY + hour * 3600 + minute * 60) * SECOND)
    }

    fn local(year: i64, month: u32, day: u32, hour: i64, minute: i64) -> Stamp {
        Stamp::Local {
            days: civil::days(year, month, day).unwrap(),
            of_day: (hour * 3600 + minute * 60) * SECOND,
        }
    }

    #[test]
    fn the_moment_nearest_to_when_a_line_was_seen_is_told_whatever_it_is() {
        let seen = utc(2026, 1, 1, 0, 10);
        let clock = |hour: i64, minute: i64| (hour * 3600 + minute * 60) * SECOND;
        for (stamp, expected) in [
            (local(2026, 1, 1, 3, 10), Some(utc(2026, 1, 1, 2, 10))),
            (
                Stamp::NoYear {
                    month: 12,
                    day: 31,
                    of_day: clock(23, 10),
                },
                Some(utc(2025, 12, 31, 22, 10)),
            ),
            (
                Stamp::NoDate {
                    of_day: clock(23, 10),
                },
                Some(utc(2025, 12, 31, 22, 10)),
            ),
            (
                Stamp::NoDate {
                    of_day: clock(3, 10),
                },
                Some(utc(2026, 1, 1, 2, 10)),
            ),
            (Stamp::Instant(seen), None),
            // Lived twice.
            (local(2025, 10, 26, 2, 30), None),
        ] {
            assert_eq!(paris().nearest(stamp, seen), expected, "{stamp:?}");
        }
    }

    #[test]
    fn an_offset_has_a_name_and_an_example_of_a_zone() {
        let (winter, summer) = (utc(2026, 1, 1, 0, 0), utc(2026, 7, 1, 0, 0));
        for (offset, at, name, example) in [
            (0, winter, "UTC+00:00", "UTC"),
            (3600, winter, "UTC+01:00", "Europe/Paris"),
            (3600, summer, "UTC+01:00", "Europe/London"),
            (19_800, summer, "UTC+05:30", "Asia/Kolkata"),
            (-12_600, winter, "UTC-03:30", "<-0330>+03:30"),
            (49_500, winter, "UTC+13:45", "<+1345>-13:45"),
        ] {
            assert_eq!(name_of_offset(offset), name);
            assert_eq!(example_of(offset, at), example);
            let zone = Zone::named(example).unwrap();
            assert_eq!(zone.offset_at(at), offset, "{example}");
        }
    }

    const LATER: Time = Time(4_000_000_000 * SECOND);

    #[test]
    fn a_zone_that_the_system_need_not_have_is_known() {
        for name in [
            "Europe/Paris",
            "America/New_York",
            "Asia/Kolkata",
            "Etc/UTC",
            "UTC",
            "CET-1CEST,M3.5.0,M10.5.0/3",
        ] {
            assert!(Zone::named(name).is_some(), "{name}");
        }
        assert!(Zone::named("Europe/Atlantis").is_none());
        assert!(Zone::named("").is_none());
    }

    #[test]
    fn local_times_follow_summer_and_winter() {
        let mut zone = paris();
        for _ in 0..2 {
            assert_eq!(
                zone.resolve(local(2026, 7, 1, 12, 0), LATER, Time(0)),
                Some(utc(2026, 7, 1, 10, 0))
            );
            assert_eq!(
                zone.resolve(local(2026, 1, 1, 12, 0), LATER, Time(0)),
                Some(utc(2026, 1, 1, 11, 0))
            );
        }
    }

    #[test]
    fn an_hour_that_is_lived_twice_goes_forward() {
        let mut zone = paris();
        let mut last = Time(0);
        let mut times = Vec::new();
        for (hour, minute) in [(1, 59), (2, 0), (2, 30), (2, 59), (2, 0), (2, 30), (3, 0)] {
            last = zone
                .resolve(local(2026, 10, 25, hour, minute), LATER, last)
                .unwrap();
            times.push(last);
        }
        let expected = [(23, 59), (0, 0), (0, 30), (0, 59), (1, 0), (1, 30), (2, 0)];
        let expected = expected
            .map(|(hour, minute)| utc(2026, 10, if hour == 23 { 24 } else { 25 }, hour, minute));
        assert_eq!(times, expected);
    }

    #[test]
    fn an_hour_that_is_not_lived_is_that_of_a_clock_not_yet_put_forward() {
        let mut zone = paris();
        let mut at = |hour, minute| zone.resolve(local(2026, 3, 29, hour, minute), LATER, Time(0));
        assert_eq!(at(1, 59), Some(utc(2026, 3, 29, 0, 59)));
        assert_eq!(at(2, 30), Some(utc(2026, 3, 29, 1, 30)));
        assert_eq!(at(3, 30), Some(utc(2026, 3, 29, 1, 30)));
    }

    #[test]
    fn a_year_is_guessed_right_across_new_year() {
        let mut zone = Zone::utc();
        let stamp = |month, day| Stamp::NoYear {
            month,
            day,
            of_day: 3600 * SECOND,
        };
        let seen = utc(2027, 1, 1, 0, 30);
        assert_eq!(
            zone.resolve(stamp(12, 31), seen, Time(0)),
            Some(utc(2026, 12, 31, 1, 0))
        );
        assert_eq!(
            zone.resolve(stamp(1, 1), utc(2027, 1, 1, 1, 1), Time(0)),
            Some(utc(2027, 1, 1, 1, 0))
        );
        assert_eq!(
            zone.resolve(stamp(1, 1), seen, Time(0)),
            Some(utc(2026, 1, 1, 1, 0))
        );
        assert_eq!(
            zone.resolve(stamp(2, 29), seen, Time(0)),
            Some(utc(2024, 2, 29, 1, 0)),
            "the last year that had such a day"
        );
    }

    #[test]
    fn a_date_is_guessed_right_across_midnight() {
        let mut zone = paris();
        let stamp = |hour: i64| Stamp::NoDate {
            of_day: hour * 3600 * SECOND,
        };
        // Half past midnight in Paris.
        let seen = utc(2026, 11, 21, 23, 30);
        assert_eq!(
            zone.resolve(stamp(23), seen, Time(0)),
            Some(utc(2026, 11, 21, 22, 0))
        );
        assert_eq!(
            zone.resolve(stamp(0), seen, Time(0)),
            Some(utc(2026, 11, 21, 23, 0))
        );
    }

    #[test]
    fn times_that_cannot_be_right_are_none() {
        let mut zone = Zone::utc();
        let seen = utc(2026, 11, 22, 22, 0);
        assert!(
            zone.resolve(local(2026, 11, 22, 22, 4), seen, Time(0))
                .is_some()
        );
        assert_eq!(
            zone.resolve(local(2026, 11, 22, 22, 6), seen, Time(0)),
            None
        );
        assert_eq!(zone.resolve(local(1970, 1, 1, 0, 0), seen, Time(0)), None);
        assert_eq!(
            zone.resolve(Stamp::Instant(Time(i64::MAX)), seen, Time(0)),
            None
        );
        assert_eq!(
            zone.resolve(Stamp::Instant(Time(i64::MIN)), seen, Time(0)),
            None
        );
    }
}
