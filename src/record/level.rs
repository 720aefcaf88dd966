//! How grave a record is: one scale for the words and numbers that loggers use. Pure.

/// The scale, from the least to the most grave.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// The steps of a program.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What happens in the normal way.
    Info,
    /// What may become a fault.
    Warn,
    /// Something did not work.
    Error,
    /// The program ends, or should.
    Fatal,
}

impl Level {
    /// All of them in their order.
    pub(crate) const ALL: [Self; 6] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Fatal,
    ];

    /// The word under which it is shipped.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// The level that a word of a log stands for, in whatever case.
    pub(crate) fn of_word(word: &[u8]) -> Option<Self> {
        Self::told_by(word).map(|(level, _)| level)
    }

    /// The same, and whether the word stands for a level only where it stands apart.
    #[inline]
    pub(super) fn told_by(word: &[u8]) -> Option<(Self, bool)> {
        let letter = (word.first()? | 0x20).wrapping_sub(b'a');
        let (from, to, lengths) = *BEGINNING_WITH.get(usize::from(letter))?;
        if lengths & (1 << (word.len() & 31)) == 0 {
            return None;
        }
        let is_it = |lower: &[u8]| {
            let mut bytes = lower.iter().zip(word);
            lower.len() == word.len()
                && bytes.all(|(lower, byte)| *lower == byte.to_ascii_lowercase())
        };
        WORDS[from..to]
            .iter()
            .find(|it| is_it(it.0))
            .map(|it| (it.1, it.2))
    }

    /// The level of a single letter, as klog, Ruby and others write it.
    pub(crate) fn of_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'T' | b'V' => Self::Trace,
            b'D' => Self::Debug,
            b'I' | b'N' => Self::Info,
            b'W' => Self::Warn,
            b'E' => Self::Error,
            b'F' | b'C' => Self::Fatal,
            _ => return None,
        })
    }

    /// The level of a severity of syslog, 0 to 7.
    pub(crate) fn of_syslog(severity: u32) -> Self {
        match severity {
            0..=2 => Self::Fatal,
            3 => Self::Error,
            4 => Self::Warn,
            5 | 6 => Self::Info,
            _ => Self::Debug,
        }
    }

    /// The level of a number: those of syslog below 10, above those of Python's `logging` and of
    /// pino, which agree on none but 30 and are told apart by nobody: those of pino count.
    pub(crate) fn of_number(number: u32) -> Option<Self> {
        Some(match number {
            0..=7 => Self::of_syslog(number),
            10 => Self::Trace,
            20 => Self::Debug,
            30 => Self::Info,
            40 => Self::Warn,
            50 => Self::Error,
            60 => Self::Fatal,
            _ => return None,
        })
    }
}

/// The words of loggers, by their first letters; whether each is an ordinary word as well.
const WORDS: [(&[u8], Level, bool); 51] = [
    (b"alert", Level::Fatal, true),
    (b"critical", Level::Fatal, false),
    (b"crit", Level::Fatal, false),
    (b"config", Level::Info, true),
    (b"debug", Level::Debug, false),
    (b"dbg", Level::Debug, false),
    (b"debug1", Level::Debug, false),
    (b"debug2", Level::Debug, false),
    (b"debug3", Level::Debug, false),
    (b"debug4", Level::Debug, false),
    (b"debug5", Level::Debug, false),
    (b"dbug", Level::Debug, false),
    (b"dpanic", Level::Fatal, false),
    (b"error", Level::Error, false),
    (b"err", Level::Error, false),
    (b"eror", Level::Error, false),
    (b"emerg", Level::Fatal, false),
    (b"emergency", Level::Fatal, false),
    (b"fatal", Level::Fatal, false),
    (b"ftl", Level::Fatal, false),
    (b"fail", Level::Error, true),
    (b"failure", Level::Error, true),
    (b"fine", Level::Debug, true),
    (b"finer", Level::Trace, false),
    (b"finest", Level::Trace, false),
    (b"info", Level::Info, false),
    (b"inf", Level::Info, false),
    (b"information", Level::Info, false),
    (b"informational", Level::Info, false),
    (b"log", Level::Info, true),
    (b"notice", Level::Info, false),
    (b"note", Level::Info, true),
    (b"panic", Level::Fatal, true),
    (b"severe", Level::Error, false),
    (b"silly", Level::Trace, false),
    (b"success", Level::Info, true),
    (b"trace", Level::Trace, false),
    (b"trace1", Level::Trace, false),
    (b"trace2", Level::Trace, false),
    (b"trace3", Level::Trace, false),
    (b"trace4", Level::Trace, false),
    (b"trace5", Level::Trace, false),
    (b"trace6", Level::Trace, false),
    (b"trace7", Level::Trace, false),
    (b"trace8", Level::Trace, false),
    (b"trc", Level::Trace, false),
    (b"verbose", Level::Trace, false),
    (b"vrb", Level::Trace, false),
    (b"warn", Level::Warn, false),
    (b"warning", Level::Warn, false),
    (b"wrn", Level::Warn, false),
];

/// For each letter, which of the [`WORDS`] begin with it, and a bit for each length that they have:
/// most words of a line are told from them by that.
static BEGINNING_WITH: [(usize, usize, u32); 26] = {
    let mut ranges = [(0, 0, 0); 26];
    let mut at = 0;
    while at < WORDS.len() {
        let range = &mut ranges[(WORDS[at].0[0] - b'a') as usize];
        if range.1 == 0 {
            range.0 = at;
        }
        range.1 = at + 1;
        range.2 |= 1 << WORDS[at].0.len();
        at += 1;
    }
    ranges
};

impl std::str::FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_loggers_are_on_one_scale() {
        for (word, level) in [
            ("TRACE", Level::Trace),
            ("dbg", Level::Debug),
            ("Information", Level::Info),
            ("NOTICE", Level::Info),
            ("WARNING", Level::Warn),
            ("SEVERE", Level::Error),
            ("CRITICAL", Level::Fatal),
            ("EMERG", Level::Fatal),
            ("Alert", Level::Fatal),
            ("wrn", Level::Warn),
            ("debug5", Level::Debug),
            ("trace8", Level::Trace),
        ] {
            assert_eq!(Level::of_word(word.as_bytes()), Some(level), "{word}");
        }
        for word in [
            "",
            "IN",
            "INFOS",
            "trace9",
            "a word that is longer than thirty-two bytes",
            "message",
            "informationally",
            "@lert",
            "{x",
        ] {
            assert_eq!(Level::of_word(word.as_bytes()), None, "{word}");
        }
        assert_eq!(Level::of_number(30), Some(Level::Info));
        assert_eq!(Level::of_number(3), Some(Level::Error));
        assert_eq!(Level::of_number(35), None);
    }

    #[test]
    fn every_word_is_found_among_those_of_its_letter() {
        for (word, level, _) in WORDS {
            assert_eq!(Level::of_word(word), Some(level));
            assert_eq!(Level::of_word(&word.to_ascii_uppercase()), Some(level));
        }
    }

    #[test]
    fn a_name_reads_back() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(Level::of_word(level.name().as_bytes()), Some(level));
        }
    }
}
