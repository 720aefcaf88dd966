//! Reads a single value from a scalar by the rules of its kind, and says exactly what is wrong
//! with one that cannot be read. Knows no key and no place.

use std::net::SocketAddr;
use std::time::Duration;

use super::describe::{Kind, Wrong};
use super::node::Scalar;
use super::problem::nearest;
use super::template::Template;
use super::units::{ByteSize, UnitError, parse_duration, print_duration};

/// A value that can be read from a scalar.
pub(crate) trait FromScalar: Default {
    /// Reads it by the rules of its kind.
    fn from_scalar(scalar: &Scalar, kind: &Kind) -> Result<Self, Complaint>;
}

/// What is wrong with a scalar. The kind supplies whatever is left empty.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    pub(crate) what: String,
    pub(crate) mend: Option<String>,
    pub(crate) near: Option<String>,
}

impl From<Wrong> for Complaint {
    fn from(Wrong { what, mend }: Wrong) -> Self {
        Self {
            what,
            mend,
            near: None,
        }
    }
}

fn complaint(what: impl Into<String>) -> Complaint {
    Complaint {
        what: what.into(),
        ..Complaint::default()
    }
}

impl FromScalar for String {
    fn from_scalar(scalar: &Scalar, kind: &Kind) -> Result<Self, Complaint> {
        let check = match kind {
            Kind::Text(rule) | Kind::Secret(rule) => (rule.check)(&scalar.text),
            _ => Ok(()),
        };
        if scalar.is_null() {
            return Err(complaint("has no value"));
        }
        check.map(|()| scalar.text.clone()).map_err(Complaint::from)
    }
}

impl FromScalar for Template {
    fn from_scalar(scalar: &Scalar, kind: &Kind) -> Result<Self, Complaint> {
        if scalar.is_null() {
            return Err(complaint("has no value"));
        }
        if let Kind::Template(rule) = kind {
            (rule.check)(&scalar.text).map_err(Complaint::from)?;
        }
        scalar
            .text
            .parse()
            .map_err(|error| complaint(format!("{error}")))
    }
}

impl FromScalar for bool {
    fn from_scalar(scalar: &Scalar, _: &Kind) -> Result<Self, Complaint> {
        match scalar.text.as_str() {
            "true" | "True" | "TRUE" if scalar.is_typed() => Ok(true),
            "false" | "False" | "FALSE" if scalar.is_typed() => Ok(false),
            "true" | "false" => Err(Complaint {
                mend: Some("take the quotes away".to_owned()),
                ..complaint("is a text")
            }),
            other => Err(Complaint {
                mend: Some("write true or false".to_owned()),
                near: match other.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "1" => Some("true".to_owned()),
                    "no" | "off" | "n" | "0" => Some("false".to_owned()),
                    _ => nearest(other, ["true", "false"]).map(str::to_owned),
                },
                ..complaint("is neither true nor false")
            }),
        }
    }
}

impl FromScalar for ByteSize {
    fn from_scalar(scalar: &Scalar, kind: &Kind) -> Result<Self, Complaint> {
        let size: Self = scalar.text.parse().map_err(|error| Complaint {
            mend: match &error {
                UnitError::AmbiguousUnit {
                    decimal, binary, ..
                } => Some(format!("write {binary} or {decimal}")),
                UnitError::Fraction => Some("write a whole number of a smaller unit".to_owned()),
                _ => None,
            },
            ..complaint(format!("is not a size: {error}"))
        })?;
        match kind {
            Kind::Size { least, .. } if size.0 < *least => Err(Complaint {
                mend: Some(format!("write {} or more", Self(*least))),
                ..complaint("is too small")
            }),
            Kind::Size { most, .. } if size.0 > *most => Err(Complaint {
                mend: Some(format!("write {} or less", Self(*most))),
                ..complaint("is too large")
            }),
            _ => Ok(size),
        }
    }
}

