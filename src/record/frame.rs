//! Cuts bytes into lines. Owns the rules for line ends, over-long lines and bytes that are not
//! UTF-8; never copies and never fails. Where a line is cut depends on the file's bytes alone,
//! not on how they arrived.

use memchr::memchr;

/// What ends every piece of an over-long line but the last.
pub(crate) const CUT_MARK: &str = " [line continues]";

/// Length of U+FFFD in UTF-8, which replaces each sequence that is not UTF-8.
const REPLACEMENT_LEN: usize = char::REPLACEMENT_CHARACTER.len_utf8();

/// What some programs write in front of a file, and so in front of its first line.
const BYTE_ORDER_MARK: [u8; 3] = *b"\xEF\xBB\xBF";

/// A text without a byte order mark: what is looked for at its beginning stands behind that. The
/// mark is shipped with the text all the same.
#[inline]
pub(crate) fn behind_mark(text: &[u8]) -> &[u8] {
    match text.split_first_chunk() {
        Some((&BYTE_ORDER_MARK, behind)) => behind,
        _ => text,
    }
}

/// One line as it goes out: the bytes without their line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The content, without `\n` or `\r\n`.
    pub(crate) bytes: &'a [u8],
    /// Whether the content is known to be UTF-8; otherwise it is replaced when it is encoded.
    pub(crate) is_utf8: bool,
    /// Whether the line goes on in the next record: [`CUT_MARK`] is to be added.
    pub(crate) is_cut: bool,
}

impl Line<'_> {
    /// How many bytes of text the line becomes.
    pub(crate) fn shipped_len(&self) -> usize {
        let text = if self.is_utf8 {
            self.bytes.len()
        } else {
            replaced_len(self.bytes)
        };
        text + if self.is_cut { CUT_MARK.len() } else { 0 }
    }

    /// Calls `put` with the pieces of text the line becomes, in order.
    pub(crate) fn for_each_piece(&self, mut put: impl FnMut(&str)) {
        let mut rest = self.bytes;
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    put(text);
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    if let Ok(text) = std::str::from_utf8(valid) {
                        put(text);
                    }
                    put("\u{FFFD}");
                    rest = &after[error.error_len().unwrap_or(after.len())..];
                }
            }
        }
        if self.is_cut {
            put(CUT_MARK);
        }
    }
}

/// A line and where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framed<'a> {
    /// The line.
    pub(crate) line: Line<'a>,
    /// Bytes of the input that belong to it, its line end included; never 0.
    pub(crate) consumed: usize,
}

/// Cuts lines of at most `max_line` bytes of shipped text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framer {
    max_line: usize,
}

impl Framer {
    /// `max_line` in bytes, of which the mark of a cut takes its part.
    pub(crate) fn new(max_line: usize) -> Self {
        Self {
            max_line: max_line.max(CUT_MARK.len() + 4),
        }
    }

    /// How many bytes must be at hand for [`Framer::next`] to say something in any case.
    pub(crate) fn window(self) -> usize {
        self.max_line + 2
    }

    /// The most bytes of shipped text.
    pub(crate) fn max_line(self) -> usize {
        self.max_line
    }

    /// Whether a text can be shipped in one piece.
    pub(crate) fn holds(self, line: &Line<'_>) -> bool {
        let mark = if line.is_cut { CUT_MARK.len() } else { 0 };
        // What is not UTF-8 grows to three times its length at most.
        line.bytes.len() * if line.is_utf8 { 1 } else { 3 } + mark <= self.max_line
            || line.shipped_len() <= self.max_line
    }

    /// How many bytes of a text that is too long its first piece takes.
    pub(crate) fn piece_len(self, content: &[u8]) -> usize {
        self.cut(content).consumed
    }

    /// The first line of `bytes`, or nothing when its end is not there yet. With `is_over` no
    /// more bytes will come, and what is left is a line too. The first `known_utf8` bytes are
    /// known to be UTF-8.
    #[inline]
    pub(crate) fn next(self, bytes: &[u8], known_utf8: usize, is_over: bool) -> Option<Framed<'_>> {
        let window = &bytes[..bytes.len().min(self.window())];
        let (content, consumed) = match memchr(b'\n', window) {
            Some(end) => {
                let line = &window[..end];
                let content = if let [content @ .., b'\r'] = line {
                    content
                } else {
                    line
                };
                (content, end + 1)
            }
            None if window.len() == self.window() => return Some(self.cut(window)),
            None if is_over && !window.is_empty() => (window, window.len()),
            None => return None,
        };
        let is_utf8 = content.len() <= known_utf8 || std::str::from_utf8(content).is_ok();
        let line = Line {
            bytes: content,
            is_utf8,
            is_cut: false,
        };
        if content.len() > self.max_line || (!is_utf8 && line.shipped_len() > self.max_line) {
            return Some(self.cut(content));
        }
        Some(Framed { line, consumed })
    }

    /// The first piece of a line that is too long: as much text as fits with the mark, never
    /// ending inside a character.
    fn cut(self, content: &[u8]) -> Framed<'_> {
        let room = self.max_line - CUT_MARK.len();
        let mut shipped = 0;
        let mut end = 0;
        let mut is_utf8 = true;
        for chunk in content.utf8_chunks() {
            let valid = chunk.valid();
            if shipped + valid.len() > room {
                end += valid.floor_char_boundary(room - shipped);
                break;
            }
            shipped += valid.len();
            end += valid.len();
            if !chunk.invalid().is_empty() {
                if shipped + REPLACEMENT_LEN > room {
                    break;
                }
                shipped += REPLACEMENT_LEN;
                end += chunk.invalid().len();
                is_utf8 = false;
            }
        }
        Framed {
            line: Line {
                bytes: &content[..end],
                is_utf8,
                is_cut: true,
            },
            consumed: end,
        }
    }
}

