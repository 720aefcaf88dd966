//! The descriptions against the decoder: every key is read, every example and default is right.

use super::super::fields::Notes;
use super::super::node::{Content, Entry, Node, parse};
use super::super::problem::Place;
use super::super::{decode, relations};
use super::*;

const EVERY_KEY: &str = r"
shutdown: { timeout: 25s }
server: { listen: off }
inputs: [{ name: app, include: [/a.log], fields: { service: checkout }, filters: [{ action: drop, level: debug }] }]
outputs:
  - { name: loki, type: loki, url: http://loki, batch: { max_wait: 1s } }
  - { name: cw, type: cloudwatch_logs, log_group: g, create: { log_group: true }, batch: { max_wait: 1s } }
";

/// Every key with its full path, for a text in which every section is there.
fn every_key() -> Vec<(String, &'static Key)> {
    let mut keys = Vec::new();
    collect(&ROOT, "", &mut keys);
    keys
}

fn collect(section: &'static Section, path: &str, keys: &mut Vec<(String, &'static Key)>) {
    for key in section.keys() {
        let path = if path.is_empty() {
            key.name.to_owned()
        } else {
            format!("{path}.{}", key.name)
        };
        match &key.kind {
            Kind::Section(inner) => collect(inner, &path, keys),
            Kind::List {
                of: Kind::Section(inner),
                ..
            } => {
                collect(inner, &format!("{path}[0]"), keys);
            }
            Kind::List {
                of: Kind::ByType(sections),
                ..
            } => {
                for (index, (_, inner)) in sections.iter().enumerate() {
                    collect(inner, &format!("{path}[{index}]"), keys);
                }
            }
            _ => {}
        }
        keys.push((path, key));
    }
}

/// The problems after the value at `path` was replaced by `value`.
fn problems_with(path: &str, value: &str) -> Vec<String> {
    let mut notes = Notes::default();
    let mut root = parse(EVERY_KEY, &mut notes.problems).unwrap();
    let value = parse(value, &mut notes.problems).unwrap();
    replace(&mut root, path, value);
    let config = decode::decode(&root, &mut notes);
    relations::check(&config, &mut notes);
    notes
        .problems
        .into_iter()
        .map(|problem| problem.key)
        .collect()
}

fn replace(node: &mut Node, path: &str, value: Node) {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, index) = match name.split_once('[') {
        Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
        None => (name, None),
    };
    let Content::Map(entries) = &mut node.content else {
        panic!("{path} is in no mapping")
    };
    let at = entries
        .iter()
        .position(|entry| entry.key == name)
        .unwrap_or_else(|| {
            let place = Place::Nowhere;
            let value = Node {
                place,
                content: Content::Map(Vec::new()),
            };
            entries.push(Entry {
                key: name.to_owned(),
                key_place: place,
                value,
            });
            entries.len() - 1
        });
    let below = &mut entries[at].value;
    match (index, &mut below.content) {
        (Some(index), Content::List(items)) => replace(&mut items[index], rest, value),
        _ if rest.is_empty() => *below = value,
        _ => replace(below, rest, value),
    }
}

#[test]
fn every_described_key_is_read() {
    assert!(problems_with("version", "1").is_empty());
    let keys = every_key();
    assert!(keys.len() > 40);
    for (path, _) in keys {
        let problems = problems_with(&path, "[[wrong]]");
        assert!(
            problems.iter().any(|key| key.starts_with(&path)),
            "{path}: {problems:?}"
        );
    }
}

#[test]
fn every_example_is_right() {
    for (path, key) in every_key() {
        let problems = problems_with(&path, &key.example.replace("${POD_NAME}", "pod-7"));
        // What has to stand beside it is a matter of the mapping around it.
        let is_right = problems.iter().all(|key| !key.starts_with(&path));
        assert!(is_right, "{path}: {} {problems:?}", key.example);
    }
}

#[test]
fn every_default_is_right() {
    for (path, key) in every_key() {
        if let Absent::Default(text) = key.absent {
            let value = if text.starts_with('{') {
                format!("\"{text}\"")
            } else {
                text.to_owned()
            };
            let value = if text == "{}" { text.to_owned() } else { value };
            let problems = problems_with(&path, &value);
            assert!(problems.is_empty(), "{path}: {text} {problems:?}");
        }
    }
}
