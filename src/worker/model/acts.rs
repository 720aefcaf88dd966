//! What can happen in a life.

use proptest::prelude::*;

/// What is settled before it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    /// Whether the names that rotation gives are meant too.
    pub(super) means_all: bool,
    /// Every content begins with so many lines that are the same everywhere.
    pub(super) banner_lines: usize,
    /// And goes on with so many of its own.
    pub(super) own_lines: usize,
    /// Most bytes of a batch.
    pub(super) batch_bytes: usize,
    /// Nothing waits longer for its batch, in milliseconds.
    pub(super) max_wait: u64,
    /// Whether lines are made into records, which may go on and are sampled.
    pub(super) has_records: bool,
    /// Which outputs are configured at the beginning.
    pub(super) takers: [bool; 2],
}

impl Setup {
    /// How the records are named at the beginning.
    pub(super) fn labels(self) -> Labels {
        Labels {
            is_one_stream: false,
            version: 0,
            takers: self.takers,
        }
    }
}

/// How the records are named at the destination, and who takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labels {
    /// One stream for all files, or one for each.
    pub(super) is_one_stream: bool,
    /// Part of every stream's name.
    pub(super) version: u8,
    /// Which outputs are configured.
    pub(super) takers: [bool; 2],
}

/// What becomes of a batch on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Stored and acknowledged; refused as it is when there is a bad record in it.
    Delivered,
    /// The same, but nobody hears of it.
    Open,
    /// The good records are stored, and the bad ones named.
    Partial,
    /// Refused as it is, unless it is one record.
    TooLarge,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Append {
        log: usize,
        lines: usize,
        width: usize,
    },
    AppendSame {
        log: usize,
        lines: usize,
    },
    /// Lines that some outputs refuse: a bit for each.
    AppendBad {
        log: usize,
        lines: usize,
        mask: u8,
    },
    /// A record of several lines, which lacks the last of them for now unless it is whole.
    AppendTrace {
        log: usize,
        lines: usize,
        is_whole: bool,
    },
    AppendPart {
        log: usize,
    },
    AppendToRotated {
        log: usize,
    },
    Rename {
        log: usize,
    },
    CopyTruncate {
        log: usize,
    },
    Copy {
        log: usize,
    },
    Truncate {
        log: usize,
        lines: usize,
    },
    /// Emptied and filled at once further than it was.
    Refill {
        log: usize,
    },
    /// The file gets another name, as a rotated one, and keeps its own.
    Link {
        log: usize,
    },
    Delete {
        log: usize,
    },
    DeleteOldest {
        log: usize,
    },
    Gzip {
        log: usize,
        which: usize,
        is_slow: bool,
    },
    /// The log itself is compressed, without another name before.
    GzipInPlace {
        log: usize,
    },
    NewDay,
    /// The folder is away for some time, and its writers go on. Another one stands in for it, or none.
    FolderFlickers {
        millis: u64,
        is_empty: bool,
        meanwhile: Vec<Act>,
    },
    /// A log cannot be opened any more.
    Deny {
        log: usize,
    },
    /// All logs can be opened again.
    Allow,
    Pass {
        millis: u64,
    },
    Jump {
        seconds: i64,
    },
    Turn,
    Answer {
        output: usize,
        which: usize,
        outcome: Outcome,
    },
    AnswerAll {
        output: usize,
    },
    /// The agent goes on by another configuration.
    Reload {
        labels: Labels,
    },
    Stop {
        labels: Labels,
        is_kill: bool,
        away: Vec<Act>,
    },
    /// This happens while the agent is at work, when it has asked the system so often.
    Midst {
        steps: usize,
        work: Work,
        meanwhile: Vec<Act>,
    },
}

/// What the agent does while something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// What there is to do.
    Turn,
    /// The same, for so many milliseconds.
    Pass(u64),
    /// It was killed, and is started.
    Start,
}

