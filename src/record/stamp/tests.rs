//! Every shape, read and refused.

use super::*;
use proptest::prelude::*;

fn evening() -> i64 {
    (22 * 3600 + 8 * 60 + 23) * SECOND
}

fn local(of_day: i64) -> Stamp {
    Stamp::Local {
        days: civil::days(2026, 11, 22).unwrap(),
        of_day,
    }
}

fn instant(hours_from_utc: i64, of_day: i64) -> Stamp {
    let days = civil::days(2026, 11, 22).unwrap();
    Stamp::Instant(Time(
        (days * civil::DAY - hours_from_utc * 3600) * SECOND + of_day,
    ))
}

#[test]
fn every_shape_is_read() {
    let e = evening();
    let millis = e + 702_000_000;
    let no_year = |of_day| Stamp::NoYear {
        month: 11,
        day: 22,
        of_day,
    };
    for (text, len, stamp) in [
        ("2026-11-22 22:08:23,702 - app", 23, local(millis)),
        ("2026-11-22T22:08:23.702Z INFO", 24, instant(0, millis)),
        (
            "2026-11-22T22:08:23.702123456+01:00",
            35,
            instant(1, e + 702_123_456),
        ),
        (
            "2026-11-22T22:08:23-0530 x",
            24,
            Stamp::Instant(Time(
                civil::days(2026, 11, 22).unwrap() * 86_400 * SECOND
                    + e
                    + (5 * 3600 + 1800) * SECOND,
            )),
        ),
        ("2026-11-22 22:08:23 UTC [12]", 23, instant(0, e)),
        ("2026-11-22 22:08:23.702 CET [12]", 27, instant(1, millis)),
        ("2026-11-22 22:08:23 -12 apples", 19, local(e)),
        ("2026-11-22 22:08:23 +0000]", 25, instant(0, e)),
        ("2026/11/22 22:08:23 [error]", 19, local(e)),
        ("2026.11.22 22:08:23 x", 19, local(e)),
        ("2026-11-22 22:08:23.702:INFO", 23, local(millis)),
        ("20261122T220823Z x", 16, instant(0, e)),
        ("20261122 22:08:23.702 x", 21, local(millis)),
        ("22/Nov/2026:22:08:23 +0100] \"GET", 26, instant(1, e)),
        ("22 Nov 2026 22:08:23.702 * Ready", 24, local(millis)),
        ("22-Nov-2026 22:08:23.702 INFO", 24, local(millis)),
        ("22-Nov-2026::22:08:23.702 ===", 25, local(millis)),
        ("22-Nov-2026::22:08:23 UTC ===", 25, instant(0, e)),
        ("Nov 22 22:08:23 host", 15, no_year(e)),
        ("Nov 22, 2026 10:08:23 PM org", 24, local(e)),
        ("Nov 22, 2026 10:08:23\u{202f}PM org", 26, local(e)),
        ("Sun Nov 22 22:08:23 2026] [core", 24, local(e)),
        (
            "Sun Nov 22 22:08:23.702022 2026]",
            31,
            local(e + 702_022_000),
        ),
        ("Sun Nov 22 22:08:23 UTC 2026", 28, instant(0, e)),
        ("Sun, 22 Nov 2026 22:08:23 GMT", 29, instant(0, e)),
        ("22:08:23.702 [main]", 12, Stamp::NoDate { of_day: millis }),
        ("22:08:23 [main]", 8, Stamp::NoDate { of_day: e }),
        ("2026-11-22 22:08:60 leap", 19, local(e + 36 * SECOND)),
    ] {
        let found = at_start(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((found.len, found.stamp), (len, stamp), "{text}");
    }
    let found = klog(b"1122 22:08:23.702000       1 main.go:5]").unwrap();
    assert_eq!(found.stamp, no_year(millis));
    let found = klog(b"20261122 22:08:23.702000 1 main.go:5]").unwrap();
    assert_eq!(found.stamp, local(millis));
}

#[test]
fn what_is_no_timestamp_is_none() {
    for text in [
        "",
        "2",
        "2026",
        "2026-11-22",
        "2026-13-22 22:08:23",
        "2026-02-30 22:08:23",
        "2026-11-22 24:08:23",
        "2026-11-22 22:61:23",
        "10.0.0.1 - -",
        "line 5",
        "Nov 31 22:08:23 x",
        "November rain",
        "Sun shines",
        "Monday",
        "12:30",
        "2026-11/22 22:08:23",
        "99/Nov/2026:22:08:23",
    ] {
        assert_eq!(at_start(text.as_bytes()), None, "{text}");
    }
}

/// Byte by byte, as three numbers are told without looking at them together.
fn three_pairs_of(text: [u8; 8], separator: u8) -> Option<[u32; 3]> {
    let [a0, a1, first, b0, b1, second, c0, c1] = text;
    let are_apart = first == separator && second == separator;
    let number = |digits| cursor::two_digits(digits).filter(|_| are_apart);
    Some([number([a0, a1])?, number([b0, b1])?, number([c0, c1])?])
}

#[test]
fn three_numbers_looked_at_together_are_what_each_is_by_itself() {
    for (right, separator) in [
        (*b"22:08:23", b':'),
        (*b"99-99-99", b'-'),
        (*b"00.00.00", b'.'),
    ] {
        for (one, other) in (0..8).flat_map(|one| (0..8).map(move |other| (one, other))) {
            for byte in 0..=255 {
                let mut text = right;
                text[one] = byte;
                text[other] = byte.wrapping_mul(7).wrapping_add(b'0');
                let expected = three_pairs_of(text, separator);
                assert_eq!(cursor::three_pairs(text, separator), expected, "{text:?}");
            }
            let mut text = right;
            text[one] = b'7';
            assert!(cursor::three_pairs(text, separator).is_some() == (one != 2 && one != 5));
        }
    }
}

#[test]
fn the_number_of_digits_says_what_an_epoch_counts() {
    let time = |text: &str| whole(text.as_bytes()).map(|found| found.stamp);
    let expected = |nanos| Some(Stamp::Instant(Time(nanos)));
    assert_eq!(time("1795385303"), expected(1_795_385_303_000_000_000));
    assert_eq!(time("1795385303.702"), expected(1_795_385_303_702_000_000));
    assert_eq!(time("1795385303702"), expected(1_795_385_303_702_000_000));
    assert_eq!(
        time("1795385303702123"),
        expected(1_795_385_303_702_123_000)
    );
    assert_eq!(
        time("1795385303702123456"),
        expected(1_795_385_303_702_123_456)
    );
    for text in [
        "179538530",
        "1795385303x",
        "17953853037",
        "1795385303.",
        "9999999999999999999",
    ] {
        assert_eq!(time(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_fail_and_none_are_taken_that_are_not_there(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b':'), b'0'..=b'9'], 0..50),
    ) {
        for found in [at_start(&bytes), whole(&bytes), klog(&bytes), epoch(&bytes)].into_iter().flatten() {
            prop_assert!(found.len <= bytes.len());
        }
    }
}
