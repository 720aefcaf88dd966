//! The agent against a real LocalStack: what is in the file is in the stream, in order, in a
//! group and a stream that the agent made; also when it is killed again and again.
//!
//! `PINNACE_TEST_LOCALSTACK` names the script that starts one; without it nothing is tried.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Credentials;
use rustix::process::{Pid, Signal, kill_process};
use xxhash_rust::xxh3::xxh3_64;

#[allow(dead_code, reason = "a part of the crash suite's application")]
#[path = "crash/application.rs"]
mod application;
#[allow(dead_code, reason = "only how it rotates")]
#[path = "crash/case.rs"]
mod case;
#[allow(dead_code, reason = "only its numbers")]
#[path = "crash/dice.rs"]
mod dice;
#[path = "harness/harness.rs"]
mod harness;
#[allow(dead_code, reason = "the cases name them")]
#[path = "crash/points.rs"]
mod points;

use application::{Application, Pace, StopOnDrop, lock, work};
use case::{Rotation, Style};
use dice::Dice;
use harness::{Account, Agent, Config, Numbered, Scene, append, pass, skipped};

const LINES: u64 = 50_000;
const KILLS: u32 = 30;
const GROUP: &str = "/apps/localstack";
const STREAM: &str = "test-stream";
/// A first run installs LocalStack before it starts.
const START: Duration = Duration::from_mins(5);

#[test]
fn fifty_thousand_lines_are_read_back_from_localstack_as_they_are_in_the_file() {
    let Some((scene, localstack)) = begin() else {
        return;
    };
    let config = config(&scene, &localstack, "200ms");
    let path = scene.log("app.log");
    let mut series = Numbered::wide("local", 120);
    series.append_to(&path, LINES / 2);
    let agent = scene.start(&config);
    while series.next < LINES {
        series.append_to(&path, 500);
    }
    config.wait_until_no_lag();
    agent.stop_well();
    let read = localstack.read_back();
    Account::of(&series.all(), &read).assert_exact("LocalStack");
    assert_eq!(read.len(), series.all().len());
}

#[test]
fn thirty_kills_lose_nothing_and_double_nothing_at_localstack() {
    let Some((scene, localstack)) = begin() else {
        return;
    };
    let config = config(&scene, &localstack, "20ms");
    let path = scene.write(&config);
    let mut dice = Dice(1);
    let application = Application::new(
        scene.log("app.log"),
        Rotation::Rename,
        Style::Lines,
        dice.split(),
    );
    let application = Mutex::new(application);
    let pace = Pace {
        rate: 100_000,
        rotate_every: Duration::from_secs(1),
    };
    let (is_over, rotates) = (AtomicBool::new(false), AtomicBool::new(false));
    // Kills that met something on its way.
    let mut met = 0;
    std::thread::scope(|scope| {
        let mut agent = Agent::start(&path);
        // While it is written to, there is always a lag.
        config.wait_until_no_lag();
        rotates.store(true, Ordering::Relaxed);
        let writer = scope.spawn(|| work(&application, pace, &is_over, &rotates));
        let stop_writing = StopOnDrop(&is_over);
        for _ in 0..KILLS {
            pass(dice.millis(50..500));
            agent.kill();
            met += usize::from(config.batches_on_their_way() > 0);
            agent = Agent::launch(&path, &["--on-error=degrade"]);
        }
        drop(stop_writing);
        writer.join().unwrap();
        config.wait_until_no_lag();
        agent.stop_well();
    });
    let mut arrived: HashMap<u64, u64> = HashMap::new();
    for line in localstack.read_back() {
        *arrived.entry(xxh3_64(line.as_bytes())).or_default() += 1;
    }
    let application = lock(&application);
    let written = application.written.iter();
    let written: HashMap<u64, u64> = written.map(|(hash, it)| (*hash, it.count)).collect();
    let sum = |of: &HashMap<u64, u64>, other: &HashMap<u64, u64>| -> u64 {
        let more = |(hash, count): (&u64, &u64)| {
            count.saturating_sub(other.get(hash).copied().unwrap_or(0))
        };
        of.iter().map(more).sum()
    };
    let (lost, doubled) = (sum(&written, &arrived), sum(&arrived, &written));
    assert_eq!((lost, doubled), (0, 0), "of {} lines", application.lines);
    assert!(met > 0, "no kill met anything on its way");
}

