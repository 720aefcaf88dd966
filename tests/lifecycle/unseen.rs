//! Logs that are made, and rotated, where the agent cannot look for a while: they are owed when it can,
//! however often it looked at others meanwhile.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use pinnace::receiver::Backend;

use super::degraded::{assert_ready, assert_says};
use crate::harness::{Agent, Config, Numbered, Scene};

/// All logs in two folders to Loki, and what is written in the second.
struct Looked {
    scene: Scene,
    config: Config,
    other: Numbered,
    stored: u64,
}

impl Looked {
    fn new() -> Self {
        let scene = Scene::new();
        for folder in ["app", "others"] {
            fs::create_dir(scene.log(folder)).unwrap();
        }
        let config = Config {
            inputs: vec![scene.input("all", &["app/*.log", "others/*.log"], "")],
            ..scene.loki_config().serving()
        };
        Self {
            scene,
            config,
            other: Numbered::new("other"),
            stored: 0,
        }
    }

    /// An agent that may not read the files of others.
    fn launch(&self) -> Option<Agent> {
        self.scene
            .launch_powerless(&self.config, &["--on-error=degrade"])
    }

    /// So many more records arrive.
    fn wait_for(&mut self, count: u64) {
        self.stored += count;
        self.scene.wait_for_stored(Backend::Loki, self.stored);
    }

    /// The agent looks at what changed, more than twice.
    fn look(&mut self) {
        for _ in 0..4 {
            self.other.append_to(&self.scene.log("others/o.log"), 1);
            self.wait_for(1);
        }
    }

    fn end(self, agent: Agent, app: &Numbered) {
        let log = agent.stop_well();
        assert!(!log.contains("bytes were lost"), "{log}");
        self.scene.assert_series_arrived(Backend::Loki, app);
        self.scene.assert_series_arrived(Backend::Loki, &self.other);
        self.scene.assert_flawless(Backend::Loki);
    }
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_log_that_could_not_be_opened_before_it_was_rotated_is_read_once_it_can_be() {
    for is_restarted in [false, true] {
        let mut looked = Looked::new();
        let Some(mut agent) = looked.launch() else {
            return;
        };
        looked.look();
        let path = looked.scene.log("app/app.log");
        let rotated = looked.scene.log("app/app.log.1");
        let (mut denied, mut app) = (Numbered::new("denied"), Numbered::new("app"));
        let mut options = fs::File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let text = denied.take(10);
        file.unwrap().write_all(text.as_bytes()).unwrap();
        assert_says(&looked.config, "app.log: Permission denied");
        looked.look();
        fs::rename(&path, &rotated).unwrap();
        app.append_to(&path, 10);
        looked.wait_for(10);
        looked.look();
        if is_restarted {
            agent.stop_well();
            agent = looked.launch().unwrap();
            looked.look();
        }
        permit(&rotated, 0o644);
        looked.wait_for(10);
        assert_ready(&looked.config);
        looked.scene.assert_series_arrived(Backend::Loki, &denied);
        looked.end(agent, &app);
    }
}

/// How a folder comes to be out of sight, and is back.
type Way = (fn(&Path), fn(&Path));

fn aside(folder: &Path) -> PathBuf {
    folder.with_file_name("aside")
}

const WAYS: [Way; 3] = [
    (|it| permit(it, 0o000), |it| permit(it, 0o755)),
    (
        |it| fs::rename(it, aside(it)).unwrap(),
        |it| fs::rename(aside(it), it).unwrap(),
    ),
    (
        |it| {
            fs::rename(it, aside(it)).unwrap();
            fs::create_dir(it).unwrap();
        },
        |it| {
            fs::remove_dir(it).unwrap();
            fs::rename(aside(it), it).unwrap();
        },
    ),
];

#[test]
fn rotations_in_a_folder_that_is_out_of_sight_are_read_once_it_is_back() {
    for (hide, show) in WAYS {
        let mut looked = Looked::new();
        let Some(agent) = looked.launch() else {
            return;
        };
        let logs = looked.scene.log("app");
        let mut app = Numbered::new("hidden");
        app.append_to(&logs.join("app.log"), 10);
        looked.wait_for(10);
        looked.look();
        hide(&logs);
        let hidden = if aside(&logs).exists() {
            aside(&logs)
        } else {
            logs.clone()
        };
        let name = |number: u32| match number {
            0 => hidden.join("app.log"),
            _ => hidden.join(format!("app.log.{number}")),
        };
        for rotated in 0..2 {
            for number in (0..=rotated).rev() {
                fs::rename(name(number), name(number + 1)).unwrap();
            }
            app.append_to(&name(0), 10);
            looked.look();
        }
        show(&logs);
        looked.wait_for(20);
        assert_ready(&looked.config);
        looked.end(agent, &app);
    }
}
