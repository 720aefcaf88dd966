//! Records of two pipes that lie in each other, read in several runs: whatever rules each of them
//! has, and whatever was waited for, every line is given out once.

use std::fmt::Write as _;

use super::*;

/// A file of which one run after the other takes records.
struct File {
    text: String,
    /// So much of it is written.
    written: usize,
    at: usize,
    /// As the journal has it.
    learned: String,
    taken: Vec<(Pipe, String)>,
}

impl File {
    fn of(lines: &[(&str, &str)]) -> Self {
        let mut file = Self::with(String::new());
        file.append(lines);
        file
    }

    /// One of which nothing is written yet.
    fn with(text: String) -> Self {
        Self {
            text,
            written: 0,
            at: 0,
            learned: "{}".to_owned(),
            taken: Vec::new(),
        }
    }

    fn append(&mut self, lines: &[(&str, &str)]) {
        for (stream, text) in lines {
            writeln!(self.text, "2026-11-22T22:08:23.702Z {stream} F {text}").unwrap();
        }
        self.written = self.text.len();
    }

    /// A run takes at most so many records.
    fn take(&mut self, most: usize, max_line: usize, rules: &Rules, behind: Behind) {
        let mut cutter = Cutter::new(max_line);
        cutter.begin(serde_json::from_str(&self.learned).unwrap());
        for _ in 0..most {
            let rest = &self.text.as_bytes()[self.at..self.written];
            let Cut::Record(record) = cutter.next(rest, 0, behind, rules) else {
                self.at += cutter.pass();
                break;
            };
            assert!(record.line.shipped_len() <= max_line);
            let text = String::from_utf8(record.line.bytes.to_vec()).unwrap();
            let pipe = record.pipe.unwrap();
            self.taken.push((pipe, text));
            cutter.note(Some(pipe), None, false);
            self.at += cutter.take();
        }
        self.learned = serde_json::to_string(&cutter.learned()).unwrap();
    }

    /// A last run takes all that is left.
    fn take_rest(&mut self, max_line: usize, rules: &Rules) {
        self.written = self.text.len();
        self.take(usize::MAX, max_line, rules, Behind::Nothing);
        assert_eq!(self.at, self.text.len(), "bytes are left");
    }

    fn texts_of(&self, pipe: Pipe) -> Vec<&str> {
        let of_pipe = self.taken.iter().filter(|it| it.0 == pipe);
        of_pipe.map(|it| it.1.as_str()).collect()
    }
}

fn off() -> Rules {
    Rules {
        multiline: Multiline::Off,
        ..Rules::default()
    }
}

const LONG: usize = 4096;
const ALL: usize = usize::MAX;

/// Lines with heads: `A` and `B` are the first of either pipe.
const MIXED: [(&str, &str); 6] = [
    ("stdout", "2026-11-22 22:08:23 A"),
    ("stderr", "2026-11-22 22:08:23 B"),
    ("stdout", "2026-11-22 22:08:23 c"),
    ("stdout", "2026-11-22 22:08:23 e"),
    ("stdout", "2026-11-22 22:08:23 g"),
    ("stdout", "2026-11-22 22:08:23 h"),
];

#[test]
fn by_other_rules_each_line_of_either_pipe_is_given_out_once_all_the_same() {
    for most in 0..=5 {
        let mut file = File::of(&MIXED);
        file.take(most, LONG, &Rules::default(), Behind::More);
        assert_eq!(file.taken.len(), most.min(4), "the last of each is open");
        file.take_rest(LONG, &off());
        for (pipe, name) in [(Pipe::Stdout, "stdout"), (Pipe::Stderr, "stderr")] {
            let written = MIXED.iter().filter(|it| it.0 == name).map(|it| it.1);
            assert_eq!(file.texts_of(pipe), written.collect::<Vec<_>>(), "{most}");
        }
    }
}

