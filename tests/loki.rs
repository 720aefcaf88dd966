//! The agent against a real Loki: what is in the files is read back from it, line by line. The same
//! is tried on `pinnace receiver`, which holds that these tests themselves are right.
//!
//! `PINNACE_TEST_LOKI` names the program; without it `loki` is looked for on the `PATH`, and when it
//! is not there the real one is not tried, which is said.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

#[path = "harness/harness.rs"]
mod harness;

use harness::{Agent, Config, Numbered, Scene, append, eventually, free_port, get, skipped};

/// As many entries as Loki gives at once.
const AT_ONCE: usize = 5000;
const SECOND_NS: u128 = 1_000_000_000;

/// A Loki that runs in a folder of its own.
struct Loki {
    child: Child,
    port: u16,
}

impl Loki {
    /// Starts it and waits until it is ready.
    fn start(program: &Path, folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let port = free_port();
        let config = folder.join("loki.yaml");
        fs::write(&config, configuration(folder, port)).unwrap();
        let log = fs::File::create(folder.join("loki.log")).unwrap();
        let child = Command::new(program)
            .arg(format!("-config.file={}", config.display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut loki = Self { child, port };
        let is_ready = eventually(|| {
            let has_ended = loki.child.try_wait().unwrap().is_some();
            has_ended || get(port, "/ready").is_some_and(|(status, _)| status == 200)
        });
        let has_ended = loki.child.try_wait().unwrap().is_some();
        let said = || fs::read_to_string(folder.join("loki.log")).unwrap_or_default();
        assert!(
            is_ready && !has_ended,
            "{} is not ready: {}",
            program.display(),
            said()
        );
        loki
    }

    /// An output to it.
    fn output(&self, more: &str) -> String {
        format!(
            "{{ name: loki, type: loki, url: \"http://127.0.0.1:{}\", batch: {{ max_wait: 20ms }}, {more} }}",
            self.port
        )
    }

    /// The lines of the streams with this label, with their times in nanoseconds, in order.
    fn read(&self, name: &str, value: &str) -> Vec<(u128, String)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let end = now.as_nanos() + 600 * SECOND_NS;
        let mut start = now.as_nanos() - 6 * 86_400 * SECOND_NS;
        let mut all: Vec<(u128, String)> = Vec::new();
        loop {
            let selector = escaped(&format!("{{{name}=\"{value}\"}}"));
            let path = format!(
                "/loki/api/v1/query_range?query={selector}&start={start}&end={end}&limit={AT_ONCE}&direction=forward"
            );
            let (status, body) = get(self.port, &path).unwrap();
            assert_eq!(status, 200, "{body}");
            let mut page = values(&body);
            let is_last = page.len() < AT_ONCE;
            page.sort_by_key(|(time, _)| *time);
            // Lines of one nanosecond in several streams may be on both pages.
            let last = page.last().map_or(0, |(time, _)| *time);
            if !is_last {
                page.retain(|(time, _)| *time < last);
                assert!(!page.is_empty(), "too many lines of one nanosecond");
            }
            all.extend(page);
            if is_last {
                return all;
            }
            start = last;
        }
    }

    fn lines(&self, name: &str, value: &str) -> Vec<String> {
        let read = self.read(name, value).into_iter();
        read.map(|(_, line)| line).collect()
    }
}

impl Drop for Loki {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All in one process and one folder, on loopback alone.
fn configuration(folder: &Path, port: u16) -> String {
    let (folder, grpc) = (folder.display(), free_port());
    format!(
        "auth_enabled: false
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {port}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc}
  log_level: warn
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  replication_factor: 1
  ring: {{ kvstore: {{ store: inmemory }} }}
  storage:
    filesystem:
      chunks_directory: {folder}/chunks
      rules_directory: {folder}/rules
schema_config:
  configs:
    - from: 2020-10-24
      store: tsdb
      object_store: filesystem
      schema: v13
      index: {{ prefix: index_, period: 24h }}
analytics: {{ reporting_enabled: false }}
"
    )
}

/// The lines of an answer, with their times.
fn values(body: &str) -> Vec<(u128, String)> {
    let body = chunks_joined(body);
    let answer: Value = serde_json::from_str(&body).unwrap();
    let streams = answer["data"]["result"].as_array().unwrap().iter();
    let values = streams.flat_map(|stream| stream["values"].as_array().unwrap());
    values
        .map(|value| {
            let time = value[0].as_str().unwrap().parse().unwrap();
            (time, value[1].as_str().unwrap().to_owned())
        })
        .collect()
}

/// A body that may have come in chunks, each with its length before it.
fn chunks_joined(body: &str) -> String {
    if body.starts_with('{') {
        return body.to_owned();
    }
    let (mut rest, mut joined) = (body, String::new());
    while let Some((len, after)) = rest.split_once("\r\n") {
        let len = usize::from_str_radix(len.trim(), 16).unwrap();
        joined.push_str(&after[..len]);
        rest = after[len..].trim_start_matches("\r\n");
    }
    joined
}

#[test]
fn an_answer_in_chunks_is_read_as_one() {
    for body in ["{}", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"] {
        assert_eq!(chunks_joined(body), "{}");
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").unwrap(),
        }
    }
    out
}

