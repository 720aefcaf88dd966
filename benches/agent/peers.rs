//! Other log shippers on the same files, against the same receiver: Fluent Bit and Vector where
//! they are named, and syslog-ng from Debian's packages, which are unpacked into target/tools.
//! Each is configured for the same job, as its documentation says, and otherwise left at its
//! defaults.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::job::Job;
use crate::process::Process;

/// A peer that can be started.
pub(crate) struct Peer {
    /// With its version.
    pub(crate) name: String,
    kind: Kind,
}

enum Kind {
    FluentBit(PathBuf),
    Vector(PathBuf),
    /// The folder that its packages are unpacked into.
    SyslogNg(PathBuf),
}

impl Peer {
    /// Those that are at hand, and a sentence for each that is not.
    pub(crate) fn all() -> (Vec<Self>, Vec<String>) {
        let mut peers = Vec::new();
        let mut missing = Vec::new();
        for (variable, name) in [("FLUENT_BIT", "Fluent Bit"), ("VECTOR", "Vector")] {
            let Some(program) = std::env::var_os(variable).map(PathBuf::from) else {
                missing.push(format!("{name}: not measured; {variable} names no program"));
                continue;
            };
            match version(Command::new(&program).arg("--version")) {
                Ok(version) => peers.push(Self {
                    name: format!("{name} {version}"),
                    kind: if name == "Vector" {
                        Kind::Vector(program)
                    } else {
                        Kind::FluentBit(program)
                    },
                }),
                Err(error) => missing.push(format!("{name}: not measured; {error:#}")),
            }
        }
        match syslog_ng() {
            Ok(peer) => peers.push(peer),
            Err(error) => missing.push(format!("syslog-ng: not measured; {error:#}")),
        }
        (peers, missing)
    }

    pub(crate) fn start(&self, job: &Job<'_>) -> Result<Process> {
        let (logs, scratch) = (job.logs.display(), job.scratch.display());
        let (host, port) = (job.address.ip(), job.address.port());
        let write = |name: &str, text: String| {
            let path = job.scratch.join(name);
            fs::write(&path, text).map(|()| path)
        };
        let mut command = match &self.kind {
            Kind::FluentBit(program) => {
                let config = write(
                    "fluent-bit.conf",
                    format!(
                        "[SERVICE]\n  flush 1\n  log_level error\n\
                         [INPUT]\n  name tail\n  path {logs}/*.log\n  db {scratch}/tail.db\n  \
                         read_from_head on\n\
                         [OUTPUT]\n  name loki\n  match *\n  host {host}\n  port {port}\n  \
                         labels job=bench\n  drop_single_key raw\n  retry_limit no_limits\n"
                    ),
                )?;
                let mut command = Command::new(program);
                command.arg("-c").arg(config);
                command
            }
            Kind::Vector(program) => {
                let config = write(
                    "vector.yaml",
                    format!(
                        "data_dir: {scratch}\nsources:\n  logs:\n    type: file\n    \
                         include: [\"{logs}/*.log\"]\n    read_from: beginning\nsinks:\n  out:\n    \
                         type: loki\n    inputs: [logs]\n    endpoint: http://{host}:{port}\n    \
                         encoding: {{ codec: text }}\n    labels: {{ job: bench }}\n    \
                         acknowledgements: {{ enabled: true }}\n    \
                         healthcheck: {{ enabled: false }}\n"
                    ),
                )?;
                let mut command = Command::new(program);
                command.arg("--quiet").arg("--config").arg(config);
                command
            }
            Kind::SyslogNg(root) => {
                // Its window of lines is divided among as many files as there may be.
                let files = fs::read_dir(job.logs)?.count() + 1;
                let window = 20_000 * files;
                let config = write(
                    "syslog-ng.conf",
                    format!(
                        "@version: 3.38\noptions {{ stats-freq(0); log-msg-size(65536); }};\n\
                         source logs {{ wildcard-file(base-dir(\"{logs}\") \
                         filename-pattern(\"*.log\") max-files({files}) flags(no-parse) \
                         log-fetch-limit(1000) log-iw-size({window})); }};\n\
                         destination out {{ http(url(\"http://{host}:{port}/loki/api/v1/push\") \
                         method(\"POST\") headers(\"Content-Type: application/json\") \
                         body-prefix('{{\"streams\":[{{\"stream\":{{\"job\":\"bench\"}},\"values\":[') \
                         body('[\"${{R_UNIXTIME}}000000000\",\"${{MESSAGE}}\"]') delimiter(\",\") \
                         body-suffix(']}}]}}') batch-bytes(1048576) batch-lines(10000) \
                         batch-timeout(1000) log-fifo-size({window})); }};\n\
                         log {{ source(logs); destination(out); flags(flow-control); }};\n"
                    ),
                )?;
                let mut command = in_root(root);
                for (option, name) in [("-R", "persist"), ("-p", "pid"), ("-c", "control")] {
                    command.arg(option).arg(job.scratch.join(name));
                }
                command
                    .args(["-F", "--no-caps", "--stderr", "-f"])
                    .arg(config);
                command
            }
        };
        Process::start(&mut command)
    }
}

