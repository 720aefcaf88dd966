//! A job for any of the programs: which files, to where, in which wire form.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pinnace::receiver::Backend;

/// What goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Loki, one snappy block.
    Snappy,
    /// Loki, a snappy block of literals: `compression: none`.
    Literal,
    /// CloudWatch Logs, plain.
    Json,
    /// CloudWatch Logs, gzip.
    Gzip,
}

impl Wire {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Snappy, "snappy"),
        (Self::Literal, "literal"),
        (Self::Json, "json"),
        (Self::Gzip, "gzip"),
    ];

    pub(crate) fn is_loki(self) -> bool {
        matches!(self, Self::Snappy | Self::Literal)
    }

    pub(crate) fn backend(self) -> Backend {
        if self.is_loki() {
            Backend::Loki
        } else {
            Backend::Cloudwatch
        }
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|it| it.0 == self)
            .map_or("", |it| it.1)
    }

    pub(crate) fn of_name(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|it| it.1 == name);
        found.map(|it| it.0).context("no such wire form")
    }
}

/// One job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'a> {
    /// Where the log files are.
    pub(crate) logs: &'a Path,
    /// A folder for configuration and state.
    pub(crate) scratch: &'a Path,
    pub(crate) outputs: &'a [Wire],
    /// Where the receiver is, or what stands before it.
    pub(crate) address: SocketAddr,
    /// The certificate of the authority, where it speaks TLS.
    pub(crate) authority: Option<&'a Path>,
    pub(crate) max_wait: Option<Duration>,
    /// Whether the files grow.
    pub(crate) follow: bool,
    /// Whether the agent takes the lines as they are, and looks for nothing in them.
    pub(crate) is_plain: bool,
}