#[test]
fn the_report_script_arrives_whole_and_at_its_times_on_localstack() {
    let Some((scene, localstack)) = begin() else {
        return;
    };
    let mut config = config(&scene, &localstack, "200ms");
    // LocalStack takes nothing that is older than 14 days: a zone whose clocks were put back
    // yesterday at 3 o'clock of its summer time, two hours ahead of UTC.
    let today = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        / 86_400;
    let midnight = (today - 1) * 86_400;
    let (date, day_of_year) = date_of(today - 1);
    let zone = format!("AAA-1BBB,0/0,{day_of_year}/3");
    config.inputs = vec![scene.input("report", &["*.log"], &format!("timezone: \"{zone}\""))];
    let traceback = "Traceback (most recent call last):\n  File \"/app/rapport.py\", line 88, in main\nZeroDivisionError: division by zero\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/app/rapport.py\", line 91, in main\nRuntimeError: échec";
    let expected: Vec<(u64, String)> = [
        ("01:30:00,000", 0, "INFO - élèves chargés".to_owned()),
        (
            "02:30:00,250",
            60,
            "WARNING - données incomplètes".to_owned(),
        ),
        (
            "02:15:00,000",
            105,
            format!("ERROR - calcul impossible\n{traceback}"),
        ),
        (
            "03:00:00,000",
            150,
            format!("CRITICAL - arrêt\n{traceback}"),
        ),
    ]
    .into_iter()
    .map(|(time, minutes, text)| {
        let millis: u64 = time[9..].parse().unwrap();
        let at = (midnight - 1800 + minutes * 60) * 1000 + millis;
        (at, format!("{date} {time} - rapport - {text}"))
    })
    .collect();
    for (_, text) in &expected {
        append(&scene.log("report.log"), format!("{text}\n"));
    }
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    agent.stop_well();
    let read = localstack.read_events();
    assert_eq!(read, expected);
}

/// The date of a day counted from 1970-01-01, and how many days of its year are before it.
fn date_of(mut day: u64) -> (String, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut left = day;
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (format!("{year}-{month:02}-{:02}", left + 1), day)
}

/// All `*.log` into one stream of LocalStack.
fn config(scene: &Scene, localstack: &LocalStack, max_wait: &str) -> Config {
    Config {
        outputs: vec![format!(
            "{{ name: aws, type: cloudwatch_logs, endpoint_url: \"{}\", region: eu-west-1, \
             log_group: {GROUP}, log_stream: {STREAM}, batch: {{ max_wait: {max_wait} }}, \
             create: {{ log_group: true, retention_in_days: 7 }} }}",
            localstack.url
        )],
        ..scene.cloudwatch_config()
    }
}

/// A scene, and a LocalStack of its own; nothing where none is named.
fn begin() -> Option<(Scene, LocalStack)> {
    let script = std::env::var_os("PINNACE_TEST_LOCALSTACK").filter(|it| !it.is_empty());
    let Some(script) = script else {
        skipped("PINNACE_TEST_LOCALSTACK is not set");
        return None;
    };
    let scene = Scene::new();
    let localstack = LocalStack::start(script, &scene.dir().join("ready"));
    Some((scene, localstack))
}

/// All events of the stream with their times in milliseconds, and that its group is as it was
/// asked for.
async fn read_events(url: &str) -> Vec<(u64, String)> {
    let config = aws_sdk_cloudwatchlogs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(url)
        .build();
    let client = Client::from_conf(config);
    let groups = client
        .describe_log_groups()
        .log_group_name_prefix(GROUP)
        .send()
        .await
        .unwrap();
    let [group] = groups.log_groups() else {
        panic!("{groups:?}")
    };
    assert_eq!(group.retention_in_days(), Some(7));
    let mut lines = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = client
            .get_log_events()
            .log_group_name(GROUP)
            .log_stream_name(STREAM)
            .start_from_head(true)
            .set_next_token(token.clone())
            .send()
            .await
            .unwrap();
        lines.extend(page.events().iter().map(|event| {
            let time = u64::try_from(event.timestamp().unwrap()).unwrap();
            (time, event.message().unwrap().to_owned())
        }));
        let next = page.next_forward_token().map(str::to_owned);
        if next == token {
            return lines;
        }
        token = next;
    }
}

/// A LocalStack of our own. Ended when it is dropped.
struct LocalStack {
    child: Child,
    url: String,
}

impl LocalStack {
    fn start(script: OsString, ready: &Path) -> Self {
        let child = Command::new(script)
            .args(["--port", "0", "--ready-file"])
            .arg(ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut this = Self {
            child,
            url: String::new(),
        };
        let begun = std::time::Instant::now();
        while this.url.is_empty() {
            // The file appears whole, once LocalStack answers.
            let text = std::fs::read_to_string(ready).unwrap_or_default();
            text.trim().clone_into(&mut this.url);
            let ended = this.child.try_wait().unwrap();
            assert!(ended.is_none(), "LocalStack ended: {ended:?}");
            assert!(begun.elapsed() < START, "LocalStack did not come up");
            pass(Duration::from_millis(50));
        }
        this
    }

    /// All messages of the stream.
    fn read_back(&self) -> Vec<String> {
        let events = self.read_events();
        events.into_iter().map(|(_, message)| message).collect()
    }

    /// All events of the stream with their times in milliseconds.
    fn read_events(&self) -> Vec<(u64, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(read_events(&self.url))
    }
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        // It stops what it started itself, which a kill would leave behind.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
