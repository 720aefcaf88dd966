//! A strict stand-in for Loki and `CloudWatch` Logs on one loopback port, for the demo, the
//! tests, the benches, and for whoever tries a configuration without a backend.
//!
//! It enforces the limits of the real servers, gives their answers, can be told to fail, and
//! accounts for every line. It never talks to anything, and never writes to disk.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

mod body;
mod bucket;
mod cloudwatch;
mod control;
mod faults;
mod ledger;
mod loki;
mod moment;
mod options;
mod reply;
mod seen;
mod server;
mod state;
mod summary;
mod wire;

pub use faults::{Action, Faults, UnknownFault};
pub use options::{Backend, CloudwatchLimits, Keep, LokiLimits, Observer, Options, Rate};
pub use summary::{Digest, Exchange, Record, StreamSummary, Summary, Violation};

use state::Shared;

/// A running receiver. It has a thread of its own; dropping it ends the thread and closes
/// every connection.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Binds the port and starts to answer.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let shared = Arc::new(Shared::new(options));
        let (stop, stopped) = oneshot::channel();
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(move || runtime.block_on(server::serve(listener, for_thread, stopped)))?;
        Ok(Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to write as `url` of a Loki output.
    pub fn loki_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What to write as `endpoint_url` of a `CloudWatch` Logs output.
    pub fn cloudwatch_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the faults of one backend, starts their count and their sequence anew, and
    /// lets requests that hang go on.
    pub fn set_faults(&self, backend: Backend, faults: Faults) {
        self.shared.set_faults(backend, faults);
    }

    /// From now on every request of this backend, `ready` too, is answered with 503 (for
    /// `CloudWatch` Logs with the code `ServiceUnavailableException`), and nothing is stored.
    /// For a backend that hangs instead, set [`Action::Hang`].
    pub fn pause(&self, backend: Backend) {
        self.shared.pause(backend, true);
    }

    /// Ends a pause, and lets requests that hang go on.
    pub fn resume(&self, backend: Backend) {
        self.shared.pause(backend, false);
    }

    /// Every record kept, in order of arrival. Empty under [`Keep::Digest`].
    pub fn records(&self, backend: Backend) -> Vec<Record> {
        self.records_since(backend, 0)
    }

    /// The records kept whose [`Record::arrival`] is at least `arrival`.
    pub fn records_since(&self, backend: Backend, arrival: u64) -> Vec<Record> {
        self.shared.lock().ledger(backend).records_since(arrival)
    }

    /// The account of one backend.
    pub fn summary(&self, backend: Backend) -> Summary {
        self.shared.lock().ledger(backend).summary.clone()
    }

    /// The accounts of both backends added up.
    pub fn total(&self) -> Summary {
        self.shared.lock().total()
    }

    /// Forgets everything that arrived, with groups, streams and accounts. Faults and pauses
    /// stay.
    pub fn clear(&self) {
        self.shared.clear();
    }

    /// Waits until the total of both backends is as asked, and says whether it came to that
    /// within the time. The condition is looked at after each request, not in a loop.
    pub fn wait_until(&self, timeout: Duration, condition: impl FnMut(&Summary) -> bool) -> bool {
        self.shared.wait_until(None, timeout, condition)
    }

    /// The same for one backend.
    pub fn wait_for(
        &self,
        backend: Backend,
        timeout: Duration,
        condition: impl FnMut(&Summary) -> bool,
    ) -> bool {
        self.shared.wait_until(Some(backend), timeout, condition)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what it holds: that can be all the lines of a bench.
        formatter
            .debug_struct("Receiver")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has printed why; there is nothing left to do here.
            let _ = thread.join();
        }
    }
}
