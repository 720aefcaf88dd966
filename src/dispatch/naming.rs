//! What a generation's stream is called at an output: renders the templates of the configuration
//! once for each generation. Keeps the rules for names, and how many streams there may be; knows
//! no file's content.

use std::collections::BTreeMap;
use std::time::Instant;

pub(crate) use super::admission::Merged;
use super::admission::Streams;
use super::sanitised;
pub(crate) use super::values::Values;
use super::values::{Labels, as_text};
use super::varying::{Varying, wanted};
use crate::batch::{StreamName, loki};
use crate::config::{OutputKind, Template};

/// The naming rules of one output.
#[derive(Debug)]
pub(crate) enum Naming {
    /// Labels and structured metadata.
    Loki {
        labels: BTreeMap<String, Template>,
        metadata: BTreeMap<String, Template>,
        /// The fields of records that they name.
        wanted: Vec<String>,
        streams: Streams,
        /// Somebody was told of metadata that had to be left out.
        has_told: bool,
    },
    /// Group and stream.
    CloudWatch {
        group: Template,
        stream: Template,
        /// Somebody was told of a name that had to be changed.
        has_told: bool,
    },
}

/// What a generation's stream is called.
#[derive(Debug)]
pub(crate) struct Named {
    /// The stream. Where labels differ by record: what files that can feed the same ones have in
    /// common.
    pub(crate) stream: StreamName,
    /// The encoded metadata of each record in it.
    pub(crate) metadata: Vec<u8>,
    /// What differs by record.
    pub(crate) varying: Option<Box<Varying>>,
    /// Whether labels became metadata, since there are too many streams.
    pub(crate) merged: Merged,
}

impl Naming {
    /// The rules that an output's configuration gives.
    pub(crate) fn of(kind: &OutputKind) -> Self {
        match kind {
            OutputKind::Loki(output) => Self::Loki {
                labels: output.labels.clone(),
                metadata: output.structured_metadata.clone(),
                wanted: wanted(kind),
                streams: Streams::new(output.max_streams),
                has_told: false,
            },
            OutputKind::CloudWatchLogs(output) => Self::CloudWatch {
                group: output.log_group.clone(),
                stream: output.log_stream.clone(),
                has_told: false,
            },
        }
    }

    /// The name of the stream of a generation that is opened now.
    pub(crate) fn name(&mut self, values: &Values<'_>, now: Instant) -> Named {
        let mut named = Named {
            stream: self.own_stream(values),
            metadata: Vec::new(),
            varying: None,
            merged: Merged::No,
        };
        self.tell_if_changed(values, &named.stream);
        if let Self::Loki {
            labels,
            metadata,
            wanted,
            streams,
            has_told,
        } = self
        {
            let mut own = Labels::of(labels, labels.iter(), values);
            named.merged = streams.admit(&own.bare(), now);
            let is_merged = named.merged != Merged::No;
            let (of_each, common): (Vec<_>, Vec<_>) = labels.iter().partition(|(_, it)| {
                is_merged && it.names().any(|name| values.differs_by_file(name))
            });
            let metadata = || metadata.iter().chain(of_each.iter().copied());
            if is_merged {
                own = Labels::of(labels, common.iter().copied(), values);
                named.stream = own.order();
            }
            let fixed = values.render_all(metadata().filter(|(_, it)| !it.varies()));
            let (encoded, left_out) = loki::encode_metadata(as_text(&fixed));
            named.metadata = encoded;
            if left_out > 0 && !std::mem::replace(has_told, true) {
                tracing::warn!(
                    path = %values.path.display(),
                    left_out,
                    "Loki takes 64 KiB of structured metadata with a line, and structured_metadata gives more: its last entries are left out; this is said once"
                );
            }
            let known = values.known();
            let value_of = |name: &str| known.value_of(name);
            named.varying = Varying::of(&own, common.into_iter(), metadata(), wanted, value_of);
        }
        named
    }

    /// Which streams were begun with, where that is counted.
    pub(super) fn streams(&mut self) -> Option<&mut Streams> {
        match self {
            Self::Loki { streams, .. } => Some(streams),
            Self::CloudWatch { .. } => None,
        }
    }

    /// The stream that the templates give, however many there are already: that by which order
    /// is kept.
    pub(crate) fn own_stream(&self, values: &Values<'_>) -> StreamName {
        match self {
            Self::Loki { labels, .. } => Labels::of(labels, labels.iter(), values).order(),
            Self::CloudWatch { group, stream, .. } => StreamName::CloudWatch {
                group: sanitised::group(&values.render(group), values.input),
                stream: sanitised::stream(&values.render(stream), values.input),
            },
        }
    }
}

