//! What is no mistake but deserves a word: looks at the disk as it is right now, for `check`.
//! Writes nothing, and never turns a warning into a failure.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::effective::HIDDEN;
use super::environment::Environment;
use super::keys::LOKI_DEFAULT_MAX_LINE;
use super::mask::mask_url;
use super::source::{Source, permissions};
use super::units::ByteSize;
use super::variables::TEXT_VARIABLE;
use super::{Auth, CloudWatchLogs, Input, Loaded, OutputKind, Secret, Tls, variables};
use crate::source::matches_nothing;

/// Folders looked into at most: a glob such as `/**/*.log` is not worth a walk over the disk.
const MAX_FOLDERS: usize = 2_000;

/// One sentence for each thing that deserves a word.
pub(crate) fn warnings(loaded: &Loaded, source: &Source, environment: &Environment) -> Vec<String> {
    let config = &loaded.config;
    let mut found = Vec::new();
    unused_variables(source, environment, &mut found);
    state_dir(&config.state_dir, &mut found);
    for input in &config.inputs {
        files(input, &mut found);
    }
    for output in &config.outputs {
        let taken = || {
            config
                .inputs
                .iter()
                .filter(|input| output.inputs.contains(&input.name))
        };
        match &output.kind {
            OutputKind::Loki(loki) => {
                let masked = mask_url(&loki.url);
                // A reference to a variable is printed as it is, and then there are no stars.
                if masked != loki.url && loaded.effective.contains(&masked) {
                    found.push(format!(
                        "output {}: the url holds a password; write a variable in its place, such as ${{LOKI_PASSWORD}}",
                        output.name
                    ));
                }
                let is_open = |secret: &Secret| matches!(secret, Secret::Text(_));
                let holds_secret = match &loki.auth {
                    Some(Auth::Basic { password, .. }) => is_open(password),
                    Some(Auth::Bearer(secret)) => is_open(secret),
                    None => false,
                } || !loki.headers.is_empty();
                if holds_secret && loaded.effective.contains(HIDDEN) {
                    found.push(format!(
                        "output {}: auth or headers hold a secret; write a variable in its place, such as ${{LOKI_PASSWORD}}, or name a file",
                        output.name
                    ));
                }
                if loki.connection.tls != Tls::default() && loki.url.starts_with("http://") {
                    found.push(format!(
                        "output {}: tls does nothing for an http:// URL",
                        output.name
                    ));
                }
                for input in taken().filter(|input| input.max_line.0 > LOKI_DEFAULT_MAX_LINE) {
                    found.push(format!(
                        "input {}: max_line {} is more than the {} that Loki takes by default; raise max_line_size of Loki too",
                        input.name,
                        input.max_line,
                        ByteSize(LOKI_DEFAULT_MAX_LINE),
                    ));
                }
            }
            OutputKind::CloudWatchLogs(cloudwatch) => {
                found.extend(region(&output.name, cloudwatch, environment));
            }
        }
    }
    for input in &config.inputs {
        if !config
            .outputs
            .iter()
            .any(|output| output.inputs.contains(&input.name))
        {
            found.push(format!(
                "input {}: no output takes it, so it is not read",
                input.name
            ));
        }
    }
    found
}

/// What stands behind an endpoint of one's own may call its region as it likes.
fn region(output: &str, cloudwatch: &CloudWatchLogs, environment: &Environment) -> Option<String> {
    let region = cloudwatch.region.as_deref().filter(|it| !is_region(it))?;
    let mut names = environment.names();
    let has_endpoint = cloudwatch.endpoint_url.is_some()
        || names.any(|name| name.starts_with("AWS_ENDPOINT_URL") && environment.is_set(name));
    (!has_endpoint).then(|| {
        format!(
            "output {output}: \"{region}\" is not made like a region of AWS; write its short name, such as eu-west-3 for Paris"
        )
    })
}

/// `eu-west-1`, `us-gov-west-1`, `us-isob-east-1`, `eusc-de-east-1`: words, and a number at the end.
fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else {
        return false;
    };
    let is_all =
        |text: &str, is: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|it| is(&it));
    words.contains('-')
        && words
            .split('-')
            .all(|word| is_all(word, u8::is_ascii_lowercase))
        && is_all(number, u8::is_ascii_digit)
}

