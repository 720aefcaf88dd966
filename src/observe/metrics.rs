//! The metrics, by name. The names are a contract from the first version on; docs/metrics.md is
//! checked against this file. No label ever holds a path.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

mod labels;
mod records;

pub(crate) use labels::{
    BlockedBy, OfInput, OfOutput, OfRefused, Reason, RecordResult, Records, ReloadResult, Reloads,
    Requests,
};
pub(crate) use records::RecordMetrics;

/// The reasons for which Loki refuses records.
pub(crate) const LOKI_REFUSALS: &[&str] = &[
    "refused",
    "too_old",
    "too_new",
    "too_far_behind",
    "too_large",
    "line_too_long",
];
/// The reasons for which CloudWatch Logs does.
pub(crate) const CLOUDWATCH_REFUSALS: &[&str] =
    &["refused", "too_old", "expired", "too_new", "too_large"];
/// The reasons for which bytes are lost.
const LOSSES: [&str; 5] = [
    "truncated",
    "hold_deleted",
    "deleted_while_away",
    "unreadable",
    "disk_full",
];

type SecondsGauge = Gauge<f64, AtomicU64>;

/// All metrics of the agent.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// What is counted while bytes become records.
    pub(crate) of_records: RecordMetrics,
    /// Records by output and result.
    pub(crate) records: Family<Records, Counter>,
    /// Refused records that went to the dead letters.
    pub(crate) dead_letters: Family<OfRefused, Counter>,
    /// Refused records that were dropped, since there was no room for them.
    pub(crate) dropped: Family<OfRefused, Counter>,
    /// The size of the file of dead letters.
    pub(crate) dead_letters_bytes: Gauge,
    /// Requests by output and class of answer.
    pub(crate) requests: Family<Requests, Counter>,
    /// Bytes of request bodies that were sent, each attempt counted.
    pub(crate) sent_bytes: Family<OfOutput, Counter>,
    /// Batches that were sent again though they may have been stored.
    pub(crate) doubtful: Family<OfOutput, Counter>,
    /// Batches that an earlier run sealed and this one sent.
    pub(crate) replayed: Family<OfOutput, Counter>,
    /// Bytes of delivered bodies before compression.
    pub(crate) delivered_bytes: Family<OfOutput, Counter>,
    /// Records with bytes that were not UTF-8 and were replaced.
    pub(crate) replaced: Family<OfOutput, Counter>,
    /// Pieces that lines above `max_line` were cut into.
    pub(crate) cut: Family<OfOutput, Counter>,
    /// Files whose lines go to a stream with fewer labels.
    pub(crate) merged_files: Family<OfOutput, Counter>,
    /// Bytes that were seen and can no longer be delivered.
    pub(crate) lost_bytes: Family<Reason, Counter>,
    /// Bytes of holes that were skipped.
    pub(crate) hole_bytes: Counter,
    /// Rotated files that were deleted.
    pub(crate) deleted_files: Family<OfInput, Counter>,
    /// Attempts to delete one that failed.
    pub(crate) delete_failures: Family<OfInput, Counter>,
    /// What the files of an input take, where that is limited.
    pub(crate) input_bytes: Family<OfInput, Gauge<i64, AtomicI64>>,
    /// Free bytes on the volume of an input's files.
    pub(crate) volume_free: Family<OfInput, Gauge<i64, AtomicI64>>,
    /// Bytes in the files and not yet delivered.
    pub(crate) lag_bytes: Family<OfOutput, Gauge<i64, AtomicI64>>,
    /// Age of the oldest of them.
    pub(crate) lag_seconds: Family<OfOutput, SecondsGauge>,
    /// 1 while an output does not deliver, by reason.
    pub(crate) blocked: Family<BlockedBy, Gauge>,
    /// For how long an output has not delivered.
    pub(crate) blocked_seconds: Family<OfOutput, SecondsGauge>,
    /// Streams that are fed.
    pub(crate) streams: Family<OfOutput, Gauge>,
    /// Bytes of sealed batches in memory.
    pub(crate) in_flight_bytes: Family<OfOutput, Gauge>,
    /// Open files.
    pub(crate) files: Gauge,
    /// Files and folders that cannot be read.
    pub(crate) input_problems: Gauge,
    /// 1 while the journal cannot be written.
    pub(crate) unprotected: Gauge,
    reloads: Family<Reloads, Counter>,
    resident: Gauge,
    cpu: SecondsGauge,
}