/// The first number with a dot that a program says of itself.
fn version(command: &mut Command) -> Result<String> {
    let said = command
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(
        said.status.success(),
        "it does not start: {}",
        String::from_utf8_lossy(&said.stderr).trim()
    );
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.split([' ', '(', ')', '\n', 'v'])
        .find(|word| word.contains('.') && word.starts_with(|it: char| it.is_ascii_digit()))
        .map(str::to_owned)
        .context("it does not say its version")
}

/// The unpacked syslog-ng, with its own libraries.
fn in_root(root: &Path) -> Command {
    let lib = root.join("usr/lib");
    let mut command = Command::new(root.join("usr/sbin/syslog-ng"));
    let mut libraries = vec![lib.join("syslog-ng")];
    for parent in [&lib, &root.join("lib")] {
        let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
        libraries.push(parent.join(machine));
    }
    let joined = std::env::join_paths(libraries).unwrap_or_default();
    command.env("LD_LIBRARY_PATH", joined);
    let modules = fs::read_dir(lib.join("syslog-ng")).into_iter().flatten();
    for folder in modules.flatten().filter(|it| it.path().is_dir()) {
        command.arg("--module-path").arg(folder.path());
    }
    command
}

/// Fetches syslog-ng and what it needs and this system lacks, as Debian packages, and unpacks
/// them: nothing is installed.
fn syslog_ng() -> Result<Peer> {
    let tools = std::env::var_os("PINNACE_TOOLS_DIR").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"));
    let root = tools.join("syslog-ng");
    if !root.join("usr/sbin/syslog-ng").exists() {
        let debs = tempfile::tempdir()?;
        let wanted = run(Command::new("apt-get").args([
            "install",
            "--yes",
            "--no-install-recommends",
            "--print-uris",
            "syslog-ng-core",
            "syslog-ng-mod-http",
        ]))?;
        // 'address' file_version_architecture.deb size checksum
        let names = wanted
            .lines()
            .filter(|line| line.starts_with('\''))
            .filter_map(|line| line.split(' ').nth(1)?.split('_').next());
        run(Command::new("apt-get")
            .arg("download")
            .args(names)
            .current_dir(debs.path()))?;
        fs::create_dir_all(&root)?;
        for deb in fs::read_dir(debs.path())? {
            let path = deb?.path();
            if path.extension().is_some_and(|it| it == "deb") {
                run(Command::new("dpkg-deb").arg("-x").arg(path).arg(&root))?;
            }
        }
    }
    Ok(Peer {
        name: format!("syslog-ng {}", version(in_root(&root).arg("--version"))?),
        kind: Kind::SyslogNg(root),
    })
}

fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    ensure!(
        output.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
