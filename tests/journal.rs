//! `pinnace journal` as people use it: beside a running agent, after a kill, and over damage.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How a file is damaged.
type Spoil<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// A state directory with a batch on its way: the destination takes connections and is silent.
struct Scene {
    folder: tempfile::TempDir,
    agent: Child,
    _silent: TcpListener,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let log = folder.path().join("app.log");
        fs::write(&log, "one\ntwo\nthree\n").unwrap();
        let config = folder.path().join("pinnace.yaml");
        let text = format!(
            "state_dir: {}\nserver: {{ listen: off }}\ninputs: [{{ name: app, include: [\"{}\"] }}]\noutputs: [{{ name: loki, type: loki, url: \"http://{}\", batch: {{ max_wait: 20ms }} }}]\n",
            folder.path().join("state").display(),
            log.display(),
            silent.local_addr().unwrap(),
        );
        fs::write(&config, text).unwrap();
        let agent = Command::new(env!("CARGO_BIN_EXE_pinnace"))
            .arg("run")
            .arg("--config")
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut scene = Self {
            folder,
            agent,
            _silent: silent,
        };
        let until = Instant::now() + Duration::from_secs(30);
        while !scene.shows_a_batch() {
            assert!(Instant::now() < until, "no batch was sealed");
            assert!(scene.agent.try_wait().unwrap().is_none(), "the agent ended");
            std::thread::yield_now();
        }
        scene
    }

    fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        journal(&self.state_dir(), arguments)
    }

    fn shows_a_batch(&self) -> bool {
        let output = self.ask(&["show", "--json"]);
        let shown: serde_json::Value = match serde_json::from_slice(&output.stdout) {
            Ok(shown) => shown,
            Err(_) => return false,
        };
        shown["batches"]
            .as_array()
            .is_some_and(|batches| !batches.is_empty())
    }

    fn kill(&mut self) {
        self.agent.kill().unwrap();
        self.agent.wait().unwrap();
    }

    /// The file of the segment that counts.
    fn current_segment(&self) -> PathBuf {
        let shown: serde_json::Value =
            serde_json::from_slice(&self.ask(&["show", "--json"]).stdout).unwrap();
        let segments = shown["segments"].as_array().unwrap();
        let current = segments.iter().find(|it| it["is_current"] == true).unwrap();
        self.state_dir().join(current["name"].as_str().unwrap())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn journal(state_dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .arg("journal")
        .args(arguments)
        .arg("--state-dir")
        .arg(state_dir)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    entries
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn a_look_beside_the_agent_shows_what_is_on_its_way_and_changes_nothing() {
    let mut scene = Scene::new();
    let shown = scene.ask(&["show"]);
    assert_eq!(shown.status.code(), Some(0));
    let shown = text(&shown);
    for words in [
        "generations: 1",
        "app.log (input app",
        "nothing is delivered yet",
        "batches on their way: 1",
        "to loki, {",
        "3 records, body of ",
        "present",
        "g0 bytes 0 to 14",
        "routes: app to loki",
    ] {
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }
    let verified = scene.ask(&["verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));

    scene.kill();
    let before = files(&scene.state_dir());
    let verified = scene.ask(&["verify", "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    let verdict: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verdict["whole"], true);
    assert_eq!(verdict["batches"], 1);
    scene.ask(&["show"]);
    assert_eq!(files(&scene.state_dir()), before);
}

#[test]
fn damage_is_said_with_what_it_costs() {
    let mut scene = Scene::new();
    scene.kill();
    let dir = scene.state_dir();
    let whole = files(&dir);
    let restore = || {
        for (path, content) in &whole {
            fs::write(path, content).unwrap();
        }
    };
    let current = scene.current_segment();
    let cut = |content: &[u8]| content[..content.len() - 5].to_vec();
    let spoil_end = |content: &[u8]| {
        let mut content = content.to_vec();
        *content.last_mut().unwrap() ^= 1;
        content
    };
    let spoil_header = |content: &[u8]| {
        let mut content = content.to_vec();
        content[3] ^= 1;
        content
    };
    let cases: [(&Path, Spoil<'_>, &str); 5] = [
        (&current, &cut, "are a write that was cut off"),
        (&current, &spoil_end, "are a write that was cut off"),
        (
            &current,
            &spoil_header,
            "does not begin as a journal segment",
        ),
        (
            &dir.join("batches"),
            &spoil_end,
            "its body is not there any more. Its 3 records are read again",
        ),
        (
            &dir.join("batches"),
            &|_| Vec::new(),
            "its body is not there any more",
        ),
    ];
    for (path, spoil, expected) in cases {
        fs::write(path, spoil(&whole[path])).unwrap();
        let verified = scene.ask(&["verify"]);
        let said = text(&verified);
        assert_eq!(verified.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{expected} is not in\n{said}");
        let shown = scene.ask(&["show"]);
        assert_eq!(shown.status.code(), Some(0), "{}", text(&shown));
        restore();
    }
    assert_eq!(scene.ask(&["verify"]).status.code(), Some(0));
}

#[test]
fn what_is_no_journal_is_said_with_73() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for command in ["show", "verify"] {
        let output = journal(folder.path(), &[command]);
        assert_eq!(output.status.code(), Some(73));
        assert!(text(&output).starts_with("there is no journal in "));
        let output = journal(&missing, &[command]);
        assert_eq!(output.status.code(), Some(73));
        assert!(text(&output).starts_with("cannot read the state directory "));
    }
    assert!(!missing.exists());
}
