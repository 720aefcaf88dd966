//! The table of scenarios: what is done in each, by whom, and what the agent must reach.

use std::time::Duration;

use crate::corpus::Shape;
use crate::figures::{Figure, Target};
use crate::job::Wire;
use crate::shipper::Program;

/// What is done.
pub(crate) enum Kind {
    /// The program on disk.
    Binary,
    /// What is in the files before the start; shipped as it is, or looked into as by default.
    Backlog {
        outputs: &'static [Wire],
        tls: bool,
        is_plain: bool,
    },
    /// Two backlogs, of which the first is small.
    Long,
    /// Many files of the same size, and a hundredth of them.
    ManyFiles,
    /// Lines come at a steady rate.
    Rate {
        bytes_per_second: usize,
        lasting: Duration,
        max_wait: Option<Duration>,
    },
    /// Files in which nothing happens, both outputs.
    Idle { files: usize, lasting: Duration },
    /// The backend is down while lines come, and comes back.
    Outage {
        bytes_per_second: usize,
        lasting: Duration,
    },
    /// From the start of the process to the first byte at the receiver.
    Start,
}

impl Kind {
    /// Whether runs take next to nothing of the machine, so that they can go on at the same time.
    pub(crate) fn goes_together(&self) -> bool {
        matches!(self, Self::Idle { .. } | Self::Outage { .. })
    }
}

/// Who is measured besides the agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Beside {
    Nobody,
    /// The yardstick.
    Yardstick,
    /// The yardstick and the peers.
    Peers,
    /// The yardstick, and the agent that takes the lines as they are.
    AsTheyAre,
    /// The yardstick, the peers, and the agent without its journal.
    All,
    /// The peers.
    PeersAlone,
}

pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The files that are there before the start.
    pub(crate) shapes: Vec<Shape>,
    pub(crate) beside: Beside,
    pub(crate) targets: Vec<Target>,
}

impl Scenario {
    pub(crate) fn has(&self, program: &Program) -> bool {
        match program {
            Program::Pinnace => true,
            Program::WithoutJournal => self.beside == Beside::All,
            Program::AsTheyAre => self.beside == Beside::AsTheyAre,
            Program::Yardstick => !matches!(self.beside, Beside::Nobody | Beside::PeersAlone),
            Program::Peer(_) => {
                matches!(
                    self.beside,
                    Beside::Peers | Beside::PeersAlone | Beside::All
                )
            }
        }
    }
}

const MB: usize = 1_000_000;

