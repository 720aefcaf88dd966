//! Rules between keys: names that must be unique or known, limits that depend on one another.
//! Looks at a decoded configuration; reads no tree and no file.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::Notes;
use super::keys::CLOUDWATCH_MAX_EVENT;
use super::problem::{Problem, nearest};
use super::template::{BUILT_IN_NAMES, LEVEL, OF_CONTAINERS, field_of, may_be_of_containers};
use super::units::{ByteSize, print_duration};
use super::{Config, Input, Output, OutputKind, Template};

mod transport;

/// Notes what does not fit together.
pub(crate) fn check(config: &Config, notes: &mut Notes) {
    let inputs: Vec<&str> = config
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    let outputs: Vec<&str> = config
        .outputs
        .iter()
        .map(|output| output.name.as_str())
        .collect();
    let keys = Keys {
        inputs: std::mem::take(&mut notes.inputs),
        outputs: std::mem::take(&mut notes.outputs),
    };
    unique_names("inputs", &keys.inputs, &inputs, notes);
    unique_names("outputs", &keys.outputs, &outputs, notes);
    shutdown(config, notes);
    for (path, output) in keys.outputs.iter().zip(&config.outputs) {
        known_inputs(path, output, &inputs, notes);
        let taken = Taken::of(output, config);
        transport::check(path, output, notes);
        templates(path, output, &taken, notes);
        longest_line(path, output, config, &keys, notes);
    }
    memory(config, notes);
}

/// The full keys of what was decoded.
struct Keys {
    inputs: Vec<String>,
    outputs: Vec<String>,
}

/// The inputs of an output.
struct Taken<'c> {
    inputs: Vec<&'c Input>,
    /// None of those that it names is known. It may mean any that there is.
    may_be_any: bool,
}

impl<'c> Taken<'c> {
    fn of(output: &Output, config: &'c Config) -> Self {
        let all = || config.inputs.iter();
        let is_taken = |input: &&Input| output.inputs.contains(&input.name);
        let may_be_any = !all().any(|input| is_taken(&input));
        let inputs = all().filter(|input| may_be_any || is_taken(input));
        Self {
            inputs: inputs.collect(),
            may_be_any,
        }
    }
}

fn unique_names(list: &str, keys: &[String], names: &[&str], notes: &mut Notes) {
    for (index, name) in names.iter().enumerate() {
        let Some(first) = names[..index].iter().position(|other| other == name) else {
            continue;
        };
        let path = format!("{}.name", keys[index]);
        if name.is_empty() {
            continue;
        }
        note(
            notes,
            Problem::new(&path, notes.place(&path), "is a name that another one has")
                .found(format!("\"{name}\", also the name of {}", keys[first]))
                .expected(format!("a name that no other of the {list} has"))
                .mend("give one of the two another name"),
        );
    }
}

fn shutdown(config: &Config, notes: &mut Notes) {
    let path = "shutdown.quiet_for";
    let (quiet_for, timeout) = (config.shutdown.quiet_for, config.shutdown.timeout);
    if quiet_for > timeout && !notes.is_broken("shutdown.timeout") {
        note(
            notes,
            Problem::new(path, notes.place(path), "is longer than shutdown.timeout")
                .found(print_duration(quiet_for))
                .expected(format!("at most {}", print_duration(timeout)))
                .mend("shorten it, or raise shutdown.timeout"),
        );
    }
}

