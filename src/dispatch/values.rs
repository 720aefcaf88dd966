//! What the names in templates stand for in one file, and what its labels come to. Knows no file's
//! content.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::containers::Container;
use crate::batch::{StreamName, loki};
use crate::config::Template;

/// Most bytes in a Loki label's value.
pub(super) const MAX_LABEL_VALUE: usize = 2048;

/// Names in templates that have another value for each file.
const OF_EACH_FILE: [&str; 3] = ["path", "file", "pod"];

/// The label that is never missing where there would be none at all.
const SERVICE: &str = "service_name";

/// What the names in templates stand for.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    /// `{input}`.
    pub(crate) input: &'a str,
    /// `{path}`, and `{file}` from it.
    pub(crate) path: &'a Path,
    /// `{namespace}`, `{pod}` and `{container}`, where the file is the log of a container.
    pub(crate) container: Option<Container<'a>>,
    /// `{hostname}`.
    pub(crate) hostname: &'a str,
    /// The input's own fields.
    pub(crate) fields: &'a BTreeMap<String, String>,
}

/// The labels of one file at a Loki output.
///
/// Records of two files can have the same labels, and so meet in one Loki stream, only where the
/// labels agree that do not differ by record. So where some do, order is kept by the others alone.
#[derive(Debug)]
pub(super) struct Labels {
    /// Those that every record of the file has.
    pub(super) fixed: Vec<(String, String)>,
    /// Those of a record of which nothing is known.
    bare: Vec<(String, String)>,
    /// Whether labels of the output differ by record.
    pub(super) is_by_record: bool,
}

impl Labels {
    /// What the templates that are in `used` come to; the others of the output have no place for
    /// this file.
    pub(super) fn of<'t>(
        templates: &BTreeMap<String, Template>,
        used: impl Iterator<Item = (&'t String, &'t Template)> + Clone,
        values: &Values<'_>,
    ) -> Self {
        let named_by_input = || (SERVICE.to_owned(), values.input.to_owned());
        let is_by_record = templates.values().any(Template::varies);
        let mut fixed = values.render_all(used.clone().filter(|(_, it)| !it.varies()));
        // A file whose own service has no name is told from one that has.
        if fixed.is_empty() && templates.get(SERVICE).is_some_and(|it| !it.varies()) {
            fixed.push(named_by_input());
        }
        let mut bare = fixed.clone();
        bare.extend(values.render_all(used.filter(|(_, it)| it.varies())));
        bare.sort();
        if bare.is_empty() {
            bare.push(named_by_input());
        }
        Self {
            fixed,
            bare,
            is_by_record,
        }
    }

    /// The label set of a record of which nothing is known.
    pub(super) fn bare(&self) -> String {
        loki::label_set(as_text(&self.bare))
    }

    /// The labels by which order is kept.
    pub(super) fn order(&self) -> StreamName {
        let labels = if self.is_by_record {
            &self.fixed
        } else {
            &self.bare
        };
        StreamName::Loki {
            labels: loki::label_set(as_text(labels)),
        }
    }
}

/// The values as text.
pub(super) struct Known<'a> {
    path: Cow<'a, str>,
    file: Cow<'a, str>,
    values: &'a Values<'a>,
}

impl Known<'_> {
    pub(super) fn value_of(&self, name: &str) -> Option<&str> {
        match name {
            "path" => Some(&*self.path),
            "file" => Some(&*self.file),
            "input" => Some(self.values.input),
            "hostname" => Some(self.values.hostname),
            // What the configuration calls so goes before what the path says.
            name => match self.values.fields.get(name) {
                Some(text) => Some(text),
                None => self.values.container.as_ref()?.value_of(name),
            },
        }
    }
}

impl Values<'_> {
    pub(super) fn render(&self, template: &Template) -> String {
        let known = self.known();
        template.render(|name| known.value_of(name))
    }

    pub(super) fn differs_by_file(&self, name: &str) -> bool {
        OF_EACH_FILE.contains(&name) && !self.fields.contains_key(name)
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known {
            path: self.path.to_string_lossy(),
            file: self.path.file_name().unwrap_or_default().to_string_lossy(),
            values: self,
        }
    }

    pub(super) fn render_all<'t>(
        &self,
        templates: impl Iterator<Item = (&'t String, &'t Template)>,
    ) -> Vec<(String, String)> {
        templates
            .map(|(name, template)| (name.clone(), cut(self.render(template), MAX_LABEL_VALUE)))
            // To Loki an empty label is no label.
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }
}

pub(super) fn as_text(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// At most `max` bytes of `text`, whole characters only.
fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}
