//! Another configuration for a running agent: notices that it is to be read again, refuses a
//! wrong one, and says what changed. What cannot change in a running process stays as it was.

use std::fs::Metadata;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::summary;
use crate::config::{self, Config, Environment, Problems, Source};
use crate::observe::Observer;
use crate::observe::metrics::ReloadResult;
use crate::pipeline::Pipeline;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A file that changed is read once it has been the same for this long: it may be half written.
const SAME_FOR: Duration = Duration::from_secs(1);

/// What tells one state of a file from another, without reading it.
type Print = (u64, u64, u64, i64, i64);

/// Notices that the configuration is to be read again: by SIGHUP, or because its file is another
/// one or was written. A link is followed, so the swap of a mounted `ConfigMap` is noticed.
pub(super) struct Changes {
    hangup: Signal,
    has_terminal: bool,
    file: Option<PathBuf>,
    seen: Option<Print>,
    look_at: Instant,
    /// What the file has changed to, if it stays so.
    changed_to: Option<Print>,
}

/// Why it is to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// SIGHUP.
    Asked,
    /// The file changed.
    File,
    /// Not to be read: the terminal that the agent belongs to is gone.
    TerminalGone,
}

impl Changes {
    /// Of the configuration that is in force from now on.
    pub(super) fn new(source: &Source) -> io::Result<Self> {
        let file = match source {
            Source::File(path) => Some(path.clone()),
            Source::Text(_) | Source::Environment => None,
        };
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            has_terminal: io::stderr().is_terminal(),
            seen: file.as_ref().and_then(print),
            file,
            look_at: Instant::now() + LOOK_EVERY,
            changed_to: None,
        })
    }

    /// Waits until it is to be read again. Nothing is missed when the wait is broken off.
    pub(super) async fn next(&mut self) -> Reason {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => {
                    if self.has_terminal && !io::stderr().is_terminal() {
                        return Reason::TerminalGone;
                    }
                    self.seen = self.file.as_ref().and_then(print);
                    return Reason::Asked;
                }
                () = tokio::time::sleep_until(self.look_at), if self.file.is_some() => {
                    if self.look() {
                        return Reason::File;
                    }
                }
            }
        }
    }

    /// Looks at the file. Returns whether it changed and has stayed so for a moment.
    fn look(&mut self) -> bool {
        let now = self.file.as_ref().and_then(print);
        let is_settled = self.changed_to.take() == now;
        // A file that is not there has not been replaced yet.
        if now.is_none() || now == self.seen {
            self.look_at = Instant::now() + LOOK_EVERY;
            return false;
        }
        if is_settled {
            self.seen = now;
            self.look_at = Instant::now() + LOOK_EVERY;
            return true;
        }
        self.changed_to = now;
        self.look_at = Instant::now() + SAME_FOR;
        false
    }
}

fn print(path: &PathBuf) -> Option<Print> {
    let of = |it: Metadata| (it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec());
    std::fs::metadata(path).ok().map(of)
}

/// Reads the configuration again, and goes on by it if it is right.
pub(super) async fn reload(
    source: &Source,
    environment: &Environment,
    pipeline: &mut Pipeline,
    in_force: &mut Config,
    observer: &Observer,
) {
    if !matches!(source, Source::File(_)) {
        tracing::warn!(
            "asked to read the configuration again, but it stands in the environment, which cannot change while the agent runs"
        );
        return;
    }
    let mut config = match config::load(source, environment) {
        Ok(config) => config,
        Err(problems) => return refuse(&problems, observer),
    };
    observer.health.set_trouble("config", None);
    observer.metrics.count_reload(ReloadResult::accepted);
    keep_what_is_fixed(&mut config, in_force);
    let changes = differences(in_force, &config);
    if changes.is_empty() {
        tracing::info!("the configuration was read again: nothing changed");
        return;
    }
    pipeline.change(&config, observer).await;
    *in_force = config;
    tracing::info!(
        changes = changes.join(", "),
        "another configuration is in force"
    );
}

fn refuse(problems: &Problems, observer: &Observer) {
    tracing::error!(
        "the configuration was changed and is wrong: the earlier one stays in force\n{problems}"
    );
    let sentence = format!(
        "{}; the earlier configuration is in force until that is mended",
        summary(problems)
    );
    observer.health.set_trouble("config", Some(sentence));
    observer.metrics.count_reload(ReloadResult::refused);
}

