//! Records out of bytes: the same however the bytes arrive, and every byte in exactly one.

use super::*;
use crate::record::rules::{Format, Multiline, Pattern};
use proptest::prelude::*;

mod pipes;

/// What was cut: text, where it stands, what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    text: String,
    is_cut: bool,
    is_continued: bool,
    pipe: Option<Pipe>,
    level: Option<Level>,
}

/// Cuts all of `bytes`, which arrive `step` at a time; what was learned goes through the journal
/// after every `pause` records.
fn cut_all(bytes: &[u8], max_line: usize, rules: &Rules, step: usize, pause: usize) -> Vec<Seen> {
    let mut cutter = Cutter::new(max_line);
    let (mut seen, mut at, mut arrived) = (Vec::new(), 0, 0);
    cutter.begin(Learned::default());
    loop {
        arrived = (arrived + step).min(bytes.len());
        let behind = if arrived == bytes.len() {
            Behind::Nothing
        } else {
            Behind::More
        };
        cutter.rewind();
        while let Cut::Record(record) = cutter.next(&bytes[at..arrived], 0, behind, rules) {
            let (pipe, level) = (record.pipe, rules.facts_of(&record).level);
            let mut text = String::new();
            record.line.for_each_piece(|piece| text.push_str(piece));
            assert!(record.line.shipped_len() <= max_line, "{text}");
            seen.push(Seen {
                text: text.trim_end_matches(CUT_MARK).to_owned(),
                is_cut: record.line.is_cut,
                is_continued: record.is_continued,
                pipe,
                level,
            });
            cutter.note(pipe, level, false);
            at += cutter.take();
            if seen.len() % pause == 0 {
                let journaled = serde_json::to_string(&cutter.learned()).unwrap();
                cutter = Cutter::new(max_line);
                cutter.begin(serde_json::from_str(&journaled).unwrap());
            }
        }
        if arrived == bytes.len() {
            assert_eq!(at, bytes.len(), "bytes are left");
            return seen;
        }
    }
}

fn texts(text: &str, rules: &Rules) -> Vec<String> {
    let seen = cut_all(text.as_bytes(), 4096, rules, 4096, usize::MAX);
    seen.into_iter().map(|it| it.text).collect()
}

const HEAD: &str = "2026-11-22 22:08:23,702 - app - INFO - ";

#[test]
fn a_line_without_a_head_continues_the_record_where_lines_have_heads() {
    let text = format!(
        "banner\n{HEAD}one\nTraceback (most recent call last):\n  File \"a\"\nKeyError: 'x'\n\nmore\n{HEAD}two\n"
    );
    assert_eq!(
        texts(&text, &Rules::default()),
        [
            "banner".to_owned(),
            format!(
                "{HEAD}one\nTraceback (most recent call last):\n  File \"a\"\nKeyError: 'x'\n\nmore"
            ),
            format!("{HEAD}two"),
        ]
    );
}

#[test]
fn lines_without_heads_are_records_and_traces_are_whole_all_the_same() {
    let text = "line 1\n  indented\nTraceback (most recent call last):\n  File \"a\"\nKeyError: 'x'\nline 2\nINFO: a level alone\nERROR: another\nline 3\n";
    assert_eq!(
        texts(text, &Rules::default()),
        [
            "line 1",
            "  indented",
            "Traceback (most recent call last):\n  File \"a\"\nKeyError: 'x'",
            "line 2",
            "INFO: a level alone",
            "ERROR: another",
            "line 3"
        ]
    );
}

#[test]
fn one_line_with_a_head_does_not_swallow_a_file_without() {
    let plain = "a line\n".repeat(2000);
    let records = texts(
        &format!("{HEAD}started\n{plain}"),
        &Rules {
            max_lines: 100,
            ..Rules::default()
        },
    );
    assert_eq!(records.len(), 1 + 2000 - 99);
}

