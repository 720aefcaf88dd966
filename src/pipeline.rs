//! The only wiring: makes the stages of a configuration, connects them, changes them to another
//! one, and takes them down in order. Holds no logic of any stage.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::batch::{self, Batch, Encoder};
use crate::config::{
    self, CloudWatchCompression, Compression, Config, OutputKind, WhenAllRefused, WhenLettersFull,
};
use crate::dead_letters::DeadLetters;
use crate::deliver::{self, Delivery, Sender};
use crate::dispatch::naming::Naming;
use crate::dispatch::{Dispatcher, MOST_ON_THE_WAY, Plan, Reading};
use crate::journal::Journal;
use crate::observe::health::OutputHealth;
use crate::observe::metrics::{CLOUDWATCH_REFUSALS, LOKI_REFUSALS, Metrics};
use crate::observe::{Agent, Observer};
use crate::source::generation::reader::CHUNK;
use crate::worker::{InputFacts, Lane, Left, Mailbox, Message, Settings, Worker};

/// A running agent.
#[derive(Debug)]
pub(crate) struct Pipeline {
    mailbox: Mailbox,
    begun: Option<oneshot::Receiver<()>>,
    ended: oneshot::Receiver<Vec<Left>>,
    deliveries: JoinSet<()>,
    healths: Vec<Arc<OutputHealth>>,
}

/// The sending side of the outputs, not yet at work, with what belongs to it.
struct Outputs {
    lanes: Vec<Lane>,
    healths: Vec<Arc<OutputHealth>>,
    deliveries: Vec<(Delivery, mpsc::Receiver<Batch>)>,
}