impl Naming {
    /// Says once that a name had to be changed.
    fn tell_if_changed(&mut self, values: &Values<'_>, name: &StreamName) {
        let Self::CloudWatch {
            group,
            stream,
            has_told,
        } = self
        else {
            return;
        };
        let StreamName::CloudWatch {
            group: group_now,
            stream: stream_now,
        } = name
        else {
            return;
        };
        if *has_told {
            return;
        }
        for (key, template, now) in [
            ("log_group", group, group_now),
            ("log_stream", stream, stream_now),
        ] {
            let given = values.render(template);
            if given != *now {
                *has_told = true;
                tracing::warn!(
                    path = %values.path.display(),
                    key,
                    given,
                    taken = now,
                    "CloudWatch Logs takes no such name: what it refuses in one is replaced by _, and one of more than 512 characters is cut, with a hash of the whole at its end; this is said once"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::admission::COUNTED_FOR;
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
            container: None,
            hostname: "pod-1",
            fields: &fields,
        };
        let mut naming = Naming::Loki {
            labels: templates(&[
                ("service_name", "{service}"),
                ("filename", "{path}"),
                ("none", "{missing}"),
            ]),
            metadata: templates(&[("pod", "{hostname}")]),
            wanted: Vec::new(),
            streams: Streams::new(9),
            has_told: false,
        };
        let named = naming.name(&values, Instant::now());
        assert_eq!(
            named.stream.to_string(),
            r#"{filename="/var/log/app/a:b*.log", service_name="checkout"}"#
        );
        assert_eq!(
            named.metadata,
            loki::encode_metadata([("pod", "pod-1")].into_iter()).0
        );

        let mut naming = Naming::CloudWatch {
            group: "/apps/{service} é".parse().unwrap(),
            stream: "{hostname}/{file}".parse().unwrap(),
            has_told: false,
        };
        assert_eq!(
            naming.name(&values, Instant::now()).stream,
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
            container: None,
            hostname: "",
            fields: &fields,
        };
        let mut naming = Naming::Loki {
            labels: BTreeMap::new(),
            metadata: BTreeMap::new(),
            wanted: Vec::new(),
            streams: Streams::new(9),
            has_told: false,
        };
        let now = Instant::now();
        assert_eq!(
            naming.name(&values, now).stream.to_string(),
            r#"{service_name="app"}"#
        );
        let mut naming = Naming::CloudWatch {
            group: "{hostname}".parse().unwrap(),
            stream: "{hostname}".parse().unwrap(),
            has_told: false,
        };
        assert_eq!(naming.name(&values, now).stream.to_string(), "app:app");
    }

    #[test]
    fn beyond_the_limit_of_streams_what_differs_by_file_becomes_metadata() {
        let fields = BTreeMap::new();
        let mut naming = Naming::Loki {
            labels: templates(&[("service_name", "{input}"), ("filename", "{path}")]),
            metadata: templates(&[("pod", "{hostname}")]),
            wanted: Vec::new(),
            streams: Streams::new(2),
            has_told: false,
        };
        let start = Instant::now();
        let mut name = |path: &str, after: Duration| {
            let path = Path::new(path);
            let values = Values {
                input: "app",
                path,
                container: None,
                hostname: "p",
                fields: &fields,
            };
            naming.name(&values, start + after)
        };
        let (soon, late) = (Duration::from_secs(1), COUNTED_FOR + Duration::from_secs(2));
        for path in ["/1", "/2", "/1"] {
            assert_eq!(name(path, soon).merged, Merged::No);
        }
        let merged = name("/3", soon);
        assert_eq!(merged.merged, Merged::News);
        assert_eq!(merged.stream.to_string(), r#"{service_name="app"}"#);
        assert_eq!(
            merged.metadata,
            loki::encode_metadata([("pod", "p"), ("filename", "/3")].into_iter()).0
        );
        assert_eq!(name("/4", soon).merged, Merged::Again);
        assert_eq!(name("/2", late).merged, Merged::No, "a known one");
        assert_eq!(
            name("/3", late).merged,
            Merged::No,
            "the first is forgotten"
        );
        assert_eq!(name("/4", late).merged, Merged::News, "said again");
    }

    #[test]
    fn files_whose_records_can_have_the_same_labels_share_one_order() {
        let named_fields = BTreeMap::from([("service".to_owned(), "b".to_owned())]);
        let no_fields = BTreeMap::new();
        let order = |labels: &[(&str, &str)], input: &str, has_service: bool| {
            let values = Values {
                input,
                path: Path::new("/x.log"),
                container: None,
                hostname: "h",
                fields: if has_service {
                    &named_fields
                } else {
                    &no_fields
                },
            };
            let labels = templates(labels);
            let labels = Labels::of(&labels, labels.iter(), &values);
            (labels.order().to_string(), labels.bare())
        };
        let by_input = |input| format!("{{service_name=\"{input}\"}}");
        for labels in [
            ("level", "{level}"),
            ("service_name", "{field.service}"),
            ("level", "{input}-{level}"),
        ] {
            let [(a, _), (b, _)] = ["a", "b"].map(|input| order(&[labels], input, false));
            assert_eq!((&*a, &*b), ("{}", "{}"), "{labels:?}");
        }
        assert_eq!(order(&[("level", "{level}")], "a", false).1, by_input("a"));
        let level = ("level", "{level}");
        let own = order(&[("filename", "{path}"), level], "a", false);
        assert_eq!(own.0, "{filename=\"/x.log\"}");
        // Who has no name of its own gets that of its input, in every record.
        let named = [("service_name", "{service}"), level];
        for (input, has_service, expected) in [("a", false, "a"), ("a", true, "b")] {
            let found = order(&named, input, has_service);
            assert_eq!(found, (by_input(expected), by_input(expected)));
        }
    }
}
