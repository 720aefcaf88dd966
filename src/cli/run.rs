//! `pinnace run`: the agent from its start to its end. Decides what a fault at the start means:
//! the end, or a live process that says what is wrong and goes on once it is mended.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{self, Config, Environment, Problems, Source};
use crate::exit;
use crate::journal::{Journal, OpenError, Recovery};
use crate::observe::{Observer, REMIND_EVERY, control, http};
use crate::pipeline::Pipeline;
use reload::{Changes, Reason, reload};

mod ending;
mod reload;

/// How often a fault at the start is looked at again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Another agent's lock is waited for; another fault of the state directory only this long,
/// because the log's lines matter more than the protection from duplicates.
const STATE_PATIENCE: Duration = Duration::from_secs(5);

/// What to do when something is wrong at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnError {
    /// Say so and end.
    Exit,
    /// Say so, stay up, and go on as well as it can: a sidecar must not stop its application.
    Degrade,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigArgument,
    /// What to do when something is wrong at the start: exit (the default on a terminal) or
    /// degrade (the default elsewhere).
    #[arg(long, value_enum, value_name = "WHAT")]
    on_error: Option<OnError>,
}

/// A start that takes longer than this after SIGTERM is given up.
const START_PATIENCE: Duration = Duration::from_secs(2);

/// With fewer open files than this there are none for sockets and the journal beside those of a log.
const LEAST_FILES: u64 = 64;

/// Why a run ended before it began.
struct Fault {
    code: u8,
    sentence: String,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    start_log();
    let files = raise_file_limit();
    if files < LEAST_FILES {
        return tell(&Fault {
            code: exit::FAILED,
            sentence: format!(
                "{files} files may be open at once, and the agent needs {LEAST_FILES}: raise the limit (ulimit -n, LimitNOFILE)"
            ),
        });
    }
    let default = if io::stderr().is_terminal() {
        OnError::Exit
    } else {
        OnError::Degrade
    };
    let on_error = arguments.on_error.unwrap_or(default);
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return tell(&Fault {
                code: exit::FAILED,
                sentence: error.to_string(),
            });
        }
    };
    let code = match runtime.block_on(agent(arguments, on_error)) {
        Ok(code) => code,
        Err(fault) => tell(&fault),
    };
    // Requests that are still under way are of no use to anyone.
    runtime.shutdown_background();
    code
}

fn tell(fault: &Fault) -> u8 {
    // Nothing is left to be done when nobody can read it.
    let _ = writeln!(io::stderr().lock(), "{}", fault.sentence);
    ending::note(None, &fault.sentence);
    fault.code
}

/// Our own log: to stderr, one line each, `PINNACE_LOG` sets the level.
fn start_log() {
    let level = std::env::var("PINNACE_LOG")
        .ok()
        .and_then(|level| level.parse().ok());
    let level = level.unwrap_or(tracing::Level::INFO);
    // What libraries warn of is told by ourselves, in a sentence and once.
    let is_own = move |metadata: &tracing::Metadata<'_>| {
        level > tracing::Level::INFO || metadata.target().starts_with("pinnace")
    };
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(level)
        .finish()
        .with(tracing_subscriber::filter::filter_fn(is_own))
        .init();
}