#[test]
fn the_rest_of_a_record_that_was_cut_has_its_level_and_the_next_record_its_own() {
    use Level::{Error, Info, Warn};
    let line =
        |level: &str, text: &str| format!("2026-11-22 22:08:23,702 - app - {level} - {text}");
    let long = "x".repeat(2600);
    let lines = [
        line("WARNING", &long),
        line("INFO", "y"),
        line("ERROR", "z"),
        "one".to_owned(),
        "two".to_owned(),
        "three".to_owned(),
        line("INFO", &format!("w {long}")),
        "Traceback (most recent call last):".to_owned(),
        line("NONE", "of no level"),
        line("ERROR", &long),
    ];
    let rules = Rules {
        max_lines: 2,
        ..Rules::default()
    };
    let (long, two) = (|level| [level; 3], |level| [level; 2]);
    let expected: Vec<_> = long(Some(Warn))
        .into_iter()
        .chain([Some(Info)])
        .chain(two(Some(Error)))
        .chain(long(Some(Info)))
        // A death in the rest of a record is one all the same.
        .chain([Some(Error), None])
        .chain(long(Some(Error)))
        .collect();
    let bare = lines.join("\n") + "\n";
    let time = "2026-11-22T22:08:23.702Z";
    let piped = |line| format!("{time} stderr F {line}\n{time} stdout F DEBUG other\n");
    let cri: String = lines.iter().map(piped).collect();
    for (text, pipe) in [(&bare, None), (&cri, Some(Pipe::Stderr))] {
        for pause in [1, 2, usize::MAX] {
            let seen = cut_all(text.as_bytes(), 1000, &rules, text.len(), pause);
            let levels: Vec<_> = (seen.iter().filter(|it| it.pipe == pipe))
                .map(|it| it.level)
                .collect();
            assert_eq!(levels, expected, "{seen:#?}");
        }
    }
}

#[test]
fn a_level_on_the_second_line_belongs_to_the_first() {
    let text = "Nov 22, 2026 10:08:23 PM org.x.Main run\nSEVERE: no\njava.io.IOException: x\n\tat a.B\nNov 22, 2026 10:08:24 PM org.x.Main run\nINFO: ok\n";
    let start = Rules {
        multiline: Multiline::Start(Pattern::new("^Nov ").unwrap()),
        ..Rules::default()
    };
    for rules in [Rules::default(), start] {
        let mut cutter = Cutter::new(4096);
        cutter.begin(Learned::default());
        let Cut::Record(record) = cutter.next(text.as_bytes(), 0, Behind::Nothing, &rules) else {
            panic!("there is a record");
        };
        assert_eq!(record.lines, 4);
        assert_eq!(
            record.head.unwrap().level,
            Some(crate::record::level::Level::Error)
        );
    }
}

#[test]
fn patterns_say_where_records_begin_or_go_on() {
    let text = "# a\nx\ny\n# b\nz\n";
    let start = Rules {
        multiline: Multiline::Start(Pattern::new("^#").unwrap()),
        ..Rules::default()
    };
    assert_eq!(texts(text, &start), ["# a\nx\ny", "# b\nz"]);
    let go_on = Rules {
        multiline: Multiline::Continue(Pattern::new("^[xz]").unwrap()),
        ..Rules::default()
    };
    assert_eq!(texts(text, &go_on), ["# a\nx", "y", "# b\nz"]);
    let off = Rules {
        multiline: Multiline::Off,
        ..Rules::default()
    };
    assert_eq!(texts(text, &off), ["# a", "x", "y", "# b", "z"]);
}

#[test]
fn a_record_may_go_on_until_the_wait_is_over_and_what_comes_then_says_so() {
    let rules = Rules::default();
    let mut cutter = Cutter::new(4096);
    cutter.begin(Learned::default());
    let text = format!("{HEAD}one\n  more\n");
    assert!(matches!(
        cutter.next(text.as_bytes(), 0, Behind::End, &rules),
        Cut::None { is_held: true }
    ));
    let Cut::Record(record) = cutter.next(text.as_bytes(), 0, Behind::Silence, &rules) else {
        panic!("the wait is over");
    };
    assert_eq!((record.lines, record.is_continued), (2, false));
    assert_eq!(cutter.take(), text.len());
    let Cut::Record(record) = cutter.next(b"  and more\n", 0, Behind::Silence, &rules) else {
        panic!("the wait is over");
    };
    assert!(record.is_continued);
    let learned = cutter.learned();
    cutter.begin(learned);
    let next = format!("{HEAD}two\n");
    let Cut::Record(record) = cutter.next(next.as_bytes(), 0, Behind::Silence, &rules) else {
        panic!("the wait is over");
    };
    assert!(!record.is_continued, "it has a head of its own");
}

