//! `pinnace status`: asks the running agent and shows what it says.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{self, Environment, Source};
use crate::exit;
use crate::observe::control::{self, AskError};
use crate::observe::snapshot::Status;

/// How often `--watch` asks.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Clears a screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// What the columns mean.
const COLUMNS: &str = "\
Outputs:
  STATE           ok, or in a word why it does not deliver
  LAG             bytes in the files that are not delivered yet
  OLDEST          the age of the oldest of them
  IN FLIGHT       batches that were made and not acknowledged, and their bytes
  LAST DELIVERED  when the destination last took something

Files:
  SIZE            bytes that the file has
  DELIVERED       how much of it each output has acknowledged
  PLACE           where it stands now:
    home          at the name under which it was first seen
    moved         at another name that an input means too
    rotated       at a name that no input means: it is read to its end
    deleted       at no name: it is held open until it is delivered
    gone          the file was emptied or replaced: it is read on in a copy, if there is one";

#[derive(Debug, clap::Args)]
#[command(after_help = COLUMNS)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigArgument,
    /// The agent's state directory, instead of the one in the configuration.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Ask again every second until interrupted, also while no agent answers.
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let asked = Asked::of(arguments);
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return tell(&error.to_string()),
    };
    if arguments.watch {
        return runtime.block_on(watch(&asked, arguments.json));
    }
    match runtime.block_on(control::ask_status(&asked.state_dir)) {
        Ok(status) => {
            if show(&status, arguments.json, "") && !status.is_well() {
                exit::FAILED
            } else {
                exit::OK
            }
        }
        Err(error) => {
            let code = tell(&asked.reason(&error));
            let is_named = arguments.config.config.is_some();
            if is_named && asked.unreadable.is_some() {
                exit::CONFIG
            } else {
                code
            }
        }
    }
}

/// Where the agent is asked, and why there.
struct Asked {
    state_dir: PathBuf,
    /// What the configuration is called that says so; nothing where the command line does.
    source: Option<String>,
    /// What was found where it cannot be read.
    unreadable: Option<String>,
}

impl Asked {
    fn of(arguments: &Arguments) -> Self {
        if let Some(state_dir) = arguments.state_dir.clone() {
            return Self {
                state_dir,
                source: None,
                unreadable: None,
            };
        }
        let environment = Environment::from_process();
        let source = Source::find(arguments.config.config.as_deref(), &environment);
        let state_dir = match config::load(&source, &environment) {
            Ok(config) => config.state_dir,
            // A degraded agent can be asked what is wrong with this very configuration.
            Err(_) => config::places_at_best(&source, &environment).0,
        };
        Self {
            state_dir,
            source: Some(source.name()),
            unreadable: source.unreadable(),
        }
    }

    /// Why nothing is shown: the configuration may lead to the wrong place.
    fn reason(&self, error: &AskError) -> String {
        let dir = self.state_dir.display();
        match (&self.source, &self.unreadable) {
            (None, _) => error.to_string(),
            (Some(source), None) => format!("{error} ({source} has state_dir {dir})"),
            (Some(source), Some(found)) => {
                format!("{source} cannot be read: {found}; with state_dir {dir} {error}")
            }
        }
    }
}

/// Shows the status every second until nobody can read it. That no agent answers is shown too: on
/// a screen for as long as it holds, elsewhere once.
async fn watch(asked: &Asked, as_json: bool) -> u8 {
    let is_screen = !as_json && io::stdout().is_terminal();
    let cleared = if is_screen { CLEAR } else { "" };
    let mut told = None;
    loop {
        match control::ask_status(&asked.state_dir).await {
            Ok(status) => {
                told = None;
                if !show(&status, as_json, cleared) {
                    return exit::OK;
                }
            }
            Err(error) => {
                let sentence = format!("{}; asking again every second", asked.reason(&error));
                if is_screen {
                    if !print(&format!("{cleared}{sentence}\n")) {
                        return exit::OK;
                    }
                } else if told.as_ref() != Some(&sentence) {
                    tell(&sentence);
                    told = Some(sentence);
                }
            }
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

/// Returns whether it could be shown.
fn show(status: &Status, as_json: bool, cleared: &str) -> bool {
    let shown = if as_json {
        serde_json::to_string(status).unwrap_or_default() + "\n"
    } else {
        status.text()
    };
    print(&format!("{cleared}{shown}"))
}

fn print(text: &str) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

fn tell(sentence: &str) -> u8 {
    let _ = writeln!(io::stderr().lock(), "{sentence}");
    exit::UNAVAILABLE
}
