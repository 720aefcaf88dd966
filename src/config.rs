//! The configuration: where it comes from, what it may say, and how mistakes in it are told.
//! Every key is described once, in `keys.rs`; decoding, the JSON schema and the reference follow
//! from there. Changes nothing on disk and asks no server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

mod ages;
mod choices;
mod connection;
mod decode;
mod describe;
mod effective;
mod environment;
mod fields;
mod interpolate;
mod json_schema;
mod keys;
mod local_zone;
mod mask;
mod node;
mod places;
mod problem;
mod records;
mod reference;
mod relations;
mod rules;
mod scalars;
mod source;
mod template;
mod units;
mod variables;
mod warnings;

pub use ages::{Ages, TooOld};
pub use connection::{AssumeRole, Auth, Connection, Proxy, Secret, Tls};
pub use environment::Environment;
pub use problem::{Place, Problem, Problems};
pub use records::{Filter, FilterAction, Format, Found, Multiline, Records};
pub use source::{DEFAULT_FILE, Source};
pub use template::{BUILT_IN_NAMES, Template, TemplateError};
pub(crate) use template::{LEVEL, Piece, field_of};
pub use units::{ByteSize, UnitError};
pub use variables::TEXT_VARIABLE;

pub(crate) use json_schema::json_schema;
pub(crate) use local_zone::local_zone;
pub(crate) use places::places_at_best;
pub(crate) use reference::reference;
pub(crate) use warnings::warnings;

/// All that the agent needs to know; every value is checked and every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The folder of the journal and the control socket; absolute.
    pub state_dir: PathBuf,
    /// The ceiling for the data in memory.
    pub memory_limit: ByteSize,
    /// Where refused records go.
    pub dead_letters: DeadLetters,
    /// What happens between SIGTERM and the end.
    pub shutdown: Shutdown,
    /// The HTTP endpoint.
    pub server: Server,
    /// Which files are read; at least one.
    pub inputs: Vec<Input>,
    /// Where the lines go; at least one.
    pub outputs: Vec<Output>,
    /// The zone of this machine, by name.
    pub local_zone: String,
}

/// Where records go that a destination does not take.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetters {
    /// How large the file becomes at most.
    pub max_bytes: ByteSize,
    /// What to do when it is full.
    pub when_full: WhenLettersFull,
    /// What to do when a destination takes no record of a stream.
    pub when_all_refused: WhenAllRefused,
}

/// What to do when the file of dead letters is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenLettersFull {
    /// Wait until there is room.
    #[default]
    Hold,
    /// Drop what would be written, and count it.
    Drop,
}

/// What to do when a destination takes no record of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenAllRefused {
    /// Wait, and try again slowly.
    #[default]
    Hold,
    /// Write them to the dead letters.
    Write,
}

/// What happens between SIGTERM and the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Shutdown {
    /// How long delivery may go on.
    pub timeout: Duration,
    /// How long the files must have been quiet when all is delivered; at most `timeout`.
    pub quiet_for: Duration,
    /// Whether the writers are gone for good, so that a last line without a line end is shipped
    /// (the key `final`).
    pub final_lines: bool,
    /// Where what is left is written; `None` is the place that Kubernetes makes for it, if it is
    /// there.
    pub termination_log: Option<PathBuf>,
}

/// The HTTP endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where to listen; `None` when it is off.
    pub listen: Option<SocketAddr>,
}

/// A set of files, and how their bytes become lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Unique among the inputs.
    pub name: String,
    /// Globs of the files to read; absolute, at least one.
    pub include: Vec<String>,
    /// Globs of files to leave alone; absolute.
    pub exclude: Vec<String>,
    /// Where to begin in files never seen before.
    pub read_from: ReadFrom,
    /// The longest line in bytes of what is shipped.
    pub max_line: ByteSize,
    /// Texts for templates. No name is one of [`BUILT_IN_NAMES`].
    pub fields: BTreeMap<String, String>,
    /// How their bytes become records.
    pub records: Records,
    /// How long deleted files are held open until they are delivered.
    pub hold_deleted: HoldDeleted,
    /// What becomes of rotated files that are delivered.
    pub after_delivery: AfterDelivery,
    /// How much the files may take on their volume.
    pub disk: Disk,
}

