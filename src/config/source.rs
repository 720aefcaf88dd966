//! Where a configuration comes from: a file, a text, or variables alone. Reads at most one file;
//! understands nothing of what is in it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::environment::{Environment, Variable};
use super::problem::{Place, Problem, Problems};
use super::variables::{self, TEXT_VARIABLE};

/// The file that is read when nothing else is said.
pub const DEFAULT_FILE: &str = "/etc/pinnace/pinnace.yaml";

/// Larger than any configuration; keeps a wrong path from filling the memory.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Stands for a text that cannot be had as one; no configuration may hold this sign.
const NOT_UNICODE: &str = "\u{FFFD}";

/// Where a configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A YAML file.
    File(PathBuf),
    /// The YAML itself, from the variable `PINNACE_CONFIG`.
    Text(String),
    /// The `PINNACE_*` variables alone.
    Environment,
}

impl Source {
    /// The first of: the file named on the command line, `PINNACE_CONFIG`, the `PINNACE_*`
    /// variables, `/etc/pinnace/pinnace.yaml`. `PINNACE_STATE_DIR` by itself selects nothing, so
    /// that an image may set it beside a file.
    pub fn find(config_argument: Option<&Path>, environment: &Environment) -> Self {
        if let Some(path) = config_argument {
            return Self::File(path.to_owned());
        }
        match environment.get(TEXT_VARIABLE) {
            Variable::Set(text) => return Self::Text(text.to_owned()),
            // Loading will say that it cannot be read; another source would hide that.
            Variable::NotUnicode => return Self::Text(NOT_UNICODE.to_owned()),
            Variable::Unset => {}
        }
        if variables::SELECTING
            .iter()
            .any(|name| environment.is_set(name))
        {
            return Self::Environment;
        }
        Self::File(PathBuf::from(DEFAULT_FILE))
    }

    /// How the source is called in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => TEXT_VARIABLE.to_owned(),
            Self::Environment => "the environment".to_owned(),
        }
    }

    /// The text to parse; empty for [`Source::Environment`].
    pub(crate) fn read(&self) -> Result<String, Problems> {
        let bytes = match self {
            Self::Environment => return Ok(String::new()),
            Self::Text(text) if text == NOT_UNICODE => {
                let problem =
                    Problem::new("", Place::Variable(TEXT_VARIABLE), "the text is not UTF-8")
                        .found("bytes that are no text")
                        .expected("a text in UTF-8")
                        .mend(format!("set {TEXT_VARIABLE} to a text in UTF-8"));
                return Err(self.problem(problem));
            }
            Self::Text(text) => text.clone().into_bytes(),
            Self::File(path) => {
                read_file(path).map_err(|error| self.problem(file_problem(path, &error)))?
            }
        };
        self.to_text(bytes)
    }

    /// What is there instead where it cannot be read at all.
    pub(crate) fn unreadable(&self) -> Option<String> {
        let Self::File(path) = self else {
            return None;
        };
        let error = read_file(path).err()?;
        Some(file_problem(path, &error).found)
    }

    fn to_text(&self, bytes: Vec<u8>) -> Result<String, Problems> {
        if bytes.len() as u64 > MAX_TEXT_BYTES {
            let problem = Problem::new("", Place::Nowhere, "the text is too long")
                .found("more than 1MiB")
                .expected("a configuration for one application")
                .mend("check that this is the configuration and not a log file");
            return Err(self.problem(problem));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good =
                String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()])
                    .into_owned();
            let byte = error
                .as_bytes()
                .get(good.len())
                .copied()
                .unwrap_or_default();
            let problem = Problem::new("", end_of(&good), "the text is not UTF-8")
                .found(format!("the byte 0x{byte:02x}"))
                .expected("a text in UTF-8")
                .mend("save the file as UTF-8");
            Problems::new(&self.name(), &good, vec![problem])
        })?;
        let text = text
            .strip_prefix('\u{FEFF}')
            .map(str::to_owned)
            .unwrap_or(text);
        let is_bad = |c: char| {
            (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || c == '\u{FFFD}'
        };
        if let Some((at, sign)) = text.char_indices().find(|(_, c)| is_bad(*c)) {
            let problem = Problem::new(
                "",
                end_of(&text[..at]),
                "the text has a sign that YAML forbids",
            )
            .found(format!("U+{:04X}", u32::from(sign)))
            .expected("printable text")
            .mend("take the sign out, or write it as an escape in double quotes");
            return Err(Problems::new(&self.name(), &text, vec![problem]));
        }
        Ok(text)
    }

    fn problem(&self, problem: Problem) -> Problems {
        Problems::new(&self.name(), "", vec![problem])
    }
}

