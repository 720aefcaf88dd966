//! An output that is taken out of the configuration while a batch is on its way to it, and put back
//! later.

use std::fs;

use pinnace::receiver::{Action, Backend, Faults, Summary};

use crate::harness::{Agent, Config, Numbered, PATIENCE, Scene, lines_of};

/// Two outputs, of which the second is taken out and put back.
struct Life {
    scene: Scene,
    both: Config,
    one: Config,
    agent: Option<Agent>,
    series: Numbered,
}

impl Life {
    /// Ten lines are stored at CloudWatch Logs, and nobody has heard of it.
    fn in_doubt() -> Self {
        let scene = Scene::new();
        let mut both = scene.loki_config().serving();
        both.outputs.push(scene.cloudwatch("log_stream: all"));
        let mut one = both.clone();
        one.outputs.pop();
        let agent = scene.start(&both);
        let mut life = Self {
            scene,
            both,
            one,
            agent: Some(agent),
            series: Numbered::new("line"),
        };
        life.write(10);
        life.scene.wait_for_stored(Backend::Cloudwatch, 10);
        life.both.wait_until_no_lag();
        let hang = Faults::of(Action::Hang).on("PutLogEvents").after_storing();
        let receiver = &life.scene.receiver;
        receiver.set_faults(Backend::Cloudwatch, hang);
        life.write(10);
        let hangs = |it: &Summary| it.hanging > 0;
        let receiver = &life.scene.receiver;
        assert!(receiver.wait_for(Backend::Cloudwatch, PATIENCE, hangs));
        life
    }

    fn write(&mut self, count: u64) {
        self.series.append_to(&self.scene.log("app.log"), count);
        let stored = self.series.next;
        self.scene.wait_for_stored(Backend::Loki, stored);
    }

    /// The agent is killed, and the next one starts with this configuration.
    fn restart(&mut self, config: &Config) {
        if let Some(agent) = self.agent.take() {
            agent.kill();
        }
        self.agent = Some(self.scene.start(config));
    }

    /// The running agent goes on by this configuration.
    fn change(&self, config: &Config) {
        let agent = self.agent.as_ref().unwrap();
        self.scene.change(agent, config);
    }

    fn answer(&self) {
        let receiver = &self.scene.receiver;
        receiver.set_faults(Backend::Cloudwatch, Faults::default());
    }

    /// The output is there again. Says how many batches were counted as doubtful, and how often
    /// each line is at CloudWatch Logs.
    fn end(mut self) -> (u64, Vec<usize>) {
        self.write(10);
        let is_there = |it: &Summary| it.stored >= self.series.next;
        let receiver = &self.scene.receiver;
        assert!(receiver.wait_for(Backend::Cloudwatch, PATIENCE, is_there));
        self.both.wait_until_no_lag();
        let doubtful = self
            .both
            .metric_sum("pinnace_doubtful_resends_total", "cloudwatch");
        self.agent.take().unwrap().stop_well();
        let arrived = lines_of(&self.scene, Backend::Cloudwatch, |_| true);
        let times = |line: &String| arrived.iter().filter(|it| *it == line).count();
        (doubtful, self.series.all().iter().map(times).collect())
    }
}

#[test]
fn what_is_on_its_way_waits_for_an_output_that_a_change_takes_out() {
    let mut life = Life::in_doubt();
    let one = life.one.clone();
    life.change(&one);
    life.answer();
    life.write(10);
    life.change(&life.both);
    assert_eq!(life.end(), (0, vec![1; 40]));
}

#[test]
fn what_is_on_its_way_waits_for_an_output_that_a_restart_takes_out() {
    let mut life = Life::in_doubt();
    let [one, both] = [life.one.clone(), life.both.clone()];
    life.restart(&one);
    life.answer();
    life.write(10);
    // What waits outlives a restart too.
    life.restart(&one);
    life.write(10);
    life.restart(&both);
    assert_eq!(life.end(), (0, vec![1; 50]));
}

#[test]
fn what_cannot_wait_for_its_output_is_counted() {
    let mut life = Life::in_doubt();
    let [one, both] = [life.one.clone(), life.both.clone()];
    life.restart(&one);
    life.answer();
    life.agent.take().unwrap().kill();
    // Bodies are never synced: this one is lost with the power.
    fs::write(life.both.state_dir.join("batches"), "").unwrap();
    life.restart(&both);
    let times = [vec![1; 10], vec![2; 10], vec![1; 10]].concat();
    assert_eq!(life.end(), (1, times));
}
