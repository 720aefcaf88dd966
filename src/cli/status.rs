//! `pinnace status`: asks the running agent and shows what it says.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{self, Environment, Source};
use crate::exit;
use crate::observe::control;

/// How often `--watch` asks.
const WATCH_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigArgument,
    /// The agent's state directory, instead of the one in the configuration.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Ask again every second until interrupted.
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let state_dir = arguments.state_dir.clone().unwrap_or_else(|| {
        let environment = Environment::from_process();
        let source = Source::find(arguments.config.config.as_deref(), &environment);
        match config::load(&source, &environment) {
            Ok(config) => config.state_dir,
            // A degraded agent can be asked what is wrong with this very configuration.
            Err(_) => config::places_at_best(&source, &environment).0,
        }
    });
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return tell(&error.to_string()),
    };
    runtime.block_on(async {
        loop {
            let status = match control::ask_status(&state_dir).await {
                Ok(status) => status,
                Err(error) => return tell(&error.to_string()),
            };
            let shown = if arguments.json {
                serde_json::to_string(&status).unwrap_or_default() + "\n"
            } else {
                status.text()
            };
            let mut out = io::stdout().lock();
            let is_screen = arguments.watch && !arguments.json && io::stdout().is_terminal();
            let cleared = if is_screen { "\x1b[H\x1b[2J" } else { "" };
            if write!(out, "{cleared}{shown}")
                .and_then(|()| out.flush())
                .is_err()
            {
                return exit::OK;
            }
            if !arguments.watch {
                return if status.is_well() {
                    exit::OK
                } else {
                    exit::FAILED
                };
            }
            drop(out);
            tokio::time::sleep(WATCH_EVERY).await;
        }
    })
}

fn tell(sentence: &str) -> u8 {
    let _ = writeln!(io::stderr().lock(), "{sentence}");
    exit::UNAVAILABLE
}
