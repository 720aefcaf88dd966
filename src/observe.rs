//! What the operator sees: metrics, health and status. Only looks; decides nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::worker::{Mailbox, Message};
use health::{Blocked, Health, OutputHealth};
use metrics::{BlockedBy, Metrics, OfInput, OfOutput};
use snapshot::{OutputStatus, Status, WorkerView};

pub(crate) mod control;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod refused;
pub(crate) mod repeats;
pub(crate) mod snapshot;

/// The reading side is asked for its view this long.
const VIEW_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is said again that an output does not deliver.
pub(crate) const REMIND_EVERY: Duration = Duration::from_mins(5);

/// Answers for the agent, from its start on and whatever is wrong with it.
#[derive(Debug)]
pub(crate) struct Observer {
    /// What the agent knows of itself.
    pub(crate) health: Arc<Health>,
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
    agent: Mutex<Option<Agent>>,
}

/// A running agent, to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    /// Its outputs, in the order of the configuration.
    pub(crate) outputs: Vec<Arc<OutputHealth>>,
    /// The way to its reading side.
    pub(crate) mailbox: Mailbox,
}

impl Observer {
    /// An observer of an agent that does not run yet.
    pub(crate) fn new() -> Self {
        Self {
            health: Arc::new(Health::new()),
            metrics: Arc::new(Metrics::new()),
            agent: Mutex::new(None),
        }
    }

    /// From now on this agent runs.
    pub(crate) fn set_agent(&self, agent: Agent) {
        *self.agent.lock().unwrap_or_else(PoisonError::into_inner) = Some(agent);
    }

    fn agent(&self) -> Option<Agent> {
        self.agent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn view(&self, agent: &Agent, with_files: bool) -> Option<WorkerView> {
        let (reply, view) = oneshot::channel();
        agent.mailbox.send(Message::View { with_files, reply });
        tokio::time::timeout(VIEW_TIMEOUT, view).await.ok()?.ok()
    }

    /// Everything, for `pinnace status`.
    pub(crate) async fn status(&self, with_files: bool) -> Status {
        let mut troubles: Vec<String> = self
            .health
            .troubles()
            .into_values()
            .map(|trouble| trouble.sentence)
            .collect();
        let mut status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.health.uptime().as_secs(),
            ..Status::default()
        };
        if let Some(agent) = self.agent() {
            match self.view(&agent, with_files).await {
                Some(view) => {
                    troubles.extend(view.problems);
                    troubles.extend(view.journal_trouble);
                    status.losses = view.losses;
                    status.unmatched = view.unmatched;
                    status.refused = view.refused;
                    status.dead_letters = view.dead_letters;
                    status.files = view.files;
                    for (output, view) in agent.outputs.iter().zip(view.outputs) {
                        let blocked = output.blocked();
                        if let Some(blocked) = &blocked {
                            troubles.push(snapshot::why_blocked(&output.name, blocked, &view));
                        }
                        let error = output.last_error();
                        status.outputs.push(OutputStatus {
                            name: output.name.clone(),
                            blocked: blocked.map(|it| it.reason.to_owned()),
                            last_delivered: output.last_delivered().map(snapshot::utc_of),
                            last_error_at: error.as_ref().map(|it| snapshot::utc_of(it.0)),
                            last_error: error.map(|it| it.1),
                            lag_bytes: view.lag_bytes,
                            lag_seconds: view.lag_seconds,
                            streams: view.streams,
                            in_flight_batches: view.in_flight_batches,
                            in_flight_bytes: view.in_flight_bytes,
                        });
                    }
                }
                None => troubles.push("the reading loop does not answer".to_owned()),
            }
        }
        status.ready = troubles.is_empty();
        status.troubles = troubles;
        status
    }

    /// Says again and again why an output does not deliver, as long as it does not: the log may
    /// be all that anybody reads.
    pub(crate) async fn remind(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            for (reason, sentence) in self.blocked_for(every).await {
                tracing::warn!(reason, "{sentence}");
            }
        }
    }

    /// The outputs that have not delivered for so long: the reason in a word, and the sentence.
    async fn blocked_for(&self, least: Duration) -> Vec<(&'static str, String)> {
        let is_old = |it: &Blocked| it.since.elapsed().is_ok_and(|it| it >= least);
        let Some(agent) = self.agent() else {
            return Vec::new();
        };
        let mut healths = agent.outputs.iter();
        if !healths.any(|health| health.blocked().is_some_and(|it| is_old(&it))) {
            return Vec::new();
        }
        let Some(view) = self.view(&agent, false).await else {
            return Vec::new();
        };
        let outputs = agent.outputs.iter().zip(&view.outputs);
        let sentences = outputs.filter_map(|(health, view)| {
            let blocked = health.blocked().filter(is_old)?;
            let sentence = snapshot::why_blocked(&health.name, &blocked, view);
            Some((blocked.reason, sentence))
        });
        sentences.collect()
    }

    /// The metrics as text.
    pub(crate) async fn metrics_text(&self) -> String {
        if let Some(agent) = self.agent()
            && let Some(view) = self.view(&agent, false).await
        {
            self.set_gauges(&agent, &view);
        }
        self.metrics.text()
    }

    fn set_gauges(&self, agent: &Agent, view: &WorkerView) {
        let metrics = &self.metrics;
        metrics.files.set(gauge(view.open_files as u64));
        metrics
            .input_problems
            .set(gauge(view.problems.len() as u64));
        metrics
            .unprotected
            .set(i64::from(view.journal_trouble.is_some()));
        for input in &view.inputs {
            let of_input = OfInput {
                input: input.name.clone(),
            };
            if let Some(bytes) = input.bytes {
                let gauge_of = metrics.input_bytes.get_or_create(&of_input);
                gauge_of.set(gauge(bytes));
            }
            if let Some(bytes) = input.volume_free {
                let gauge_of = metrics.volume_free.get_or_create(&of_input);
                gauge_of.set(gauge(bytes));
            }
        }
        metrics
            .dead_letters_bytes
            .set(gauge(view.dead_letters_bytes));
        metrics.blocked.clear();
        for (output, view) in agent.outputs.iter().zip(&view.outputs) {
            let of_output = OfOutput {
                output: output.name.clone(),
            };
            metrics
                .lag_bytes
                .get_or_create(&of_output)
                .set(gauge(view.lag_bytes));
            metrics
                .lag_seconds
                .get_or_create(&of_output)
                .set(view.lag_seconds);
            metrics
                .streams
                .get_or_create(&of_output)
                .set(gauge(view.streams as u64));
            metrics
                .in_flight_bytes
                .get_or_create(&of_output)
                .set(gauge(view.in_flight_bytes as u64));
            let blocked = output.blocked();
            let since = blocked.as_ref().and_then(|it| it.since.elapsed().ok());
            metrics
                .blocked_seconds
                .get_or_create(&of_output)
                .set(since.unwrap_or_default().as_secs_f64());
            if let Some(blocked) = blocked {
                let labels = BlockedBy {
                    output: output.name.clone(),
                    reason: blocked.reason,
                };
                metrics.blocked.get_or_create(&labels).set(1);
            }
        }
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
