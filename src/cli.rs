//! The command line: one file for each subcommand. Parses arguments, maps results to exit codes.
//! Holds no logic of the agent itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::exit;

mod check;
mod demo;
mod explain;
mod iam;
mod journal;
mod receiver;
mod run;
mod schema;
mod status;

#[derive(Debug, Parser)]
#[command(
    name = "pinnace",
    version,
    about = "Ships an application's log files to CloudWatch Logs or Loki: nothing lost, nothing twice."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See the whole job done in ten seconds, with nothing installed.
    Demo(demo::Arguments),
    /// Ship logs until SIGTERM.
    Run(run::Arguments),
    /// Ask the running agent: files, cursors, lag, outputs, last errors.
    Status(status::Arguments),
    /// Look at the state on disk: what is delivered, what is on its way, what is damaged.
    Journal(journal::Arguments),
    /// Check the configuration, print every problem, and print what is in force.
    Check(check::Arguments),
    /// Show how log files would be cut into records, and what is understood of each.
    Explain(explain::Arguments),
    /// Print the AWS policy that the configuration needs, with a reason for each action.
    Iam(iam::Arguments),
    /// Print the JSON schema of the configuration.
    Schema(schema::Arguments),
    /// Run a strict stand-in for Loki and CloudWatch Logs and print what arrives.
    Receiver(receiver::Arguments),
}

/// Where the configuration comes from: shared by every subcommand that reads one.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgument {
    /// Configuration file (YAML). Without it: `PINNACE_CONFIG` (the text itself), else the
    /// `PINNACE_*` variables, else /etc/pinnace/pinnace.yaml.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Parses the command line, runs the subcommand and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                exit::USAGE
            } else {
                exit::OK
            };
            // Printing the message can only fail when nobody can read it.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let code = match cli.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Journal(arguments) => journal::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Iam(arguments) => iam::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Receiver(arguments) => receiver::run(&arguments),
    };
    ExitCode::from(code)
}
