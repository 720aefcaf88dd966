//! `pinnace iam`: prints the AWS policy that a configuration needs, and a reason for each action.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use crate::config::{self, Environment, Source};
use crate::deliver::cloudwatch::policy::{Policy, policies};
use crate::exit;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigArgument,
    /// The number of the AWS account; without it the policy holds for the groups of any.
    #[arg(long, value_name = "NUMBER", value_parser = account)]
    account: Option<String>,
}

/// The policy goes to stdout, one JSON document for each identity; the reasons go to stderr.
pub(super) fn run(arguments: &Arguments) -> u8 {
    let environment = Environment::from_process();
    let source = Source::find(arguments.config.config.as_deref(), &environment);
    let config = match config::load(&source, &environment) {
        Ok(config) => config,
        Err(problems) => {
            // Nothing is left to be done when nobody can read it.
            let _ = writeln!(io::stderr().lock(), "{problems}");
            return exit::CONFIG;
        }
    };
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|it| !it.is_empty()));
    let policies = policies(&config, arguments.account.as_deref(), region.as_deref());
    let (mut printed, mut told) = (String::new(), String::new());
    if policies.is_empty() {
        told.push_str("no output is of type cloudwatch_logs: nothing of AWS is needed\n");
    }
    for policy in &policies {
        printed.push_str(&policy.json());
        printed.push('\n');
        reasons(policy, &mut told);
    }
    let shown = io::stderr()
        .lock()
        .write_all(told.as_bytes())
        .and_then(|()| {
            let mut out = io::stdout().lock();
            out.write_all(printed.as_bytes()).and_then(|()| out.flush())
        });
    super::schema::code_after(exit::OK, &shown)
}

fn reasons(policy: &Policy, told: &mut String) {
    let _ = match &policy.role {
        Some(role) => writeln!(told, "The policy of the role {role}:"),
        None => writeln!(
            told,
            "The policy of the identity that the credentials belong to:"
        ),
    };
    for need in &policy.needs {
        let outputs: Vec<&str> = need.outputs.iter().map(String::as_str).collect();
        let _ = writeln!(
            told,
            "  {:<24} {} (output {})",
            need.action,
            need.reason,
            outputs.join(", ")
        );
    }
}

fn account(text: &str) -> Result<String, String> {
    let is_valid = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_valid
        .then(|| text.to_owned())
        .ok_or_else(|| "an AWS account has 12 digits".to_owned())
}
