//! From the tree to the [`Config`]: which key fills which field, and what is computed where
//! nothing was said. Rules between two keys are in [`super::relations`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::choices::{Choice, word};
use super::describe::{Kind, Section};
use super::fields::{Fields, Notes};
use super::keys::ROOT;
use super::node::{Content, Node};
use super::problem::{Problem, nearest};
use super::records;
use super::rules::with_push_path;
use super::scalars::{Listen, Word};
use super::template::{OF_CONTAINERS, Template, may_be_of_containers};
use super::{
    AfterDelivery, Batch, CloudWatchCompression, CloudWatchLogs, Config, Create, DeadLetters, Disk,
    HoldDeleted, Input, Loki, Output, OutputKind, Server, Shutdown,
};

mod ages;
mod transport;

/// Decodes the whole tree. Only without a mistake among the notes is the result to be used.
pub(crate) fn decode(root: &Node, notes: &mut Notes) -> Config {
    match Fields::open(&ROOT, "", root, notes) {
        Some(fields) => config(&fields, notes),
        // What is no mapping has its problem already: missing keys would only hide it.
        None => config(&Fields::empty(&ROOT), &mut Notes::default()),
    }
}

fn config(fields: &Fields<'_>, notes: &mut Notes) -> Config {
    let _version: u32 = fields.scalar("version", notes);
    let state_dir: String = fields.scalar("state_dir", notes);
    let memory_limit = fields.scalar("memory_limit", notes);
    let dead_letters = dead_letters(&fields.section("dead_letters", notes), notes);
    let shutdown = shutdown(&fields.section("shutdown", notes), notes);
    let server = server(&fields.section("server", notes), notes);
    let inputs = inputs(fields, notes);
    let outputs = outputs(fields, &inputs, notes);
    Config {
        state_dir: PathBuf::from(state_dir),
        memory_limit,
        dead_letters,
        shutdown,
        server,
        inputs,
        outputs,
        local_zone: String::new(),
    }
}

fn dead_letters(fields: &Fields<'_>, notes: &mut Notes) -> DeadLetters {
    DeadLetters {
        max_bytes: fields.scalar("max_bytes", notes),
        when_full: word(fields, "when_full", notes),
        when_all_refused: word(fields, "when_all_refused", notes),
    }
}

fn shutdown(fields: &Fields<'_>, notes: &mut Notes) -> Shutdown {
    Shutdown {
        timeout: fields.scalar("timeout", notes),
        quiet_for: fields.scalar("quiet_for", notes),
        final_lines: fields.scalar("final", notes),
        termination_log: transport::path(fields, "termination_log", notes),
    }
}

fn server(fields: &Fields<'_>, notes: &mut Notes) -> Server {
    let Listen(listen) = fields.scalar("listen", notes);
    Server { listen }
}

fn inputs(fields: &Fields<'_>, notes: &mut Notes) -> Vec<Input> {
    let Some(Kind::List {
        of: Kind::Section(section),
        ..
    }) = kind_of("inputs")
    else {
        return Vec::new();
    };
    let items = fields.items("inputs", notes);
    items
        .into_iter()
        .filter_map(|(path, node)| {
            let fields = Fields::open(section, &path, node, notes)?;
            notes.inputs.push(path);
            Some(input(&fields, notes))
        })
        .collect()
}

fn input(fields: &Fields<'_>, notes: &mut Notes) -> Input {
    Input {
        name: fields.scalar("name", notes),
        include: fields.scalars("include", notes),
        exclude: fields.scalars("exclude", notes),
        read_from: word(fields, "read_from", notes),
        max_line: fields.scalar("max_line", notes),
        fields: fields.map("fields", notes).unwrap_or_default(),
        records: records::decode(fields, notes),
        hold_deleted: hold_deleted(&fields.section("hold_deleted", notes), notes),
        after_delivery: after_delivery(&fields.section("after_delivery", notes), notes),
        disk: disk(&fields.section("disk", notes), notes),
    }
}

fn hold_deleted(fields: &Fields<'_>, notes: &mut Notes) -> HoldDeleted {
    HoldDeleted {
        max_bytes: fields.scalar("max_bytes", notes),
        max_age: fields.scalar("max_age", notes),
        min_free: fields.scalar("min_free", notes),
    }
}