/// What becomes of rotated files that are delivered to every output that takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterDelivery {
    /// Whether they are deleted (the key `rotated`).
    pub delete_rotated: bool,
    /// So many of the youngest of each log stay.
    pub keep: u32,
    /// None is deleted that was written less than so long ago.
    pub still_for: Duration,
}

/// How much the files of an input may take on their volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// The limit; `None` is none.
    pub max_bytes: Option<ByteSize>,
    /// What happens above it.
    pub when_full: WhenFull,
}

/// What happens when the files of an input take more than they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// It is said.
    #[default]
    Hold,
    /// The oldest rotated files are deleted, delivered or not.
    DropOldest,
}

/// Up to which of these limits deleted files are held open until they are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldDeleted {
    /// The most space that they may hold together.
    pub max_bytes: ByteSize,
    /// How long one is held while bytes of it are owed.
    pub max_age: Duration,
    /// With less free space on the volume they are let go.
    pub min_free: ByteSize,
}

/// Where to begin in files never seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadFrom {
    /// They are read whole.
    #[default]
    Beginning,
    /// Only what is appended from now on.
    End,
}

/// One destination.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Unique among the outputs.
    pub name: String,
    /// The names of the inputs whose lines go here, each known and none twice.
    pub inputs: Vec<String>,
    /// The backend.
    pub kind: OutputKind,
}

/// The backend of an output.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputKind {
    /// A Loki push endpoint.
    Loki(Loki),
    /// AWS CloudWatch Logs.
    CloudWatchLogs(CloudWatchLogs),
}

/// A Loki push endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Loki {
    /// The URL with the push path; it may hold `user:password@`.
    pub url: String,
    /// Sent as `X-Scope-OrgID`.
    pub tenant_id: Option<String>,
    /// Who we are; `None` when the URL says it, or nothing.
    pub auth: Option<Auth>,
    /// Headers of every request; none that Pinnace sets itself.
    pub headers: BTreeMap<String, Secret>,
    /// The labels of a stream; 1 to 15. Every name in the templates is known for every input.
    pub labels: BTreeMap<String, Template>,
    /// Sent with each line.
    pub structured_metadata: BTreeMap<String, Template>,
    /// How many streams may be fed within an hour.
    pub max_streams: u32,
    /// How a body is packed.
    pub compression: Compression,
    /// How much goes into one request.
    pub batch: Batch,
    /// What becomes of old records.
    pub ages: Ages,
    /// The time limit of one request.
    pub request_timeout: Duration,
    /// How connections are made.
    pub connection: Connection,
}

/// How a body for Loki is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// One snappy block.
    #[default]
    Snappy,
    /// One snappy block of literals.
    None,
}

/// How much goes into one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The largest body before compression; with CloudWatch Logs as that counts it, 26 bytes for
    /// each event included.
    pub max_bytes: ByteSize,
    /// How long the first line waits for others.
    pub max_wait: Duration,
}

/// AWS CloudWatch Logs.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudWatchLogs {
    /// The log group. Its fixed parts keep the naming rules; what its names stand for may not.
    pub log_group: Template,
    /// The log stream. Its fixed parts keep the naming rules; what its names stand for may not.
    pub log_stream: Template,
    /// The region; `None` takes that of the environment.
    pub region: Option<String>,
    /// The profile that credentials come from; `None` looks in every place.
    pub profile: Option<String>,
    /// A role that is taken on.
    pub assume_role: Option<AssumeRole>,
    /// Another endpoint than AWS's.
    pub endpoint_url: Option<String>,
    /// What is created when it does not exist.
    pub create: Create,
    /// How a body is packed.
    pub compression: CloudWatchCompression,
    /// What to do when an answer leaves open whether a batch was stored.
    pub verify_after_error: VerifyAfterError,
    /// How much goes into one request.
    pub batch: Batch,
    /// What becomes of old records.
    pub ages: Ages,
    /// The time limit of one request.
    pub request_timeout: Duration,
    /// How connections are made.
    pub connection: Connection,
}

