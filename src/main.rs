//! The thin binary: command line in, exit code out. Everything else lives in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pinnace::cli::main()
}
