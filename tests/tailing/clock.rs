//! The wall clock is set back or put forward, while the agent runs or is away: no file is taken for
//! an older or a younger one than it is, and no stream's time goes back.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinnace::receiver::Backend;

use crate::harness::{
    Account, Agent, Config, Numbered, Scene, append, eventually, lines_of, stand_in,
};

/// A clock by the table in the file `clock`: each line a real time in nanoseconds since 1970, and
/// by how many nanoseconds the clock is ahead from then on. Files keep the times of the clock as
/// it was when they were made and written.
const CLOCK: &str = r#"
static long long ahead_at(long long time) {
    char path[4096];
    snprintf(path, sizeof path, "%s/clock", SCENE);
    FILE *table = fopen(path, "re");
    if (table == NULL) return 0;
    long long from, by, ahead = 0;
    while (fscanf(table, "%lld %lld", &from, &by) == 2)
        if (from <= time) ahead = by;
    fclose(table);
    return ahead;
}
static const long long SECOND = 1000000000;
int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = REAL(clock_gettime)(clock, time);
    if (failed || clock != CLOCK_REALTIME) return failed;
    long long now = time->tv_sec * SECOND + time->tv_nsec;
    now += ahead_at(now);
    time->tv_sec = now / SECOND;
    time->tv_nsec = now % SECOND;
    return 0;
}
static void move(struct statx_timestamp *time) {
    long long was = time->tv_sec * SECOND + time->tv_nsec;
    was += ahead_at(was);
    time->tv_sec = was / SECOND;
    time->tv_nsec = was % SECOND;
}
int statx(int folder, const char *path, int flags, unsigned mask, struct statx *found) {
    int failed = REAL(statx)(folder, path, flags, mask, found);
    if (failed == 0 && S_ISREG(found->stx_mode)) {
        move(&found->stx_btime);
        move(&found->stx_mtime);
        move(&found->stx_ctime);
    }
    return failed;
}
"#;

/// What lives by such a clock.
struct Life {
    scene: Scene,
    config: Config,
    library: PathBuf,
    series: Numbered,
    rotated: u32,
}

impl Life {
    fn new(glob: &str) -> Self {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("app", &[glob], "")],
            outputs: vec![scene.loki(""), scene.cloudwatch("log_stream: \"{file}\"")],
            ..scene.empty_config()
        };
        let library = stand_in(&scene, CLOCK);
        Self {
            config: config.serving(),
            library,
            series: Numbered::wide("clock", 60),
            rotated: 0,
            scene,
        }
    }

    fn start(&self) -> Agent {
        Agent::preloading(&self.library, &self.scene.write(&self.config))
    }

    /// From now on the clock is ahead by so many seconds, or behind. What is written next has a
    /// time of that clock.
    fn set(&self, seconds: i64) {
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let path = self.scene.dir().join("clock");
        let line = format!("{since} {}\n", seconds * 1_000_000_000);
        let table = || OpenOptions::new().append(true).create(true).open(&path);
        table().unwrap().write_all(line.as_bytes()).unwrap();
        // Files have the time of the last tick.
        let ticked = eventually(|| {
            table().unwrap().write_all(b"\n").unwrap();
            fs::metadata(&path).unwrap().modified().unwrap() > now
        });
        assert!(ticked, "no tick of the clock");
    }

    fn write(&mut self) {
        self.write_lines(100);
    }

    fn write_lines(&mut self, count: u64) {
        self.series.append_to(&self.scene.log("app.log"), count);
    }

    /// An agent that has delivered a line.
    fn start_and_deliver(&mut self) -> Agent {
        self.write_lines(1);
        let agent = self.start();
        self.wait_for_all();
        self.config.wait_until_no_lag();
        agent
    }

    fn rotate(&mut self) {
        self.scene.rotate(self.rotated);
        self.rotated += 1;
        self.write();
    }

    fn copy_and_empty(&mut self) {
        let path = self.scene.log("app.log");
        fs::copy(&path, self.scene.make_room(self.rotated)).unwrap();
        fs::write(&path, "").unwrap();
        self.rotated += 1;
        self.write();
    }

    fn wait_for_all(&self) {
        for backend in Backend::ALL {
            self.scene.wait_for_stored(backend, self.series.next);
        }
    }

    /// All that can happen to a log, the last part of it while no agent runs.
    fn live(&mut self, agent: Agent) {
        self.write();
        self.wait_for_all();
        self.rotate();
        self.wait_for_all();
        agent.freeze();
        self.write();
        self.rotate();
        self.rotate();
        agent.thaw();
        self.wait_for_all();
        self.config.wait_until_no_lag();
        self.copy_and_empty();
        self.wait_for_all();
        self.config.wait_until_no_lag();
        agent.stop_well();
        self.write();
        self.rotate();
        self.rotate();
    }

    fn assert_all_arrived(&self) {
        for backend in Backend::ALL {
            let stored = self.scene.receiver.summary(backend).stored;
            assert_eq!(stored, self.series.next, "{backend}");
            self.scene.assert_series_arrived(backend, &self.series);
            self.scene.assert_flawless(backend);
        }
    }
}