#[test]
fn parts_are_joined_for_each_pipe_on_its_own() {
    let line = |stream: &str, tag: &str, text: &str| {
        format!("2026-11-22T22:08:23.702Z {stream} {tag} {text}\n")
    };
    let text = [
        line("stdout", "P", "one "),
        line("stderr", "F", "an error"),
        line("stdout", "P", "whole "),
        line("stderr", "F", "another"),
        line("stdout", "F", "line"),
        line("stdout", "F", "next"),
    ]
    .concat();
    let seen = cut_all(text.as_bytes(), 4096, &Rules::default(), 4096, 1);
    let seen: Vec<_> = seen
        .iter()
        .map(|it| (it.text.as_str(), it.pipe.unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("an error", Pipe::Stderr),
            ("another", Pipe::Stderr),
            ("one whole line", Pipe::Stdout),
            ("next", Pipe::Stdout),
        ]
    );
}

#[test]
fn docker_lines_lose_their_envelope_and_its_escapes() {
    let text = concat!(
        r#"{"log":"caf\u00e9 \"au\" lait\n","stream":"stdout","time":"2026-11-22T22:08:23.7Z"}"#,
        "\n",
        r#"{"log":"half ","stream":"stderr","time":"2026-11-22T22:08:23.8Z"}"#,
        "\n",
        r#"{"log":"a line\r\n","stream":"stderr","time":"2026-11-22T22:08:23.9Z"}"#,
        "\n",
    );
    assert_eq!(
        texts(text, &Rules::default()),
        ["café \"au\" lait", "half a line"]
    );
}

#[test]
fn lines_without_the_envelope_of_their_file_are_counted_once_however_often_they_are_offered() {
    let rules = Rules::default();
    let text = concat!(
        "2026-11-22T22:08:23.702Z stdout F a\n",
        "torn\n",
        "2026-11-22T22:08:23.7 stderr F no zone\n",
        "2026-11-22T22:08:23.702Z stderr F b\n",
        "2026-11-22T22:08:23.702Z stdout F c\n",
    );
    let mut cutter = Cutter::new(4096);
    cutter.begin(Learned::default());
    let (mut at, mut broken) = (0, Vec::new());
    while at < text.len() {
        cutter.rewind();
        let next = |cutter: &mut Cutter| match cutter.next(
            &text.as_bytes()[at..],
            0,
            Behind::Nothing,
            &rules,
        ) {
            Cut::Record(record) => record.broken,
            Cut::None { .. } => panic!("there is a record at {at}"),
        };
        next(&mut cutter);
        broken.push(next(&mut cutter));
        at += cutter.take();
    }
    assert_eq!(broken.iter().sum::<u32>(), 2, "{broken:?}");
}

#[test]
fn the_envelope_of_docker_is_known_by_a_first_line_that_is_longer_than_a_record() {
    let text = "x".repeat(300);
    let written = format!(
        "{{\"log\":\"{text}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T22:08:23Z\"}}\n"
    );
    for step in [7, written.len()] {
        let seen = cut_all(written.as_bytes(), 100, &Rules::default(), step, 1);
        let joined: String = seen.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(joined, text, "{step}");
    }
}

