//! Labels and metadata that differ by record: which of them there are for a file, and what a
//! record makes of them. Nothing is allocated for a record.

use std::ops::Range;
use std::time::Instant;

use super::admission::{Merged, Streams};
use super::values::{Labels, MAX_LABEL_VALUE};
use crate::batch::{Encoder, Push, loki};
use crate::config::{LEVEL, OutputKind, Piece, Template, field_of};
use crate::record::fields::Fields;
use crate::record::json;
use crate::record::level::Level;
use crate::record::redact::Redactor;

/// The labels and the metadata of a file that differ by record; what differs by file is in them.
#[derive(Debug, Default)]
pub(crate) struct Varying {
    /// Every label of the file, in order; nothing where no label of the output differs by record.
    labels: Option<Vec<(String, Vec<Bound>)>>,
    metadata: Vec<(String, Vec<Bound>)>,
    /// The labels of a record of which nothing is known.
    bare: String,
}

/// A part of a value.
#[derive(Debug)]
enum Bound {
    Text(String),
    Level,
    /// A field, by its place among those that are [wanted].
    Field(usize),
}

/// The fields of records that an output's templates name, each once.
pub(crate) fn wanted(kind: &OutputKind) -> Vec<String> {
    let OutputKind::Loki(output) = kind else {
        return Vec::new();
    };
    let templates = output
        .labels
        .values()
        .chain(output.structured_metadata.values());
    let mut wanted: Vec<String> = templates
        .flat_map(Template::names)
        .filter_map(|name| field_of(name).map(str::to_owned))
        .collect();
    wanted.sort();
    wanted.dedup();
    wanted
}

impl Varying {
    /// What differs by record among the `labels` of a file, which `templates` give, and this
    /// metadata; nothing where nothing does. `value_of` knows the names of the file.
    pub(super) fn of<'t, 'v>(
        labels: &Labels,
        templates: impl Iterator<Item = (&'t String, &'t Template)>,
        metadata: impl Iterator<Item = (&'t String, &'t Template)>,
        wanted: &[String],
        value_of: impl Fn(&str) -> Option<&'v str>,
    ) -> Option<Box<Self>> {
        let bound = |(name, template): (&String, &Template)| {
            let parts = template.pieces().iter().filter_map(|piece| match piece {
                Piece::Literal(text) => Some(Bound::Text(text.clone())),
                Piece::Name(name) => match field_of(name) {
                    Some(field) => wanted.iter().position(|it| it == field).map(Bound::Field),
                    None if name == LEVEL => Some(Bound::Level),
                    None => value_of(name).map(|text| Bound::Text(text.to_owned())),
                },
            });
            (name.clone(), parts.collect())
        };
        let varies = |(_, it): &(&String, &Template)| it.varies();
        let metadata: Vec<_> = metadata.filter(varies).map(bound).collect();
        let is_nothing = !labels.is_by_record && metadata.is_empty();
        let bare = labels.bare();
        let labels = labels.is_by_record.then(|| {
            let text = |(name, text): &(String, String)| {
                let parts = vec![Bound::Text(text.clone())];
                (name.clone(), parts)
            };
            let mut all: Vec<_> = labels.fixed.iter().map(text).collect();
            all.extend(templates.filter(varies).map(bound));
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            all
        });
        let varying = Self {
            labels,
            metadata,
            bare,
        };
        (!is_nothing).then(|| Box::new(varying))
    }

    /// Turns the encoder to the labels of the record whose values are `found`, and appends the
    /// record's metadata. Returns whether the batch takes one more label set, and whether the
    /// record goes to the stream without them, since there are too many.
    pub(super) fn apply(
        &self,
        found: &mut Found,
        encoder: &mut Encoder,
        streams: &mut Streams,
        metadata: &mut Vec<u8>,
        now: Instant,
    ) -> (Push, Merged) {
        for (name, value) in &self.metadata {
            found.put_metadata(name, value, metadata);
        }
        let (Some(labels), Encoder::Loki(encoder)) = (&self.labels, encoder) else {
            return (Push::Taken, Merged::No);
        };
        found.put_labels(labels);
        if found.labels.len() <= "{}".len() {
            found.labels.clone_from(&self.bare);
        }
        if encoder.turn_to(&found.labels) {
            return (Push::Taken, Merged::No);
        }
        let merged = if found.labels == self.bare {
            Merged::No
        } else {
            streams.admit(&found.labels, now)
        };
        if merged == Merged::No {
            let push = encoder.add_labels(&found.labels);
            if push == Push::Full {
                streams.tell_many_labels(&found.labels);
            }
            return (push, merged);
        }
        for (name, value) in labels {
            if value.iter().any(|part| !matches!(part, Bound::Text(_))) {
                found.put_metadata(name, value, metadata);
            }
        }
        let is_known = encoder.turn_to(&self.bare);
        let push = if is_known {
            Push::Taken
        } else {
            encoder.add_labels(&self.bare)
        };
        (push, merged)
    }
}