/// The length of `bytes` once everything that is not UTF-8 is replaced.
fn replaced_len(bytes: &[u8]) -> usize {
    bytes
        .utf8_chunks()
        .map(|chunk| {
            chunk.valid().len()
                + if chunk.invalid().is_empty() {
                    0
                } else {
                    REPLACEMENT_LEN
                }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Cuts all of `bytes`, handing them over `step` at a time as a reader would.
    fn cut_all(framer: Framer, bytes: &[u8], step: usize, is_over: bool) -> (Vec<String>, usize) {
        let (mut lines, mut at, mut seen) = (Vec::new(), 0, 0);
        loop {
            seen = (seen + step).min(bytes.len());
            let is_last = seen == bytes.len();
            while let Some(framed) = framer.next(&bytes[at..seen], 0, is_over && is_last) {
                let mut text = String::new();
                framed.line.for_each_piece(|piece| text.push_str(piece));
                assert_eq!(text.len(), framed.line.shipped_len());
                assert!(framed.consumed > 0);
                lines.push(text);
                at += framed.consumed;
            }
            if is_last {
                return (lines, at);
            }
        }
    }

    #[test]
    fn lines_end_at_newlines_with_or_without_carriage_return() {
        let framer = Framer::new(100);
        let table: &[(&str, bool, &[&str], usize)] = &[
            ("", true, &[], 0),
            ("a\nb\n", false, &["a", "b"], 4),
            ("a\r\nb\r\n", false, &["a", "b"], 6),
            ("a\nrest", false, &["a"], 2),
            ("a\nrest", true, &["a", "rest"], 6),
            ("\n\n", false, &["", ""], 2),
            ("a\rb\r\r\n", false, &["a\rb\r"], 6),
            ("a\r", true, &["a\r"], 2),
            ("é à\n", false, &["é à"], 6),
        ];
        for &(bytes, is_over, lines, consumed) in table {
            let (cut, at) = cut_all(framer, bytes.as_bytes(), 1, is_over);
            assert_eq!(cut, lines, "{bytes:?}");
            assert_eq!(at, consumed, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let (cut, _) = cut_all(Framer::new(100), b"caf\xe9 \xff\xfe ok\n\xc3", 3, true);
        assert_eq!(cut, ["caf\u{FFFD} \u{FFFD}\u{FFFD} ok", "\u{FFFD}"]);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_not_cut_and_one_more_byte_is() {
        let framer = Framer::new(40);
        let (cut, _) = cut_all(
            framer,
            format!("{}\r\n", "x".repeat(40)).as_bytes(),
            7,
            false,
        );
        assert_eq!(cut, ["x".repeat(40)]);
        let (cut, _) = cut_all(framer, format!("{}\n", "x".repeat(41)).as_bytes(), 7, false);
        assert_eq!(
            cut,
            [
                format!("{}{CUT_MARK}", "x".repeat(40 - CUT_MARK.len())),
                "x".repeat(18)
            ]
        );
    }

    proptest! {
        #[test]
        fn every_byte_is_in_exactly_one_line_however_the_bytes_arrive(
            bytes in proptest::collection::vec(
                prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b'\r'), 3 => Just(b'a'), 1 => Just(0xC3), 1 => Just(0xA9)],
                0..400,
            ),
            max_line in 21usize..60,
            step in 1usize..50,
        ) {
            let framer = Framer::new(max_line);
            let (lines, at) = cut_all(framer, &bytes, step, true);
            prop_assert_eq!(at, bytes.len());
            let (at_once, _) = cut_all(framer, &bytes, bytes.len().max(1), true);
            prop_assert_eq!(&lines, &at_once);
            prop_assert!(lines.iter().all(|line| line.len() <= max_line));
            let text: String = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\n', "");
            let joined: String = lines.concat().replace(CUT_MARK, "");
            prop_assert_eq!(joined, text);
        }
    }
}
