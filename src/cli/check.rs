//! `pinnace check`: prints every problem of the configuration, or what is in force.

use std::io::{self, Write};

use crate::config::{Environment, Source, load_explained, warnings};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigArgument,
}

/// The configuration in force goes to stdout; problems and warnings go to stderr.
pub(super) fn run(arguments: &Arguments) -> u8 {
    let environment = Environment::from_process();
    let source = Source::find(arguments.config.config.as_deref(), &environment);
    let (code, printed) = match load_explained(&source, &environment) {
        Ok(loaded) => {
            let mut told = String::new();
            for warning in warnings(&loaded, &source, &environment) {
                told.push_str("warning: ");
                told.push_str(&warning);
                told.push('\n');
            }
            let shown = write_to(io::stderr().lock(), &told)
                .and_then(|()| write_to(io::stdout().lock(), &loaded.effective));
            (super::exit::OK, shown)
        }
        Err(problems) => {
            let shown = write_to(io::stderr().lock(), &format!("{problems}\n"));
            (super::exit::CONFIG, shown)
        }
    };
    super::schema::code_after(code, &printed)
}

fn write_to(mut out: impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}