/// Every tailed file takes a descriptor: as many as the system lets us have. Returns how many that is.
fn raise_file_limit() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it the usual limit stands.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The signals that end the agent.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            terminate,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn agent(arguments: &Arguments, on_error: OnError) -> Result<u8, Fault> {
    let fault = |error: io::Error| Fault {
        code: exit::FAILED,
        sentence: error.to_string(),
    };
    let mut stop = Stop::new().map_err(fault)?;
    let observer = Arc::new(Observer::new());
    let environment = Environment::from_process();
    let source = Source::find(arguments.config.config.as_deref(), &environment);
    let mut changes = Changes::new(&source).map_err(fault)?;
    tokio::spawn(Arc::clone(&observer).remind(REMIND_EVERY));
    let mut start = std::pin::pin!(start(arguments, on_error, &observer));
    let (pipeline, config) = tokio::select! {
        biased;
        started = &mut start => {
            let (mut pipeline, mut config) = started?;
            loop {
                let reason = tokio::select! {
                    () = stop.asked() => break,
                    () = pipeline.begun() => {
                        say_started(&config);
                        continue;
                    }
                    reason = changes.next() => reason,
                    () = observer.health.asked_to_begin_anew() => {
                        tracing::warn!("the clock was set back: what was sealed ahead of it is too new for its destination, and is read again");
                        pipeline.change(&config, &observer).await;
                        continue;
                    }
                };
                if reason == Reason::TerminalGone {
                    break;
                }
                tracing::debug!(?reason, "reading the configuration again");
                reload(&source, &environment, &mut pipeline, &mut config, &observer).await;
            }
            (pipeline, config)
        }
        // What is in the files is delivered all the same, unless the start waits for something to
        // be mended.
        () = stop.asked() => match tokio::time::timeout(START_PATIENCE, start).await {
            Ok(started) => started?,
            Err(_) => return Ok(exit::OK),
        },
    };
    tracing::info!(
        timeout = ?config.shutdown.timeout,
        "stopping: delivering what is in the files"
    );
    let outputs = pipeline.outputs().to_vec();
    let left = tokio::select! {
        left = pipeline.stop() => left,
        () = stop.asked() => {
            tracing::warn!("asked twice: ending at once; what is not delivered is sent after the next start");
            return Ok(exit::OK);
        }
    };
    let termination_log = config.shutdown.termination_log.as_deref();
    ending::say_what_is_left(&left, &outputs, termination_log);
    let _ = std::fs::remove_file(control::path_in(&config.state_dir));
    Ok(exit::OK)
}

/// Starts the agent, now or when what is wrong has been mended.
async fn start(
    arguments: &Arguments,
    on_error: OnError,
    observer: &Arc<Observer>,
) -> Result<(Pipeline, Config), Fault> {
    let mut early = EarlyServers::default();
    let config = configuration(arguments, on_error, observer, &mut early).await?;
    // Before the address: whoever starts a second agent with one state directory is to be told of
    // that.
    let tried = Journal::open(&config.state_dir, Instant::now());
    if let Err(error) = &tried {
        if on_error == OnError::Exit {
            return Err(Fault {
                code: exit::STATE,
                sentence: error.to_string(),
            });
        }
        tracing::error!("{error}");
    }
    serve_http(&config, on_error, observer, &mut early).await?;
    let journal = journal(&config, tried, observer).await;
    serve_control(&config.state_dir, observer, &mut early);
    let pipeline = Pipeline::start(&config, journal, observer).map_err(|error| Fault {
        code: exit::FAILED,
        sentence: error.to_string(),
    })?;
    Ok((pipeline, config))
}

/// All that is there was looked at: whatever becomes of it from now on, it is delivered.
fn say_started(config: &Config) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        inputs = config.inputs.len(),
        outputs = config.outputs.len(),
        state_dir = %config.state_dir.display(),
        "started"
    );
}

/// What is served before the configuration is known, so that it can be asked what is wrong.
#[derive(Debug, Default)]
struct EarlyServers {
    http: Option<(std::net::SocketAddr, tokio::task::JoinHandle<()>)>,
    control: Option<(PathBuf, tokio::task::JoinHandle<()>)>,
}

