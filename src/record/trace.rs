//! What the runtimes of languages print when something goes wrong, over several lines and without
//! a head on any of them. Knows which line begins such a trace and which one continues it. Pure.

/// Where in a trace a line leaves us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// In none.
    #[default]
    None,
    /// Python: `Traceback`, no frame yet, or text that announces another one.
    Python,
    /// Python: in the frames. The first line that is not indented names the exception.
    PythonFrames,
    /// Python: the exception was named.
    PythonNamed,
    /// Python: a blank line behind it. Another traceback may follow.
    PythonGap,
    /// Python: the traceback of a group of exceptions, behind bars.
    PythonGroup,
    /// Indented frames below the name of an exception: Java, .NET, Ruby, JavaScript.
    Frames,
    /// The same of an exception that nobody caught, as the runtime says.
    Uncaught,
    /// PHP.
    Php,
    /// Go: the message of a panic.
    GoPanic,
    /// Go: a goroutine, up to a blank line.
    Goroutine,
    /// Go: a blank line. Another goroutine may follow.
    GoGap,
    /// Rust: the next line is the message.
    RustMessage,
    /// Rust: behind the message.
    Rust,
    /// Node: where the exception was thrown, before its name.
    NodeSource,
    /// Node: behind the name.
    Node,
    /// The body of a PEM block.
    Pem,
}

