//! An output that is added between two runs: what it gets of what is there, and what the others
//! do not get again.

use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene};

/// Writes so many lines more and waits until both backends have as many as they should.
fn write(scene: &Scene, series: &mut Numbered, count: u64, at_both: [u64; 2]) {
    series.append_to(&scene.log("app.log"), count);
    for (backend, stored) in Backend::ALL.into_iter().zip(at_both) {
        scene.wait_for_stored(backend, stored);
    }
}

#[test]
fn an_output_that_is_added_between_two_runs_begins_where_read_from_says() {
    for (read_from, of_earlier) in [("beginning", 150), ("end", 0)] {
        let scene = Scene::new();
        let one = Config {
            inputs: vec![scene.input("app", &["*.log"], &format!("read_from: {read_from}"))],
            ..scene.loki_config()
        };
        let mut both = one.clone();
        both.outputs.push(scene.cloudwatch("log_stream: all"));
        let mut series = Numbered::new("line");
        let agent = scene.start(&one);
        // Who answers has looked at all there is: what comes now came later.
        one.wait_until_no_lag();
        write(&scene, &mut series, 100, [100, 0]);
        agent.stop_well();
        // While nobody runs: what is owed to the one that was there, and past to the new one.
        series.append_to(&scene.log("app.log"), 50);

        let agent = scene.start(&both);
        write(&scene, &mut series, 0, [150, of_earlier]);
        write(&scene, &mut series, 50, [200, of_earlier + 50]);
        let late = scene.log("late.log");
        let mut later = Numbered::new("late");
        later.append_to(&late, 10);
        for (backend, stored) in Backend::ALL.into_iter().zip([210, of_earlier + 60]) {
            scene.wait_for_stored(backend, stored);
        }
        agent.stop_well();

        // From then on it is one as the other: nothing is skipped, and nothing comes again.
        series.append_to(&scene.log("app.log"), 25);
        let agent = scene.start(&both);
        write(&scene, &mut series, 25, [260, of_earlier + 110]);
        agent.stop_well();
        for (backend, stored) in Backend::ALL.into_iter().zip([260, of_earlier + 110]) {
            assert_eq!(
                scene.receiver.summary(backend).stored,
                stored,
                "{read_from}"
            );
            scene.assert_flawless(backend);
        }
        scene.assert_series_arrived(Backend::Loki, &series);
        scene.assert_series_arrived(Backend::Loki, &later);
        scene.assert_series_arrived(Backend::Cloudwatch, &later);
        let lines = crate::harness::lines_of(&scene, Backend::Cloudwatch, |it| {
            it.line.starts_with("line ")
        });
        let from = usize::try_from(150 - of_earlier).unwrap();
        assert_eq!(lines, series.all()[from..], "{read_from}");
    }
}
