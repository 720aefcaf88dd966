//! The tree of a configuration text: every key and value with its place. Knows YAML's rules and
//! nothing of what the keys mean. Built from events, so that repeated keys, aliases and a second
//! document are seen rather than resolved in silence.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::problem::{Place, Problem};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

/// A text as it stands in the file, or as variables made it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Written with quotes or as a block: never null, a number or a flag.
    pub(crate) is_quoted: bool,
    /// The text before `${…}` was replaced, where something was.
    pub(crate) reference: Option<Reference>,
}

/// A text with `${…}` in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    pub(crate) text: String,
    /// Whether a name in it looks like that of a secret.
    pub(crate) is_secret: bool,
}

impl Scalar {
    /// Whether nothing was said: an empty value, `null`, or variables that came to nothing.
    pub(crate) fn is_null(&self) -> bool {
        match &self.reference {
            Some(_) => self.text.is_empty(),
            None => !self.is_quoted && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL"),
        }
    }

    /// Whether the text may be read as a number or a flag: not when quotes say that it is text.
    pub(crate) fn is_typed(&self) -> bool {
        !self.is_quoted || self.reference.is_some()
    }
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.is_null())
    }

    /// What kind of thing it is, in a word for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.content {
            Content::Scalar(_) => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }
}

/// Deeper than any key of ours; keeps every walk over the tree shallow.
const MAX_DEPTH: usize = 16;
/// Aliases may not blow up a small text.
const MAX_NODES: usize = 20_000;

/// Parses one document. Repeated keys and the like are added to `problems` and left out; a text
/// that is no YAML gives one problem and nothing else.
pub(crate) fn parse(text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let built = match event {
            Ok((event, span)) => builder.take(event, span, problems),
            Err(error) => {
                let mark = error.marker();
                let place = place(mark.line(), mark.col(), 1);
                Err(Box::new(syntax_error(place, error.info())))
            }
        };
        if let Err(problem) = built {
            problems.push(*problem);
            return None;
        }
    }
    Some(builder.document.unwrap_or_else(|| Node {
        place: Place::Nowhere,
        content: Content::Map(Vec::new()),
    }))
}

fn syntax_error(place: Place, info: &str) -> Problem {
    let problem = Problem::new("", place, "the text is not valid YAML").found(info);
    if info.contains("tab") {
        return problem
            .expected("spaces before a key")
            .mend("indent with spaces, never with tabs");
    }
    problem
        .expected("keys and values in YAML 1.2")
        .mend("look for a missing `:`, quote or bracket, or an indentation that differs from its neighbours'; a value that holds `: `, ` #`, `{` or `*` needs quotes")
}

fn place(line: usize, column: usize, length: usize) -> Place {
    Place::Text {
        line,
        column: column + 1,
        length: length.max(1),
    }
}

#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    document: Option<Node>,
    documents: usize,
}

/// A list or mapping whose end was not seen yet.
struct Open {
    place: Place,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<Node>,
    },
}

