//! How a backend misbehaves, and which of its requests are struck. Decides only: the server
//! carries it out.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How one backend misbehaves. The default does nothing.
///
/// Over HTTP and on disk it is JSON with the same names, for example
/// `{"action": {"status": 503}, "ratio": 0.25, "count": 10, "store": true}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What happens to the requests that are struck.
    pub action: Action,
    /// Which share of the requests is struck, 0 to 1. Which ones depends on `seed` alone.
    pub ratio: f64,
    /// Makes the choice repeatable.
    pub seed: u64,
    /// Ends the action after it has struck this many requests.
    pub count: Option<u64>,
    /// The request is carried out before the action strikes: store then fail, store then
    /// hang, store then drop the connection.
    pub store: bool,
    /// Milliseconds before each answer, struck or not.
    pub latency_ms: u64,
    /// Seconds to write into `Retry-After` of an answer that the action makes up.
    pub retry_after: Option<u64>,
    /// Only these operations are struck and delayed: `push`, `ready`, or names of AWS
    /// operations. Empty means all.
    pub only: Vec<String>,
    /// A text that makes a record impossible. Loki refuses such an entry (400, the good ones
    /// are stored); `CloudWatch` Logs refuses the whole batch (`InvalidParameterException`).
    pub poison: Option<String>,
    /// A push or a put of more bytes than this, before compression, is answered with 413.
    pub above_bytes: Option<u64>,
    /// Milliseconds before `GetLogEvents` shows what was put.
    pub visibility_delay_ms: u64,
    /// A request that is struck is carried out so many milliseconds after it came, whether or
    /// not anybody still waits for its answer.
    pub late_ms: Option<u64>,
    /// `GetLogEvents` shows asterisks, as a data protection policy makes it do.
    pub mask: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            action: Action::Pass,
            ratio: 1.0,
            seed: 0,
            count: None,
            store: false,
            latency_ms: 0,
            retry_after: None,
            only: Vec::new(),
            poison: None,
            above_bytes: None,
            visibility_delay_ms: 0,
            late_ms: None,
            mask: false,
        }
    }
}

impl Faults {
    /// Every request is struck by this action.
    pub fn of(action: Action) -> Self {
        Self {
            action,
            ..Self::default()
        }
    }

    /// Ends the action after it has struck this many requests.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Carries the request out before the action strikes.
    #[must_use]
    pub fn after_storing(mut self) -> Self {
        self.store = true;
        self
    }

    /// Strikes and delays this operation only.
    #[must_use]
    pub fn on(mut self, operation: &str) -> Self {
        self.only.push(operation.to_owned());
        self
    }

    /// How long `GetLogEvents` hides what was put.
    pub fn visibility_delay(&self) -> Duration {
        Duration::from_millis(self.visibility_delay_ms)
    }
}

impl FromStr for Faults {
    type Err = UnknownFault;

    /// Reads the form of the command line, such as `status=503,ratio=0.2,retry_after=5`.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let mut faults = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let wrong = || UnknownFault::Value(key.to_owned(), value.to_owned());
            match key {
                "status" => {
                    let status = value.parse().ok();
                    let status = status.filter(|status| (200..1000).contains(status));
                    faults.action = Action::Status(status.ok_or_else(wrong)?);
                }
                "error" if !value.is_empty() => faults.action = Action::Error(value.to_owned()),
                "hang" => faults.action = Action::Hang,
                "reset" => faults.action = Action::Reset,
                "reject" => faults.action = Action::Reject(proportion(value).ok_or_else(wrong)?),
                "store" => faults.store = true,
                "ratio" => faults.ratio = proportion(value).ok_or_else(wrong)?,
                "seed" => faults.seed = value.parse().map_err(|_| wrong())?,
                "count" => faults.count = Some(value.parse().map_err(|_| wrong())?),
                "latency_ms" => faults.latency_ms = value.parse().map_err(|_| wrong())?,
                "retry_after" => faults.retry_after = Some(value.parse().map_err(|_| wrong())?),
                "only" if !value.is_empty() => faults.only.push(value.to_owned()),
                "poison" if !value.is_empty() => faults.poison = Some(value.to_owned()),
                "above_bytes" => faults.above_bytes = Some(value.parse().map_err(|_| wrong())?),
                "visibility_delay_ms" => {
                    faults.visibility_delay_ms = value.parse().map_err(|_| wrong())?;
                }
                "late_ms" => faults.late_ms = Some(value.parse().map_err(|_| wrong())?),
                "mask" => faults.mask = true,
                "error" | "only" | "poison" => return Err(wrong()),
                _ => return Err(UnknownFault::Key(key.to_owned())),
            }
        }
        Ok(faults)
    }
}

/// A fault that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFault {
    /// There is no such key.
    #[error(
        "there is no fault \"{0}\": take status=N, error=CODE, hang, reset or reject=SHARE, and \
         ratio=SHARE, seed=N, count=N, store, latency_ms=N, retry_after=SECONDS, only=OPERATION, \
         poison=TEXT, above_bytes=N, visibility_delay_ms=N, late_ms=N, mask"
    )]
    Key(String),
    /// The value does not fit its key.
    #[error("\"{1}\" is no value of {0}")]
    Value(String, String),
}

