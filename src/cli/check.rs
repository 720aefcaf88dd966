//! `pinnace check`: prints every problem of the configuration, or what is in force; with `--live`
//! a checklist of what holds when inputs and outputs are tried.

use std::io::{self, Write};

use crate::config::{Config, Environment, Source, load_explained, warnings};
use crate::exit;
use crate::live;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigArgument,
    /// Try each input and each output for real, and print a checklist instead: the state directory
    /// and the address of the agent, files and permissions, names, connections, TLS, credentials,
    /// clocks. Nothing is left behind.
    #[arg(long)]
    live: bool,
    /// With --live, write one marked test record to each output.
    #[arg(long, requires = "live")]
    write: bool,
}

/// The configuration in force, or the checklist, goes to stdout; problems and warnings go to
/// stderr.
pub(super) fn run(arguments: &Arguments) -> u8 {
    let environment = Environment::from_process();
    let source = Source::find(arguments.config.config.as_deref(), &environment);
    let (code, printed) = match load_explained(&source, &environment) {
        Ok(loaded) => {
            let mut told = String::new();
            let of_disk = live::read_twice(&loaded.config);
            for warning in warnings(&loaded, &source, &environment)
                .iter()
                .chain(&of_disk)
            {
                told.push_str("warning: ");
                told.push_str(warning);
                told.push('\n');
            }
            let shown = write_to(io::stderr().lock(), &told);
            if arguments.live {
                let (code, listed) = look(&loaded.config, arguments.write);
                (code, shown.and(listed))
            } else {
                let shown = shown.and_then(|()| write_to(io::stdout().lock(), &loaded.effective));
                (exit::OK, shown)
            }
        }
        Err(problems) => {
            let shown = write_to(io::stderr().lock(), &format!("{problems}\n"));
            (exit::CONFIG, shown)
        }
    };
    super::schema::code_after(code, &printed)
}

/// Each part of the checklist is shown when it is known.
fn look(config: &Config, write: bool) -> (u8, io::Result<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return (exit::FAILED, Err(error)),
    };
    let mut code = exit::OK;
    let mut shown = Ok(());
    runtime.block_on(live::look(config, write, |section| {
        if !section.is_well() {
            code = exit::FAILED;
        }
        if shown.is_ok() {
            shown = write_to(io::stdout().lock(), &section.text());
        }
    }));
    // Connections that are still kept are of no use to anyone.
    runtime.shutdown_background();
    (code, shown)
}

fn write_to(mut out: impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}
