//! The smallest setups: a configuration made of `PINNACE_*` variables alone. Turns them into the
//! tree that the YAML would give; checks nothing that decoding checks.

use super::environment::{Environment, Variable};
use super::node::{Content, Entry, Node, Scalar};
use super::problem::{Place, Problem, nearest};

/// The variable that holds a whole configuration.
pub const TEXT_VARIABLE: &str = "PINNACE_CONFIG";

/// A variable, what it sets, and an example, for the reference.
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) example: &'static str,
}

/// The variables that make up a configuration.
pub(crate) static DESCRIBED: [Described; 6] = [
    Described {
        name: "PINNACE_INCLUDE",
        doc: "The globs of the input `app`, separated by commas. Required.",
        example: "/var/log/app/*.log,/var/log/other/*.log",
    },
    Described {
        name: "PINNACE_STATE_DIR",
        doc: "`state_dir`.",
        example: "/var/lib/pinnace",
    },
    Described {
        name: "PINNACE_LOKI_URL",
        doc: "The `url` of an output `loki`.",
        example: "http://loki-gateway.loki.svc",
    },
    Described {
        name: "PINNACE_LOKI_LABELS",
        doc: "The `labels` of that output: `name=value`, separated by commas. Values are templates.",
        example: "service_name=checkout,filename={path}",
    },
    Described {
        name: "PINNACE_LOG_GROUP",
        doc: "The `log_group` of an output `cloudwatch`.",
        example: "/apps/checkout",
    },
    Described {
        name: "PINNACE_LOG_STREAM",
        doc: "The `log_stream` of that output.",
        example: "{hostname}",
    },
];

/// Any of these selects the environment as the source. The state directory is not among them: an
/// image may set it beside a file.
pub(crate) const SELECTING: [&str; 5] = [
    "PINNACE_INCLUDE",
    "PINNACE_LOKI_URL",
    "PINNACE_LOKI_LABELS",
    "PINNACE_LOG_GROUP",
    "PINNACE_LOG_STREAM",
];

/// The tree that the variables stand for. Values are taken as they are: `$` is nothing special.
pub(crate) fn tree(environment: &Environment, problems: &mut Vec<Problem>) -> Node {
    let mut read = |name: &'static str| match environment.get(name) {
        Variable::Set(value) => Some(value.to_owned()),
        Variable::Unset => None,
        Variable::NotUnicode => {
            problems.push(
                Problem::new("", Place::Variable(name), format!("{name} is not UTF-8"))
                    .expected("a value in UTF-8")
                    .mend("set it to another value"),
            );
            None
        }
    };
    let include = read("PINNACE_INCLUDE");
    let state_dir = read("PINNACE_STATE_DIR");
    let url = read("PINNACE_LOKI_URL");
    let labels = read("PINNACE_LOKI_LABELS");
    let log_group = read("PINNACE_LOG_GROUP");
    let log_stream = read("PINNACE_LOG_STREAM");

    let mut root = Vec::new();
    if let Some(folder) = state_dir {
        root.push(entry("state_dir", scalar("PINNACE_STATE_DIR", folder)));
    }
    match include {
        Some(globs) => {
            let place = Place::Variable("PINNACE_INCLUDE");
            let globs = split_outside_brackets(&globs)
                .into_iter()
                .map(|glob| scalar("PINNACE_INCLUDE", glob))
                .collect();
            let input = vec![
                entry("name", scalar("PINNACE_INCLUDE", "app".to_owned())),
                entry(
                    "include",
                    Node {
                        place,
                        content: Content::List(globs),
                    },
                ),
            ];
            root.push(entry("inputs", list("PINNACE_INCLUDE", input)));
        }
        None => problems.push(missing(
            environment,
            "PINNACE_INCLUDE",
            "the files to read are not named",
            "PINNACE_INCLUDE with one or more globs",
            "set PINNACE_INCLUDE, for example to /var/log/app/*.log",
        )),
    }
    let mut outputs = Vec::new();
    if let Some(url) = url {
        let mut output = output("PINNACE_LOKI_URL", "loki", "loki");
        output.push(entry("url", scalar("PINNACE_LOKI_URL", url)));
        if let Some(labels) = labels {
            output.push(entry("labels", label_map(&labels, problems)));
        }
        outputs.push(map("PINNACE_LOKI_URL", output));
    } else if labels.is_some() {
        problems.push(missing(
            environment,
            "PINNACE_LOKI_URL",
            "PINNACE_LOKI_LABELS is set without PINNACE_LOKI_URL",
            "both, or neither",
            "set PINNACE_LOKI_URL",
        ));
    }
    if let Some(log_group) = log_group {
        let mut output = output("PINNACE_LOG_GROUP", "cloudwatch", "cloudwatch_logs");
        output.push(entry("log_group", scalar("PINNACE_LOG_GROUP", log_group)));
        if let Some(log_stream) = log_stream {
            output.push(entry(
                "log_stream",
                scalar("PINNACE_LOG_STREAM", log_stream),
            ));
        }
        outputs.push(map("PINNACE_LOG_GROUP", output));
    } else if log_stream.is_some() {
        problems.push(missing(
            environment,
            "PINNACE_LOG_GROUP",
            "PINNACE_LOG_STREAM is set without PINNACE_LOG_GROUP",
            "both, or PINNACE_LOG_GROUP alone",
            "set PINNACE_LOG_GROUP",
        ));
    }
    if outputs.is_empty() && problems.is_empty() {
        problems.push(missing(
            environment,
            "PINNACE_LOKI_URL",
            "no output is named",
            "PINNACE_LOKI_URL or PINNACE_LOG_GROUP",
            "set one of the two, or both",
        ));
    }
    if !outputs.is_empty() {
        let place = outputs[0].place;
        root.push(entry(
            "outputs",
            Node {
                place,
                content: Content::List(outputs),
            },
        ));
    }
    Node {
        place: Place::Nowhere,
        content: Content::Map(root),
    }
}

