//! Settings that are one of a few words, which the kind of their key has checked.

use super::fields::{Fields, Notes};
use super::scalars::Word;
use super::{
    CloudWatchCompression, Compression, LogClass, ReadFrom, VerifyAfterError, WhenAllRefused,
    WhenFull, WhenLettersFull,
};

/// A setting that is one of a few words.
pub(super) trait Choice: Default {
    fn from_word(word: &str) -> Self;
}

pub(super) fn word<T: Choice>(fields: &Fields<'_>, name: &str, notes: &mut Notes) -> T {
    let Word(word) = fields.scalar(name, notes);
    T::from_word(word)
}

impl Choice for ReadFrom {
    fn from_word(word: &str) -> Self {
        if word == "end" {
            Self::End
        } else {
            Self::Beginning
        }
    }
}

impl Choice for WhenFull {
    fn from_word(word: &str) -> Self {
        if word == "drop_oldest" {
            Self::DropOldest
        } else {
            Self::Hold
        }
    }
}

impl Choice for WhenLettersFull {
    fn from_word(word: &str) -> Self {
        if word == "drop" {
            Self::Drop
        } else {
            Self::Hold
        }
    }
}

impl Choice for WhenAllRefused {
    fn from_word(word: &str) -> Self {
        if word == "write" {
            Self::Write
        } else {
            Self::Hold
        }
    }
}

impl Choice for Compression {
    fn from_word(word: &str) -> Self {
        if word == "none" {
            Self::None
        } else {
            Self::Snappy
        }
    }
}

impl Choice for CloudWatchCompression {
    fn from_word(word: &str) -> Self {
        if word == "none" {
            Self::None
        } else {
            Self::Gzip
        }
    }
}

impl Choice for LogClass {
    fn from_word(word: &str) -> Self {
        match word {
            "infrequent_access" => Self::InfrequentAccess,
            "delivery" => Self::Delivery,
            _ => Self::Standard,
        }
    }
}

impl Choice for VerifyAfterError {
    fn from_word(word: &str) -> Self {
        match word {
            "never" => Self::Never,
            "require" => Self::Require,
            _ => Self::Auto,
        }
    }
}
