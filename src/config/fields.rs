//! Takes single values out of the tree by the description of their keys: unknown and missing
//! keys, wrong types, bounds. What has a mistake is noted and gives a stand-in, so that all
//! mistakes come at once. Knows no rule between two keys.

use std::collections::BTreeMap;

use super::describe::{Absent, Key, Kind, Section, TextRule};
use super::node::{Content, Entry, Node, Scalar, join};
use super::problem::{Place, Problem, nearest};
use super::scalars::FromScalar;

/// What decoding collects beside the values.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) problems: Vec<Problem>,
    /// By full key: the text with the name of a secret variable in it, to be shown in its stead.
    pub(crate) secrets: BTreeMap<String, String>,
    /// By full key: where its value stands.
    pub(crate) places: BTreeMap<String, Place>,
    /// The full key of each input of the decoded configuration: one that is no mapping is not in it.
    pub(crate) inputs: Vec<String>,
    /// The same of each output: one whose type is not known is not in it.
    pub(crate) outputs: Vec<String>,
}

impl Notes {
    /// Where the value of a key stands, or where the nearest key around it does.
    pub(crate) fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = &path[..at],
                None => return Place::Nowhere,
            }
        }
    }

    /// Whether a mistake was noted at this key.
    pub(crate) fn is_broken(&self, path: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == path)
    }
}

