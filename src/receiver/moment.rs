//! The clock, and dates as the real servers print them. Knows no time zone but UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::record::civil::{self, DAY};

const SECOND: i64 = 1_000_000_000;

/// Nanoseconds since 1970.
pub(super) fn now_ns() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// A duration in nanoseconds; what does not fit is as long as can be.
pub(super) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// As `2026-11-22T10:00:00Z`: whole seconds, the way Loki writes limits.
pub(super) fn rfc3339(timestamp_ns: i64) -> String {
    let (date, time, _) = split(timestamp_ns);
    format!("{date}T{time}Z")
}

/// As `2026-11-22 10:00:00.25 +0000 UTC`: the way Go prints a time.
pub(super) fn go_string(timestamp_ns: i64) -> String {
    let (date, time, nanos) = split(timestamp_ns);
    let fraction = if nanos == 0 {
        String::new()
    } else {
        format!(".{}", format!("{nanos:09}").trim_end_matches('0'))
    };
    format!("{date} {time}{fraction} +0000 UTC")
}

fn split(timestamp_ns: i64) -> (String, String, i64) {
    let seconds = timestamp_ns.div_euclid(SECOND);
    let (year, month, day) = civil::date(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    (
        format!("{year:04}-{month:02}-{day:02}"),
        format!(
            "{:02}:{:02}:{:02}",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60
        ),
        timestamp_ns.rem_euclid(SECOND),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_printed_as_the_servers_do() {
        for (timestamp_ns, short, long) in [
            (0, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00 +0000 UTC"),
            (
                951_782_400_250_000_000,
                "2000-02-29T00:00:00Z",
                "2000-02-29 00:00:00.25 +0000 UTC",
            ),
            (
                1_791_336_932_405_000_001,
                "2026-10-07T01:35:32Z",
                "2026-10-07 01:35:32.405000001 +0000 UTC",
            ),
            (
                -1,
                "1969-12-31T23:59:59Z",
                "1969-12-31 23:59:59.999999999 +0000 UTC",
            ),
        ] {
            assert_eq!(rfc3339(timestamp_ns), short);
            assert_eq!(go_string(timestamp_ns), long);
        }
    }
}