/// What happens to a request that is struck.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: it is answered as the real server would.
    #[default]
    Pass,
    /// It is answered with this HTTP status.
    Status(u16),
    /// It is answered with this AWS error code and the HTTP status that belongs to it.
    Error(String),
    /// It is not answered until `resume` or `set_faults`; then as if nothing had
    /// been, so that without `store` it is stored late.
    Hang,
    /// The connection is dropped without an answer.
    Reset,
    /// This share of its records, 0 to 1, is refused as too old: the first ones, since both
    /// backends refuse old records at the head. The rest is stored. In the answer of
    /// `CloudWatch` Logs that is `tooOldLogEventEndIndex`.
    Reject(f64),
}

/// What is to be done with one request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    pub(super) action: Action,
    pub(super) store: bool,
    pub(super) latency: Duration,
    pub(super) retry_after: Option<u64>,
    pub(super) late: Option<Duration>,
}

/// The faults of one backend, and how far they have come.
#[derive(Debug, Default)]
pub(super) struct FaultState {
    pub(super) faults: Faults,
    pub(super) paused: bool,
    considered: u64,
    struck: u64,
}

impl FaultState {
    pub(super) fn set(&mut self, faults: Faults) {
        *self = Self {
            faults,
            paused: self.paused,
            ..Self::default()
        };
    }

    pub(super) fn decide(&mut self, operation: &str) -> Verdict {
        let faults = &self.faults;
        let mut verdict = Verdict {
            action: Action::Pass,
            store: false,
            latency: Duration::ZERO,
            retry_after: None,
            late: None,
        };
        if self.paused {
            verdict.action = Action::Status(503);
            return verdict;
        }
        if !faults.only.is_empty() && !faults.only.iter().any(|only| only == operation) {
            return verdict;
        }
        verdict.latency = Duration::from_millis(faults.latency_ms);
        if faults.action == Action::Pass || faults.count.is_some_and(|count| self.struck >= count) {
            return verdict;
        }
        let strikes = share(faults.seed, self.considered) < faults.ratio;
        self.considered += 1;
        if strikes {
            self.struck += 1;
            verdict.action = faults.action.clone();
            verdict.store = faults.store;
            verdict.retry_after = faults.retry_after;
            verdict.late = faults.late_ms.map(Duration::from_millis);
        }
        verdict
    }
}

fn proportion(text: &str) -> Option<f64> {
    let number = text.parse().ok();
    number.filter(|number| (0.0..=1.0).contains(number))
}

/// A number in 0..1 that depends on nothing but the seed and the position.
fn share(seed: u64, position: u64) -> f64 {
    let mut mixed = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(faults: Faults, requests: usize) -> Vec<bool> {
        let mut state = FaultState::default();
        state.set(faults);
        (0..requests)
            .map(|_| state.decide("push").action != Action::Pass)
            .collect()
    }

    #[test]
    fn the_same_seed_strikes_the_same_requests() {
        let faults = Faults {
            action: Action::Status(503),
            ratio: 0.3,
            seed: 7,
            ..Faults::default()
        };
        let first = struck(faults.clone(), 1000);
        assert_eq!(first, struck(faults.clone(), 1000));
        assert_ne!(first, struck(Faults { seed: 8, ..faults }, 1000));
        let hits = first.iter().filter(|hit| **hit).count();
        assert!((250..350).contains(&hits), "{hits} of 1000");
    }

    #[test]
    fn a_count_ends_the_action_and_a_pause_goes_before_it() {
        let mut state = FaultState::default();
        state.set(Faults::of(Action::Reset).times(2).on("push"));
        state.paused = true;
        assert_eq!(state.decide("push").action, Action::Status(503));
        state.paused = false;
        assert_eq!(state.decide("ready").action, Action::Pass);
        let actions: Vec<_> = (0..4).map(|_| state.decide("push").action).collect();
        assert_eq!(
            actions,
            [Action::Reset, Action::Reset, Action::Pass, Action::Pass]
        );
    }

    #[test]
    fn faults_are_read_from_a_line_of_text() {
        let expected = Faults {
            action: Action::Status(429),
            ratio: 0.5,
            count: Some(3),
            store: true,
            retry_after: Some(2),
            only: vec!["push".to_owned()],
            ..Faults::default()
        };
        let text = "status=429, ratio=0.5,count=3,store,retry_after=2,only=push";
        assert_eq!(text.parse(), Ok(expected));
        for (text, action) in [
            ("hang", Action::Hang),
            ("reset", Action::Reset),
            ("reject=0.1", Action::Reject(0.1)),
            (
                "error=ThrottlingException",
                Action::Error("ThrottlingException".to_owned()),
            ),
            ("", Action::Pass),
        ] {
            assert_eq!(text.parse(), Ok(Faults::of(action)), "{text}");
        }
        for text in [
            "stat=1", "status=7", "status=x", "ratio=2", "error", "count=-1", "reject",
        ] {
            assert!(text.parse::<Faults>().is_err(), "{text}");
        }
    }
}
