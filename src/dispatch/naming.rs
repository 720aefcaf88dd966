//! What a generation's stream is called at an output: renders the templates of the configuration
//! once for each generation. Keeps the rules for names; knows no file's content.

use std::collections::BTreeMap;
use std::path::Path;

use crate::batch::{StreamName, loki};
use crate::config::{OutputKind, Template};

/// Most characters in the name of a CloudWatch log group or stream.
const MAX_CLOUDWATCH_NAME: usize = 512;
/// Most bytes in a Loki label's value.
const MAX_LABEL_VALUE: usize = 2048;

/// The naming rules of one output.
#[derive(Debug)]
pub(crate) enum Naming {
    /// Labels and structured metadata.
    Loki {
        labels: BTreeMap<String, Template>,
        metadata: BTreeMap<String, Template>,
    },
    /// Group and stream.
    CloudWatch { group: Template, stream: Template },
}

/// What the names in templates stand for.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    /// `{input}`.
    pub(crate) input: &'a str,
    /// `{path}`, and `{file}` from it.
    pub(crate) path: &'a Path,
    /// `{hostname}`.
    pub(crate) hostname: &'a str,
    /// The input's own fields.
    pub(crate) fields: &'a BTreeMap<String, String>,
}

impl Naming {
    /// The rules that an output's configuration gives.
    pub(crate) fn of(kind: &OutputKind) -> Self {
        match kind {
            OutputKind::Loki(output) => Self::Loki {
                labels: output.labels.clone(),
                metadata: output.structured_metadata.clone(),
            },
            OutputKind::CloudWatchLogs(output) => Self::CloudWatch {
                group: output.log_group.clone(),
                stream: output.log_stream.clone(),
            },
        }
    }

    /// The name of the stream, and the encoded metadata of each record in it.
    pub(crate) fn name(&self, values: &Values<'_>) -> (StreamName, Vec<u8>) {
        let path = values.path.to_string_lossy();
        let file = values
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let render = |template: &Template| {
            template.render(|name| match name {
                "path" => Some(&*path),
                "file" => Some(&*file),
                "input" => Some(values.input),
                "hostname" => Some(values.hostname),
                field => values.fields.get(field).map(String::as_str),
            })
        };
        match self {
            Self::Loki { labels, metadata } => {
                let render_all = |templates: &BTreeMap<String, Template>| -> Vec<_> {
                    templates
                        .iter()
                        .map(|(name, template)| {
                            (name.clone(), cut(render(template), MAX_LABEL_VALUE))
                        })
                        // To Loki an empty label is no label.
                        .filter(|(_, value)| !value.is_empty())
                        .collect()
                };
                let mut labels = render_all(labels);
                if labels.is_empty() {
                    labels.push(("service_name".to_owned(), values.input.to_owned()));
                }
                let metadata = render_all(metadata);
                (
                    StreamName::Loki {
                        labels: loki::label_set(as_text(&labels)),
                    },
                    loki::encode_metadata(as_text(&metadata)),
                )
            }
            Self::CloudWatch { group, stream } => {
                let is_group = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
                let is_stream = |c: char| c != ':' && c != '*' && !c.is_control();
                let name = StreamName::CloudWatch {
                    group: sanitised(&render(group), values.input, is_group),
                    stream: sanitised(&render(stream), values.input, is_stream),
                };
                (name, Vec::new())
            }
        }
    }
}

fn as_text(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// At most `max` bytes of `text`, whole characters only.
fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

/// A name as CloudWatch takes it; `fallback` where nothing is left.
fn sanitised(name: &str, fallback: &str, is_allowed: impl Fn(char) -> bool) -> String {
    let name = if name.is_empty() { fallback } else { name };
    name.chars()
        .take(MAX_CLOUDWATCH_NAME)
        .map(|c| if is_allowed(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(pairs: &[(&str, &str)]) -> BTreeMap<String, Template> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.parse().unwrap()))
            .collect()
    }

    #[test]
    fn templates_become_names_that_the_backends_take() {
        let fields = BTreeMap::from([("service".to_owned(), "checkout".to_owned())]);
        let values = Values {
            input: "app",
            path: Path::new("/var/log/app/a:b*.log"),
            hostname: "pod-1",
            fields: &fields,
        };
        let naming = Naming::Loki {
            labels: templates(&[
                ("service_name", "{service}"),
                ("filename", "{path}"),
                ("none", "{missing}"),
            ]),
            metadata: templates(&[("pod", "{hostname}")]),
        };
        let (name, metadata) = naming.name(&values);
        assert_eq!(
            name.to_string(),
            r#"{filename="/var/log/app/a:b*.log", service_name="checkout"}"#
        );
        assert_eq!(
            metadata,
            loki::encode_metadata([("pod", "pod-1")].into_iter())
        );

        let naming = Naming::CloudWatch {
            group: "/apps/{service} é".parse().unwrap(),
            stream: "{hostname}/{file}".parse().unwrap(),
        };
        let (name, _) = naming.name(&values);
        assert_eq!(
            name,
            StreamName::CloudWatch {
                group: "/apps/checkout__".into(),
                stream: "pod-1/a_b_.log".into()
            }
        );
    }

    #[test]
    fn a_stream_always_has_a_name() {
        let fields = BTreeMap::new();
        let values = Values {
            input: "app",
            path: Path::new("/a"),
            hostname: "",
            fields: &fields,
        };
        let naming = Naming::Loki {
            labels: BTreeMap::new(),
            metadata: BTreeMap::new(),
        };
        assert_eq!(
            naming.name(&values).0.to_string(),
            r#"{service_name="app"}"#
        );
        let naming = Naming::CloudWatch {
            group: "{hostname}".parse().unwrap(),
            stream: "{hostname}".parse().unwrap(),
        };
        assert_eq!(naming.name(&values).0.to_string(), "app:app");
    }
}