/// The receiver, called as Loki is called.
fn stand_in(folder: &Path) -> PathBuf {
    let path = folder.join("stand-in");
    let script = format!(
        "#!/bin/sh\nport=$(sed -n 's/^ *http_listen_port: //p' \"${{1#-config.file=}}\")\nexec '{}' receiver --quiet --listen \"127.0.0.1:$port\"\n",
        env!("CARGO_BIN_EXE_pinnace")
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn real() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PINNACE_TEST_LOKI").filter(|it| !it.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join("loki"));
    programs.find(|program| program.is_file())
}

/// Tries it on the stand-in, and on the real one where there is one.
fn on_each(what: impl Fn(&Scene, &Loki)) {
    let scene = Scene::new();
    let program = stand_in(scene.dir());
    what(&scene, &Loki::start(&program, &scene.dir().join("loki")));
    match real() {
        Some(program) => {
            let scene = Scene::new();
            what(&scene, &Loki::start(&program, &scene.dir().join("loki")));
        }
        None => skipped("a real Loki: PINNACE_TEST_LOKI is not set and no loki is on the PATH"),
    }
}

#[test]
fn every_line_is_read_back_in_its_order_across_kills() {
    on_each(|scene, loki| {
        let small = loki
            .output("")
            .replace("batch: {", "batch: { max_bytes: 32KiB,");
        let config = Config {
            inputs: vec![scene.input("app", &["*.log"], "max_line: 8KiB")],
            ..scene.config_to(small).serving()
        };
        let path = scene.log("app.log");
        let mut series = Numbered::wide("loki", 100);
        let name = path.display().to_string();
        for _ in 0..3 {
            let agent = scene.start(&config);
            let before = loki.lines("filename", &name).len();
            series.append_to(&path, 4000);
            // In the middle of some dozen batches; what is on its way is sent again.
            assert!(eventually(|| loki.lines("filename", &name).len() > before));
            agent.kill();
        }
        let agent: Agent = scene.start(&config);
        series.append_to(&path, 100);
        config.wait_until_no_lag();
        agent.stop_well();
        let read = loki.lines("filename", &name);
        assert_eq!(read, series.all());
    });
}

#[test]
fn equal_lines_stay_apart_and_files_of_one_stream_keep_their_times() {
    on_each(|scene, loki| {
        let config = scene
            .config_to(loki.output("labels: { app: several }"))
            .serving();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let first = now.as_secs() - 600;
        let mut written = Vec::new();
        for file in ["a", "b"] {
            let mut text = String::new();
            for line in 0..200 {
                let seconds = first + line;
                // The same in both files, and twice in each.
                let record = format!(r#"{{"ts":{seconds},"msg":"tick"}}"#);
                for _ in 0..2 {
                    text.push_str(&record);
                    text.push('\n');
                    written.push((u128::from(seconds), record.clone()));
                }
            }
            append(&scene.log(&format!("{file}.log")), text);
        }
        written.sort();
        let agent = scene.start(&config);
        config.wait_until_no_lag();
        agent.stop_well();
        let read = loki.read("app", "several").into_iter();
        let read: Vec<_> = read.map(|(time, line)| (time / SECOND_NS, line)).collect();
        assert_eq!(read, written);
    });
}

#[test]
fn what_it_refuses_is_a_dead_letter_and_the_lines_beside_it_arrive() {
    on_each(|scene, loki| {
        let config = scene
            .config_to(loki.output("labels: { app: refused }"))
            .serving();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let line = |days: u64, text: &str| {
            let seconds = now.as_secs() - days * 86_400;
            format!(r#"{{"ts":{seconds},"msg":"{text}"}}"#)
        };
        let (old, young) = (line(9, "too old"), line(0, "young"));
        append(&scene.log("app.log"), format!("{old}\n{young}\n"));
        let agent = scene.start(&config);
        config.wait_until_no_lag();
        agent.stop_well();
        assert_eq!(loki.lines("app", "refused"), [young]);
        let letters = config.dead_letters();
        assert_eq!(letters.len(), 1, "{letters:?}");
        assert_eq!(
            (&letters[0]["text"], &letters[0]["reason"]),
            (&old.into(), &"too_old".into())
        );
    });
}