pub(super) fn setup(means_all: bool, own_lines: usize) -> impl Strategy<Value = Setup> {
    let banner = prop_oneof![2 => Just(0usize), 1 => Just(1), 2 => Just(16), 1 => Just(30)];
    let bytes = prop_oneof![Just(700usize), Just(3000), Just(1 << 16)];
    let wait = prop_oneof![Just((0u64, false)), Just((50, true)), Just((1000, true))];
    let all = (banner, bytes, wait, takers());
    all.prop_map(
        move |(banner_lines, batch_bytes, (max_wait, has_records), takers)| Setup {
            means_all,
            banner_lines,
            own_lines,
            batch_bytes,
            max_wait,
            has_records,
            takers,
        },
    )
}

fn takers() -> impl Strategy<Value = [bool; 2]> {
    prop_oneof![8 => Just([true, true]), 1 => Just([true, false]), 1 => Just([false, true])]
}

fn labels() -> impl Strategy<Value = Labels> {
    let all = (any::<bool>(), 0u8..2, takers());
    all.prop_map(|(is_one_stream, version, takers)| Labels {
        is_one_stream,
        version,
        takers,
    })
}

/// What happens to files, whoever looks.
fn to_files() -> impl Strategy<Value = Act> {
    let width = width();
    prop_oneof![
        8 => (log(), 1usize..12, width).prop_map(|(log, lines, width)| Act::Append { log, lines, width }),
        1 => (log(), 2usize..20).prop_map(|(log, lines)| Act::AppendSame { log, lines }),
        1 => (log(), 1usize..8, 1u8..4)
            .prop_map(|(log, lines, mask)| Act::AppendBad { log, lines, mask }),
        2 => (log(), 0usize..6, any::<bool>())
            .prop_map(|(log, lines, is_whole)| Act::AppendTrace { log, lines, is_whole }),
        2 => log().prop_map(|log| Act::AppendPart { log }),
        1 => log().prop_map(|log| Act::AppendToRotated { log }),
        3 => log().prop_map(|log| Act::Rename { log }),
        3 => log().prop_map(|log| Act::CopyTruncate { log }),
        1 => log().prop_map(|log| Act::Copy { log }),
        1 => (log(), 0usize..12).prop_map(|(log, lines)| Act::Truncate { log, lines }),
        1 => log().prop_map(|log| Act::Refill { log }),
        1 => log().prop_map(|log| Act::Link { log }),
        1 => log().prop_map(|log| Act::Delete { log }),
        1 => log().prop_map(|log| Act::DeleteOldest { log }),
        2 => (log(), 0usize..3, any::<bool>())
            .prop_map(|(log, which, is_slow)| Act::Gzip { log, which, is_slow }),
        1 => log().prop_map(|log| Act::GzipInPlace { log }),
        1 => Just(Act::NewDay),
        2 => pass(),
    ]
}

/// What happens to files in a folder that nobody sees: lines and records there are whole.
fn out_of_sight() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (log(), 1usize..12, width()).prop_map(|(log, lines, width)| Act::Append { log, lines, width }),
        1 => (log(), 2usize..20).prop_map(|(log, lines)| Act::AppendSame { log, lines }),
        4 => log().prop_map(|log| Act::Rename { log }),
        1 => (log(), 0usize..3).prop_map(|(log, which)| Act::Gzip { log, which, is_slow: false }),
        1 => log().prop_map(|log| Act::GzipInPlace { log }),
        1 => Just(Act::NewDay),
        2 => pass(),
    ]
}

fn log() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0usize), 1 => Just(1)]
}

fn width() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..60, 1 => 200usize..900]
}

fn pass() -> impl Strategy<Value = Act> {
    prop_oneof![
        Just(1u64),
        Just(20),
        Just(150),
        Just(1100),
        Just(2500),
        Just(12_000),
        Just(400_000)
    ]
    .prop_map(|millis| Act::Pass { millis })
}

