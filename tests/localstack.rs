//! The agent against a real LocalStack: what is in the file is in the stream, in order, in a
//! group and a stream that the agent made.
//!
//! `PINNACE_TEST_LOCALSTACK` names the script that starts one; without it nothing is tried.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Credentials;
use rustix::process::{Pid, Signal, kill_process};

#[path = "harness/harness.rs"]
mod harness;

use harness::{Account, Numbered, Scene, pass};

const LINES: u64 = 50_000;
const GROUP: &str = "/apps/localstack";
const STREAM: &str = "test-stream";
/// A first run installs LocalStack before it starts.
const START: Duration = Duration::from_mins(5);

#[test]
fn fifty_thousand_lines_are_read_back_from_localstack_as_they_are_in_the_file() {
    let Some(script) = std::env::var_os("PINNACE_TEST_LOCALSTACK").filter(|it| !it.is_empty())
    else {
        skipped("PINNACE_TEST_LOCALSTACK is not set");
        return;
    };
    let scene = Scene::new();
    let localstack = LocalStack::start(script, &scene.dir().join("ready"));
    let mut config = scene.cloudwatch_config();
    config.outputs = vec![format!(
        "{{ name: aws, type: cloudwatch_logs, endpoint_url: \"{}\", region: eu-west-1, \
         log_group: {GROUP}, log_stream: {STREAM}, batch: {{ max_wait: 200ms }}, \
         create: {{ log_group: true, retention_in_days: 7 }} }}",
        localstack.url
    )];
    let path = scene.log("app.log");
    let mut series = Numbered::wide("local", 120);
    series.append_to(&path, LINES / 2);
    let agent = scene.start(&config);
    while series.next < LINES {
        series.append_to(&path, 500);
    }
    config.wait_until_no_lag();
    agent.stop_well();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let read = runtime.block_on(read_back(&localstack.url));
    Account::of(&series.all(), &read).assert_exact("LocalStack");
    assert_eq!(read.len(), series.all().len());
}

#[expect(clippy::print_stderr, reason = "whoever reads the log should know")]
fn skipped(reason: &str) {
    eprintln!("not tried: {reason}");
}

/// All messages of the stream, and that its group is as it was asked for.
async fn read_back(url: &str) -> Vec<String> {
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
        let messages = page.events().iter().filter_map(|event| event.message());
        lines.extend(messages.map(str::to_owned));
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
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        // It stops what it started itself, which a kill would leave behind.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