impl Mode {
    /// The kind in words, for people.
    pub(crate) fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::Python
            | Self::PythonFrames
            | Self::PythonNamed
            | Self::PythonGap
            | Self::PythonGroup => "Python traceback",
            Self::Frames => "stack trace",
            Self::Uncaught => "uncaught exception",
            Self::Php => "PHP stack trace",
            Self::GoPanic | Self::Goroutine | Self::GoGap => "Go panic",
            Self::RustMessage | Self::Rust => "Rust panic",
            Self::NodeSource | Self::Node => "Node stack trace",
            Self::Pem => "PEM block",
        })
    }

    /// Whether a runtime prints such a thing when a program dies. Stack traces below the name of an
    /// exception are none: loggers print them of what they are given, whatever the level.
    pub(crate) fn is_death(self) -> bool {
        !matches!(self, Self::None | Self::Frames | Self::Pem)
    }

    /// The trace that stands for a record, when a line leads into another one: a death before all
    /// else.
    pub(super) fn or_graver(self, other: Self) -> Self {
        if other == Self::None || self.is_death() {
            self
        } else {
            other
        }
    }

    /// The trace that a line begins.
    pub(crate) fn begun_by(line: &[u8]) -> Self {
        let has = |prefix: &str| line.starts_with(prefix.as_bytes());
        match line.first() {
            Some(b'T') if has("Traceback (most recent call last):") => Self::Python,
            Some(b' ') if begins_group(line) => Self::PythonGroup,
            Some(b'E') if has("Exception in thread \"") => Self::Uncaught,
            Some(b'C') if has("Caused by: ") => Self::Frames,
            Some(b'U' | b'u')
                if has("Unhandled exception") || has("Unhandled Exception") || has("Uncaught ") =>
            {
                Self::Uncaught
            }
            Some(b'P') if has("PHP Fatal error: ") || has("PHP Parse error: ") => Self::Php,
            Some(b'p') if has("panic: ") => Self::GoPanic,
            Some(b'f') if has("fatal error: ") => Self::GoPanic,
            Some(b'S') if has("SIGSEGV: ") || has("SIGABRT: ") || has("SIGQUIT: ") => Self::GoPanic,
            Some(b'g') if is_goroutine(line) => Self::Goroutine,
            Some(b't') if has("thread '") && holds(line, b" panicked at") => {
                if line.ends_with(b":") {
                    Self::RustMessage
                } else {
                    Self::Rust
                }
            }
            Some(b'-') if has("-----BEGIN ") => Self::Pem,
            Some(b'/' | b'n' | b'f') if is_script_line(line) => Self::NodeSource,
            Some(b'/') if holds(line, b".rb:") && holds(line, b":in ") => Self::Frames,
            Some(b'A'..=b'Z' | b'a'..=b'z' | b'_') if names_exception(line) => Self::Frames,
            _ => Self::None,
        }
    }

    /// Where the next line leads, when it continues the trace.
    pub(crate) fn continued_by(self, line: &[u8]) -> Option<Self> {
        let is_blank = line.trim_ascii().is_empty();
        let is_indented = matches!(line.first(), Some(b' ' | b'\t')) && !is_blank;
        let has = |prefix: &str| line.starts_with(prefix.as_bytes());
        match self {
            Self::None => is_indented.then_some(Self::None),
            Self::Python | Self::PythonFrames | Self::PythonNamed | Self::PythonGap => {
                self.python(line, is_blank, is_indented)
            }
            // The group may be the cause of another exception.
            Self::PythonGroup if is_blank => Some(Self::PythonGap),
            Self::PythonGroup => is_behind_bars(line).then_some(Self::PythonGroup),
            Self::Frames | Self::Uncaught => {
                let is_more = is_indented
                    || has("Caused by: ")
                    || has("Suppressed: ")
                    || has("... ")
                    || has("--- ")
                    || has("---> ")
                    || has("}");
                is_more.then_some(self)
            }
            Self::Php => {
                let is_more = is_indented || has("Stack trace:") || has("#") || has("PHP   ");
                is_more.then_some(Self::Php)
            }
            Self::GoPanic => {
                if is_goroutine(line) {
                    return Some(Self::Goroutine);
                }
                (is_blank || is_indented || has("[signal ") || has("[recovered]") || has("PC="))
                    .then_some(Self::GoPanic)
            }
            Self::Goroutine if has("exit status ") => Some(Self::None),
            Self::Goroutine => Some(if is_blank {
                Self::GoGap
            } else {
                Self::Goroutine
            }),
            Self::GoGap => {
                if is_goroutine(line) {
                    return Some(Self::Goroutine);
                }
                (is_indented || has("exit status ") || has("created by ")).then_some(Self::GoGap)
            }
            Self::RustMessage => Some(Self::Rust),
            Self::Rust => {
                (is_indented || has("note: ") || has("stack backtrace:")).then_some(Self::Rust)
            }
            Self::NodeSource => {
                if names_exception(line) || has("Uncaught") || has("[") {
                    return Some(Self::Node);
                }
                (is_blank || is_indented || has("throw ") || has("}")).then_some(Self::NodeSource)
            }
            Self::Node => {
                (is_blank || is_indented || has("Node.js v") || has("}")).then_some(Self::Node)
            }
            Self::Pem => Some(if has("-----END ") {
                Self::None
            } else {
                Self::Pem
            }),
        }
    }

    fn python(self, line: &[u8], is_blank: bool, is_indented: bool) -> Option<Self> {
        let announces = line.starts_with(b"During handling of the above exception")
            || line.starts_with(b"The above exception was the direct cause");
        match self {
            _ if line.starts_with(b"Traceback (most recent call last):")
                && self != Self::PythonNamed =>
            {
                Some(Self::Python)
            }
            Self::Python => {
                if begins_group(line) {
                    Some(Self::PythonGroup)
                } else if is_indented {
                    Some(Self::PythonFrames)
                } else {
                    (is_blank || announces).then_some(Self::Python)
                }
            }
            Self::PythonFrames if is_indented => Some(Self::PythonFrames),
            Self::PythonFrames if is_blank => Some(Self::PythonGap),
            Self::PythonFrames => Some(Self::PythonNamed),
            _ if is_blank => (self == Self::PythonNamed).then_some(Self::PythonGap),
            Self::PythonNamed => is_indented.then_some(Self::PythonNamed),
            _ => announces.then_some(Self::Python),
        }
    }
}

/// Where a record with a head goes on to with a line that has none: into a trace, if the line
/// begins one.
pub(crate) fn within_record(mode: Mode, line: &[u8]) -> Option<Mode> {
    let begun = || Some(Mode::begun_by(line)).filter(|begun| *begun != Mode::None);
    let continued = || mode.continued_by(line);
    // Outside of traces any indented line goes on, one that begins a trace too.
    if mode == Mode::None {
        begun().or_else(continued)
    } else {
        continued().or_else(begun)
    }
}

/// Whether the beginning of a line holds a text.
pub(crate) fn holds(line: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(&line[..line.len().min(1024)], text).is_some()
}