/// Somebody puts the clock forward.
fn jump() -> impl Strategy<Value = Act> {
    let seconds = prop_oneof![Just(1i64), Just(3600), Just(10_000_000)];
    seconds.prop_map(|seconds| Act::Jump { seconds })
}

/// Or back, which the agent sees.
fn jump_back() -> impl Strategy<Value = Act> {
    let seconds = prop_oneof![Just(-1i64), Just(-3600), Just(-10_000_000)];
    seconds.prop_map(|seconds| Act::Jump { seconds })
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let output = || 0usize..2;
    let outcome = prop_oneof![
        3 => Just(Outcome::Delivered),
        2 => Just(Outcome::Open),
        1 => Just(Outcome::Partial),
        1 => Just(Outcome::TooLarge),
    ];
    let away = proptest::collection::vec(prop_oneof![20 => to_files(), 1 => jump()], 0..8);
    let flicker = prop_oneof![Just(700u64), Just(400_000)];
    prop_oneof![
        20 => to_files(),
        4 => pass(),
        6 => Just(Act::Turn),
        1 => jump(),
        1 => jump_back(),
        1 => (flicker, any::<bool>(), proptest::collection::vec(out_of_sight(), 0..6))
            .prop_map(|(millis, is_empty, meanwhile)| Act::FolderFlickers {
                millis,
                is_empty,
                meanwhile,
            }),
        1 => log().prop_map(|log| Act::Deny { log }),
        1 => Just(Act::Allow),
        4 => (output(), 0usize..4, outcome)
            .prop_map(|(output, which, outcome)| Act::Answer { output, which, outcome }),
        5 => output().prop_map(|output| Act::AnswerAll { output }),
        1 => labels().prop_map(|labels| Act::Reload { labels }),
        3 => (labels(), any::<bool>(), away)
            .prop_map(|(labels, is_kill, away)| Act::Stop { labels, is_kill, away }),
    ]
}

/// What happens to files while the agent looks at them.
fn in_the_midst() -> impl Strategy<Value = Act> {
    let width = width();
    prop_oneof![
        6 => (log(), 1usize..12, width).prop_map(|(log, lines, width)| Act::Append { log, lines, width }),
        1 => (log(), 2usize..20).prop_map(|(log, lines)| Act::AppendSame { log, lines }),
        6 => log().prop_map(|log| Act::Rename { log }),
        3 => log().prop_map(|log| Act::CopyTruncate { log }),
        1 => (log(), 0usize..12).prop_map(|(log, lines)| Act::Truncate { log, lines }),
        1 => log().prop_map(|log| Act::Refill { log }),
        1 => log().prop_map(|log| Act::DeleteOldest { log }),
        3 => (log(), 0usize..3).prop_map(|(log, which)| Act::Gzip { log, which, is_slow: false }),
        1 => log().prop_map(|log| Act::GzipInPlace { log }),
        1 => Just(Act::NewDay),
    ]
}

fn has_link(act: &Act) -> bool {
    match act {
        Act::Link { .. } => true,
        Act::Stop { away: acts, .. } => acts.iter().any(has_link),
        _ => false,
    }
}

/// Any act, and often one in the midst of a look.
pub(super) fn act_at_any_step() -> impl Strategy<Value = Act> {
    let work = prop_oneof![
        4 => Just(Work::Turn),
        1 => Just(Work::Pass(1100)),
        1 => Just(Work::Pass(12_000)),
        1 => Just(Work::Start),
    ];
    let steps = prop_oneof![3 => 0usize..8, 2 => 8usize..60];
    let meanwhile = proptest::collection::vec(in_the_midst(), 1..5);
    prop_oneof![
        // A file with two names is known by that which is met first.
        4 => act().prop_filter("links", |act| !has_link(act)),
        2 => (steps, work, meanwhile).prop_map(|(steps, work, meanwhile)| Act::Midst {
            steps,
            work,
            meanwhile,
        }),
    ]
}
