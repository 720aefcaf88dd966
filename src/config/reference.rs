//! The reference of the configuration in Markdown, made from the description of the keys, the
//! variables and the exit codes. `docs/configuration.md` is its output.

use std::fmt::Write;

use super::describe::{Absent, Key, Kind, Section};
use super::keys::ROOT;
use super::source::DEFAULT_FILE;
use super::template::BUILT_IN_NAMES;
use super::variables::{DESCRIBED, TEXT_VARIABLE};
use crate::exit;

/// A configuration with every kind of key, for the reference; a test loads it.
pub(crate) const EXAMPLE: &str = r#"version: 1
state_dir: /var/lib/pinnace
memory_limit: 16MiB
shutdown: { timeout: 25s, quiet_for: 500ms }
server: { listen: "0.0.0.0:9899" }
inputs:
  - name: app
    include: ["/var/log/app/*.log"]
    fields: { service: checkout }
outputs:
  - name: loki
    type: loki
    url: http://loki-gateway.loki.svc
    labels: { service_name: "{service}", filename: "{path}" }
    structured_metadata: { pod: "${POD_NAME:-unknown}" }
  - name: cloudwatch
    type: cloudwatch_logs
    log_group: /apps/checkout
    log_stream: "${POD_NAME:-unknown}"
    region: eu-west-1
    create: { log_group: true, retention_in_days: 14 }
"#;

const SOURCES: &str = "\
# Configuration

<!-- Made by `pinnace schema --markdown`. Change src/config/keys.rs, not this file. -->

`pinnace check` prints every problem of a configuration at once; when there is none, the
configuration in force, and warnings such as globs that match no file right now. Secrets are not
shown: a value with a variable in it whose name tells of a secret (`…TOKEN`, `…PASSWORD`, `…_KEY`
and the like) is printed as it was written, and a password in a URL as stars. `pinnace schema` prints the [JSON schema](configuration.schema.json) for
editors.

## Where it comes from

The first of these that is there:

