//! More logs than are remembered when they are gone, in a folder that is away: when it is back, each
//! line is known.

use std::fs;
use std::time::Duration;

use super::acts::Setup;
use super::stage::Stage;

/// A hundred more than are remembered of those that are gone.
const LOGS: usize = 1100;

fn setup() -> Setup {
    Setup {
        means_all: false,
        banner_lines: 0,
        own_lines: 0,
        batch_bytes: 1 << 16,
        max_wait: 0,
        has_records: false,
        takers: [true, false],
    }
}

/// An agent that has delivered a line of each log.
fn delivered() -> Stage {
    let mut stage = Stage::new(setup());
    for number in 0..LOGS {
        fs::write(
            stage.path(&format!("{number}.log")),
            format!("line {number}\n"),
        )
        .unwrap();
    }
    stage.pass(Duration::from_secs(15));
    stage.answer_all(0);
    assert_eq!(stage.backends[0].stored().len(), LOGS);
    stage
}

/// Everything is looked at, and nothing arrives again.
fn assert_all_is_known(mut stage: Stage) {
    stage.pass(Duration::from_mins(3));
    stage.answer_all(0);
    stage.stop([true, true]);
    assert_eq!(stage.backends[0].stored().len(), LOGS);
}

#[test]
fn many_logs_of_a_folder_that_comes_only_after_the_start_are_known() {
    for is_empty in [false, true] {
        let mut stage = delivered();
        stage.stop([true, true]);
        stage.take_folder_away(is_empty);
        stage.start(setup().labels());
        stage.pass(Duration::from_mins(3));
        stage.bring_folder_back();
        assert_all_is_known(stage);
    }
}

#[test]
fn many_logs_of_a_folder_that_was_away_for_long_are_known() {
    for is_empty in [false, true] {
        let mut stage = delivered();
        stage.take_folder_away(is_empty);
        stage.pass(Duration::from_mins(10));
        stage.bring_folder_back();
        assert_all_is_known(stage);
    }
}

#[test]
fn many_logs_that_are_gone_are_forgotten() {
    let mut stage = delivered();
    for number in 1..LOGS {
        fs::remove_file(stage.path(&format!("{number}.log"))).unwrap();
    }
    stage.pass(Duration::from_mins(3));
    // One is there.
    assert_eq!(stage.known(), 1000 + 1);
}
