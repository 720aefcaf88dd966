//! `${VAR}`, `${VAR:-default}` and `$$` in values. Works on values after parsing, so that no
//! variable can change the structure of the configuration.

use super::environment::{Environment, Variable};
use super::mask::{is_secret_name, mask_defaults};
use super::node::{Content, Node, Reference, Scalar, join};
use super::problem::{Place, Problem, nearest};

/// Replaces the references in every value below `node`.
pub(crate) fn interpolate(
    node: &mut Node,
    path: &str,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) {
    match &mut node.content {
        Content::Scalar(scalar) => {
            if scalar.text.contains('$') {
                replace_in(scalar, path, node.place, environment, problems);
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                interpolate(item, &format!("{path}[{index}]"), environment, problems);
            }
        }
        Content::Map(entries) => {
            for entry in entries {
                let path = join(path, &entry.key);
                interpolate(&mut entry.value, &path, environment, problems);
            }
        }
    }
}

fn replace_in(
    scalar: &mut Scalar,
    path: &str,
    place: Place,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) {
    let mut text = String::with_capacity(scalar.text.len());
    let mut rest = scalar.text.as_str();
    let (mut has_reference, mut is_secret) = (false, false);
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if let Some(after) = tail.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some(after) = tail.strip_prefix('{') {
            has_reference = true;
            let Some((inside, after)) = after.split_once('}') else {
                problems.push(
                    Problem::new(path, place, "has a `${` that is not closed")
                        .found(scalar.text.as_str())
                        .expected("${NAME} or ${NAME:-default}")
                        .mend("add the `}`; where `$` itself is meant write `$$`"),
                );
                return;
            };
            match value_of(inside, environment) {
                Ok(value) => text.push_str(value),
                Err(complaint) => problems.push(complaint.at(path, place, inside, environment)),
            }
            is_secret |= is_secret_name(inside.split(":-").next().unwrap_or_default());
            rest = after;
        } else {
            text.push('$');
            rest = tail;
        }
    }
    text.push_str(rest);
    let written = std::mem::replace(&mut scalar.text, text);
    if has_reference {
        // A secret's default is as secret as its value.
        scalar.reference = Some(Reference {
            text: mask_defaults(&written),
            is_secret,
        });
    }
}

enum Complaint {
    BadName,
    Unset,
    NotUnicode,
}

fn value_of<'e>(inside: &'e str, environment: &'e Environment) -> Result<&'e str, Complaint> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !super::template::is_name(name) {
        return Err(Complaint::BadName);
    }
    match environment.get(name) {
        Variable::Set(value) => Ok(value),
        Variable::NotUnicode => Err(Complaint::NotUnicode),
        Variable::Unset => default.ok_or(Complaint::Unset),
    }
}

impl Complaint {
    fn at(self, path: &str, place: Place, inside: &str, environment: &Environment) -> Problem {
        let name = inside.split(":-").next().unwrap_or_default();
        match self {
            Self::BadName => Problem::new(path, place, "has a `${…}` without a variable's name")
                .found(format!("${{{inside}}}"))
                .expected("${NAME} or ${NAME:-default}, the name of letters, digits and `_`")
                .mend("where `${` itself is meant write `$${`"),
            Self::Unset => Problem::new(
                path,
                place,
                format!("needs the variable {name}, which is not set"),
            )
            .found(format!("${{{inside}}}"))
            .expected("a variable that is set and not empty")
            .mend(format!(
                "set {name}, or give a default: ${{{name}:-default}}"
            ))
            .near(nearest(name, environment.names())),
            Self::NotUnicode => Problem::new(
                path,
                place,
                format!("needs the variable {name}, which is not UTF-8"),
            )
            .found(format!("${{{inside}}}"))
            .expected("a variable whose value is UTF-8")
            .mend(format!("set {name} to another value")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpolated(text: &str) -> Result<(String, bool), String> {
        let environment = Environment::from([
            ("NAME", "pod-7"),
            ("EMPTY", ""),
            ("DOLLAR", "${NAME}"),
            ("API_TOKEN", "s3cret"),
        ]);
        let scalar = Scalar {
            text: text.to_owned(),
            ..Scalar::default()
        };
        let mut node = Node {
            place: Place::Nowhere,
            content: Content::Scalar(scalar),
        };
        let mut problems = Vec::new();
        interpolate(&mut node, "key", &environment, &mut problems);
        match (problems.first(), node.content) {
            (Some(problem), _) => Err(problem.headline()),
            (None, Content::Scalar(scalar)) => Ok((
                scalar.text,
                scalar
                    .reference
                    .is_some_and(|reference| reference.is_secret),
            )),
            _ => unreachable!("a scalar stays a scalar"),
        }
    }

    #[test]
    fn references_are_replaced_once_and_a_lone_dollar_stays() {
        for (text, value) in [
            ("${NAME}", "pod-7"),
            ("a-${NAME}-${NAME}", "a-pod-7-pod-7"),
            ("${ABSENT:-x}", "x"),
            ("${EMPTY:-x}", "x"),
            ("${ABSENT:-}", ""),
            ("$${NAME}", "${NAME}"),
            ("$$$$", "$$"),
            ("5$ and $NAME", "5$ and $NAME"),
            ("${DOLLAR}", "${NAME}"),
        ] {
            assert_eq!(interpolated(text), Ok((value.to_owned(), false)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_a_problem() {
        for (text, message) in [
            (
                "${ABSENT}",
                "`key` needs the variable ABSENT, which is not set",
            ),
            (
                "${EMPTY}",
                "`key` needs the variable EMPTY, which is not set",
            ),
            ("${", "`key` has a `${` that is not closed"),
            ("${a b}", "`key` has a `${…}` without a variable's name"),
            ("${}", "`key` has a `${…}` without a variable's name"),
        ] {
            assert_eq!(interpolated(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_secret_is_known_by_its_variable() {
        assert_eq!(
            interpolated("${API_TOKEN}"),
            Ok(("s3cret".to_owned(), true))
        );
        assert_eq!(interpolated("${NO_TOKEN:-x}"), Ok(("x".to_owned(), true)));
    }
}