1. the file named by `--config FILE`
2. the variable `PINNACE_CONFIG`, which holds the YAML itself
3. the [variables](#environment-variables) alone, when any but `PINNACE_STATE_DIR` is set
4. the file `/etc/pinnace/pinnace.yaml`

They are never mixed. An empty variable counts as unset.

";

const RULES: &str = "\
## How values are written

- **YAML**: one document, 1 MiB at most. Unknown and repeated keys are mistakes. Aliases are
  taken for whole values; tags and merge keys (`<<`) are not. A key without a value counts as
  left out.
- **Sizes**: `16MiB` or `16Mi` (1024), `16MB` (1000), or a plain number of bytes. `16M` is a
  mistake, as it can mean either.
- **Durations**: `500ms`, `25s`, `5m`, `1h`, `1m30s`. Always with a unit.
- **Variables** in values: `${VAR}`; `${VAR:-default}` when it is unset or empty; `$$` for one
  `$`. They are replaced after parsing, so a variable never changes the structure, and quotes
  around one do not make its number a text: `\"${WAIT}\"` will do for a duration. Without a default
  an unset variable is a mistake. A value that comes to nothing, as with `${REGION:-}`, counts as
  left out.
- **Templates**: `{name}` in labels, structured metadata, log groups and log streams. `{{` and
  `}}` stand for one brace. A name is one of those below, or a field that every input of the
  output has.
- **Globs**: absolute. `?` is one character, `*` any within one folder, `**` any folders,
  `[a-z]` and `[!a-z]` classes, `{a,b}` alternatives, `\\` takes a sign as it is.

";

/// The whole reference.
pub(crate) fn reference() -> String {
    let mut text = String::from(SOURCES);
    text.push_str(RULES);
    text.push_str("| name in templates | stands for |\n|---|---|\n");
    for (name, meaning) in BUILT_IN_NAMES {
        let _ = writeln!(text, "| `{{{name}}}` | {meaning} |");
    }
    text.push_str("| `{namespace}`, `{pod}`, `{container}` | whose log the file is, where the path is one that Kubernetes gives (`…/containers/POD_NAMESPACE_CONTAINER-ID.log`, `…/pods/NAMESPACE_POD_UID/CONTAINER/0.log`); a field of the input with such a name goes before |\n");
    text.push_str("| `{field.NAME}` | the field NAME of the record: a named group of `capture`, a member of its JSON (`a.b` leads into an object), or a value of its `key=value` pairs; on Loki only |\n");
    let _ = write!(text, "\n## Example\n\n```yaml\n{EXAMPLE}```\n\n## Keys\n");
    section(&mut text, &ROOT);
    variables(&mut text);
    exit_codes(&mut text);
    text
}

fn section(text: &mut String, described: &Section) {
    let _ = write!(text, "\n### {}\n\n{}\n\n", described.title, described.doc);
    text.push_str("| key | value | left out | meaning |\n|---|---|---|---|\n");
    for key in described.keys() {
        row(text, key);
    }
    for key in described.keys() {
        each_section(text, &key.kind);
    }
}

fn each_section(text: &mut String, kind: &Kind) {
    match kind {
        Kind::Section(inner) => section(text, inner),
        Kind::List { of, .. } => each_section(text, of),
        Kind::ByType(sections) => {
            for (_, inner) in *sections {
                section(text, inner);
            }
        }
        _ => {}
    }
}

fn row(text: &mut String, key: &Key) {
    let absent = match key.absent {
        Absent::Required => "**required**".to_owned(),
        Absent::Default(default) => format!("`{default}`"),
        Absent::Means(what) => what.to_owned(),
    };
    let mut meaning = key.doc.to_owned();
    if let Kind::Choice(words) = &key.kind {
        for (word, what) in *words {
            let _ = write!(meaning, "<br>`{word}`: {what}.");
        }
    }
    let limits = match &key.kind {
        Kind::Size { .. }
        | Kind::Duration { .. }
        | Kind::Number(_)
        | Kind::Count { .. }
        | Kind::Listen => {
            format!("<br>{}.", capitalized(&key.kind.expected()))
        }
        Kind::Text(rule) | Kind::Template(rule) if !matches!(rule.noun, "URL" | "path" | "ARN") => {
            format!("<br>{}.", capitalized(rule.expected))
        }
        _ => String::new(),
    };
    let _ = writeln!(
        text,
        "| `{}` | {} | {absent} | {meaning}{limits}<br>Example: `{}` |",
        key.name,
        key.kind.noun(),
        key.example,
    );
}

fn capitalized(text: &str) -> String {
    let mut signs = text.chars();
    signs
        .next()
        .map(|first| first.to_uppercase().chain(signs).collect())
        .unwrap_or_default()
}

fn variables(text: &mut String) {
    text.push_str(
        "\n## Environment variables\n\nValues are taken as they are: `$` is nothing special in them.\n\n| variable | meaning | example |\n|---|---|---|\n",
    );
    let _ = writeln!(
        text,
        "| `{TEXT_VARIABLE}` | A whole configuration in YAML. | `inputs: [ … ]` |"
    );
    for variable in &DESCRIBED {
        let _ = writeln!(
            text,
            "| `{}` | {} | `{}` |",
            variable.name, variable.doc, variable.example
        );
    }
    let _ = writeln!(
        text,
        "\nWith no source at all Pinnace looks for `{DEFAULT_FILE}` and says so when it is not there."
    );
}

fn exit_codes(text: &mut String) {
    text.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in exit::MEANINGS {
        let _ = writeln!(text, "| {code} | {meaning} |");
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Source, load};
    use super::*;

    #[test]
    fn the_example_of_the_reference_loads() {
        let source = Source::Text(EXAMPLE.to_owned());
        assert!(load(&source, &Environment::default()).is_ok());
    }
}