fn unused_variables(source: &Source, environment: &Environment, found: &mut Vec<String>) {
    for (name, near) in variables::misspelt(environment) {
        found.push(format!(
            "the variable {name} is not known; did you mean {near}?"
        ));
    }
    if matches!(source, Source::Environment) {
        return;
    }
    let text = matches!(source, Source::File(_)).then_some(TEXT_VARIABLE);
    let described = variables::DESCRIBED.iter().map(|variable| variable.name);
    for name in described
        .chain(text)
        .filter(|name| environment.is_set(name))
    {
        found.push(format!(
            "the variable {name} is set but not used: the configuration comes from {}",
            source.name()
        ));
    }
}

fn state_dir(folder: &Path, found: &mut Vec<String>) {
    let Some(existing) = folder.ancestors().find(|part| part.exists()) else {
        return;
    };
    if !existing.is_dir() {
        found.push(format!("state_dir: {} is not a folder", existing.display()));
    } else if access(existing, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        found.push(format!(
            "state_dir: {} cannot be written ({})",
            folder.display(),
            permissions(existing)
        ));
    }
}

fn files(input: &Input, found: &mut Vec<String>) {
    for glob in &input.include {
        let mut search = Search {
            glob,
            exclude: &input.exclude,
            left: MAX_FOLDERS,
            closed: None,
        };
        if search.matches_below(&fixed_folder(glob)) || search.left == 0 {
            continue;
        }
        let why = match search.closed {
            Some(folder) => format!(
                "; {} cannot be listed ({})",
                folder.display(),
                permissions(&folder)
            ),
            None => String::new(),
        };
        found.push(matches_nothing(&input.name, glob) + &why);
    }
}

/// The folder in front of the first part with a special sign.
fn fixed_folder(glob: &str) -> PathBuf {
    let special = glob.find(['*', '?', '[', '{', '\\']).unwrap_or(glob.len());
    let end = glob[..special].rfind('/').unwrap_or(0);
    PathBuf::from(if end == 0 { "/" } else { &glob[..end] })
}

struct Search<'i> {
    glob: &'i str,
    exclude: &'i [String],
    /// Folders that may still be looked into.
    left: usize,
    closed: Option<PathBuf>,
}

impl Search<'_> {
    fn matches_below(&mut self, folder: &Path) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::PermissionDenied {
                    self.closed.get_or_insert_with(|| folder.to_owned());
                }
                return false;
            }
        };
        let is_endless = self.glob.contains("**");
        let mut folders = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            let Some(text) = path.to_str() else { continue };
            if path.is_dir() {
                // With `**` a link back up would lead round in circles.
                if !is_endless || entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                }
            } else if fast_glob::glob_match(self.glob, text)
                && !self
                    .exclude
                    .iter()
                    .any(|exclude| fast_glob::glob_match(exclude, text))
            {
                return true;
            }
        }
        let is_deep = |path: &Path| {
            self.glob.contains(['{', '\\'])
                || is_endless
                || path.components().count() <= self.glob.split('/').count().saturating_sub(1)
        };
        let deeper: Vec<PathBuf> = folders.into_iter().filter(|path| is_deep(path)).collect();
        deeper.iter().any(|path| self.matches_below(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_explained;

    #[test]
    fn a_region_is_words_and_a_number_unless_an_endpoint_says_where_it_is() {
        let warned = |region: &str, more: &str, environment: &Environment| {
            let text = format!(
                "inputs: [{{ name: app, include: [\"/a.log\"] }}]\n\
                 outputs: [{{ name: cw, type: cloudwatch_logs, log_group: g, region: {region}{more} }}]\n"
            );
            let source = Source::Text(text);
            let Ok(loaded) = load_explained(&source, environment) else {
                panic!("{region} is a region for all that is known");
            };
            let warnings = warnings(&loaded, &source, environment);
            warnings.iter().any(|it| it.contains("region of AWS"))
        };
        let none = Environment::default();
        for region in [
            "eu-west-1",
            "us-gov-west-1",
            "us-isob-east-1",
            "ap-southeast-5",
            "eusc-de-east-1",
        ] {
            assert!(!warned(region, "", &none), "{region}");
        }
        for region in ["paris", "eu-west", "eu-west-3a", "eu--west-3", "west-1"] {
            assert!(warned(region, "", &none), "{region}");
        }
        let endpoint = ", endpoint_url: \"http://localhost:4566\"";
        assert!(!warned("paris", endpoint, &none));
        let variable = Environment::from([("AWS_ENDPOINT_URL", "http://localhost:4566")]);
        assert!(!warned("paris", "", &variable));
    }
}