fn known_inputs(path: &str, output: &Output, inputs: &[&str], notes: &mut Notes) {
    for (index, name) in output.inputs.iter().enumerate() {
        let path = format!("{path}.inputs[{index}]");
        if name.is_empty() {
            continue;
        }
        let place = notes.place(&path);
        if output.inputs[..index].contains(name) && notes.places.contains_key(&path) {
            note(
                notes,
                Problem::new(&path, place, "names an input twice")
                    .found(format!("\"{name}\""))
                    .expected("each input once")
                    .mend("take one of the two out"),
            );
        } else if !inputs.contains(&name.as_str()) {
            let known: BTreeSet<&str> = inputs
                .iter()
                .copied()
                .filter(|name| !name.is_empty())
                .collect();
            let known: Vec<&str> = known.into_iter().collect();
            note(
                notes,
                Problem::new(&path, place, "names an input that there is not")
                    .found(format!("\"{name}\""))
                    .expected(format!("one of {}", known.join(", ")))
                    .mend("correct the name, or add such an input")
                    .near(nearest(name, known)),
            );
        }
    }
}

fn templates(path: &str, output: &Output, taken: &Taken<'_>, notes: &mut Notes) {
    match &output.kind {
        OutputKind::Loki(loki) => {
            let labels = format!("{path}.labels");
            let is_sound = notes
                .problems
                .iter()
                .all(|problem| !problem.key.starts_with(&labels));
            if loki.labels.is_empty() && is_sound {
                note(
                    notes,
                    Problem::new(&labels, notes.place(&labels), "has no label")
                        .found("an empty mapping")
                        .expected("1 to 15 labels")
                        .mend("leave the key out for the default, or write for example `labels: { service_name: \"{input}\", filename: \"{path}\" }`"),
                );
            }
            each_template(&labels, &loki.labels, taken, notes);
            let metadata = &loki.structured_metadata;
            each_template(
                &format!("{path}.structured_metadata"),
                metadata,
                taken,
                notes,
            );
        }
        OutputKind::CloudWatchLogs(cloudwatch) => {
            for (key, template) in [
                ("log_group", &cloudwatch.log_group),
                ("log_stream", &cloudwatch.log_stream),
            ] {
                let path = format!("{path}.{key}");
                same_for_a_file(&path, template, notes);
                names_known(&path, template, taken, |_| false, notes);
            }
        }
    }
}

/// Where a record goes at CloudWatch Logs must follow from its file: one request is for one stream,
/// and whether it arrived is looked up there.
fn same_for_a_file(path: &str, template: &Template, notes: &mut Notes) {
    let differing = template.names().find(|name| of_a_record(name));
    if let Some(name) = differing {
        note(
            notes,
            Problem::new(
                path,
                notes.place(path),
                format!("uses {{{name}}}, which differs by record"),
            )
            .found(format!("{{{name}}}"))
            .expected("names that are the same for all records of a file")
            .mend("take it out: the records of a file go to CloudWatch Logs in their order, into one log stream; search there by the text, as with `filter @message like /ERROR/`"),
        );
    }
}

/// Whether a name has a value for the files of an input.
fn knows(input: &Input, name: &str) -> bool {
    let is_of_containers =
        || OF_CONTAINERS.contains(&name) && input.include.iter().any(|it| may_be_of_containers(it));
    input.fields.contains_key(name) || is_of_containers()
}

fn of_a_record(name: &str) -> bool {
    name == LEVEL || field_of(name).is_some()
}

fn each_template(
    path: &str,
    templates: &BTreeMap<String, Template>,
    taken: &Taken<'_>,
    notes: &mut Notes,
) {
    for (name, template) in templates {
        // What has no value is no label and no metadata.
        let may_lack = |name: &str| {
            OF_CONTAINERS.contains(&name) && taken.inputs.iter().any(|it| knows(it, name))
        };
        names_known(&format!("{path}.{name}"), template, taken, may_lack, notes);
    }
}