/// What belongs to the process: it stays as it is until the next start.
fn keep_what_is_fixed(config: &mut Config, in_force: &Config) {
    let mut waits = Vec::new();
    if config.state_dir != in_force.state_dir {
        waits.push("state_dir");
        config.state_dir.clone_from(&in_force.state_dir);
    }
    if config.server != in_force.server {
        waits.push("server");
        config.server = in_force.server.clone();
    }
    if !waits.is_empty() {
        tracing::warn!(
            keys = waits.join(", "),
            "a change of these takes effect at the next start of the agent"
        );
    }
}

/// What of a configuration is another now, in words. Empty where all is as it was, but for what
/// stays until the next start.
fn differences(old: &Config, new: &Config) -> Vec<String> {
    // Without `..`: a new key is either compared or named as one that is not.
    let Config {
        state_dir: _,
        memory_limit,
        dead_letters,
        shutdown,
        server: _,
        inputs,
        outputs,
        local_zone,
    } = old;
    let mut changes: Vec<String> = [
        ("memory_limit", *memory_limit != new.memory_limit),
        ("dead_letters", *dead_letters != new.dead_letters),
        ("shutdown", *shutdown != new.shutdown),
        ("the machine's time zone", *local_zone != new.local_zone),
    ]
    .into_iter()
    .filter(|(_, is_other)| *is_other)
    .map(|(key, _)| key.to_owned())
    .collect();
    list("input", inputs, &new.inputs, |it| &it.name, &mut changes);
    list("output", outputs, &new.outputs, |it| &it.name, &mut changes);
    changes
}

fn list<T: PartialEq>(
    kind: &str,
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> &String,
    changes: &mut Vec<String>,
) {
    for item in new {
        match old.iter().find(|it| name(it) == name(item)) {
            None => changes.push(format!("{kind} {} added", name(item))),
            Some(before) if before != item => changes.push(format!("{kind} {}", name(item))),
            Some(_) => {}
        }
    }
    for item in old {
        if new.iter().all(|it| name(it) != name(item)) {
            changes.push(format!("{kind} {} removed", name(item)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let text = format!("state_dir: /s\n{text}");
        config::load(&Source::Text(text), &Environment::default()).unwrap()
    }

    #[test]
    fn changes_are_told_by_the_names_of_what_changed() {
        let old = config(
            "inputs: [{name: a, include: [/a]}, {name: b, include: [/b]}]
outputs: [{name: x, type: loki, url: 'http://x', inputs: [a]}, {name: y, type: loki, url: 'http://y', inputs: [b]}]",
        );
        assert_eq!(differences(&old, &old), [""; 0]);
        let new = config(
            "memory_limit: 99MiB
dead_letters: {when_all_refused: write}
shutdown: {timeout: 9s}
inputs: [{name: b, include: [/b, /c]}, {name: c, include: [/c]}]
outputs: [{name: x, type: loki, url: 'http://x', inputs: [c]}]",
        );
        assert_eq!(
            differences(&old, &new),
            [
                "memory_limit",
                "dead_letters",
                "shutdown",
                "input b",
                "input c added",
                "input a removed",
                "output x",
                "output y removed"
            ]
        );
    }

    #[test]
    fn what_stands_at_the_top_is_a_change_by_itself() {
        let text = "inputs: [{name: a, include: [/a]}]
outputs: [{name: x, type: loki, url: 'http://x', inputs: [a]}]";
        let old = config(text);
        for (more, change) in [
            ("memory_limit: 99MiB", "memory_limit"),
            ("dead_letters: {when_all_refused: write}", "dead_letters"),
            ("dead_letters: {max_bytes: 99MiB}", "dead_letters"),
            ("dead_letters: {when_full: drop}", "dead_letters"),
            ("shutdown: {timeout: 9s}", "shutdown"),
        ] {
            let new = config(&format!("{more}\n{text}"));
            assert_eq!(differences(&old, &new), [change]);
        }
        let elsewhere = Config {
            local_zone: "elsewhere".to_owned(),
            ..old.clone()
        };
        assert_eq!(differences(&old, &elsewhere), ["the machine's time zone"]);
    }
}