/// Variables that look like a slip of one that is known.
pub(crate) fn misspelt(environment: &Environment) -> Vec<(String, &'static str)> {
    let known = || DESCRIBED.iter().map(|variable| variable.name);
    environment
        .names()
        .filter(|name| name.starts_with("PINNACE_") && !name.starts_with("PINNACE_SERVICE_"))
        .filter(|name| *name != TEXT_VARIABLE && !known().any(|k| k == *name))
        .filter_map(|name| Some((name.to_owned(), nearest(name, known())?)))
        .collect()
}

fn missing(
    environment: &Environment,
    name: &'static str,
    what: &str,
    expected: &str,
    mend: &str,
) -> Problem {
    let meant = misspelt(environment)
        .into_iter()
        .find(|(_, known)| *known == name);
    let found = match &meant {
        Some((wrong, _)) => format!("{name} is not set, {wrong} is"),
        None => format!("{name} is not set"),
    };
    Problem::new("", Place::Nowhere, what)
        .found(found)
        .expected(expected)
        .mend(mend)
        .near(meant.map(|(_, known)| known))
}

fn label_map(text: &str, problems: &mut Vec<Problem>) -> Node {
    const VARIABLE: &str = "PINNACE_LOKI_LABELS";
    let place = Place::Variable(VARIABLE);
    let mut entries: Vec<Entry> = Vec::new();
    for pair in split_outside_brackets(text) {
        match pair.split_once('=') {
            Some((name, value)) if entries.iter().all(|entry| entry.key != name.trim()) => {
                entries.push(Entry {
                    key: name.trim().to_owned(),
                    key_place: place,
                    value: scalar(VARIABLE, value.trim().to_owned()),
                });
            }
            Some((name, _)) => problems.push(
                Problem::new("outputs[0].labels", place, "names a label twice")
                    .found(name.trim())
                    .expected("each name once")
                    .mend("take one of the two out"),
            ),
            None => problems.push(
                Problem::new("outputs[0].labels", place, "has a part without `=`")
                    .found(pair)
                    .expected("name=value, separated by commas")
                    .mend("write for example service_name=checkout,filename={path}"),
            ),
        }
    }
    Node {
        place,
        content: Content::Map(entries),
    }
}

/// Splits at commas; those in `{a,b}` and `[a,b]` belong to a glob.
fn split_outside_brackets(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for sign in text.chars() {
        match sign {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if sign == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(sign);
        }
    }
    parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

fn output(variable: &'static str, name: &str, kind: &str) -> Vec<Entry> {
    vec![
        entry("name", scalar(variable, name.to_owned())),
        entry("type", scalar(variable, kind.to_owned())),
    ]
}

fn scalar(variable: &'static str, text: String) -> Node {
    let scalar = Scalar {
        text,
        is_quoted: true,
        reference: None,
    };
    Node {
        place: Place::Variable(variable),
        content: Content::Scalar(scalar),
    }
}

fn map(variable: &'static str, entries: Vec<Entry>) -> Node {
    Node {
        place: Place::Variable(variable),
        content: Content::Map(entries),
    }
}

fn list(variable: &'static str, entries: Vec<Entry>) -> Node {
    let content = Content::List(vec![map(variable, entries)]);
    Node {
        place: Place::Variable(variable),
        content,
    }
}

fn entry(key: &str, value: Node) -> Entry {
    Entry {
        key: key.to_owned(),
        key_place: value.place,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_inside_brackets_do_not_separate() {
        for (text, parts) in [
            ("/a/*.log", vec!["/a/*.log"]),
            ("/a/*.log, /b/*.log,", vec!["/a/*.log", "/b/*.log"]),
            ("/a/{x,y}.log,/b/[a,b]", vec!["/a/{x,y}.log", "/b/[a,b]"]),
            (" , ", vec![]),
        ] {
            assert_eq!(split_outside_brackets(text), parts, "{text}");
        }
    }

    #[test]
    fn names_that_kubernetes_makes_are_no_slips() {
        let environment = Environment::from([
            ("PINNACE_SERVICE_HOST", "10.0.0.1"),
            ("PINNACE_PORT", "tcp://10.0.0.1:80"),
            ("PINNACE_LOKI_URI", "http://loki"),
        ]);
        assert_eq!(
            misspelt(&environment),
            vec![("PINNACE_LOKI_URI".to_owned(), "PINNACE_LOKI_URL")]
        );
    }
}