/// What is created in CloudWatch Logs when it does not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// The log group.
    pub log_group: bool,
    /// The log stream.
    pub log_stream: bool,
    /// The class of a log group that Pinnace creates.
    pub class: LogClass,
    /// How many days a log group that Pinnace creates keeps its events; `None` is for ever.
    pub retention_in_days: Option<u32>,
}

/// The class of a log group; fixed when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogClass {
    /// All that CloudWatch Logs can do.
    #[default]
    Standard,
    /// Cheaper, without reading back.
    InfrequentAccess,
    /// For events that are handed on to other services, without reading back.
    Delivery,
}

/// How a body for CloudWatch Logs is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CloudWatchCompression {
    /// With gzip.
    #[default]
    Gzip,
    /// Not at all.
    None,
}

/// What to do when an answer leaves open whether a batch was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyAfterError {
    /// Read the stream back where that is possible.
    #[default]
    Auto,
    /// Send again without reading back.
    Never,
    /// Hold the batch until the stream could be read back.
    Require,
}

impl Config {
    /// The bytes that two batches of every output and one longest line take: `memory_limit` is
    /// never less.
    pub fn memory_needed(&self) -> ByteSize {
        let batches: u64 = self
            .outputs
            .iter()
            .map(|output| 2 * output.kind.batch().max_bytes.0)
            .sum();
        let line = self
            .inputs
            .iter()
            .map(|input| input.max_line.0)
            .max()
            .unwrap_or_default();
        ByteSize(batches + line)
    }

    /// The input of this name.
    pub fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == name)
    }
}

impl OutputKind {
    /// What becomes of old records.
    pub fn ages(&self) -> Ages {
        match self {
            Self::Loki(loki) => loki.ages,
            Self::CloudWatchLogs(cloudwatch) => cloudwatch.ages,
        }
    }

    /// How much goes into one request.
    pub fn batch(&self) -> &Batch {
        match self {
            Self::Loki(loki) => &loki.batch,
            Self::CloudWatchLogs(cloudwatch) => &cloudwatch.batch,
        }
    }
}

/// A configuration with what is to be said about it.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// YAML that loads to the same configuration, but for secrets that stood in it openly.
    pub(crate) effective: String,
}

/// Reads, checks and fills in a configuration. Every mistake in it is told at once.
pub fn load(source: &Source, environment: &Environment) -> Result<Config, Problems> {
    load_explained(source, environment).map(|loaded| loaded.config)
}

pub(crate) fn load_explained(
    source: &Source,
    environment: &Environment,
) -> Result<Loaded, Problems> {
    let text = source.read()?;
    let mut notes = fields::Notes::default();
    let root = match source {
        Source::Environment => Some(variables::tree(environment, &mut notes.problems)),
        Source::File(_) | Source::Text(_) => node::parse(&text, &mut notes.problems),
    };
    let is_incomplete = matches!(source, Source::Environment) && !notes.problems.is_empty();
    let config = root.map(|mut root| {
        if !matches!(source, Source::Environment) {
            interpolate::interpolate(&mut root, "", environment, &mut notes.problems);
        }
        let mut config = decode::decode(&root, &mut notes);
        config.local_zone = local_zone(environment);
        relations::check(&config, &mut notes);
        config
    });
    if is_incomplete {
        // Variables that are missing are told by their names; the keys they stand for are not.
        notes
            .problems
            .retain(|problem| problem.place != Place::Nowhere || problem.key.is_empty());
    }
    match config {
        Some(config) if notes.problems.is_empty() => {
            let effective = effective::yaml(&config, &notes.secrets);
            Ok(Loaded { config, effective })
        }
        _ => Err(Problems::new(&source.name(), &text, notes.problems)),
    }
}