/// All scenarios; in quick mode with a tenth of the work.
pub(crate) fn all(is_quick: bool) -> Vec<Scenario> {
    use Figure::{Binary, Core, FirstByte, IdleCpu, LatencyMost, LostEvent, Peak, Throughput};
    use Figure::{TimesFew, TimesPlain, TimesSmall, TimesYardstick};
    use Target::{AtLeast, AtMost};
    let part = if is_quick { 10 } else { 1 };
    let seconds = |full: u64| Duration::from_secs(if is_quick { full.div_ceil(5) } else { full });
    let backlog = |name: &str, shape: Shape, outputs, tls, beside, targets| Scenario {
        name: format!("backlog {} MB, {name}", shape.bytes / MB),
        kind: Kind::Backlog {
            outputs,
            tls,
            is_plain: true,
        },
        shapes: vec![shape],
        beside,
        targets,
    };
    let whole = Shape::of(500 * MB / part);
    let looked_into = Scenario {
        kind: Kind::Backlog {
            outputs: &[Wire::Snappy],
            tls: false,
            is_plain: false,
        },
        ..backlog(
            "200-byte lines, Loki, snappy, records looked for as by default",
            whole,
            &[Wire::Snappy],
            false,
            Beside::AsTheyAre,
            vec![AtLeast(TimesPlain, 0.65), AtMost(Peak, 24.0)],
        )
    };
    let half = Shape::of(128 * MB / part);
    let mut scenarios = vec![Scenario {
        name: "release binary".to_owned(),
        kind: Kind::Binary,
        shapes: Vec::new(),
        beside: Beside::Nobody,
        targets: vec![AtMost(Binary, 10.0)],
    }];
    scenarios.push(looked_into);
    scenarios.extend([
        backlog(
            "200-byte lines, Loki, snappy",
            whole,
            &[Wire::Snappy],
            false,
            Beside::All,
            vec![
                AtLeast(Throughput, 330.0),
                AtMost(TimesYardstick, 1.35),
                AtMost(Peak, 24.0),
            ],
        ),
        backlog(
            "200-byte lines, Loki, compression none",
            whole,
            &[Wire::Literal],
            false,
            Beside::Yardstick,
            vec![AtLeast(Throughput, 600.0), AtMost(Peak, 24.0)],
        ),
        backlog(
            "90-byte lines, Loki, snappy",
            Shape {
                line_len: 90,
                ..whole
            },
            &[Wire::Snappy],
            false,
            Beside::Peers,
            vec![AtLeast(Throughput, 230.0), AtMost(Peak, 24.0)],
        ),
        backlog(
            "100 files, Loki, snappy",
            Shape {
                files: 100,
                ..whole
            },
            &[Wire::Snappy],
            false,
            Beside::Peers,
            vec![AtLeast(Throughput, 310.0), AtMost(Peak, 24.0)],
        ),
        backlog(
            "Loki over TLS, snappy",
            whole,
            &[Wire::Snappy],
            true,
            Beside::Yardstick,
            vec![AtLeast(Throughput, 280.0), AtMost(Peak, 24.0)],
        ),
        backlog(
            "CloudWatch Logs, compression none",
            half,
            &[Wire::Json],
            false,
            Beside::Yardstick,
            vec![AtLeast(Throughput, 140.0), AtMost(Peak, 24.0)],
        ),
        backlog(
            "CloudWatch Logs, gzip",
            half,
            &[Wire::Gzip],
            false,
            Beside::Yardstick,
            vec![AtLeast(Throughput, 80.0), AtMost(Peak, 24.0)],
        ),
        backlog(
            "7 of 8 files gzipped, both outputs over TLS",
            Shape {
                files: 8,
                is_gzip: true,
                ..Shape::of(256 * MB / part)
            },
            &[Wire::Snappy, Wire::Gzip],
            true,
            Beside::Nobody,
            vec![AtMost(Peak, 28.0)],
        ),
        Scenario {
            name: format!("backlog 10 MB and {} MB, Loki, snappy", 5000 / part),
            kind: Kind::Long,
            shapes: vec![
                Shape::of(200),
                Shape::of(10 * MB),
                Shape::of(5000 * MB / part),
            ],
            beside: Beside::Nobody,
            targets: vec![AtLeast(TimesSmall, 0.9), AtMost(Peak, 24.0)],
        },
        Scenario {
            name: format!("{} files of 10 kB, Loki, snappy", 10_000 / part),
            kind: Kind::ManyFiles,
            shapes: [1, 100, 10_000 / part]
                .map(|files| Shape {
                    files,
                    ..Shape::of(files * 10_000)
                })
                .to_vec(),
            beside: Beside::Yardstick,
            targets: vec![AtMost(TimesFew, 1.1)],
        },
    ]);
    let rate = |name: &str, bytes_per_second, max_wait, beside, targets| Scenario {
        name: name.to_owned(),
        kind: Kind::Rate {
            bytes_per_second,
            lasting: seconds(20),
            max_wait,
        },
        shapes: Vec::new(),
        beside,
        targets,
    };
    let idle = |name: &str, files, targets| Scenario {
        name: name.to_owned(),
        kind: Kind::Idle {
            files,
            lasting: seconds(60),
        },
        shapes: Vec::new(),
        beside: Beside::PeersAlone,
        targets,
    };
    scenarios.extend([
        rate(
            "1 MB/s, 5,000 lines/s",
            MB,
            None,
            Beside::Peers,
            vec![AtMost(Core, 1.5), AtMost(LatencyMost, 1200.0)],
        ),
        rate(
            "1 MB/s, max_wait 50 ms",
            MB,
            Some(Duration::from_millis(50)),
            Beside::Yardstick,
            vec![AtMost(LatencyMost, 150.0)],
        ),
        rate(
            "10 MB/s",
            10 * MB,
            None,
            Beside::Yardstick,
            vec![AtMost(Core, 5.0)],
        ),
        idle(
            "idle, 1 file",
            1,
            vec![
                AtMost(IdleCpu, 0.2),
                AtMost(LostEvent, 10.0),
                AtMost(Peak, 8.0),
            ],
        ),
        idle(
            "idle, 1,000 files",
            1000,
            vec![
                AtMost(IdleCpu, 0.5),
                AtMost(LostEvent, 10.0),
                AtMost(Peak, 12.0),
            ],
        ),
        Scenario {
            name: format!("backend down for {} s at 5 MB/s", seconds(60).as_secs()),
            kind: Kind::Outage {
                bytes_per_second: 5 * MB,
                lasting: seconds(60),
            },
            shapes: Vec::new(),
            beside: Beside::Nobody,
            targets: vec![AtMost(Peak, 24.0)],
        },
        Scenario {
            name: "start, warm".to_owned(),
            kind: Kind::Start,
            shapes: vec![Shape::of(2 * MB)],
            beside: Beside::Nobody,
            targets: vec![AtMost(FirstByte, 50.0)],
        },
    ]);
    scenarios
}
