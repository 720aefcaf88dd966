//! What a receiver is started with: where it listens, what it keeps, and which limits hold.
//! Never changes after the start.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::summary::Exchange;

/// How a receiver starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to bind; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What is remembered of each record.
    pub keep: Keep,
    /// Whether a push without `X-Scope-OrgID` is refused with 401, as Loki does with
    /// `auth_enabled`.
    pub loki_auth: bool,
    /// Limits of the Loki side.
    pub loki: LokiLimits,
    /// Limits of the `CloudWatch` Logs side.
    pub cloudwatch: CloudwatchLimits,
    /// Called after each request to a backend, on the receiver's own thread.
    pub observer: Option<Observer>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            keep: Keep::Full,
            loki_auth: false,
            loki: LokiLimits::default(),
            cloudwatch: CloudwatchLimits::default(),
            observer: None,
        }
    }
}

/// Which of the two backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The Loki push API.
    Loki,
    /// The `CloudWatch` Logs API.
    Cloudwatch,
}

impl Backend {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Loki, Self::Cloudwatch];

    /// The name used on the command line and over HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loki => "loki",
            Self::Cloudwatch => "cloudwatch",
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Loki => 0,
            Self::Cloudwatch => 1,
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What is remembered of the records that arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every record, whole.
    Full,
    /// The newest records only, this many for each backend; older ones can no longer be read
    /// back. The accounts still count all.
    Last(usize),
    /// No record: only counts, bytes and 64-bit hashes. `GetLogEvents` is then refused with
    /// `InvalidOperationException`.
    Digest,
}

/// A token bucket, of bytes or of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What is added each second.
    pub per_second: u64,
    /// What it holds at most. Whatever needs more never passes.
    pub burst: u64,
}

/// Limits of the Loki side; the default is the server's own.
#[derive(Debug, Clone)]
pub struct LokiLimits {
    /// Labels of a stream.
    pub max_labels: usize,
    /// Bytes of a label's name.
    pub max_label_name_bytes: usize,
    /// Bytes of a label's value.
    pub max_label_value_bytes: usize,
    /// Bytes of a line.
    pub max_line_bytes: usize,
    /// Bytes of a line's structured metadata, names and values together.
    pub max_metadata_bytes: usize,
    /// Entries of a line's structured metadata.
    pub max_metadata_entries: usize,
    /// Older than this is refused; `None` takes any age.
    pub too_old: Option<Duration>,
    /// Further ahead of the clock than this is refused; `None` takes any future.
    pub too_new: Option<Duration>,
    /// Further behind the stream's newest entry than this is refused; `None` takes any order.
    pub out_of_order: Option<Duration>,
    /// Bytes of a body after decompression.
    pub max_body_bytes: usize,
    /// Rate of one tenant in bytes. Off by default, so that tests and benches are not throttled;
    /// [`LokiLimits::with_rates`] sets the server's.
    pub tenant_rate: Option<Rate>,
    /// Rate of one stream in bytes. Off by default.
    pub stream_rate: Option<Rate>,
}

impl Default for LokiLimits {
    fn default() -> Self {
        Self {
            max_labels: 15,
            max_label_name_bytes: 1024,
            max_label_value_bytes: 2048,
            max_line_bytes: 256 * 1024,
            max_metadata_bytes: 64 * 1024,
            max_metadata_entries: 128,
            too_old: Some(Duration::from_hours(7 * 24)),
            too_new: Some(Duration::from_mins(10)),
            out_of_order: Some(Duration::from_hours(1)),
            max_body_bytes: 4 * 1024 * 1024,
            tenant_rate: None,
            stream_rate: None,
        }
    }
}

impl LokiLimits {
    /// The server's default rates switched on: 4 MB/s with a burst of 6 MB for a tenant,
    /// 3 MB/s with a burst of 15 MB for a stream.
    #[must_use]
    pub fn with_rates(mut self) -> Self {
        const MEGA: u64 = 1024 * 1024;
        self.tenant_rate = Some(Rate {
            per_second: 4 * MEGA,
            burst: 6 * MEGA,
        });
        self.stream_rate = Some(Rate {
            per_second: 3 * MEGA,
            burst: 15 * MEGA,
        });
        self
    }

    /// Any timestamp is taken, in any order.
    #[must_use]
    pub fn any_time(mut self) -> Self {
        self.too_old = None;
        self.too_new = None;
        self.out_of_order = None;
        self
    }
}

/// Limits of the `CloudWatch` Logs side; the default is AWS's own.
#[derive(Debug, Clone)]
pub struct CloudwatchLimits {
    /// Bytes of a batch: messages in UTF-8, and 26 for each event.
    pub max_batch_bytes: usize,
    /// Events of a batch.
    pub max_batch_events: usize,
    /// Bytes of one event: message, and 26.
    pub max_event_bytes: usize,
    /// How far apart the first and the last valid event of a batch may be.
    pub max_span: Duration,
    /// Older events are rejected one by one; `None` takes any age. A group's retention holds
    /// besides.
    pub too_old: Option<Duration>,
    /// Events further ahead of the clock are rejected one by one; `None` takes any future.
    pub too_new: Option<Duration>,
    /// Whether a request must carry a signature.
    pub require_signature: bool,
    /// Requests a second for each operation named here. None by default, so that tests are not
    /// throttled; [`CloudwatchLimits::with_rates`] sets AWS's.
    pub rates: Vec<(&'static str, Rate)>,
    /// `PutLogEvents` a second to one stream, as AWS once had it. Off by default.
    pub stream_puts: Option<Rate>,
}

impl Default for CloudwatchLimits {
    fn default() -> Self {
        Self {
            max_batch_bytes: 1_048_576,
            max_batch_events: 10_000,
            max_event_bytes: 1_048_576,
            max_span: Duration::from_hours(24),
            too_old: Some(Duration::from_hours(14 * 24)),
            too_new: Some(Duration::from_hours(2)),
            require_signature: true,
            rates: Vec::new(),
            stream_puts: None,
        }
    }
}

impl CloudwatchLimits {
    /// AWS's default quotas switched on: 50 `CreateLogStream` a second, and 25 each of
    /// `DescribeLogGroups`, `DescribeLogStreams` and `GetLogEvents`.
    #[must_use]
    pub fn with_rates(mut self) -> Self {
        let requests = |count| Rate {
            per_second: count,
            burst: count,
        };
        self.rates = vec![
            ("CreateLogStream", requests(50)),
            ("DescribeLogGroups", requests(25)),
            ("DescribeLogStreams", requests(25)),
            ("GetLogEvents", requests(25)),
        ];
        self
    }
}

/// Called with an account of each finished request.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Exchange) + Send + Sync>);

impl Observer {
    /// Wraps a function. It must be quick: the receiver answers nobody meanwhile.
    pub fn new(function: impl Fn(&Exchange) + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    pub(super) fn call(&self, exchange: &Exchange) {
        (self.0)(exchange);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Observer")
    }
}