/// The keys of one mapping, with the description of what may stand there.
pub(crate) struct Fields<'n> {
    section: &'static Section,
    path: String,
    place: Place,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    /// Opens a mapping; anything else is noted. Unknown keys are noted at once.
    pub(crate) fn open(
        section: &'static Section,
        path: &str,
        node: &'n Node,
        notes: &mut Notes,
    ) -> Option<Self> {
        notes.places.insert(path.to_owned(), node.place);
        let Content::Map(entries) = &node.content else {
            let what = if path.is_empty() {
                "the text is not a mapping"
            } else {
                "is not a mapping"
            };
            notes.problems.push(
                Problem::new(path, node.place, what)
                    .found(found(node))
                    .expected(Kind::Section(section).expected())
                    .mend("write one `key: value` on each line, indented below"),
            );
            return None;
        };
        for entry in entries {
            if section.key(&entry.key).is_none() {
                let known = || section.keys().map(|key| key.name);
                let all: Vec<&str> = known().collect();
                let near = nearest(&entry.key, known());
                let mend = match near {
                    Some(_) => "correct the name, or take the key out",
                    None => "take the key out, or see whether it belongs somewhere else",
                };
                notes.problems.push(
                    Problem::new(
                        &join(path, &entry.key),
                        entry.key_place,
                        "is not a known key",
                    )
                    .found(format!("`{}`", entry.key))
                    .expected(format!("one of {}", all.join(", ")))
                    .mend(mend)
                    .near(near),
                );
            }
        }
        Some(Self {
            section,
            path: path.to_owned(),
            place: node.place,
            entries,
        })
    }

    /// A mapping in which nothing was given.
    pub(crate) fn empty(section: &'static Section) -> Self {
        Self {
            section,
            path: String::new(),
            place: Place::Nowhere,
            entries: &[],
        }
    }

    /// The full name of a key.
    pub(crate) fn path(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// What was given for a key, if anything was.
    pub(crate) fn given(&self, name: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        (!entry.value.is_null()).then_some(&entry.value)
    }

    /// The value of a key that is required or has a default.
    pub(crate) fn scalar<T: FromScalar>(&self, name: &str, notes: &mut Notes) -> T {
        match (self.given(name), self.key(name)) {
            (Some(node), Some(key)) => {
                read(&self.path(name), node, &key.kind, key.example, notes).unwrap_or_default()
            }
            (
                None,
                Some(Key {
                    kind,
                    absent: Absent::Default(text),
                    ..
                }),
            ) => {
                let scalar = Scalar {
                    text: (*text).to_owned(),
                    ..Scalar::default()
                };
                T::from_scalar(&scalar, kind).unwrap_or_default()
            }
            (None, Some(key)) => {
                self.note_missing(key, notes);
                T::default()
            }
            (_, None) => T::default(),
        }
    }

    /// The value of a key that may be left out.
    pub(crate) fn optional<T: FromScalar>(&self, name: &str, notes: &mut Notes) -> Option<T> {
        let (node, key) = (self.given(name)?, self.key(name)?);
        read(&self.path(name), node, &key.kind, key.example, notes)
    }

    /// The items of a list with their full names.
    pub(crate) fn items(&self, name: &str, notes: &mut Notes) -> Vec<(String, &'n Node)> {
        let Some(key) = self.key(name) else {
            return Vec::new();
        };
        let path = self.path(name);
        let Some(node) = self.given(name) else {
            if matches!(key.absent, Absent::Required) {
                self.note_missing(key, notes);
            }
            return Vec::new();
        };
        notes.places.insert(path.clone(), node.place);
        let least = if let Kind::List { least, .. } = &key.kind {
            *least
        } else {
            0
        };
        let problem = |what: &str| {
            Problem::new(&path, node.place, what)
                .found(found(node))
                .expected(key.kind.expected())
                .mend(format!("write for example `{name}: {}`", key.example))
        };
        match &node.content {
            Content::List(items) if items.len() < least => {
                notes
                    .problems
                    .push(problem("is empty").found("an empty list"));
                Vec::new()
            }
            Content::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| (format!("{path}[{index}]"), item))
                .collect(),
            _ => {
                notes.problems.push(problem("is not a list"));
                Vec::new()
            }
        }
    }

    /// A list of scalars.
    pub(crate) fn scalars<T: FromScalar>(&self, name: &str, notes: &mut Notes) -> Vec<T> {
        let Some(Key {
            kind: Kind::List { of, .. },
            example,
            ..
        }) = self.key(name)
        else {
            return Vec::new();
        };
        let example = example.trim_start_matches('[').trim_end_matches(']');
        self.items(name, notes)
            .into_iter()
            .map(|(path, node)| read(&path, node, of, example, notes).unwrap_or_default())
            .collect()
    }

    /// A list of mappings with known keys.
    pub(crate) fn sections(&self, name: &str, notes: &mut Notes) -> Vec<Fields<'n>> {
        let Some(Key {
            kind:
                Kind::List {
                    of: Kind::Section(section),
                    ..
                },
            ..
        }) = self.key(name)
        else {
            return Vec::new();
        };
        self.items(name, notes)
            .into_iter()
            .filter_map(|(path, node)| Fields::open(section, &path, node, notes))
            .collect()
    }

    /// A mapping with free names, or nothing where it is not given.
    pub(crate) fn map<T: FromScalar>(
        &self,
        name: &str,
        notes: &mut Notes,
    ) -> Option<BTreeMap<String, T>> {
        let (node, key) = (self.given(name)?, self.key(name)?);
        let Kind::Map { keys, of, most } = &key.kind else {
            return None;
        };
        let path = self.path(name);
        notes.places.insert(path.clone(), node.place);
        let Content::Map(entries) = &node.content else {
            notes.problems.push(
                Problem::new(&path, node.place, "is not a mapping")
                    .found(found(node))
                    .expected(key.kind.expected())
                    .mend(format!("write for example `{name}: {}`", key.example)),
            );
            return Some(BTreeMap::new());
        };
        if entries.len() > *most {
            notes.problems.push(
                Problem::new(&path, node.place, "has too many entries")
                    .found(entries.len().to_string())
                    .expected(format!("at most {most}"))
                    .mend("take some out; what has many values belongs into structured_metadata"),
            );
        }
        let mut values = BTreeMap::new();
        for entry in entries {
            let path = join(&path, &entry.key);
            check_name(&path, entry, keys, notes);
            if let Some(value) = read(&path, &entry.value, of, "\"{service}\"", notes) {
                values.insert(entry.key.clone(), value);
            }
        }
        Some(values)
    }

    /// The keys of a mapping below this one; an empty one where it is not given.
    pub(crate) fn section(&self, name: &str, notes: &mut Notes) -> Fields<'n> {
        let section = match self.key(name).map(|key| &key.kind) {
            Some(Kind::Section(section)) => *section,
            _ => self.section,
        };
        let path = self.path(name);
        self.given(name)
            .and_then(|node| Fields::open(section, &path, node, notes))
            .unwrap_or(Fields {
                section,
                path,
                place: self.place,
                entries: &[],
            })
    }

    fn key(&self, name: &str) -> Option<&'static Key> {
        let key = self.section.key(name);
        debug_assert!(
            key.is_some(),
            "{name} is not described in {}",
            self.section.title
        );
        key
    }

    fn note_missing(&self, key: &Key, notes: &mut Notes) {
        // A key without a value is a better place than the mapping's beginning.
        let empty = self.entries.iter().find(|entry| entry.key == key.name);
        let (place, what, found) = match empty {
            Some(entry) => (entry.key_place, "has no value", "nothing after the key"),
            None => (self.place, "is missing", "no such key"),
        };
        notes.problems.push(
            Problem::new(&self.path(key.name), place, what)
                .found(found)
                .expected(key.kind.expected())
                .mend(format!("add for example `{}: {}`", key.name, key.example)),
        );
    }
}

