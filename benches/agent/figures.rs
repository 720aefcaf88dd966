//! What is measured and what must be reached. Values only.

/// One kind of figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    Throughput,
    TimesYardstick,
    TimesPlain,
    Core,
    LatencyHalf,
    LatencyMost,
    IdleCpu,
    LostEvent,
    FirstByte,
    TimesSmall,
    PerFile,
    TimesFew,
    Binary,
    Peak,
}

impl Figure {
    /// What it is called, with its unit.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throughput => "MB per CPU-second",
            Self::TimesYardstick => "CPU, times the yardstick",
            Self::TimesPlain => "MB per CPU-second, times that of lines shipped as they are",
            Self::Core => "% of a core",
            Self::LatencyHalf => "latency p50, ms",
            Self::LatencyMost => "latency p99, ms",
            Self::IdleCpu => "CPU ms per second",
            Self::LostEvent => "a lost event noticed after, s",
            Self::FirstByte => "start to first byte sent, ms",
            Self::TimesSmall => "MB per CPU-second, times that of 10 MB",
            Self::PerFile => "CPU µs per file",
            Self::TimesFew => "CPU per file, times that of 100 files",
            Self::Binary => "size, stripped, MB",
            Self::Peak => "peak memory, MB",
        }
    }

    /// How many digits say something.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Throughput | Self::LatencyHalf | Self::LatencyMost | Self::PerFile => {
                format!("{value:.0}")
            }
            Self::TimesYardstick
            | Self::TimesPlain
            | Self::IdleCpu
            | Self::TimesSmall
            | Self::TimesFew
            | Self::Core => {
                format!("{value:.2}")
            }
            Self::LostEvent | Self::FirstByte | Self::Binary | Self::Peak => format!("{value:.1}"),
        }
    }
}

/// What must be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtLeast(Figure, f64),
    AtMost(Figure, f64),
}

impl Target {
    pub(crate) fn figure(self) -> Figure {
        match self {
            Self::AtLeast(figure, _) | Self::AtMost(figure, _) => figure,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::AtLeast(_, bound) => format!("≥ {bound}"),
            Self::AtMost(_, bound) => format!("≤ {bound}"),
        }
    }

    /// What is asked of a machine with this part of the speed for which the targets are meant: only
    /// figures of the processor depend on it.
    pub(crate) fn at_speed(self, speed: f64) -> Self {
        use Figure::{Core, IdleCpu, Throughput};
        match self {
            Self::AtLeast(Throughput, bound) => Self::AtLeast(Throughput, bound * speed),
            Self::AtMost(figure @ (Core | IdleCpu), bound) => Self::AtMost(figure, bound / speed),
            other => other,
        }
    }

    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(_, bound) => value >= bound,
            Self::AtMost(_, bound) => value <= bound,
        }
    }
}

/// The middle one; of two, their mean.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}
