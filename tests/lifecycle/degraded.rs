//! With `--on-error=degrade` a fault at the start leaves a live process that says what is wrong
//! on `/readyz`, in `status` and in its log, ships what it can, and recovers when it is mended.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, append, eventually, get};

pub(super) fn launch(scene: &Scene, config: &Config) -> Agent {
    Agent::launch(&scene.write(config), &["--on-error=degrade"])
}

/// It is alive, not ready, and says why on `/readyz` and in `status`.
pub(super) fn assert_says(config: &Config, text: &str) {
    let mut last = None;
    let says = eventually(|| {
        last = get(config.port(), "/readyz");
        matches!(&last, Some((503, body)) if body.contains(text))
    });
    assert!(says, "/readyz never said {text:?}, but {last:?}");
    assert_eq!(get(config.port(), "/healthz").unwrap().0, 200);
    let (code, status) = config.status_text();
    assert!(
        status.contains(text),
        "status never said {text:?}:\n{status}"
    );
    assert_eq!(code, Some(1), "{status}");
}

/// All is well again, and says so.
pub(super) fn assert_ready(config: &Config) {
    let mut last = None;
    let is_ready = eventually(|| {
        last = get(config.port(), "/readyz");
        matches!(last, Some((200, _)))
    });
    assert!(is_ready, "{last:?}");
    let (code, status) = config.status_text();
    assert_eq!(code, Some(0), "{status}");
}

#[test]
fn a_wrong_configuration_is_told_and_taken_once_it_is_mended() {
    let scene = Scene::new();
    let good = scene.loki_config().serving();
    let mut series = Numbered::new("config");
    series.append_to(&scene.log("app.log"), 10);
    let wrong = Config {
        top: "memory_limt: 16MiB".to_owned(),
        ..good.clone()
    };
    let agent = launch(&scene, &wrong);
    agent.wait_for_log("nothing is shipped until it is mended");
    assert_says(&good, "memory_limt");
    scene.write(&good);
    agent.wait_for_log("the configuration is mended");
    scene.wait_for_stored(Backend::Loki, 10);
    assert_ready(&good);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_configuration_that_is_missing_is_taken_once_it_is_there() {
    let scene = Scene::new();
    let config = scene.loki_config();
    append(&scene.log("app.log"), "in time\n");
    let path = scene.dir().join("later.yaml");
    let agent = Agent::launch(&path, &["--on-error=degrade"]);
    agent.wait_for_log("later.yaml");
    fs::rename(scene.write(&config), &path).unwrap();
    scene.wait_for_stored(Backend::Loki, 1);
    agent.stop_well();
}

#[test]
fn an_agent_that_waits_to_be_mended_ends_at_sigterm() {
    let scene = Scene::new();
    let wrong = Config {
        top: "memory_limt: 16MiB".to_owned(),
        ..scene.loki_config().serving()
    };
    let agent = launch(&scene, &wrong);
    agent.wait_for_log("nothing is shipped until it is mended");
    agent.stop_well();
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_holds_up_no_other() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    // Its first byte cannot be read by anyone, root included.
    symlink("/proc/self/mem", scene.log("bad.log")).unwrap();
    let mut good = Numbered::new("good");
    good.append_to(&scene.log("good.log"), 10);
    let agent = launch(&scene, &config);
    scene.wait_for_stored(Backend::Loki, 10);
    agent.wait_for_log("bad.log");
    assert_says(&config, "bad.log");
    fs::remove_file(scene.log("bad.log")).unwrap();
    let mut mended = Numbered::new("mended");
    mended.append_to(&scene.log("bad.log"), 10);
    scene.wait_for_stored(Backend::Loki, 20);
    assert_ready(&config);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &good);
    scene.assert_series_arrived(Backend::Loki, &mended);
}

