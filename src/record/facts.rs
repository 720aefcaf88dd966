//! What a record says of itself: when it was written and how grave it is, whether its head, its
//! JSON or its `key=value` pairs tell. Pure; copies nothing.

use super::cut::Record;
use super::head::Kind;
use super::json::{self, Value};
use super::level::Level;
use super::logfmt;
use super::stamp::custom;
use super::stamp::{self, Shape, Stamp};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    /// The timestamp in the text.
    pub(crate) stamp: Option<(Stamp, Shape)>,
    /// The level.
    pub(crate) level: Option<Level>,
}

/// Reads a record. A format of the configuration goes before those that are known.
#[inline]
pub(crate) fn of(record: &Record<'_>, format: Option<&custom::Format>) -> Facts {
    let mut facts = told_by_head(record, format);
    if record.trace.is_death() {
        facts.level = Some(with_death(facts.level));
    }
    facts
}

/// The level of a record that holds what a runtime prints when a program dies. A line without a
/// head continues the record before it, so the death of a program stands in whatever the program
/// said last; it is not to be let go of, or passed over, with that.
fn with_death(level: Option<Level>) -> Level {
    level
        .filter(|it| *it >= Level::Warn)
        .unwrap_or(Level::Error)
}

fn told_by_head(record: &Record<'_>, format: Option<&custom::Format>) -> Facts {
    let Some(head) = &record.head else {
        return Facts {
            level: record.level_of_rest,
            ..Facts::default()
        };
    };
    match head.kind {
        Kind::Json => of_json(record.line.bytes, format),
        Kind::Logfmt => of_pairs(record.line.bytes, format),
        Kind::Text | Kind::Weak | Kind::Access => Facts {
            stamp: head.stamp,
            level: head.level.or(record.level_of_rest),
        },
    }
}

fn of_json(text: &[u8], format: Option<&custom::Format>) -> Facts {
    let mut facts = Facts::default();
    let mut is_compact = false;
    for (key, value) in json::members(text) {
        if facts.stamp.is_none() && json::is_time_key(key) {
            facts.stamp = time_of(value, format);
            is_compact |= key == b"@t";
        } else if facts.level.is_none() && json::is_level_key(key) {
            facts.level = level_of(value);
        } else if facts.level.is_none()
            && key == b"log"
            && let Value::Object(inner) = value
        {
            let level = json::members(inner).find(|(key, _)| *key == b"level");
            facts.level = level.and_then(|(_, value)| level_of(value));
        }
        if facts.stamp.is_some() && facts.level.is_some() {
            break;
        }
    }
    // The compact form of Serilog leaves out the level of what is only information.
    if is_compact && facts.level.is_none() {
        facts.level = Some(Level::Info);
    }
    facts
}

fn of_pairs(text: &[u8], format: Option<&custom::Format>) -> Facts {
    let mut facts = Facts::default();
    for pair in logfmt::pairs(text).take(24) {
        if facts.stamp.is_none() && json::is_time_key(pair.key) {
            facts.stamp = stamp_of(pair.value, format);
        } else if facts.level.is_none() && (json::is_level_key(pair.key) || pair.key == b"at") {
            facts.level = level_of_text(pair.value);
        }
        if facts.stamp.is_some() && facts.level.is_some() {
            break;
        }
    }
    facts
}

fn time_of(value: Value<'_>, format: Option<&custom::Format>) -> Option<(Stamp, Shape)> {
    match value {
        Value::Text { raw, .. } | Value::Other(raw) => stamp_of(raw, format),
        // `{"$date":"2026-11-22T22:08:23.702+00:00"}`, as MongoDB writes; seconds and nanoseconds
        // apart, as Log4j does.
        Value::Object(inner) => {
            let (mut stamp, mut nanos) = (None, 0);
            for (key, value) in json::members(inner) {
                match key {
                    b"$date" | b"epochSecond" => stamp = stamp_of(value.raw(), None),
                    b"nanoOfSecond" => {
                        nanos = std::str::from_utf8(value.raw()).ok()?.parse().unwrap_or(0);
                    }
                    _ => {}
                }
            }
            match stamp? {
                (Stamp::Instant(time), shape) if (0..stamp::SECOND).contains(&nanos) => Some((
                    Stamp::Instant(super::Time(time.0.saturating_add(nanos))),
                    shape,
                )),
                other => Some(other),
            }
        }
    }
}

fn stamp_of(text: &[u8], format: Option<&custom::Format>) -> Option<(Stamp, Shape)> {
    let found = format
        .and_then(|format| format.at_start(text))
        .or_else(|| stamp::whole(text))?;
    Some((found.stamp, found.shape))
}

fn level_of(value: Value<'_>) -> Option<Level> {
    level_of_text(value.raw())
}