/// `  + Exception Group Traceback (most recent call last):`.
fn begins_group(line: &[u8]) -> bool {
    line.trim_ascii_start()
        .starts_with(b"+ Exception Group Traceback (most recent call last):")
}

/// `  |   File "a.py", line 1`, `  +-+---------------- 1 ----------------`.
fn is_behind_bars(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.len() < line.len() && (text.starts_with(b"|") || text.starts_with(b"+-"))
}

/// `goroutine 1 [running]:`.
fn is_goroutine(line: &[u8]) -> bool {
    line.starts_with(b"goroutine ") && line.ends_with(b"]:")
}

/// `/app/server.js:12`, `node:internal/process:1`, `file:///app/x.mjs:3`.
fn is_script_line(line: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', line) else {
        return false;
    };
    let (path, number) = (&line[..colon], &line[colon + 1..]);
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let is_script = [&b".js"[..], b".ts", b".mjs", b".cjs", b".jsx", b".tsx"]
        .iter()
        .any(|end| path.ends_with(end));
    is_number && (is_script || path.starts_with(b"node:")) && !path.contains(&b' ')
}

/// `java.lang.IllegalStateException: text`, `TypeError: text`, `ValueError`.
fn names_exception(line: &[u8]) -> bool {
    let len = line
        .iter()
        .take(200)
        .take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b':')
        })
        .count();
    let mut name = &line[..len];
    let is_ended = match line.get(len) {
        None => true,
        Some(_) => name.ends_with(b":"),
    };
    while let Some(shorter) = name.strip_suffix(b":") {
        name = shorter;
    }
    is_ended
        && name
            .first()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && [&b"Exception"[..], b"Error", b"Throwable"]
            .iter()
            .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the lines belong to the trace that the first begins.
    fn length(text: &str) -> usize {
        let mut lines = text.lines();
        let mut mode = Mode::begun_by(lines.next().unwrap().as_bytes());
        assert_ne!(mode, Mode::None, "{text}");
        let mut count = 1;
        for line in lines {
            match mode.continued_by(line.as_bytes()) {
                Some(next) => mode = next,
                None => break,
            }
            count += 1;
        }
        count
    }

    #[test]
    fn traces_are_whole() {
        for text in [
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    1 / 0\nZeroDivisionError: division by zero\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"a.py\", line 3\nKeyError: 'x'",
            "Exception in thread \"main\" java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n\tSuppressed: java.io.IOException: x\n\t\tat a.B.d(B.java:2)\nCaused by: java.lang.RuntimeException: y\n\t... 3 more",
            "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:5 +0x1d\n\ngoroutine 7 [select]:\nmain.work()\n\t/app/main.go:9 +0x2\nexit status 2",
            "thread 'main' panicked at src/main.rs:2:5:\nboom\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/x.rs:5\nnote: Some details are omitted",
            "/app/x.js:3\n  throw new Error('boom');\n  ^\n\nError: boom\n    at f (/app/x.js:3:9)\n\nNode.js v22.1.0",
            "Unhandled exception. System.InvalidOperationException: no\n ---> System.IO.IOException: x\n   at A.B() in /a.cs:line 1\n   --- End of inner exception stack trace ---\n   at A.C()",
            "PHP Fatal error:  Uncaught Exception: x in /a.php:3\nStack trace:\n#0 /a.php(7): f()\n#1 {main}\n  thrown in /a.php on line 3",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
            "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 9, in f\n  | ExceptionGroup: two (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    |\n    +---------------- 2 ----------------\n    | TypeError: 2\n    +------------------------------------\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"a.py\", line 12, in g\nRuntimeError: x",
            "Traceback (most recent call last):\n  File \"a.py\", line 7\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n  + Exception Group Traceback (most recent call last):\n  | ExceptionGroup: one (1 sub-exception)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    +------------------------------------",
        ] {
            assert_eq!(
                length(&format!("{text}\nanother line")),
                text.lines().count(),
                "{text}"
            );
        }
    }

    #[test]
    fn plain_text_is_no_trace() {
        for line in [
            "",
            "panic",
            "an Error: x",
            "Error in line 5",
            "thread 'main' started",
            "/app/x.js",
            "goroutine 1",
            "line 5:",
        ] {
            assert_eq!(Mode::begun_by(line.as_bytes()), Mode::None, "{line}");
        }
    }
}
