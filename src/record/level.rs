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
        const LONGEST: usize = "informational".len();
        if word.len() < 3 || word.len() > LONGEST {
            return None;
        }
        let mut lower = [0u8; LONGEST];
        for (to, from) in lower.iter_mut().zip(word) {
            *to = from.to_ascii_lowercase();
        }
        Some(match &lower[..word.len()] {
            b"trace" | b"trc" | b"finest" | b"finer" | b"verbose" | b"vrb" | b"silly" => {
                Self::Trace
            }
            b"debug" | b"dbg" | b"fine" | b"debug1" | b"debug2" | b"debug3" | b"debug4"
            | b"debug5" | b"dbug" => Self::Debug,
            b"info" | b"inf" | b"information" | b"informational" | b"notice" | b"note" | b"log"
            | b"config" | b"success" => Self::Info,
            b"warn" | b"wrn" | b"warning" => Self::Warn,
            b"error" | b"err" | b"eror" | b"severe" | b"fail" | b"failure" => Self::Error,
            b"fatal" | b"ftl" | b"critical" | b"crit" | b"emerg" | b"emergency" | b"alert"
            | b"panic" | b"dpanic" => Self::Fatal,
            _ => return None,
        })
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
        ] {
            assert_eq!(Level::of_word(word.as_bytes()), Some(level), "{word}");
        }
        for word in ["", "IN", "INFOS", "message", "informationally"] {
            assert_eq!(Level::of_word(word.as_bytes()), None, "{word}");
        }
        assert_eq!(Level::of_number(30), Some(Level::Info));
        assert_eq!(Level::of_number(3), Some(Level::Error));
        assert_eq!(Level::of_number(35), None);
    }

    #[test]
    fn a_name_reads_back() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(Level::of_word(level.name().as_bytes()), Some(level));
        }
    }
}
