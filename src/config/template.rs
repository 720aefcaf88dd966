//! Texts with `{name}` in them, as labels and stream names use. Only the text and its names;
//! what a name stands for is the caller's.

use std::fmt;
use std::str::FromStr;

/// The names that every template may use, with what they stand for. Beside them a template may hold
/// `{field.NAME}`, a field of the record.
pub const BUILT_IN_NAMES: [(&str, &str); 5] = [
    (
        "path",
        "the absolute path of the file, as it was when the file was first seen",
    ),
    ("file", "the last part of that path"),
    ("input", "the name of the input"),
    ("hostname", "the host's name; in Kubernetes that of the pod"),
    (
        LEVEL,
        "the level of the record, where it has one; on Loki only",
    ),
];

/// The names that the path of a container's log gives a value, unless the input has such a field.
pub(crate) const OF_CONTAINERS: [&str; 3] = ["namespace", "pod", "container"];

/// Whether a glob can match the log of a container.
pub(crate) fn may_be_of_containers(glob: &str) -> bool {
    glob.contains("/containers/") || glob.contains("/pods/")
}

/// The name that stands for the record's level.
pub(crate) const LEVEL: &str = "level";
/// What comes before the name of a field of the record.
const FIELD: &str = "field.";

/// A text in which `{name}` is replaced. `{{` and `}}` stand for one brace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Fixed text.
    Literal(String),
    /// What stood between braces.
    Name(String),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{` without its `}`.
    #[error("has a `{{` that is not closed")]
    Unclosed,
    /// A `}` without its `{`.
    #[error("has a `}}` that closes nothing")]
    Unopened,
    /// What stands between the braces is no name.
    #[error("has {{{0}}}, which is no name")]
    BadName(String),
}

impl Template {
    /// The text with each name replaced by what `value_of` gives for it; a name without a value
    /// becomes nothing.
    pub fn render<'v>(&self, value_of: impl Fn(&str) -> Option<&'v str>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Name(name) => text.push_str(value_of(name).unwrap_or_default()),
            }
        }
        text
    }

    /// The names in use, in order; one that is used twice comes twice.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// Its pieces, in order.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether it can have another value for each record of a file.
    pub(crate) fn varies(&self) -> bool {
        self.names()
            .any(|name| name == LEVEL || field_of(name).is_some())
    }

    /// The pieces of fixed text, in order.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(text) => Some(text.as_str()),
            Piece::Name(_) => None,
        })
    }

    /// Whether it renders to nothing whatever the names stand for.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// Whether `text` can stand between braces: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The field of a record that a name stands for: the rest behind `field.`, which is as the log
/// writes it.
pub(crate) fn field_of(name: &str) -> Option<&str> {
    name.strip_prefix(FIELD).filter(|field| {
        !field.is_empty() && !field.contains(|c: char| c.is_whitespace() || c == '=')
    })
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if let Some(after) = tail.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = tail.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some(after) = tail.strip_prefix('{') {
                let (name, after) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
                if !is_name(name) && field_of(name).is_none() {
                    return Err(TemplateError::BadName(name.to_owned()));
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Name(name.to_owned()));
                rest = after;
            } else {
                return Err(TemplateError::Unopened);
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => {
                    f.write_str(&text.replace('{', "{{").replace('}', "}}"))?;
                }
                Piece::Name(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(name: &str) -> Option<&'static str> {
        match name {
            "service" => Some("checkout"),
            "path" => Some("/var/log/a.log"),
            _ => None,
        }
    }

    #[test]
    fn names_are_replaced_and_doubled_braces_are_one() {
        for (text, rendered) in [
            ("", ""),
            ("plain", "plain"),
            ("{service}", "checkout"),
            ("a-{service}-{path}", "a-checkout-/var/log/a.log"),
            ("{{service}}", "{service}"),
            ("{{{service}}}", "{checkout}"),
            ("[{absent}]", "[]"),
            ("é{service}è", "écheckoutè"),
            ("{level}-{field.@user.id}", "-"),
        ] {
            let template: Template = text.parse().unwrap();
            assert_eq!(template.render(values), rendered, "{text}");
            assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_template_is_told_apart() {
        for (text, message) in [
            ("{", "has a `{` that is not closed"),
            ("a{service", "has a `{` that is not closed"),
            ("a}", "has a `}` that closes nothing"),
            ("{}", "has {}, which is no name"),
            ("{a b}", "has {a b}, which is no name"),
            ("{field.}", "has {field.}, which is no name"),
            ("{field.a b}", "has {field.a b}, which is no name"),
            ("{fields.a}", "has {fields.a}, which is no name"),
        ] {
            assert_eq!(
                text.parse::<Template>().unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
    }

    #[test]
    fn what_differs_by_record_is_known_from_what_differs_by_file() {
        for (text, varies) in [
            ("{path}", false),
            ("{level}", true),
            ("a-{field.user.id}", true),
            ("{{level}}", false),
            ("{levels}", false),
        ] {
            assert_eq!(text.parse::<Template>().unwrap().varies(), varies, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_template_reads_back(text in "[a{}_é ]{0,20}") {
            if let Ok(template) = text.parse::<Template>() {
                prop_assert_eq!(template.to_string(), text);
                prop_assert_eq!(template.to_string().parse(), Ok(template));
            }
        }
    }
}