impl FromScalar for Duration {
    fn from_scalar(scalar: &Scalar, kind: &Kind) -> Result<Self, Complaint> {
        let duration = parse_duration(&scalar.text).map_err(|error| Complaint {
            mend: match &error {
                UnitError::NoUnit => Some(format!(
                    "add the unit: {}s or {}ms",
                    scalar.text.trim(),
                    scalar.text.trim()
                )),
                UnitError::Fraction => Some("write a whole number of a smaller unit".to_owned()),
                _ => None,
            },
            ..complaint(format!("is not a duration: {error}"))
        })?;
        match kind {
            Kind::Duration { least, .. } if duration < *least => Err(Complaint {
                mend: Some(format!("write {} or more", print_duration(*least))),
                ..complaint("is too short")
            }),
            Kind::Duration { most, .. } if duration > *most => Err(Complaint {
                mend: Some(format!("write {} or less", print_duration(*most))),
                ..complaint("is too long")
            }),
            _ => Ok(duration),
        }
    }
}

impl FromScalar for u32 {
    fn from_scalar(scalar: &Scalar, kind: &Kind) -> Result<Self, Complaint> {
        let number = scalar
            .text
            .parse::<Self>()
            .map_err(|_| complaint("is not a whole number"))?;
        if !scalar.is_typed() {
            let mend = Some("take the quotes away".to_owned());
            return Err(Complaint {
                mend,
                ..complaint("is a text")
            });
        }
        let allowed = match kind {
            Kind::Number(allowed) => allowed,
            Kind::Count { least, .. } if number < *least => {
                return Err(Complaint {
                    mend: Some(format!("write {least} or more")),
                    ..complaint("is too small")
                });
            }
            Kind::Count { most, .. } if number > *most => {
                return Err(Complaint {
                    mend: Some(format!("write {most} or less")),
                    ..complaint("is too large")
                });
            }
            _ => return Ok(number),
        };
        if allowed.contains(&number) {
            return Ok(number);
        }
        if let [only] = allowed {
            return Err(Complaint {
                mend: Some(format!(
                    "write {only}, or use a Pinnace that knows {number}"
                )),
                ..complaint("is not supported")
            });
        }
        let near = allowed
            .iter()
            .min_by_key(|candidate| candidate.abs_diff(number));
        Err(Complaint {
            mend: near.map(|near| format!("write {near}")),
            ..complaint("is none of the numbers that are possible")
        })
    }
}

/// Where to listen; `None` for `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Listen(pub(crate) Option<SocketAddr>);

impl FromScalar for Listen {
    fn from_scalar(scalar: &Scalar, _: &Kind) -> Result<Self, Complaint> {
        // Tools that write YAML 1.1 turn `off` into `false`.
        if matches!(&*scalar.text, "off" | "false") {
            return Ok(Self(None));
        }
        match scalar.text.parse() {
            Ok(address) => Ok(Self(Some(address))),
            Err(_) => Err(Complaint {
                mend: scalar.text.trim_start_matches(':').parse::<u16>().ok().map(|port| {
                    format!("write \"0.0.0.0:{port}\" for every address, \"127.0.0.1:{port}\" for this host alone")
                }),
                ..complaint("is no IP address with a port")
            }),
        }
    }
}

/// One of the words of a [`Kind::Choice`]; empty when none was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Word(pub(crate) &'static str);

impl FromScalar for Word {
    fn from_scalar(scalar: &Scalar, kind: &Kind) -> Result<Self, Complaint> {
        let Kind::Choice(words) = kind else {
            return Ok(Self::default());
        };
        let all = || words.iter().map(|(word, _)| *word);
        all()
            .find(|word| *word == scalar.text)
            .map(Self)
            .ok_or_else(|| {
                let near = nearest(&scalar.text, all()).map(str::to_owned);
                Complaint {
                    mend: near.as_ref().map(|near| format!("write {near}")),
                    near,
                    ..complaint("is none of the words that are possible")
                }
            })
    }
}