impl Metrics {
    /// All metrics at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("pinnace");
        let metrics = Self {
            of_records: RecordMetrics::default(),
            records: Family::default(),
            dead_letters: Family::default(),
            dropped: Family::default(),
            dead_letters_bytes: Gauge::default(),
            requests: Family::default(),
            sent_bytes: Family::default(),
            doubtful: Family::default(),
            replayed: Family::default(),
            delivered_bytes: Family::default(),
            replaced: Family::default(),
            cut: Family::default(),
            merged_files: Family::default(),
            lost_bytes: Family::default(),
            hole_bytes: Counter::default(),
            deleted_files: Family::default(),
            delete_failures: Family::default(),
            input_bytes: Family::default(),
            volume_free: Family::default(),
            lag_bytes: Family::default(),
            lag_seconds: Family::default(),
            blocked: Family::default(),
            blocked_seconds: Family::default(),
            streams: Family::default(),
            in_flight_bytes: Family::default(),
            files: Gauge::default(),
            input_problems: Gauge::default(),
            unprotected: Gauge::default(),
            reloads: Family::default(),
            resident: Gauge::default(),
            cpu: SecondsGauge::default(),
            registry: Registry::default(),
        };
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        registry.register(
            "records",
            "Records by what became of them: delivered, rejected",
            metrics.records.clone(),
        );
        metrics.of_records.register(&mut registry);
        registry.register(
            "dead_letters",
            "Records that the destination refuses and that went to the dead letters",
            metrics.dead_letters.clone(),
        );
        registry.register(
            "dead_letters_dropped",
            "Records that the destination refuses and that were dropped: the file was full",
            metrics.dropped.clone(),
        );
        registry.register_with_unit(
            "dead_letters_file",
            "The size of the file of dead letters",
            Unit::Bytes,
            metrics.dead_letters_bytes.clone(),
        );
        registry.register(
            "output_requests",
            "Requests by the class of their answer",
            metrics.requests.clone(),
        );
        registry.register(
            "output_sent_bytes",
            "Bytes of request bodies that were sent, each attempt counted",
            metrics.sent_bytes.clone(),
        );
        registry.register(
            "doubtful_resends",
            "Batches that were sent again though they may have been stored",
            metrics.doubtful.clone(),
        );
        registry.register(
            "replayed_batches",
            "Batches that an earlier run sealed and this one sent, byte for byte",
            metrics.replayed.clone(),
        );
        registry.register(
            "output_delivered_bytes",
            "Bytes of delivered bodies before compression",
            metrics.delivered_bytes.clone(),
        );
        registry.register(
            "invalid_utf8_records",
            "Records with bytes that are not UTF-8, which were replaced by U+FFFD",
            metrics.replaced.clone(),
        );
        registry.register(
            "cut_lines",
            "Pieces of lines above max_line, all but the last of each line",
            metrics.cut.clone(),
        );
        registry.register(
            "merged_files",
            "Files whose lines go to a stream with fewer labels, because max_streams is reached",
            metrics.merged_files.clone(),
        );
        registry.register(
            "lost_bytes",
            "Bytes that were seen in a file and can no longer be delivered",
            metrics.lost_bytes.clone(),
        );
        registry.register(
            "hole_bytes",
            "NUL bytes of holes in files, left by writers that do not append or when the power goes; skipped",
            metrics.hole_bytes.clone(),
        );
        registry.register(
            "deleted_files",
            "Rotated files that were deleted, by after_delivery or by disk.when_full",
            metrics.deleted_files.clone(),
        );
        registry.register(
            "delete_failures",
            "Attempts to delete a rotated file that failed",
            metrics.delete_failures.clone(),
        );
        registry.register_with_unit(
            "input",
            "What the files of an input take on their volume, where disk.max_bytes is set",
            Unit::Bytes,
            metrics.input_bytes.clone(),
        );
        registry.register_with_unit(
            "volume_free",
            "Free bytes on the volume of an input's files",
            Unit::Bytes,
            metrics.volume_free.clone(),
        );
        registry.register_with_unit(
            "lag",
            "Bytes in the files not yet delivered",
            Unit::Bytes,
            metrics.lag_bytes.clone(),
        );
        registry.register_with_unit(
            "lag",
            "Age of the oldest byte not yet delivered; 0 when all is delivered but for a last line without its end",
            Unit::Seconds,
            metrics.lag_seconds.clone(),
        );
        registry.register(
            "output_blocked",
            "1 while the output does not deliver, with the reason",
            metrics.blocked.clone(),
        );
        registry.register_with_unit(
            "output_blocked",
            "For how long the output has not delivered; 0 while it does",
            Unit::Seconds,
            metrics.blocked_seconds.clone(),
        );
        registry.register("streams", "Streams that are fed", metrics.streams.clone());
        registry.register_with_unit(
            "in_flight",
            "Bytes of encoded batches that are not yet acknowledged",
            Unit::Bytes,
            metrics.in_flight_bytes.clone(),
        );
        registry.register("files_open", "Files held open", metrics.files.clone());
        registry.register(
            "input_problems",
            "Files and folders that cannot be read at the moment",
            metrics.input_problems.clone(),
        );
        registry.register(
            "journal_unprotected",
            "1 while the journal cannot be written: a restart would send again",
            metrics.unprotected.clone(),
        );
        registry.register(
            "config_reloads",
            "Configurations read again while running, by what became of them: accepted, refused",
            metrics.reloads.clone(),
        );
        registry.register_with_unit(
            "process_resident_memory",
            "Memory of this process that is in RAM",
            Unit::Bytes,
            metrics.resident.clone(),
        );
        registry.register_with_unit(
            "process_cpu",
            "Processor time of this process since its start",
            Unit::Seconds,
            metrics.cpu.clone(),
        );
        // A counter that is not there before its first loss is one whose increase nobody sees.
        for reason in LOSSES {
            drop(metrics.lost_bytes.get_or_create(&Reason { reason }));
        }
        for result in [ReloadResult::accepted, ReloadResult::refused] {
            drop(metrics.reloads.get_or_create(&Reloads { result }));
        }
        Self {
            registry,
            ..metrics
        }
    }

    /// Bytes that were lost, for whichever reason.
    #[cfg(test)]
    pub(crate) fn lost_in_all(&self) -> u64 {
        let of = |reason| self.lost_bytes.get_or_create(&Reason { reason }).get();
        LOSSES.into_iter().map(of).sum()
    }

    /// Shows the counters of an input whose files may be deleted from its start on, at zero.
    pub(crate) fn add_careful_input(&self, input: &str) {
        let of_input = OfInput {
            input: input.to_owned(),
        };
        for family in [&self.deleted_files, &self.delete_failures] {
            drop(family.get_or_create(&of_input));
        }
    }

    /// Shows the counters of an output from its start on, at zero.
    pub(crate) fn add_output(&self, output: &str, refusals: &[&'static str]) {
        for result in [RecordResult::delivered, RecordResult::rejected] {
            let output = output.to_owned();
            drop(self.records.get_or_create(&Records { output, result }));
        }
        for &reason in refusals {
            let output = output.to_owned();
            let of_refused = OfRefused { output, reason };
            drop(self.dead_letters.get_or_create(&of_refused));
        }
        // One stands for all: a file that is full is told by `pinnace status` too.
        drop(self.dropped.get_or_create(&OfRefused {
            output: output.to_owned(),
            reason: "refused",
        }));
        let of_output = OfOutput {
            output: output.to_owned(),
        };
        for family in [
            &self.sent_bytes,
            &self.doubtful,
            &self.replayed,
            &self.delivered_bytes,
            &self.replaced,
            &self.cut,
            &self.merged_files,
        ] {
            drop(family.get_or_create(&of_output));
        }
    }

    /// Batches of an output may be stored twice.
    pub(crate) fn count_doubtful(&self, output: &str, batches: u64) {
        let output = output.to_owned();
        let counter = self.doubtful.get_or_create(&OfOutput { output });
        counter.inc_by(batches);
    }

    /// A file's lines go to a stream with fewer labels.
    pub(crate) fn count_merged(&self, output: &str) {
        let output = output.to_owned();
        self.merged_files.get_or_create(&OfOutput { output }).inc();
    }

    /// A configuration was read again.
    pub(crate) fn count_reload(&self, result: ReloadResult) {
        self.reloads.get_or_create(&Reloads { result }).inc();
    }

    /// An output is no longer there: what it counted stays, how it stands is of no more use.
    pub(crate) fn remove_output(&self, output: &str) {
        let of_output = OfOutput {
            output: output.to_owned(),
        };
        self.lag_bytes.remove(&of_output);
        self.lag_seconds.remove(&of_output);
        self.blocked_seconds.remove(&of_output);
        self.streams.remove(&of_output);
        self.in_flight_bytes.remove(&of_output);
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let (resident, cpu) = process_figures();
        self.resident.set(resident);
        self.cpu.set(cpu);
        let mut out = String::new();
        if text::encode(&mut out, &self.registry).is_err() {
            let _ = writeln!(out, "# the metrics could not be written");
        }
        out
    }
}

/// Resident memory in bytes and processor time in seconds.
fn process_figures() -> (i64, f64) {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: i64 = statm
        .split(' ')
        .nth(1)
        .and_then(|it| it.parse().ok())
        .unwrap_or(0);
    let page = i64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    (
        pages * page,
        clock.tv_sec as f64 + clock.tv_nsec as f64 / 1e9,
    )
}

#[cfg(test)]
mod tests;