async fn configuration(
    arguments: &Arguments,
    on_error: OnError,
    observer: &Arc<Observer>,
    early: &mut EarlyServers,
) -> Result<Config, Fault> {
    let mut told: Option<String> = None;
    loop {
        let environment = Environment::from_process();
        let source = Source::find(arguments.config.config.as_deref(), &environment);
        let problems = match config::load(&source, &environment) {
            Ok(config) => {
                if told.is_some() {
                    observer.health.set_trouble("config", None);
                    tracing::info!("the configuration is mended");
                }
                return Ok(config);
            }
            Err(problems) => problems,
        };
        let text = problems.to_string();
        if on_error == OnError::Exit {
            return Err(Fault {
                code: exit::CONFIG,
                sentence: text,
            });
        }
        if told.as_deref() != Some(&text) {
            tracing::error!(
                "the configuration is wrong: nothing is shipped until it is mended\n{text}"
            );
            observer
                .health
                .set_trouble("config", Some(summary(&problems)));
            told = Some(text);
        }
        serve_early(&source, &environment, observer, early).await;
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

fn summary(problems: &Problems) -> String {
    let lines: Vec<String> = problems.iter().map(config::Problem::headline).collect();
    format!("the configuration is wrong: {}", lines.join("; "))
}

/// Serves at the usual places while the configured ones are not known.
async fn serve_early(
    source: &Source,
    environment: &Environment,
    observer: &Arc<Observer>,
    early: &mut EarlyServers,
) {
    let (state_dir, listen) = config::places_at_best(source, environment);
    if let (None, Some(address)) = (&early.http, listen)
        && let Ok(listener) = http::bind(address).await
    {
        early.http = Some((
            address,
            tokio::spawn(http::serve(listener, Arc::clone(observer))),
        ));
    }
    if early.control.is_none() && std::fs::create_dir_all(&state_dir).is_ok() {
        serve_control(&state_dir, observer, early);
    }
}

async fn serve_http(
    config: &Config,
    on_error: OnError,
    observer: &Arc<Observer>,
    early: &mut EarlyServers,
) -> Result<(), Fault> {
    if let Some((address, task)) = early.http.take() {
        if Some(address) == config.server.listen {
            return Ok(());
        }
        task.abort();
        let _ = task.await;
    }
    let Some(address) = config.server.listen else {
        return Ok(());
    };
    let error = match http::bind(address).await {
        Ok(listener) => {
            tokio::spawn(http::serve(listener, Arc::clone(observer)));
            return Ok(());
        }
        Err(error) => error,
    };
    let sentence = http::cannot_listen(address, &error);
    if on_error == OnError::Exit {
        return Err(Fault {
            code: exit::UNAVAILABLE,
            sentence,
        });
    }
    tracing::error!("{sentence}; shipping goes on without it");
    observer.health.set_trouble("server", Some(sentence));
    let observer = Arc::clone(observer);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TRY_AGAIN).await;
            if let Ok(listener) = http::bind(address).await {
                tracing::info!(%address, "listening now");
                observer.health.set_trouble("server", None);
                return http::serve(listener, observer).await;
            }
        }
    });
    Ok(())
}

/// The journal that was opened, or once it can be. Without a usable state directory the lines are
/// shipped all the same.
async fn journal(
    config: &Config,
    mut tried: Result<(Journal, Recovery), OpenError>,
    observer: &Observer,
) -> Journal {
    let began = Instant::now();
    loop {
        let error = match tried {
            Ok((journal, recovery)) => {
                observer.health.set_trouble("state", None);
                for finding in recovery.findings {
                    tracing::warn!(finding, "the journal was not whole");
                }
                if recovery.is_new {
                    tracing::info!(state_dir = %config.state_dir.display(), "a new journal: no file has been delivered before");
                }
                return journal;
            }
            Err(error) => error,
        };
        let is_locked = matches!(error, OpenError::Locked { .. });
        if !is_locked && began.elapsed() >= STATE_PATIENCE {
            tracing::error!(
                "shipping without a journal: after a restart, what is delivered until then is delivered again"
            );
            observer.health.set_trouble("state", None);
            let now = Instant::now();
            return Journal::unprotected(&config.state_dir, now, error.to_string());
        }
        observer
            .health
            .set_trouble("state", Some(error.to_string()));
        tokio::time::sleep(TRY_AGAIN.min(STATE_PATIENCE)).await;
        tried = Journal::open(&config.state_dir, Instant::now());
    }
}

fn serve_control(state_dir: &Path, observer: &Arc<Observer>, early: &mut EarlyServers) {
    if let Some((path, task)) = early.control.take() {
        if path == state_dir {
            early.control = Some((path, task));
            return;
        }
        task.abort();
    }
    let task = control::serve(state_dir, observer);
    early.control = Some((state_dir.to_owned(), task));
}