#[test]
fn a_file_without_the_permission_to_read_is_told_with_who_may() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let path = scene.log("secret.log");
    append(&path, "mine\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let Some(agent) = scene.launch_powerless(&config, &["--on-error=degrade"]) else {
        return;
    };
    agent.wait_for_log("secret.log");
    let status = || get(config.port(), "/readyz").unwrap_or_default();
    assert!(eventually(|| status().0 == 503));
    let (_, text) = status();
    assert!(text.contains("secret.log"), "{text}");
    assert!(text.contains("run it as the same user"), "{text}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    scene.wait_for_stored(Backend::Loki, 1);
    assert!(eventually(|| status().0 == 200), "{:?}", status());
    agent.stop_well();
}

#[test]
fn permissions_that_change_on_a_log_cost_nothing() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let path = scene.log("app.log");
    let allow = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let launch = || scene.launch_powerless(&config, &["--on-error=degrade"]);
    let mut series = Numbered::new("permitted");
    let mut writer = File::create(&path).unwrap();
    writer.write_all(series.take(10).as_bytes()).unwrap();
    let Some(agent) = launch() else {
        return;
    };
    scene.wait_for_stored(Backend::Loki, 10);
    // What is open stays open.
    allow(0o000);
    writer.write_all(series.take(10).as_bytes()).unwrap();
    scene.wait_for_stored(Backend::Loki, 20);
    // The next one is made without the permission, and gets it.
    fs::rename(&path, scene.log("app.log.1")).unwrap();
    let mut writer = File::create(&path).unwrap();
    allow(0o000);
    writer.write_all(series.take(10).as_bytes()).unwrap();
    assert_says(&config, "app.log: Permission denied");
    allow(0o644);
    scene.wait_for_stored(Backend::Loki, 30);
    assert_ready(&config);
    agent.stop_well();
    // It loses the permission while the agent is away.
    allow(0o000);
    writer.write_all(series.take(10).as_bytes()).unwrap();
    let agent = launch().unwrap();
    assert_says(&config, "app.log: Permission denied");
    allow(0o644);
    scene.wait_for_stored(Backend::Loki, 40);
    assert_ready(&config);
    let log = agent.stop_well();
    assert!(!log.contains("bytes were lost"), "{log}");
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn lines_are_shipped_without_a_usable_state_directory_and_remembered_once_there_is_one() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    append(&config.state_dir, "in the way");
    let mut series = Numbered::new("state");
    series.append_to(&scene.log("app.log"), 10);
    let agent = launch(&scene, &config);
    agent.wait_for_log("create the state directory");
    let is_told = eventually(
        || matches!(get(config.port(), "/readyz"), Some((503, text)) if text.contains("state")),
    );
    assert!(is_told, "{:?}", get(config.port(), "/readyz"));
    scene.wait_for_stored(Backend::Loki, 10);
    fs::remove_file(&config.state_dir).unwrap();
    agent.wait_for_log("the journal can be written again");
    agent.wait_for_log("serving the control socket now");
    assert_ready(&config);
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Loki, 20);
    agent.stop_well();
    let agent = scene.start(&config);
    series.append_to(&scene.log("app.log"), 1);
    scene.wait_for_stored(Backend::Loki, 21);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

/// A run delivered some lines, and the next began without its state directory. By now that is back,
/// the next run knows what was delivered, and has batches of the same lines on their way.
fn with_late_state(scene: &Scene, config: &Config, series: &mut Numbered) -> Agent {
    series.append_to(&scene.log("app.log"), 40_000);
    let agent = scene.start(config);
    scene.wait_for_stored(Backend::Loki, 40_000);
    agent.stop_well();
    let aside = scene.dir().join("aside");
    fs::rename(&config.state_dir, &aside).unwrap();
    append(&config.state_dir, "in the way");
    scene.receiver.pause(Backend::Loki);
    let agent = launch(scene, config);
    agent.wait_for_log("not delivered; nothing is lost");
    fs::remove_file(&config.state_dir).unwrap();
    fs::rename(&aside, &config.state_dir).unwrap();
    agent.wait_for_log("what an earlier run delivered is known by now");
    agent
}

