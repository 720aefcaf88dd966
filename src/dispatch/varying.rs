//! Labels and metadata that differ by record: which of them there are for a file, and what a
//! record makes of them. Nothing is allocated for a record.

use std::ops::Range;
use std::time::Instant;

use super::admission::{Merged, Streams};
use crate::batch::{Encoder, Push, loki};
use crate::config::{LEVEL, OutputKind, Piece, Template, field_of};
use crate::record::fields::Fields;
use crate::record::json;
use crate::record::level::Level;
use crate::record::redact::Redactor;

/// Most bytes in a Loki label's value.
pub(super) const MAX_LABEL_VALUE: usize = 2048;

/// The labels and the metadata of a file that differ by record; what differs by file is in them.
#[derive(Debug, Default)]
pub(crate) struct Varying {
    /// Every label of the file, in order; none where no label differs by record.
    labels: Vec<(String, Vec<Bound>)>,
    metadata: Vec<(String, Vec<Bound>)>,
    /// The labels of a record of which nothing is known: those of the stream.
    stream: String,
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
    /// What differs by record among these labels and this metadata; nothing where nothing does.
    /// `value_of` knows the names of the file, `stream` is the label set without the others.
    pub(super) fn of<'t, 'v>(
        labels: impl Iterator<Item = (&'t String, &'t Template)> + Clone,
        metadata: impl Iterator<Item = (&'t String, &'t Template)>,
        wanted: &[String],
        stream: &str,
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
        let do_labels_vary = labels.clone().any(|(_, template)| template.varies());
        let labels = labels.filter(|_| do_labels_vary).map(bound).collect();
        let metadata = metadata.filter(|(_, it)| it.varies()).map(bound);
        let varying = Self {
            labels,
            metadata: metadata.collect(),
            stream: stream.to_owned(),
        };
        let is_nothing = varying.labels.is_empty() && varying.metadata.is_empty();
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
        if self.labels.is_empty() {
            return (Push::Taken, Merged::No);
        }
        found.put_labels(&self.labels);
        if found.labels.len() <= "{}".len() {
            found.labels.clone_from(&self.stream);
        }
        let Encoder::Loki(encoder) = encoder else {
            return (Push::Taken, Merged::No);
        };
        if encoder.turn_to(&found.labels) {
            return (Push::Taken, Merged::No);
        }
        let merged = if found.labels == self.stream {
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
        for (name, value) in &self.labels {
            if value.iter().any(|part| !matches!(part, Bound::Text(_))) {
                found.put_metadata(name, value, metadata);
            }
        }
        let is_known = encoder.turn_to(&self.stream);
        let push = if is_known {
            Push::Taken
        } else {
            encoder.add_labels(&self.stream)
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
