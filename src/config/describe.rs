//! The shapes in which keys are described: kinds of values, their limits, what absence means.
//! Decoding, the JSON schema and the reference are all driven by these; only [`super::keys`]
//! holds the descriptions themselves.

use std::time::Duration;

use super::units::{ByteSize, print_duration};

/// A mapping with known keys.
pub(crate) struct Section {
    /// The heading in the reference.
    pub(crate) title: &'static str,
    /// What the section is for.
    pub(crate) doc: &'static str,
    /// Groups of keys, so that sections can share some.
    pub(crate) groups: &'static [&'static [Key]],
}

impl Section {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) absent: Absent,
    /// Whole sentences, with units.
    pub(crate) doc: &'static str,
    /// A value as it would stand in YAML.
    pub(crate) example: &'static str,
}

/// What it means when a key is not there.
pub(crate) enum Absent {
    /// A mistake.
    Required,
    /// This text is taken for it.
    Default(&'static str),
    /// What happens is told in words.
    Means(&'static str),
}

/// What a value may be.
pub(crate) enum Kind {
    /// A text that a rule checks.
    Text(&'static TextRule),
    /// A text that is never shown.
    Secret(&'static TextRule),
    /// A text with `{name}` in it.
    Template(&'static TextRule),
    /// `true` or `false`.
    Flag,
    /// A number of bytes between two bounds, both included.
    Size { least: u64, most: u64 },
    /// A duration between two bounds, both included.
    Duration { least: Duration, most: Duration },
    /// One of these numbers.
    Number(&'static [u32]),
    /// A whole number between two bounds, both included.
    Count { least: u32, most: u32 },
    /// One of these words, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// An address and port to listen on, or `off`.
    Listen,
    /// A list with at least so many items.
    List { of: &'static Kind, least: usize },
    /// A mapping with free keys.
    Map {
        keys: &'static TextRule,
        of: &'static Kind,
        most: usize,
    },
    /// A mapping with known keys.
    Section(&'static Section),
    /// A mapping whose known keys depend on the value of its key `type`.
    ByType(&'static [(&'static str, &'static Section)]),
}

/// What a text must look like.
pub(crate) struct TextRule {
    /// The kind of text, for the reference: `URL`, `glob`.
    pub(crate) noun: &'static str,
    /// What was expected, for messages.
    pub(crate) expected: &'static str,
    /// How it is mended when nothing more exact is known.
    pub(crate) mend: &'static str,
    /// A regular expression for editors; the check is the authority.
    pub(crate) pattern: Option<&'static str>,
    /// Says what is wrong.
    pub(crate) check: fn(&str) -> Result<(), Wrong>,
}

/// What is wrong with a text.
pub(crate) struct Wrong {
    /// A fragment that fits after the key.
    pub(crate) what: String,
    /// How it is mended, where that is known better than by the rule.
    pub(crate) mend: Option<String>,
}

impl<T: Into<String>> From<T> for Wrong {
    fn from(what: T) -> Self {
        Self {
            what: what.into(),
            mend: None,
        }
    }
}

impl Kind {
    /// What was expected, in words.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Text(rule) | Self::Secret(rule) | Self::Template(rule) => {
                rule.expected.to_owned()
            }
            Self::Flag => "true or false".to_owned(),
            Self::Size { least, most } => {
                format!("a size from {} to {}", ByteSize(*least), ByteSize(*most))
            }
            Self::Duration { least, most } => {
                format!(
                    "a duration from {} to {}",
                    print_duration(*least),
                    print_duration(*most)
                )
            }
            Self::Number(allowed) => {
                let all: Vec<String> = allowed.iter().map(ToString::to_string).collect();
                format!("one of {}", all.join(", "))
            }
            Self::Count { least, most } => format!("a number from {least} to {most}"),
            Self::Choice(words) => {
                let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("one of {}", all.join(", "))
            }
            Self::Listen => "an IP address and a port, or off".to_owned(),
            Self::List { of, least: 0 } => format!("a list, each item {}", of.expected()),
            Self::List { of, .. } => {
                format!("a list with at least one item, each {}", of.expected())
            }
            Self::Map { of, .. } => format!("a mapping of names, each with {}", of.expected()),
            Self::Section(section) => {
                let all: Vec<&str> = section.keys().map(|key| key.name).collect();
                format!("a mapping with keys out of {}", all.join(", "))
            }
            Self::ByType(_) => "a mapping with the key type".to_owned(),
        }
    }

    /// The kind in a word or two, for the reference.
    pub(crate) fn noun(&self) -> String {
        match self {
            Self::Text(rule) | Self::Secret(rule) => rule.noun.to_owned(),
            Self::Template(_) => "template".to_owned(),
            Self::Flag => "flag".to_owned(),
            Self::Size { .. } => "size".to_owned(),
            Self::Duration { .. } => "duration".to_owned(),
            Self::Number(_) | Self::Count { .. } => "number".to_owned(),
            Self::Choice(_) => "word".to_owned(),
            Self::Listen => "address".to_owned(),
            Self::List { of, .. } => format!("list of {}s", of.noun()),
            Self::Map { of, .. } => format!("mapping of {}s", of.noun()),
            Self::Section(_) | Self::ByType(_) => "mapping".to_owned(),
        }
    }

    /// How a value of the wrong kind is mended.
    pub(crate) fn mend(&self, example: &str) -> String {
        match self {
            Self::Text(rule) | Self::Secret(rule) | Self::Template(rule) => rule.mend.to_owned(),
            _ => format!("write for example {example}"),
        }
    }
}