/// Lines of every kind.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(format!("{HEAD}text")),
        3 => "[a-z ]{0,30}",
        2 => Just("  File \"a.py\", line 1".to_owned()),
        1 => Just("Traceback (most recent call last):".to_owned()),
        1 => Just("KeyError: 'x'".to_owned()),
        1 => Just(String::new()),
        1 => Just("panic: boom".to_owned()),
        1 => Just("goroutine 1 [running]:".to_owned()),
        1 => Just(r#"{"level":"info","msg":"x"}"#.to_owned()),
        1 => Just("INFO:root:x".to_owned()),
        1 => Just("-----BEGIN RSA PRIVATE KEY-----".to_owned()),
        1 => Just("x".repeat(150)),
        1 => Just("caf\u{e9}".to_owned()),
    ]
}

/// A line of a pipe: its text, whether it is of stderr, whether its next part follows.
fn piped() -> impl Strategy<Value = (String, bool, bool)> {
    let text = prop_oneof![
        6 => line(),
        1 => Just("\"quoted\" \\ and a \t and a \u{1}".to_owned()),
        1 => Just("a backslash and an n: \\n".to_owned()),
    ];
    (text, any::<bool>(), prop::bool::weighted(0.25))
}

/// The same as a runtime writes it.
fn enveloped(envelope: Envelope, (text, is_err, is_part): &(String, bool, bool)) -> String {
    let stream = pipe_of(*is_err).name();
    if envelope == Envelope::Cri {
        let tag = if *is_part { "P" } else { "F" };
        return format!("2026-11-22T22:08:23.702Z {stream} {tag} {text}\n");
    }
    let end = if *is_part { "" } else { "\n" };
    let text = serde_json::to_string(&format!("{text}{end}")).unwrap();
    format!("{{\"log\":{text},\"stream\":\"{stream}\",\"time\":\"2026-11-22T22:08:23.702Z\"}}\n")
}

fn pipe_of(is_err: bool) -> Pipe {
    if is_err { Pipe::Stderr } else { Pipe::Stdout }
}

proptest! {
    #[test]
    fn every_byte_is_in_exactly_one_record_however_the_bytes_arrive(
        lines in proptest::collection::vec(line(), 0..40),
        max_line in 80usize..400,
        max_lines in 1u32..12,
        step in 1usize..500,
        pause in 1usize..6,
    ) {
        let rules = Rules { max_lines, format: Format::Bare, ..Rules::default() };
        let text = lines.join("\n");
        let whole = cut_all(text.as_bytes(), max_line, &rules, text.len().max(1), usize::MAX);
        let joined: String = whole.iter().map(|it| it.text.replace('\n', "")).collect();
        prop_assert_eq!(joined, text.replace('\n', ""));
        prop_assert_eq!(cut_all(text.as_bytes(), max_line, &rules, step, pause), whole);
    }

    #[test]
    fn every_byte_of_either_pipe_is_in_exactly_one_record_however_the_bytes_arrive(
        lines in proptest::collection::vec(piped(), 1..40),
        envelope in prop_oneof![Just(Envelope::Cri), Just(Envelope::Docker)],
        max_line in 80usize..400,
        step in 1usize..500,
        pause in 1usize..6,
    ) {
        let rules = Rules::default();
        let text: String = lines.iter().map(|line| enveloped(envelope, line)).collect();
        let whole = cut_all(text.as_bytes(), max_line, &rules, text.len(), usize::MAX);
        for is_err in [false, true] {
            let pipe = Some(pipe_of(is_err));
            let joined: String = whole.iter().filter(|it| it.pipe == pipe).map(|it| it.text.replace('\n', "")).collect();
            let written: String = lines.iter().filter(|it| it.1 == is_err).map(|it| it.0.as_str()).collect();
            prop_assert_eq!(joined, written);
        }
        prop_assert_eq!(cut_all(text.as_bytes(), max_line, &rules, step, pause), whole);
    }

    #[test]
    fn no_bytes_make_it_fail(
        bytes in proptest::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b'{'), 1 => Just(b'[')], 0..300),
        prefix in prop_oneof![Just(""), Just("2026-11-22T22:08:23Z stdout F x\n"), Just("{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T22:08:23Z\"}\n")],
        step in 1usize..100,
    ) {
        let mut text = prefix.as_bytes().to_vec();
        text.extend(bytes);
        cut_all(&text, 100, &Rules::default(), step, 2);
    }
}