fn end_of(text: &str) -> Place {
    let line = text.split('\n').count();
    let column = text
        .rsplit('\n')
        .next()
        .map_or(0, |last| last.chars().count())
        + 1;
    Place::Text {
        line,
        column,
        length: 1,
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_TEXT_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn file_problem(path: &Path, error: &io::Error) -> Problem {
    let problem = Problem::new("", Place::Nowhere, "the configuration file cannot be read");
    match error.kind() {
        io::ErrorKind::NotFound if path == Path::new(DEFAULT_FILE) => {
            Problem::new("", Place::Nowhere, "there is no configuration")
                .found(format!("no --config, no {TEXT_VARIABLE}, no PINNACE_INCLUDE, and no file {DEFAULT_FILE}"))
                .expected("one of these")
                .mend("give --config FILE, or set PINNACE_INCLUDE and PINNACE_LOKI_URL or PINNACE_LOG_GROUP")
        }
        io::ErrorKind::NotFound => problem
            .found(format!("no such file; {}", last_existing(path)))
            .expected("a YAML file")
            .mend("check the path; in a container check that the volume is mounted there"),
        io::ErrorKind::PermissionDenied => problem
            .found(permissions(path))
            .expected("a file that this user may read")
            .mend("change the mode or the owner, or run as another user (in Kubernetes: runAsUser, fsGroup)"),
        io::ErrorKind::IsADirectory => problem
            .found("a folder")
            .expected("a YAML file")
            .mend("name the file in the folder"),
        _ => problem
            .found(error.to_string())
            .expected("a YAML file")
            .mend("check the path and the disk"),
    }
}

fn last_existing(path: &Path) -> String {
    let existing = path.ancestors().skip(1).find(|folder| folder.is_dir());
    match existing {
        Some(folder) if Some(folder) == path.parent() => {
            format!("the folder {} exists", folder.display())
        }
        Some(folder) => format!("of its folders only {} exists", folder.display()),
        None => "it is looked for in the current folder".to_owned(),
    }
}

/// Who we are, and whom the file or the first closed folder above it belongs to.
pub(crate) fn permissions(path: &Path) -> String {
    let own = format!(
        "we are uid {} gid {}",
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw()
    );
    // Where even the file's metadata is closed, a folder above it is the obstacle.
    let visible = path
        .ancestors()
        .find_map(|part| Some((part, fs::metadata(part).ok()?)));
    match visible {
        Some((part, metadata)) => format!(
            "permission denied: {} is uid {} gid {} mode {:04o}, {own}",
            part.display(),
            metadata.uid(),
            metadata.gid(),
            metadata.mode() & 0o7777,
        ),
        None => format!("permission denied: {own}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_source_that_is_there_is_taken() {
        let text = ("PINNACE_CONFIG", "version: 1");
        let include = ("PINNACE_INCLUDE", "/a.log");
        let state = ("PINNACE_STATE_DIR", "/state");
        let file = |path: &str| Source::File(PathBuf::from(path));
        for (argument, variables, source) in [
            (Some("/a.yaml"), [text, include, state], file("/a.yaml")),
            (
                None,
                [text, include, state],
                Source::Text("version: 1".to_owned()),
            ),
            (
                None,
                [("PINNACE_CONFIG", ""), include, state],
                Source::Environment,
            ),
            (
                None,
                [("PINNACE_CONFIG", ""), ("PINNACE_INCLUDE", ""), state],
                file(DEFAULT_FILE),
            ),
            (
                None,
                [("PINNACE_PORT", "tcp://10.0.0.1:80"), state, state],
                file(DEFAULT_FILE),
            ),
        ] {
            let environment = Environment::from(variables);
            assert_eq!(Source::find(argument.map(Path::new), &environment), source);
        }
    }

    #[test]
    fn a_closed_file_is_told_with_its_owner_and_ours() {
        let folder = tempfile::tempdir().unwrap();
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let problem = file_problem(&folder.path().join("closed/pinnace.yaml"), &error);
        let own = rustix::process::geteuid().as_raw();
        assert!(
            problem.found.starts_with("permission denied: "),
            "{}",
            problem.found
        );
        assert!(
            problem.found.contains(&folder.path().display().to_string()),
            "{}",
            problem.found
        );
        assert!(problem.found.contains(" mode 0"), "{}", problem.found);
        assert!(
            problem.found.contains(&format!("we are uid {own} gid ")),
            "{}",
            problem.found
        );
        assert!(problem.mend.contains("fsGroup"));
    }
}