fn level_of_text(text: &[u8]) -> Option<Level> {
    let text = text.trim_ascii();
    if text.first().is_some_and(u8::is_ascii_digit) {
        return Level::of_number(std::str::from_utf8(text).ok()?.parse().ok()?);
    }
    match text {
        [letter] | [letter, b'1'..=b'5'] => Level::of_letter(*letter),
        _ => Level::of_word(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Time;
    use crate::record::cut::{Behind, Cut, Cutter, Learned};
    use crate::record::rules::{Multiline, Pattern, Rules};

    fn facts(line: &str) -> Facts {
        facts_by(&Rules::default(), line)
    }

    fn facts_by(rules: &Rules, text: &str) -> Facts {
        let mut cutter = Cutter::new(4096);
        cutter.begin(Learned::default());
        match cutter.next(text.as_bytes(), 0, Behind::Nothing, rules) {
            Cut::Record(record) => of(&record, None),
            Cut::None { .. } => panic!("{text} is a record"),
        }
    }

    #[test]
    fn the_death_of_a_program_is_an_error_at_least_whatever_it_said_last() {
        let python = "Traceback (most recent call last):\n  File \"a\"\nKeyError: 'x'\nlast words";
        let group = "  + Exception Group Traceback (most recent call last):\n  | ExceptionGroup: x";
        let go = "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\nexit status 2";
        let rust = "thread 'main' panicked at src/main.rs:2:5:\nboom";
        let node =
            "/app/x.js:3\n  throw new Error('boom');\n  ^\n\nError: boom\n    at f (/app/x.js:3:9)";
        let java = "Exception in thread \"main\" java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)";
        let caught = "java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)";
        let start = Rules {
            multiline: Multiline::Start(Pattern::new(r"^\d").unwrap()),
            ..Rules::default()
        };
        for (said, trace, expected) in [
            ("DEBUG", python, Some(Level::Error)),
            ("INFO", python, Some(Level::Error)),
            ("WARNING", python, Some(Level::Warn)),
            ("CRITICAL", python, Some(Level::Fatal)),
            ("INFO", group, Some(Level::Error)),
            ("INFO", go, Some(Level::Error)),
            ("INFO", rust, Some(Level::Error)),
            ("INFO", node, Some(Level::Error)),
            ("INFO", java, Some(Level::Error)),
            ("DEBUG", caught, Some(Level::Debug)),
            ("DEBUG", "  -----BEGIN CERTIFICATE-----", Some(Level::Debug)),
        ] {
            let text = format!("2026-11-22 22:08:23,702 - app - {said} - x\n{trace}\n");
            for rules in [&Rules::default(), &start] {
                assert_eq!(facts_by(rules, &text).level, expected, "{text}");
            }
        }
        for trace in [python, group, go, rust, node, java] {
            assert_eq!(facts(trace).level, Some(Level::Error), "{trace}");
        }
        assert_eq!(facts(caught).level, None);
        let off = Rules {
            multiline: Multiline::Off,
            ..Rules::default()
        };
        assert_eq!(facts_by(&off, "panic: boom").level, Some(Level::Error));
    }

    #[test]
    fn json_and_pairs_tell_when_and_how_grave() {
        let instant = |nanos| Some(Stamp::Instant(Time(nanos)));
        let second = 1_795_385_303_000_000_000;
        for (line, stamp, level) in [
            (
                r#"{"level":30,"time":1795385303702,"msg":"pino"}"#,
                instant(second + 702_000_000),
                Some(Level::Info),
            ),
            (
                r#"{"ts":1795385303.5,"level":"warn","msg":"zap"}"#,
                instant(second + 500_000_000),
                Some(Level::Warn),
            ),
            (
                r#"{"@timestamp":"2026-11-22T22:08:23Z","log.level":"ERROR"}"#,
                instant(second),
                Some(Level::Error),
            ),
            (
                r#"{"@timestamp":"2026-11-22T22:08:23Z","log":{"level":"debug"}}"#,
                instant(second),
                Some(Level::Debug),
            ),
            (
                r#"{"t":{"$date":"2026-11-22T22:08:23.000+00:00"},"s":"W","c":"NETWORK"}"#,
                instant(second),
                Some(Level::Warn),
            ),
            (
                r#"{"@t":"2026-11-22T22:08:23Z","@m":"x"}"#,
                instant(second),
                Some(Level::Info),
            ),
            (
                r#"{"instant":{"epochSecond":1795385303,"nanoOfSecond":7},"level":"FATAL"}"#,
                instant(second + 7),
                Some(Level::Fatal),
            ),
            (r#"{"time":{"x":1},"level":[]}"#, None, None),
            (
                "time=2026-11-22T22:08:23Z level=WARN msg=slog",
                instant(second),
                Some(Level::Warn),
            ),
            (
                "ts=1795385303 lvl=eror msg=x",
                instant(second),
                Some(Level::Error),
            ),
            ("no head", None, None),
        ] {
            let found = facts(line);
            assert_eq!(
                (found.stamp.map(|it| it.0), found.level),
                (stamp, level),
                "{line}"
            );
        }
    }
}