/// Sets the clock again and again, while the agent runs or while it is away.
fn live_with_a_clock_that_is_set(glob: &str, is_away: bool) {
    let mut life = Life::new(glob);
    life.write();
    let mut agent = life.start();
    life.wait_for_all();
    // Loki takes nothing that is more than ten minutes ahead of its own clock.
    for seconds in [-3600, 0, 300, -7200] {
        if !is_away {
            life.set(seconds);
        }
        life.live(agent);
        if is_away {
            life.set(seconds);
            life.rotate();
        }
        agent = life.start();
        life.wait_for_all();
    }
    agent.stop_well();
    life.assert_all_arrived();
}

#[test]
fn a_clock_that_is_set_while_the_agent_runs_costs_nothing() {
    for glob in ["app.log", "app.log*"] {
        live_with_a_clock_that_is_set(glob, false);
    }
}

#[test]
fn a_clock_that_is_set_while_the_agent_is_away_costs_nothing() {
    for glob in ["app.log", "app.log*"] {
        live_with_a_clock_that_is_set(glob, true);
    }
}

/// Waits until both destinations refuse what is there as too new, of which nothing is lost.
fn wait_until_refused(agent: &Agent) {
    for backend in Backend::ALL {
        let output = format!("output=\"{backend}\" reason=\"all_refused\"");
        let told = agent.wait_for_log(&format!("a stream waits; nothing is lost {output}"));
        assert!(told.contains("a clock is wrong"), "{told}");
        if backend == Backend::Loki {
            assert!(told.contains("s ahead of Loki's: set it"), "{told}");
        }
    }
}

/// A clock that is a day ahead is set right, while the agent runs or while it is away.
fn set_right(mut life: Life, mut agent: Agent, is_away: bool) {
    // Neither takes anything of tomorrow.
    wait_until_refused(&agent);
    if is_away {
        agent.kill();
        life.set(0);
        agent = life.start();
    } else {
        life.set(0);
    }
    life.wait_for_all();
    life.write();
    life.wait_for_all();
    life.config.wait_until_no_lag();
    agent.stop_well();
    assert_eq!(life.config.dead_letters().len(), 0);
    for backend in Backend::ALL {
        let summary = life.scene.receiver.summary(backend);
        let counts = (summary.stored, summary.repeated, summary.replayed);
        assert_eq!(counts, (life.series.next, 0, 0), "{backend}");
        life.scene.assert_series_arrived(backend, &life.series);
    }
}

/// The clock is a day ahead from the start.
fn set_right_of_a_new_stream(is_away: bool) {
    let mut life = Life::new("app.log");
    life.set(86_400);
    let agent = life.start();
    life.write();
    set_right(life, agent, is_away);
}

#[test]
fn what_was_sealed_ahead_of_the_clock_is_read_again_once_that_is_set_right() {
    set_right_of_a_new_stream(false);
}

#[test]
fn what_was_sealed_ahead_of_the_clock_is_read_again_by_the_next_run() {
    set_right_of_a_new_stream(true);
}

#[test]
fn a_few_lines_ahead_of_the_clock_are_read_again_though_their_stream_had_worked() {
    let mut life = Life::new("app.log");
    let agent = life.start_and_deliver();
    life.set(86_400);
    life.write_lines(3);
    set_right(life, agent, false);
}

#[test]
fn more_lines_ahead_of_the_clock_than_an_answer_can_name_are_read_again_too() {
    const LINES: i64 = 1000;
    let mut life = Life::new("app.log");
    let agent = life.start_and_deliver();
    life.set(86_400);
    // Loki names each second, and of an answer 64 KiB are read.
    let first = SystemTime::now() + Duration::from_secs(86_400 - LINES.cast_unsigned());
    let first = jiff::Timestamp::try_from(first).unwrap();
    let stamped = |number| {
        let time = first + jiff::SignedDuration::from_secs(number);
        format!("{time:.3} INFO line {number}\n")
    };
    let written: String = (0..LINES).map(stamped).collect();
    append(&life.scene.log("app.log"), &written);
    wait_until_refused(&agent);
    life.set(0);
    let count = 1 + LINES.cast_unsigned();
    for backend in Backend::ALL {
        life.scene.wait_for_stored(backend, count);
    }
    life.config.wait_until_no_lag();
    agent.stop_well();
    assert_eq!(life.config.dead_letters().len(), 0);
    let mut all = life.series.all();
    all.extend(written.lines().map(str::to_owned));
    for backend in Backend::ALL {
        let arrived = lines_of(&life.scene, backend, |_| true);
        Account::of(&all, &arrived).assert_exact(backend.name());
    }
}
