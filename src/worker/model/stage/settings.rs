//! By which configuration the agent of a life goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::acts::Labels;
use super::super::records;
use super::{LOGS, OUTPUTS, Outgoing, Stage};
use crate::batch::{self, Encoder};
use crate::config::{
    self, AfterDelivery, ByteSize, Config, Disk, HoldDeleted, Output, ReadFrom, Shutdown, WhenFull,
};
use crate::dead_letters::DeadLetters;
use crate::dispatch::{Dispatcher, MOST_ON_THE_WAY, Plan};
use crate::observe::metrics::Metrics;
use crate::pipeline;
use crate::worker::{InputFacts, Lane, Settings};

impl Stage {
    pub(super) fn settings(&self, labels: Labels) -> (Settings, Outgoing) {
        let (mut outputs, mut outgoing) = (Vec::new(), Vec::new());
        let config = config(labels, records::keys(self.setup.has_records));
        for output in &config.outputs {
            let (batches, receiver) = mpsc::channel(MOST_ON_THE_WAY);
            let which = OUTPUTS.iter().position(|it| *it == output.name).unwrap();
            outgoing.push((which, receiver));
            outputs.push(Lane {
                dispatcher: Dispatcher::new(self.plan(&config, output)),
                batches,
            });
        }
        let settings = Settings {
            inputs: vec![self.input()],
            outputs,
            gather: Duration::from_millis(10),
            shutdown: Shutdown {
                timeout: Duration::from_secs(20),
                quiet_for: Duration::from_millis(500),
                final_lines: false,
                termination_log: None,
            },
            dead_letters: DeadLetters::new(&self.dir.path().join("state"), 64 << 20, false),
        };
        (settings, outgoing)
    }

    fn input(&self) -> InputFacts {
        let names: &[&str] = if self.setup.means_all {
            &["*.log", "*.log.*"]
        } else {
            &["*.log"]
        };
        let include = names.iter();
        let logs = self.folder(LOGS);
        let include = include.map(|name| logs.join(name).to_str().unwrap().to_owned());
        InputFacts {
            name: "app".to_owned(),
            include: include.collect(),
            exclude: Vec::new(),
            read_from: ReadFrom::Beginning,
            fields: BTreeMap::new(),
            hold_deleted: HoldDeleted {
                max_bytes: ByteSize(u64::MAX),
                max_age: Duration::MAX,
                min_free: ByteSize(0),
            },
            after_delivery: AfterDelivery {
                delete_rotated: false,
                keep: 0,
                still_for: Duration::ZERO,
            },
            disk: Disk {
                max_bytes: None,
                when_full: WhenFull::default(),
            },
        }
    }

    fn plan(&self, config: &Config, output: &Output) -> Plan {
        let max_bytes = self.setup.batch_bytes;
        let encoder = if output.name == OUTPUTS[0] {
            let plain = batch::loki::Compression::None;
            Encoder::Loki(batch::loki::Encoder::new(plain, max_bytes))
        } else {
            Encoder::CloudWatch(batch::cloudwatch::Encoder::new(false, max_bytes))
        };
        Plan {
            encoder,
            max_bytes: max_bytes as u64,
            max_wait: Duration::from_millis(self.setup.max_wait),
            ..pipeline::plan(config, output, 1 << 20, &Metrics::new())
        }
    }
}

fn config(labels: Labels, keys: &str) -> Config {
    let version = labels.version;
    let name = if labels.is_one_stream {
        "all"
    } else {
        "{file}"
    };
    let outputs = [
        format!(
            "- {{name: loki, type: loki, url: 'http://h', labels: {{version: v{version}, name: '{name}'}}}}\n"
        ),
        format!(
            "- {{name: cloudwatch, type: cloudwatch_logs, log_group: v{version}, log_stream: '{name}', region: r}}\n"
        ),
    ];
    let outputs = outputs.into_iter().zip(labels.takers);
    let outputs: String = outputs
        .filter_map(|(it, takes)| takes.then_some(it))
        .collect();
    let text = format!(
        "version: 1\nstate_dir: /s\n\
         inputs: [{{name: app, include: [/l/*.log], {keys}}}]\noutputs:\n{outputs}"
    );
    config::load(&config::Source::Text(text), &config::Environment::default()).unwrap()
}