/// Reads one scalar and notes its place, its secret and its mistake.
fn read<T: FromScalar>(
    path: &str,
    node: &Node,
    kind: &Kind,
    example: &str,
    notes: &mut Notes,
) -> Option<T> {
    notes.places.insert(path.to_owned(), node.place);
    let is_secret = matches!(kind, Kind::Secret(_));
    let problem = |what: &str| {
        Problem::new(path, node.place, what)
            .expected(kind.expected())
            .secret(is_secret)
    };
    let Content::Scalar(scalar) = &node.content else {
        let hint = match (&node.content, kind) {
            (Content::Map(_), Kind::Text(_) | Kind::Secret(_) | Kind::Template(_)) => {
                "put the value in quotes, such as \"{service}\"".to_owned()
            }
            _ => kind.mend(example),
        };
        notes.problems.push(
            problem("is not a single value")
                .found(found(node))
                .mend(hint),
        );
        return None;
    };
    if let Some(reference) = scalar
        .reference
        .as_ref()
        .filter(|reference| reference.is_secret || is_secret)
    {
        notes
            .secrets
            .insert(path.to_owned(), reference.text.clone());
    }
    // Its variable is a mistake of its own already; what is left of the text is not the user's.
    if notes.is_broken(path) {
        return None;
    }
    match T::from_scalar(scalar, kind) {
        Ok(value) => Some(value),
        Err(complaint) => {
            let mend = match (&scalar.reference, complaint.mend) {
                (Some(_), _) => format!("give the variable another value, such as {example}"),
                (None, Some(mend)) => mend,
                (None, None) => kind.mend(example),
            };
            let found = match &scalar.reference {
                None if is_secret && !scalar.text.is_empty() => {
                    "a value that is not shown".to_owned()
                }
                Some(reference) if is_secret => {
                    format!("{} (its value is not shown)", reference.text)
                }
                _ => found(node),
            };
            notes.problems.push(
                problem(&complaint.what)
                    .found(found)
                    .mend(mend)
                    .near(complaint.near),
            );
            None
        }
    }
}

fn check_name(path: &str, entry: &Entry, rule: &TextRule, notes: &mut Notes) {
    if let Err(wrong) = (rule.check)(&entry.key) {
        notes.problems.push(
            Problem::new(path, entry.key_place, wrong.what)
                .found(format!("`{}`", entry.key))
                .expected(rule.expected)
                .mend(wrong.mend.unwrap_or_else(|| rule.mend.to_owned())),
        );
    }
}

/// A value as it is shown: never a secret one, never a long one.
fn found(node: &Node) -> String {
    let Content::Scalar(scalar) = &node.content else {
        return node.describe().to_owned();
    };
    if let Some(reference) = &scalar.reference {
        return if reference.is_secret {
            format!("{} (its value is not shown)", reference.text)
        } else {
            format!("\"{}\", from {}", shortened(&scalar.text), reference.text)
        };
    }
    if scalar.is_null() {
        return "nothing".to_owned();
    }
    format!("\"{}\"", shortened(&scalar.text))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