impl Pipeline {
    /// Starts everything that the configuration asks for.
    pub(crate) fn start(
        config: &Config,
        journal: Journal,
        observer: &Observer,
    ) -> io::Result<Self> {
        let (mailbox, inbox) = Mailbox::new()?;
        let outputs = outputs(config, &mailbox, &[], observer);
        let mut deliveries = JoinSet::new();
        let healths = outputs.healths;
        deliver(outputs.deliveries, &mut deliveries);
        let worker = Worker::new(
            inbox,
            journal,
            settings(config, outputs.lanes),
            Arc::clone(&observer.health),
            Arc::clone(&observer.metrics),
        );
        let (tell_begun, begun) = oneshot::channel();
        let (tell, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("pinnace-read".to_owned())
            .spawn(move || {
                // Nobody waits any more when the process ends at once.
                let _ = tell.send(worker.run(|| _ = tell_begun.send(())));
            })?;
        let pipeline = Self {
            mailbox,
            begun: Some(begun),
            ended,
            deliveries,
            healths,
        };
        pipeline.show(observer);
        Ok(pipeline)
    }

    /// Goes on by another configuration. Files stay open; what is on its way is waited for for a
    /// moment and else taken up again, as after a restart.
    pub(crate) async fn change(&mut self, config: &Config, observer: &Observer) {
        let outputs = outputs(config, &self.mailbox, &self.healths, observer);
        let (reply, is_paused) = oneshot::channel();
        self.mailbox.send(Message::Pause { reply });
        // Without an answer the worker has ended, and with it all that is done here.
        let _ = is_paused.await;
        self.deliveries.shutdown().await;
        // What was acknowledged until now is in the mailbox before this.
        let settings = Box::new(settings(config, outputs.lanes));
        self.mailbox.send(Message::Change(settings));
        deliver(outputs.deliveries, &mut self.deliveries);
        for gone in &self.healths {
            if outputs.healths.iter().all(|it| it.name != gone.name) {
                observer.metrics.remove_output(&gone.name);
            }
        }
        self.healths = outputs.healths;
        self.show(observer);
    }

    fn show(&self, observer: &Observer) {
        observer.set_agent(Agent {
            outputs: self.healths.clone(),
            mailbox: self.mailbox.clone(),
        });
    }

    /// What is known of each output.
    pub(crate) fn outputs(&self) -> &[Arc<OutputHealth>] {
        &self.healths
    }

    /// Waits until all that is there was looked at and that is noted; only once.
    pub(crate) async fn begun(&mut self) {
        let has_begun = match &mut self.begun {
            Some(begun) => begun.await.is_ok(),
            None => false,
        };
        self.begun = None;
        if !has_begun {
            std::future::pending::<()>().await;
        }
    }

    /// Delivers what is there and what still comes for a moment, and ends. Returns what is left.
    pub(crate) async fn stop(mut self) -> Vec<Left> {
        self.mailbox.send(Message::Stop);
        let left = (&mut self.ended).await.unwrap_or_default();
        self.deliveries.abort_all();
        left
    }
}

/// Makes the outputs of a configuration. What is known of those that were there `before` stays
/// known.
fn outputs(
    config: &Config,
    mailbox: &Mailbox,
    before: &[Arc<OutputHealth>],
    observer: &Observer,
) -> Outputs {
    let budget = budget_of_each(config);
    let mut outputs = Outputs {
        lanes: Vec::new(),
        healths: Vec::new(),
        deliveries: Vec::new(),
    };
    for (index, output) in config.outputs.iter().enumerate() {
        let (batches, incoming) = mpsc::channel(MOST_ON_THE_WAY);
        let known = before.iter().find(|health| health.name == output.name);
        let health = known.map_or_else(|| Arc::new(OutputHealth::new(&output.name)), Arc::clone);
        let refusals = match output.kind {
            OutputKind::Loki(_) => LOKI_REFUSALS,
            OutputKind::CloudWatchLogs(_) => CLOUDWATCH_REFUSALS,
        };
        observer.metrics.add_output(&output.name, refusals);
        outputs.healths.push(Arc::clone(&health));
        outputs.lanes.push(Lane {
            dispatcher: Dispatcher::new(plan(config, output, budget, &observer.metrics)),
            batches,
        });
        let delivery = Delivery {
            output: index,
            sender: sender(config, output),
            health,
            metrics: Arc::clone(&observer.metrics),
            report: {
                let mailbox = mailbox.clone();
                Box::new(move |report| mailbox.send(Message::Report(report)))
            },
            buried: output.kind.ages().buried(),
            writes_all_refused: config.dead_letters.when_all_refused == WhenAllRefused::Write,
        };
        outputs.deliveries.push((delivery, incoming));
    }
    outputs
}

/// Lets the outputs send.
fn deliver(outputs: Vec<(Delivery, mpsc::Receiver<Batch>)>, deliveries: &mut JoinSet<()>) {
    for (delivery, incoming) in outputs {
        deliveries.spawn(delivery.run(incoming));
    }
}

fn sender(config: &Config, output: &config::Output) -> Sender {
    match &output.kind {
        OutputKind::Loki(output) => Sender::Loki(Box::new(deliver::loki::Sender::new(output))),
        OutputKind::CloudWatchLogs(kind) => {
            let notes = format!("retention-{}.json", output.name);
            let notes = config.state_dir.join(notes);
            Sender::CloudWatch(deliver::cloudwatch::Sender::new(kind, Some(&notes)))
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
            let encoder = batch::loki::Encoder::new(compression, max_bytes);
            Encoder::Loki(if output.labels.values().any(config::Template::varies) {
                encoder.by_record()
            } else {
                encoder
            })
        }
        OutputKind::CloudWatchLogs(output) => {
            let is_gzip = output.compression == CloudWatchCompression::Gzip;
            Encoder::CloudWatch(batch::cloudwatch::Encoder::new(is_gzip, max_bytes))
        }
    }
}

/// How an output's batches are made.
pub(crate) fn plan(
    config: &Config,
    output: &config::Output,
    budget: usize,
    metrics: &Metrics,
) -> Plan {
    let batch = output.kind.batch();
    Plan {
        name: output.name.clone(),
        naming: Naming::of(&output.kind),
        encoder: encoder(&output.kind),
        max_bytes: batch.max_bytes.0,
        max_wait: batch.max_wait,
        readings: config
            .inputs
            .iter()
            .map(|input| {
                let is_taken = output.inputs.contains(&input.name);
                is_taken.then(|| reading(input, output, &config.local_zone, metrics))
            })
            .collect(),
        budget,
        deadline: deadline(&output.kind),
    }
}

/// How long after it went out a request may still be carried out.
fn deadline(kind: &OutputKind) -> Duration {
    match kind {
        // It drops what it has, so nobody asks.
        OutputKind::Loki(_) => Duration::ZERO,
        OutputKind::CloudWatchLogs(output) => output.request_timeout,
    }
}

/// How an output reads an input. What the configuration says was compiled when it was checked.
fn reading(
    input: &config::Input,
    output: &config::Output,
    local_zone: &str,
    metrics: &Metrics,
) -> Reading {
    let max_line = usize::try_from(input.max_line.0).unwrap_or(usize::MAX);
    let redactor = || input.records.redactor();
    let knows_emf = matches!(output.kind, OutputKind::CloudWatchLogs(_));
    let counters = metrics.of_records.of(&output.name, &redactor(), knows_emf);
    Reading::new(
        input.records.rules(local_zone),
        max_line,
        redactor,
        input.records.multiline_wait,
        &output.kind,
        counters,
    )
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
    let reading = 2 * CHUNK.max(usize::try_from(longest_line).unwrap_or(0));
    let encoding: usize = config
        .outputs
        .iter()
        .map(|output| {
            let encoder = encoder(&output.kind);
            encoder.largest_body() + encoder.buffers()
        })
        .sum();
    limit.saturating_sub(reading + encoding) / config.outputs.len().max(1)
}

fn settings(config: &Config, outputs: Vec<Lane>) -> Settings {
    let inputs = config
        .inputs
        .iter()
        .map(|input| InputFacts {
            name: input.name.clone(),
            include: input.include.clone(),
            exclude: input.exclude.clone(),
            read_from: input.read_from,
            fields: input.fields.clone(),
            hold_deleted: input.hold_deleted,
            after_delivery: input.after_delivery,
            disk: input.disk,
        })
        .collect();
    let shortest_wait = config
        .outputs
        .iter()
        .map(|output| output.kind.batch().max_wait)
        .min();
    Settings {
        inputs,
        outputs,
        gather: Settings::gather_for(shortest_wait.unwrap_or(Duration::from_secs(1))),
        shutdown: config.shutdown.clone(),
        dead_letters: DeadLetters::new(
            &config.state_dir,
            config.dead_letters.max_bytes.0,
            config.dead_letters.when_full == WhenLettersFull::Drop,
        ),
    }
}