fn after_delivery(fields: &Fields<'_>, notes: &mut Notes) -> AfterDelivery {
    let Word(rotated) = fields.scalar("rotated", notes);
    AfterDelivery {
        delete_rotated: rotated == "delete",
        keep: fields.scalar("keep", notes),
        still_for: fields.scalar("still_for", notes),
    }
}

fn disk(fields: &Fields<'_>, notes: &mut Notes) -> Disk {
    Disk {
        max_bytes: fields.optional("max_bytes", notes),
        when_full: word(fields, "when_full", notes),
    }
}

fn outputs(fields: &Fields<'_>, inputs: &[Input], notes: &mut Notes) -> Vec<Output> {
    let Some(Kind::List {
        of: Kind::ByType(sections),
        ..
    }) = kind_of("outputs")
    else {
        return Vec::new();
    };
    let items = fields.items("outputs", notes);
    items
        .into_iter()
        .filter_map(|(path, node)| {
            let (kind, section) = section_by_type(sections, &path, node, notes)?;
            let fields = Fields::open(section, &path, node, notes)?;
            notes.outputs.push(path);
            Some(output(kind, &fields, inputs, notes))
        })
        .collect()
}

fn output(kind: &str, fields: &Fields<'_>, inputs: &[Input], notes: &mut Notes) -> Output {
    let name = fields.scalar("name", notes);
    let taken = if fields.given("inputs").is_some() {
        fields.scalars("inputs", notes)
    } else {
        inputs
            .iter()
            .map(|input| input.name.clone())
            .collect::<Vec<String>>()
    };
    let kind = if kind == "loki" {
        OutputKind::Loki(loki(fields, inputs, &taken, notes))
    } else {
        OutputKind::CloudWatchLogs(cloudwatch_logs(fields, notes))
    };
    Output {
        name,
        inputs: taken,
        kind,
    }
}

fn loki(fields: &Fields<'_>, inputs: &[Input], taken: &[String], notes: &mut Notes) -> Loki {
    let url: String = fields.scalar("url", notes);
    Loki {
        url: with_push_path(&url),
        tenant_id: fields.optional("tenant_id", notes),
        auth: transport::auth(fields, notes),
        headers: transport::headers(fields, notes),
        labels: fields
            .map("labels", notes)
            .unwrap_or_else(|| default_labels(inputs, taken)),
        structured_metadata: fields.map("structured_metadata", notes).unwrap_or_default(),
        max_streams: fields.scalar("max_streams", notes),
        compression: word(fields, "compression", notes),
        batch: batch(&fields.section("batch", notes), notes),
        ages: ages::of_loki(fields, notes),
        request_timeout: fields.scalar("request_timeout", notes),
        connection: transport::connection(fields, notes),
    }
}

fn cloudwatch_logs(fields: &Fields<'_>, notes: &mut Notes) -> CloudWatchLogs {
    let endpoint_url: Option<String> = fields.optional("endpoint_url", notes);
    let compression = match fields.optional("compression", notes) {
        Some(Word(word)) => CloudWatchCompression::from_word(word),
        None if endpoint_url.as_deref().is_some_and(is_on_this_machine) => {
            CloudWatchCompression::None
        }
        None => CloudWatchCompression::Gzip,
    };
    CloudWatchLogs {
        log_group: fields.scalar("log_group", notes),
        log_stream: fields.scalar("log_stream", notes),
        region: fields.optional("region", notes),
        profile: fields.optional("profile", notes),
        assume_role: transport::assume_role(fields, notes),
        endpoint_url,
        create: create(&fields.section("create", notes), notes),
        compression,
        verify_after_error: word(fields, "verify_after_error", notes),
        batch: batch(&fields.section("batch", notes), notes),
        ages: ages::of_cloudwatch(fields, notes),
        request_timeout: fields.scalar("request_timeout", notes),
        connection: transport::connection(fields, notes),
    }
}