#[test]
fn what_comes_after_a_wait_of_both_pipes_continues_the_one_that_was_given_out() {
    let mut file = File::of(&[
        ("stdout", "2026-11-22 22:08:23 A"),
        ("stderr", "2026-11-22 22:08:23 B"),
    ]);
    file.take(1, LONG, &Rules::default(), Behind::Silence);
    assert_eq!(file.texts_of(Pipe::Stdout), ["2026-11-22 22:08:23 A"]);
    file.append(&[("stdout", "  more"), ("stderr", "  of B")]);
    file.take(ALL, LONG, &Rules::default(), Behind::Silence);
    assert_eq!(file.at, file.text.len());
    assert_eq!(
        file.texts_of(Pipe::Stdout),
        ["2026-11-22 22:08:23 A", "  more"]
    );
    assert_eq!(
        file.texts_of(Pipe::Stderr),
        ["2026-11-22 22:08:23 B\n  of B"]
    );
}

#[test]
fn a_record_that_ends_before_the_one_given_out_is_given_out_too() {
    let mut file = File::of(&[
        ("stdout", "2026-11-22 22:08:23 A"),
        ("stderr", "2026-11-22 22:08:23 B"),
    ]);
    file.take(1, LONG, &Rules::default(), Behind::Silence);
    file.append(&[("stderr", "2026-11-22 22:08:24 C")]);
    file.take_rest(LONG, &Rules::default());
    assert_eq!(file.texts_of(Pipe::Stdout), ["2026-11-22 22:08:23 A"]);
    assert_eq!(
        file.texts_of(Pipe::Stderr),
        ["2026-11-22 22:08:23 B", "2026-11-22 22:08:24 C"]
    );
}

#[test]
fn what_an_earlier_version_counted_is_not_given_out_again() {
    let mut file = File::of(&MIXED);
    file.learned = r#"{"envelope":"cri","given":3}"#.to_owned();
    file.take(1, LONG, &Rules::default(), Behind::More);
    assert_eq!(file.texts_of(Pipe::Stdout), [MIXED[4].1]);
    assert!(!file.learned.contains(r#""given""#), "{}", file.learned);
    file.take_rest(LONG, &off());
    assert_eq!(file.texts_of(Pipe::Stdout), [MIXED[4].1, MIXED[5].1]);
    assert_eq!(file.texts_of(Pipe::Stderr), [MIXED[1].1]);
}

/// Rules that cut in another way each.
fn rules() -> impl Strategy<Value = Rules> {
    let start = || Multiline::Start(Pattern::new("^[a-m2]").unwrap());
    let multiline = prop_oneof![
        2 => Just(Multiline::Auto),
        2 => Just(Multiline::Off),
        1 => Just(start()),
    ];
    let format = prop_oneof![3 => Just(Format::Auto), 1 => Just(Format::Plain)];
    (multiline, format, 1u32..12).prop_map(|(multiline, format, max_lines)| Rules {
        format,
        multiline,
        max_lines,
        ..Rules::default()
    })
}

/// A run: how many bytes were written since the one before it, how many records it takes, how long
/// they may be, and whether it waited.
fn run() -> impl Strategy<Value = (usize, usize, usize, Rules, bool)> {
    (0usize..600, 0usize..8, 80usize..400, rules(), any::<bool>())
}

proptest! {
    #[test]
    fn however_many_runs_with_whatever_rules_every_byte_of_either_pipe_is_given_out_once(
        lines in proptest::collection::vec(piped(), 1..40),
        envelope in prop_oneof![Just(Envelope::Cri), Just(Envelope::Docker)],
        runs in proptest::collection::vec(run(), 0..8),
        last in rules(),
    ) {
        let mut file = File::with(lines.iter().map(|line| enveloped(envelope, line)).collect());
        // Who looks for no envelope at the beginning has none.
        file.learned = format!("{{\"envelope\":\"{}\"}}", envelope.name().unwrap());
        for (more, most, max_line, rules, has_waited) in runs {
            file.written = (file.written + more).min(file.text.len());
            let behind = if has_waited { Behind::Silence } else { Behind::End };
            file.take(most, max_line, &rules, behind);
        }
        file.take_rest(200, &last);
        for is_err in [false, true] {
            let given: String = file.texts_of(pipe_of(is_err)).concat().replace('\n', "");
            let written: String = lines.iter().filter(|it| it.1 == is_err).map(|it| it.0.as_str()).collect();
            prop_assert_eq!(given, written);
        }
    }
}