/// What is found of a record: its level, and the fields that are wanted. Keeps its room.
#[derive(Debug)]
pub(super) struct Found {
    wanted: Vec<String>,
    level: Option<Level>,
    text: String,
    /// Where the value of each wanted field lies in the text.
    places: Vec<Range<usize>>,
    labels: String,
    value: String,
    unescaped: Vec<u8>,
    /// Looks at what escapes may hide.
    redactor: Redactor,
}

impl Found {
    pub(super) fn new(wanted: Vec<String>, redactor: Redactor) -> Self {
        Self {
            wanted,
            level: None,
            text: String::new(),
            places: Vec::new(),
            labels: String::new(),
            value: String::new(),
            unescaped: Vec::new(),
            redactor,
        }
    }

    /// Whether fields are wanted at all.
    pub(super) fn wants_fields(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Takes what is known of a record. Secrets must be out of its text already.
    pub(super) fn take(&mut self, level: Option<Level>, fields: Option<Fields<'_>>) {
        self.level = level;
        self.text.clear();
        self.places.clear();
        for name in &self.wanted {
            let from = self.text.len();
            let raw = fields.as_ref().and_then(|fields| fields.raw(name));
            // A member that is null has no value.
            if let Some(raw) = raw.filter(|raw| raw.bytes != b"null") {
                let mut bytes = raw.bytes;
                if raw.is_escaped {
                    self.unescaped.clear();
                    json::unescape(bytes, &mut self.unescaped);
                    bytes = &self.unescaped;
                    // An escape may have hidden what was looked for.
                    if self.redactor.may_be_alone_in(bytes)
                        && !self.redactor.find(bytes, false).is_empty()
                    {
                        bytes = HIDDEN;
                    }
                }
                for chunk in bytes.utf8_chunks() {
                    self.text.push_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        self.text.push(char::REPLACEMENT_CHARACTER);
                    }
                    if self.text.len() - from > MAX_LABEL_VALUE {
                        break;
                    }
                }
            }
            self.places.push(from..self.text.len());
        }
    }

    pub(super) fn shrink(&mut self) {
        self.text = String::new();
        self.labels = String::new();
        self.value = String::new();
        self.unescaped = Vec::new();
        self.redactor.shrink();
    }

    fn put_labels(&mut self, labels: &[(String, Vec<Bound>)]) {
        self.labels.clear();
        self.labels.push('{');
        for (name, parts) in labels {
            self.render(parts);
            // To Loki an empty label is no label.
            if !self.value.is_empty() {
                loki::put_label(&mut self.labels, name, &self.value);
            }
        }
        self.labels.push('}');
    }

    fn put_metadata(&mut self, name: &str, parts: &[Bound], out: &mut Vec<u8>) {
        self.render(parts);
        if !self.value.is_empty() {
            loki::put_metadata_if_it_fits(out, name, &self.value);
        }
    }

    fn render(&mut self, parts: &[Bound]) {
        self.value.clear();
        for part in parts {
            let text = match part {
                Bound::Text(text) => text,
                Bound::Level => self.level.map_or("", Level::name),
                Bound::Field(place) => {
                    let place = self.places.get(*place);
                    place
                        .and_then(|place| self.text.get(place.clone()))
                        .unwrap_or_default()
                }
            };
            self.value.push_str(text);
        }
        let end = self.value.floor_char_boundary(MAX_LABEL_VALUE);
        self.value.truncate(end);
    }
}

/// Stands for a value of which escapes hid that it holds a secret.
const HIDDEN: &[u8] = b"[redacted]";
