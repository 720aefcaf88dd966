//! What container runtimes put around each line, taken off again. Knows the two forms; joins
//! nothing.

use super::Time;
use super::json::{self, Value};
use super::stamp::{self, Stamp};

/// The form of a file's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Envelope {
    /// Not yet known: no line was seen.
    #[default]
    Unknown,
    /// Lines stand as they are.
    Bare,
    /// `2026-11-22T22:08:23.702123456Z stdout F text`.
    Cri,
    /// `{"log":"text\n","stream":"stdout","time":"…"}`.
    Docker,
}

/// Where a program wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipe {
    Stdout,
    Stderr,
}

impl Pipe {
    /// The word under which it is shipped.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A line without its envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inner<'a> {
    pub(crate) pipe: Pipe,
    pub(crate) time: Option<Time>,
    /// The runtime cut the line: its next part follows in the same pipe.
    pub(crate) is_part: bool,
    pub(crate) text: &'a [u8],
    /// Whether `text` holds escapes of JSON.
    pub(crate) is_escaped: bool,
    /// Whether the line has no envelope, or one that cannot be read.
    pub(crate) is_broken: bool,
}

impl Envelope {
    /// The form in a word, for people.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Unknown | Self::Bare => None,
            Self::Cri => Some("cri"),
            Self::Docker => Some("docker"),
        }
    }

    /// The form of a file that begins with this line.
    pub(crate) fn of_first(line: &[u8]) -> Self {
        if cri(line).is_some() {
            Self::Cri
        } else if docker(line).is_some() {
            Self::Docker
        } else {
            Self::Bare
        }
    }

    /// Whether these bytes begin as a line of Docker does.
    pub(crate) fn may_be_docker(bytes: &[u8]) -> bool {
        bytes.starts_with(DOCKER_BEGINS)
    }

    /// Takes the envelope off. A line that has none is a whole line of stdout.
    pub(crate) fn open(self, line: &[u8]) -> Inner<'_> {
        let inner = match self {
            Self::Cri => cri(line),
            Self::Docker => docker(line),
            Self::Unknown | Self::Bare => None,
        };
        inner.unwrap_or(Inner {
            pipe: Pipe::Stdout,
            time: None,
            is_part: false,
            text: line,
            is_escaped: false,
            is_broken: !matches!(self, Self::Unknown | Self::Bare),
        })
    }
}

/// What every line of Docker begins with.
const DOCKER_BEGINS: &[u8] = b"{\"log\":";

fn pipe(word: &[u8]) -> Option<Pipe> {
    match word {
        b"stdout" => Some(Pipe::Stdout),
        b"stderr" => Some(Pipe::Stderr),
        _ => None,
    }
}

fn cri(line: &[u8]) -> Option<Inner<'_>> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let (time, stream, tags) = (words.next()?, words.next()?, words.next()?);
    let pipe = pipe(stream)?;
    let is_part = match tags.split(|byte| *byte == b':').next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    let Stamp::Instant(time) = stamp::whole(time)?.stamp else {
        return None;
    };
    Some(Inner {
        pipe,
        time: Some(time),
        is_part,
        text: words.next().unwrap_or_default(),
        is_escaped: false,
        is_broken: false,
    })
}

fn docker(line: &[u8]) -> Option<Inner<'_>> {
    if !line.starts_with(DOCKER_BEGINS) {
        return None;
    }
    let (mut text, mut stream, mut time) = (None, None, None);
    for (key, value) in json::members(line) {
        match (key, value) {
            (b"log", Value::Text { raw, is_escaped }) => text = Some((raw, is_escaped)),
            (b"stream", value) => stream = pipe(value.raw()),
            (b"time", value) => time = stamp::whole(value.raw()),
            _ => {}
        }
    }
    let (raw, is_escaped) = text?;
    // `\n` at the end is a line end unless its backslash is itself escaped.
    let ended = raw
        .strip_suffix(b"\\n")
        .filter(|text| text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0);
    let ended = ended.map(|text| text.strip_suffix(b"\\r").unwrap_or(text));
    Some(Inner {
        pipe: stream?,
        time: match time?.stamp {
            Stamp::Instant(time) => Some(time),
            _ => None,
        },
        is_part: ended.is_none(),
        text: ended.unwrap_or(raw),
        is_escaped: is_escaped && ended.unwrap_or(raw).contains(&b'\\'),
        is_broken: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_recognised_and_taken_off() {
        let cri = b"2026-11-22T22:08:23.702123456Z stderr P half a line ";
        assert_eq!(Envelope::of_first(cri), Envelope::Cri);
        let inner = Envelope::Cri.open(cri);
        assert_eq!(
            (inner.pipe, inner.is_part, inner.text),
            (Pipe::Stderr, true, &b"half a line "[..])
        );
        assert_eq!(inner.time, Some(Time(1_795_385_303_702_123_456)));
        let inner = Envelope::Cri.open(b"2026-11-22T22:08:23.7+01:00 stdout F");
        assert_eq!((inner.text, inner.is_part), (&b""[..], false));

        let docker = br#"{"log":"a \"b\"\n","stream":"stdout","time":"2026-11-22T22:08:23.702Z"}"#;
        assert_eq!(Envelope::of_first(docker), Envelope::Docker);
        let inner = Envelope::Docker.open(docker);
        assert_eq!(
            (inner.text, inner.is_part, inner.is_escaped),
            (&br#"a \"b\""#[..], false, true)
        );
        let part = Envelope::Docker
            .open(br#"{"log":"no end\\n","stream":"stdout","time":"2026-11-22T22:08:23Z"}"#);
        assert!(part.is_part, "an escaped backslash and an n");
    }

    #[test]
    fn what_has_no_envelope_is_a_line() {
        for line in [
            "",
            "a line",
            "2026-11-22T22:08:23Z stdout X text",
            "2026-11-22 22:08:23 stdout F text",
            r#"{"log":"x"}"#,
            r#"{"log":5,"stream":"stdout"}"#,
        ] {
            assert_eq!(
                Envelope::of_first(line.as_bytes()),
                Envelope::Bare,
                "{line}"
            );
            let inner = Envelope::Cri.open(line.as_bytes());
            assert_eq!((inner.text, inner.is_part), (line.as_bytes(), false));
            assert!(inner.is_broken, "{line}");
        }
    }
}
