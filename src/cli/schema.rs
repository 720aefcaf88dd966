//! `pinnace schema`: prints the JSON schema or the reference of the configuration.

use std::io::{self, Write};

use crate::config::{json_schema, reference};
use crate::exit;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the reference in Markdown instead.
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let text = if arguments.markdown {
        reference()
    } else {
        json_schema()
    };
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    code_after(exit::OK, &printed)
}

/// A reader that has gone away (`pinnace schema | head`) is no failure of ours.
pub(super) fn code_after(code: u8, printed: &io::Result<()>) -> u8 {
    match printed {
        Err(error) if code == exit::OK && error.kind() != io::ErrorKind::BrokenPipe => exit::FAILED,
        _ => code,
    }
}