/// Every name has a value for all inputs, but for those of which some files `may_lack` one.
fn names_known(
    path: &str,
    template: &Template,
    taken: &Taken<'_>,
    may_lack: impl Fn(&str) -> bool,
    notes: &mut Notes,
) {
    let built_in = || BUILT_IN_NAMES.iter().map(|(name, _)| *name);
    for name in template.names() {
        let is_built_in = built_in().any(|known| known == name);
        if is_built_in || field_of(name).is_some() || may_lack(name) {
            continue;
        }
        // Known for one input only, it would be empty for the lines of the others.
        let Some(without) = taken.inputs.iter().find(|input| !knows(input, name)) else {
            continue;
        };
        if taken.may_be_any && taken.inputs.iter().any(|input| knows(input, name)) {
            continue;
        }
        let fields = || {
            taken
                .inputs
                .iter()
                .flat_map(|input| input.fields.keys().map(String::as_str))
        };
        let is_partly_known = fields().any(|known| known == name);
        let mut known: Vec<&str> = built_in()
            .chain(fields().filter(|field| taken.inputs.iter().all(|input| knows(input, field))))
            .collect();
        known.dedup();
        let mut unique: Vec<&str> = Vec::new();
        for field in known {
            if !unique.contains(&field) {
                unique.push(field);
            }
        }
        let what = if is_partly_known {
            format!(
                "uses {{{name}}}, which the input {} does not have",
                without.name
            )
        } else {
            format!("uses {{{name}}}, which is not known")
        };
        let near = if is_partly_known {
            None
        } else {
            nearest(name, unique.iter().copied())
        };
        note(
            notes,
            Problem::new(path, notes.place(path), what)
                .found(format!("{{{name}}}"))
                .expected(format!("one of {}, or a field of every input of this output", unique.join(", ")))
                .mend(format!("add `{name}` to the fields of the input {}, or double the braces if they are meant", without.name))
                .near(near),
        );
    }
}

fn longest_line(path: &str, output: &Output, config: &Config, keys: &Keys, notes: &mut Notes) {
    let key = format!("{path}.batch.max_bytes");
    let max_bytes = output.kind.batch().max_bytes.0;
    if notes.is_broken(&key) {
        return;
    }
    let (most, why) = match output.kind {
        OutputKind::Loki(_) => (max_bytes / 2, "half of its batch.max_bytes"),
        OutputKind::CloudWatchLogs(_) => {
            let most = max_bytes.saturating_sub(26).min(CLOUDWATCH_MAX_EVENT);
            (most, "its batch.max_bytes less 26")
        }
    };
    for (input_key, input) in keys.inputs.iter().zip(&config.inputs) {
        let line = format!("{input_key}.max_line");
        let is_taken = output.inputs.contains(&input.name);
        if !is_taken || input.max_line.0 <= most || notes.is_broken(&line) {
            continue;
        }
        // Tell it at the key that was written, not at the one that has its default.
        let (at, what) = if notes.places.contains_key(&line) {
            (&line, format!("is longer than {key} has room for"))
        } else {
            (&key, format!("has no room for a line of {line}"))
        };
        note(
            notes,
            Problem::new(at, notes.place(at), what)
                .found(format!("max_line {} and batch.max_bytes {}", input.max_line, ByteSize(max_bytes)))
                .expected(format!("for the output {} a max_line of at most {}, {why}", output.name, ByteSize(most)))
                .mend("lower max_line or raise batch.max_bytes; longer lines are cut into pieces, not lost"),
        );
    }
}

fn memory(config: &Config, notes: &mut Notes) {
    let path = "memory_limit";
    let needed = config.memory_needed();
    let is_sound = notes
        .problems
        .iter()
        .all(|problem| !(problem.key.ends_with("max_bytes") || problem.key.ends_with("max_line")));
    if config.memory_limit < needed && is_sound && !notes.is_broken(path) {
        note(
            notes,
            Problem::new(path, notes.place(path), "is less than the batches need")
                .found(config.memory_limit.to_string())
                .expected(format!(
                    "at least {needed}: two batches of every output and one line of the longest max_line"
                ))
                .mend("raise memory_limit, or lower batch.max_bytes of the outputs"),
        );
    }
}

fn note(notes: &mut Notes, problem: Problem) {
    // One mistake in one place is told once.
    if !notes.is_broken(&problem.key) {
        notes.problems.push(problem);
    }
}
