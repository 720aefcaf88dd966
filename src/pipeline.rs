//! The only wiring: makes the stages of a configuration, connects them, and takes them down in
//! order. Holds no logic of any stage.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::batch::{self, Encoder};
use crate::config::{self, CloudWatchCompression, Compression, Config, OutputKind};
use crate::deliver::{self, Delivery, Sender};
use crate::dispatch::naming::Naming;
use crate::dispatch::{Dispatcher, MAX_BATCHES, Plan};
use crate::journal::Journal;
use crate::observe::health::OutputHealth;
use crate::observe::{Agent, Observer};
use crate::record::Framer;
use crate::source::Source;
use crate::source::reader::{CHUNK, Reader};
use crate::worker::{
    self, Ending, InputFacts, Lane, Left, Losses, Mailbox, Message, Opening, Worker, gather_for,
};

/// A running agent.
#[derive(Debug)]
pub(crate) struct Pipeline {
    mailbox: Mailbox,
    ended: oneshot::Receiver<Vec<Left>>,
    deliveries: JoinSet<()>,
}

impl Pipeline {
    /// Starts everything that the configuration asks for.
    pub(crate) async fn start(
        config: &Config,
        journal: Journal,
        observer: &Observer,
    ) -> io::Result<Self> {
        let (mailbox, inbox) = Mailbox::new()?;
        let budget = budget_of_each(config);
        let mut lanes = Vec::new();
        let mut healths = Vec::new();
        let mut deliveries = JoinSet::new();
        for (index, output) in config.outputs.iter().enumerate() {
            let (batches, incoming) = mpsc::channel(MAX_BATCHES);
            let health = Arc::new(OutputHealth::new(&output.name));
            observer.metrics.add_output(&output.name);
            healths.push(Arc::clone(&health));
            lanes.push(Lane {
                dispatcher: Dispatcher::new(plan(config, output, budget)),
                batches,
            });
            let delivery = Delivery {
                output: index,
                sender: sender(&output.kind).await,
                health,
                metrics: Arc::clone(&observer.metrics),
            };
            let acknowledge = mailbox.clone();
            deliveries.spawn(delivery.run(incoming, move |done| {
                acknowledge.send(Message::Acknowledged(done));
            }));
        }
        observer.set_agent(Agent {
            outputs: healths,
            mailbox: mailbox.clone(),
        });
        let worker = worker(config, journal, inbox, lanes, observer);
        let shutdown = config.shutdown.clone();
        let ending =
            move || Ending::new(shutdown.timeout, shutdown.quiet_for, shutdown.final_lines);
        let (tell, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("pinnace-read".to_owned())
            .spawn(move || {
                // Nobody waits any more when the process ends at once.
                let _ = tell.send(worker.run(ending));
            })?;
        Ok(Self {
            mailbox,
            ended,
            deliveries,
        })
    }

    /// Delivers what is there and what still comes for a moment, and ends. Returns what is left.
    pub(crate) async fn stop(mut self) -> Vec<Left> {
        self.mailbox.send(Message::Stop);
        let left = (&mut self.ended).await.unwrap_or_default();
        self.deliveries.abort_all();
        left
    }
}

async fn sender(kind: &OutputKind) -> Sender {
    match kind {
        OutputKind::Loki(output) => Sender::Loki(deliver::loki::Sender::new(output)),
        OutputKind::CloudWatchLogs(output) => {
            Sender::CloudWatch(deliver::cloudwatch::Sender::new(output).await)
        }
    }
}

fn encoder(kind: &OutputKind) -> Encoder {
    let max_bytes = usize::try_from(kind.batch().max_bytes.0).unwrap_or(usize::MAX);
    match kind {
        OutputKind::Loki(output) => {
            let compression = match output.compression {
                Compression::Snappy => batch::loki::Compression::Snappy,
                Compression::None => batch::loki::Compression::None,
            };
            Encoder::Loki(batch::loki::Encoder::new(compression, max_bytes))
        }
        OutputKind::CloudWatchLogs(output) => {
            let is_gzip = output.compression == CloudWatchCompression::Gzip;
            Encoder::CloudWatch(batch::cloudwatch::Encoder::new(is_gzip, max_bytes))
        }
    }
}

fn plan(config: &Config, output: &config::Output, budget: usize) -> Plan {
    let batch = output.kind.batch();
    let framer = |input: &config::Input| {
        Framer::new(usize::try_from(input.max_line.0).unwrap_or(usize::MAX))
    };
    Plan {
        name: output.name.clone(),
        encoder: encoder(&output.kind),
        max_bytes: batch.max_bytes.0,
        max_wait: batch.max_wait,
        framers: config
            .inputs
            .iter()
            .map(|input| output.inputs.contains(&input.name).then(|| framer(input)))
            .collect(),
        budget,
    }
}

/// What of `memory_limit` each output may have on its way, in bytes: all but the buffers for
/// reading and encoding, in equal parts.
fn budget_of_each(config: &Config) -> usize {
    let limit = usize::try_from(config.memory_limit.0).unwrap_or(usize::MAX);
    let longest_line = config
        .inputs
        .iter()
        .map(|input| input.max_line.0)
        .max()
        .unwrap_or(0);
    let reading = CHUNK.max(2 * usize::try_from(longest_line).unwrap_or(0));
    let encoding: usize = config
        .outputs
        .iter()
        .map(|output| {
            let encoder = encoder(&output.kind);
            encoder.largest_body() + usize::try_from(output.kind.batch().max_bytes.0).unwrap_or(0)
        })
        .sum();
    limit.saturating_sub(reading + encoding) / config.outputs.len().max(1)
}

fn worker(
    config: &Config,
    journal: Journal,
    inbox: worker::Inbox,
    outputs: Vec<Lane>,
    observer: &Observer,
) -> Worker {
    let now = Instant::now();
    let source = Source::new(
        config
            .inputs
            .iter()
            .map(|it| (it.name.as_str(), &it.include[..], &it.exclude[..])),
        now,
    );
    let inputs = config
        .inputs
        .iter()
        .map(|input| InputFacts {
            name: input.name.clone(),
            read_from: input.read_from,
            fields: input.fields.clone(),
            hold_deleted: input.hold_deleted,
        })
        .collect();
    let namings = config
        .outputs
        .iter()
        .map(|output| Naming::of(&output.kind))
        .collect();
    let hostname = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let shortest_wait = config
        .outputs
        .iter()
        .map(|output| output.kind.batch().max_wait)
        .min();
    Worker {
        inbox,
        source,
        opening: Opening::new(inputs, namings, hostname, &journal),
        journal,
        outputs,
        health: Arc::clone(&observer.health),
        metrics: Arc::clone(&observer.metrics),
        losses: Losses::new(Arc::clone(&observer.metrics)),
        gather: gather_for(shortest_wait.unwrap_or(Duration::from_secs(1))),
        reader: Reader::default(),
        tidy_at: now,
        prune_at: now,
        last_batch: None,
        ending: None,
    }
}