type Built = Result<(), Box<Problem>>;

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span, problems: &mut Vec<Problem>) -> Built {
        let length = if span.start.line() == span.end.line() {
            span.end.col().saturating_sub(span.start.col())
        } else {
            1
        };
        let at = place(span.start.line(), span.start.col(), length);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Box::new(
                        Problem::new("", at, "there is a second document")
                            .found("`---`")
                            .expected("one YAML document")
                            .mend("take out everything from this line on, or put it into a file of its own"),
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                untagged(tag.is_some(), at)?;
                let is_quoted = style != ScalarStyle::Plain;
                let scalar = Scalar {
                    text: text.into_owned(),
                    is_quoted,
                    reference: None,
                };
                let node = Node {
                    place: at,
                    content: Content::Scalar(scalar),
                };
                self.finish(node, anchor, problems)
            }
            Event::SequenceStart(anchor, tag) => {
                untagged(tag.is_some(), at)?;
                self.open(at, anchor, Inside::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                untagged(tag.is_some(), at)?;
                self.open(
                    at,
                    anchor,
                    Inside::Map {
                        entries: Vec::new(),
                        key: None,
                    },
                )
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open {
                    place,
                    anchor,
                    inside,
                }) => {
                    let content = match inside {
                        Inside::List(items) => Content::List(items),
                        Inside::Map { entries, .. } => Content::Map(entries),
                    };
                    self.finish(Node { place, content }, anchor, problems)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(mut node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Box::new(
                        Problem::new("", at, "an alias stands inside its own anchor")
                            .found("an alias (`*name`)")
                            .expected("an anchor (`&name`) that ends before its alias")
                            .mend("write the value out"),
                    ));
                };
                // A mistake in the copy is told where the copy is used.
                node.place = at;
                let (nodes, depth) = measure(&node);
                self.check_depth(at, depth)?;
                self.nodes += nodes;
                self.finish(node, 0, problems)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, place: Place, anchor: usize, inside: Inside) -> Built {
        self.check_depth(place, 1)?;
        self.stack.push(Open {
            place,
            anchor,
            inside,
        });
        Ok(())
    }

    /// Whether `more` levels fit below those that are open.
    fn check_depth(&self, place: Place, more: usize) -> Built {
        if self.stack.len() + more <= MAX_DEPTH {
            return Ok(());
        }
        Err(Box::new(
            Problem::new("", place, "the text is nested too deeply")
                .found(format!("more than {MAX_DEPTH} levels"))
                .expected("the few levels that the keys need")
                .mend("look for a bracket too many"),
        ))
    }

    fn finish(&mut self, node: Node, anchor: usize, problems: &mut Vec<Problem>) -> Built {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Box::new(
                Problem::new("", node.place, "the text holds too many values")
                    .found(format!(
                        "more than {MAX_NODES}, aliases counted as often as used"
                    ))
                    .expected("a configuration for one application")
                    .mend("use fewer aliases, or globs instead of lists of files"),
            ));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let path = self.path();
        match self.stack.last_mut().map(|open| &mut open.inside) {
            None => self.document = Some(node),
            Some(Inside::List(items)) => items.push(node),
            Some(Inside::Map { entries, key }) => match key.take() {
                None => *key = Some(node),
                Some(key) => add_entry(entries, &path, key, node, problems),
            },
        }
        Ok(())
    }

    /// The full name of the innermost list or mapping that is open.
    fn path(&self) -> String {
        let around = self.stack.len().saturating_sub(1);
        self.stack
            .iter()
            .take(around)
            .fold(String::new(), |path, open| match &open.inside {
                Inside::List(items) => format!("{path}[{}]", items.len()),
                Inside::Map {
                    key:
                        Some(Node {
                            content: Content::Scalar(key),
                            ..
                        }),
                    ..
                } => join(&path, &key.text),
                Inside::Map { .. } => path,
            })
    }
}

fn add_entry(
    entries: &mut Vec<Entry>,
    path: &str,
    key: Node,
    value: Node,
    problems: &mut Vec<Problem>,
) {
    let kind = key.describe();
    let Content::Scalar(scalar) = key.content else {
        problems.push(
            Problem::new(path, key.place, "has a key that is not a text")
                .found(kind)
                .expected("the name of a key")
                .mend("a value that begins with `{` or `[` needs quotes, such as \"{service}\""),
        );
        return;
    };
    let name = scalar.text;
    if name == "<<" && !scalar.is_quoted {
        problems.push(
            Problem::new(
                &join(path, &name),
                key.place,
                "is a merge key, which is not taken",
            )
            .found("`<<`")
            .expected("keys written out, or an alias for a whole value (`batch: *batch`)")
            .mend("write the merged keys out"),
        );
        return;
    }
    if let Some(first) = entries.iter().find(|entry| entry.key == name) {
        problems.push(
            Problem::new(&join(path, &name), key.place, "stands twice in one mapping")
                .found(match first.key_place {
                    Place::Text { line, .. } => format!("the same key first in line {line}"),
                    _ => "the same key before it".to_owned(),
                })
                .expected("each key once")
                .mend("take one of the two out"),
        );
        return;
    }
    entries.push(Entry {
        key: name,
        key_place: key.place,
        value,
    });
}

fn untagged(is_tagged: bool, place: Place) -> Built {
    if !is_tagged {
        return Ok(());
    }
    Err(Box::new(
        Problem::new("", place, "tags are not taken")
            .found("a tag (`!name`)")
            .expected("a plain value")
            .mend("take the tag out; a value that begins with `!` needs quotes"),
    ))
}

/// The number of values in a node and its depth; a scalar has none.
fn measure(node: &Node) -> (usize, usize) {
    let below: Vec<(usize, usize)> = match &node.content {
        Content::Scalar(_) => return (1, 0),
        Content::List(items) => items.iter().map(measure).collect(),
        Content::Map(entries) => entries.iter().map(|entry| measure(&entry.value)).collect(),
    };
    let deepest = below
        .iter()
        .map(|(_, depth)| *depth)
        .max()
        .unwrap_or_default();
    (
        1 + below.iter().map(|(count, _)| *count).sum::<usize>(),
        1 + deepest,
    )
}

/// The path of a key below another.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests;
