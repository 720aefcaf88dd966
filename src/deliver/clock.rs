//! Whether this machine's clock is wrong, by the date of an answer. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Clocks differ by as much, in seconds; AWS takes signatures that are so old.
const TOLERANCE: i64 = 5 * 60;

/// What is wrong with this machine's clock, where it differs from that of a server (`whose`), by
/// the date of its answer.
pub(super) fn fault(date: &str, now: SystemTime, whose: &str) -> Option<String> {
    let server = DateTime::from_str(date, Format::HttpDate).ok()?.secs();
    let here = i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let seconds = here - server;
    let way = if seconds > 0 { "ahead of" } else { "behind" };
    (seconds.abs() > TOLERANCE).then(|| {
        format!(
            "this machine's clock is {} s {way} {whose}: set it",
            seconds.abs()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_is_wrong_when_it_is_more_than_five_minutes_off() {
        let date = "Thu, 01 Jan 1970 01:00:00 GMT";
        for (now, told) in [
            (3600, None),
            (3900, None),
            (3300, None),
            (
                3901,
                Some("this machine's clock is 301 s ahead of X's: set it"),
            ),
            (0, Some("this machine's clock is 3600 s behind X's: set it")),
        ] {
            let now = UNIX_EPOCH + Duration::from_secs(now);
            assert_eq!(fault(date, now, "X's").as_deref(), told);
        }
        assert_eq!(fault("yesterday", UNIX_EPOCH, "X's"), None);
    }
}