#[test]
fn a_state_directory_that_comes_late_is_never_replaced_by_less() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::wide("late", 199);
    with_late_state(&scene, &config, &mut series).kill();
    scene.receiver.resume(Backend::Loki);
    series.append_to(&scene.log("app.log"), 10);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 40_010);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_state_directory_that_comes_late_spares_what_was_delivered_before() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::wide("late", 199);
    let agent = with_late_state(&scene, &config, &mut series);
    series.append_to(&scene.log("app.log"), 10);
    scene.receiver.resume(Backend::Loki);
    let last = series.line(series.next - 1);
    let has_last = || {
        let records = scene.receiver.records(Backend::Loki);
        records.iter().any(|it| it.line == last)
    };
    assert!(eventually(has_last));
    agent.stop_well();
    let arrived = scene.receiver.records(Backend::Loki);
    let again = arrived.len() - 40_010;
    assert!(
        again < 12_000,
        "{again} lines more than the two batches on their way"
    );
    for line in (40_000..40_010).map(|number| series.line(number)) {
        assert_eq!(arrived.iter().filter(|it| it.line == line).count(), 1);
    }
}

#[test]
fn a_state_directory_that_another_agent_holds_is_waited_for() {
    let scene = Scene::new();
    let first_config = scene.loki_config();
    let first = scene.start(&first_config);
    let config = first_config.clone().serving();
    let second = launch(&scene, &config);
    second.wait_for_log("another agent holds");
    let is_told = eventually(
        || matches!(get(config.port(), "/readyz"), Some((503, text)) if text.contains("another agent holds")),
    );
    assert!(is_told, "{:?}", get(config.port(), "/readyz"));
    let (code, text) = first_config.status_text();
    assert_eq!(code, Some(0), "the first still answers: {text}");
    let mut series = Numbered::new("handover");
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Loki, 10);
    first.stop_well();
    second.wait_for_log("started version=");
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Loki, 20);
    assert_ready(&config);
    second.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_port_in_use_is_told_and_served_once_it_is_free() {
    let scene = Scene::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let config = Config {
        port: Some(taken.local_addr().unwrap().port()),
        ..scene.loki_config()
    };
    append(&scene.log("app.log"), "shipped all the same\n");
    let agent = launch(&scene, &config);
    agent.wait_for_log("cannot listen on");
    scene.wait_for_stored(Backend::Loki, 1);
    let (code, status) = config.status_text();
    assert!(status.contains("cannot listen on"), "{status}");
    assert_eq!(code, Some(1), "{status}");
    drop(taken);
    agent.wait_for_log("listening now");
    assert_ready(&config);
    agent.stop_well();
}

#[test]
fn a_backend_that_is_down_at_the_start_is_told_and_fed_once_it_is_up() {
    for backend in Backend::ALL {
        let scene = Scene::new();
        let port = crate::harness::free_port();
        let mut config = match backend {
            Backend::Loki => scene.loki_config(),
            Backend::Cloudwatch => scene.cloudwatch_config(),
        }
        .serving();
        let address = scene.receiver.address().to_string();
        let elsewhere = format!("127.0.0.1:{port}");
        config.outputs[0] = config.outputs[0].replace(&address, &elsewhere);
        append(&scene.log("app.log"), "early\n");
        let agent = launch(&scene, &config);
        agent.wait_for_log("cannot connect");
        assert_says(&config, "has not delivered since");
        let options = pinnace::receiver::Options {
            listen: elsewhere.parse().unwrap(),
            ..pinnace::receiver::Options::default()
        };
        let receiver = pinnace::receiver::Receiver::start(options).unwrap();
        let arrived = receiver.wait_for(backend, crate::harness::PATIENCE, |it| it.stored == 1);
        assert!(arrived, "{:#?}", receiver.summary(backend));
        assert_ready(&config);
        agent.stop_well();
    }
}

#[test]
fn with_too_few_descriptors_to_work_it_says_how_many_it_needs() {
    let scene = Scene::new();
    let config = scene.write(&scene.loki_config());
    let ended = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$0\" run --config \"$1\""])
        .arg(env!("CARGO_BIN_EXE_pinnace"))
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("40 files may be open at once"), "{said}");
}