/// Whether a URL leads to a server on this machine, to which packing only costs time.
fn is_on_this_machine(url: &str) -> bool {
    let uri = url.parse::<hyper::Uri>().ok();
    let host = uri.as_ref().and_then(hyper::Uri::host).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn create(fields: &Fields<'_>, notes: &mut Notes) -> Create {
    Create {
        log_group: fields.scalar("log_group", notes),
        log_stream: fields.scalar("log_stream", notes),
        class: word(fields, "class", notes),
        retention_in_days: fields.optional("retention_in_days", notes),
    }
}

fn batch(fields: &Fields<'_>, notes: &mut Notes) -> Batch {
    Batch {
        max_bytes: fields.scalar("max_bytes", notes),
        max_wait: fields.scalar("max_wait", notes),
    }
}

fn default_labels(inputs: &[Input], taken: &[String]) -> BTreeMap<String, Template> {
    let mut named = inputs.iter().filter(|input| taken.contains(&input.name));
    let has_service = |input: &Input| input.fields.contains_key("service");
    let is_named = named.next().is_some_and(has_service) && named.all(has_service);
    let service = if is_named { "{service}" } else { "{input}" };
    // They follow from the path, so they make no more streams than it does.
    let mut of_containers = inputs
        .iter()
        .filter(|input| taken.contains(&input.name))
        .flat_map(|input| &input.include);
    let of_containers = if of_containers.any(|glob| may_be_of_containers(glob)) {
        &OF_CONTAINERS[..]
    } else {
        &[]
    };
    let of_containers = of_containers
        .iter()
        .map(|name| (*name, format!("{{{name}}}")));
    [("service_name", service), ("filename", "{path}")]
        .map(|(name, template)| (name, template.to_owned()))
        .into_iter()
        .chain(of_containers)
        .filter_map(|(name, template)| Some((name.to_owned(), template.parse().ok()?)))
        .collect()
}

fn kind_of(key: &str) -> Option<&'static Kind> {
    ROOT.key(key).map(|key| &key.kind)
}

/// The kind that the value of `type` names or seems to mean, and its description; without one nothing
/// more can be said of the mapping.
fn section_by_type(
    sections: &[(&'static str, &'static Section)],
    path: &str,
    node: &Node,
    notes: &mut Notes,
) -> Option<(&'static str, &'static Section)> {
    let Content::Map(entries) = &node.content else {
        // Opening it as any of them says that it is no mapping.
        return sections.first().copied();
    };
    let kinds = || sections.iter().map(|(kind, _)| *kind);
    let entry = entries.iter().find(|entry| entry.key == "type");
    let kind = entry
        .map(|entry| &entry.value)
        .filter(|value| !value.is_null());
    let text = match kind.map(|kind| &kind.content) {
        Some(Content::Scalar(scalar)) => scalar.text.as_str(),
        _ => "",
    };
    if let Some(found) = sections.iter().find(|(kind, _)| *kind == text) {
        return Some(*found);
    }
    // The keys tell which one was meant when exactly one kind has them.
    let mut meant = sections.iter().filter(|(_, section)| {
        let other: Vec<_> = sections
            .iter()
            .filter(|(_, s)| !std::ptr::eq(*s, *section))
            .collect();
        entries.iter().any(|entry| {
            section.key(&entry.key).is_some()
                && other
                    .iter()
                    .all(|(_, section)| section.key(&entry.key).is_none())
        })
    });
    let by_keys = meant
        .next()
        .map(|(kind, _)| *kind)
        .filter(|_| meant.next().is_none());
    let (place, what) = match (kind, entry) {
        (Some(kind), _) => (kind.place, "is no kind of output that there is"),
        (None, Some(entry)) => (entry.key_place, "has no value"),
        (None, None) => (node.place, "is missing"),
    };
    let shown = match kind {
        None => "nothing".to_owned(),
        Some(Node {
            content: Content::Scalar(_),
            ..
        }) => format!("\"{text}\""),
        Some(other) => other.describe().to_owned(),
    };
    let all: Vec<&str> = kinds().collect();
    let near = nearest(text, kinds())
        .filter(|_| !text.is_empty())
        .or(by_keys);
    notes.problems.push(
        Problem::new(&format!("{path}.type"), place, what)
            .found(shown)
            .expected(format!("one of {}", all.join(", ")))
            .mend(format!("write `type: {}`", near.unwrap_or("loki")))
            .near(near),
    );
    sections
        .iter()
        .find(|(kind, _)| Some(*kind) == near)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_this_machine_is_known_by_its_address() {
        for (url, is_here) in [
            ("http://127.0.0.1:4566", true),
            ("http://localhost:4566/x", true),
            ("http://[::1]:4566", true),
            ("http://localstack:4566", false),
            ("https://logs.eu-west-1.amazonaws.com", false),
            ("http://127.0.0.1.example.com", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_on_this_machine(url), is_here, "{url}");
        }
    }
}
