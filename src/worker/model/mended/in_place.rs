//! The same of logs that were compressed under their own names.

use super::super::acts::Act;
use super::{append, assert_well, labels, pass, setup, stop};

fn compress() -> Act {
    Act::GzipInPlace { log: 0 }
}

#[test]
fn a_log_that_is_compressed_while_no_agent_runs_is_read_on() {
    for is_kill in [false, true] {
        for delivered in [vec![], vec![Act::AnswerAll { output: 0 }]] {
            let mut life = vec![append(0, 3, 0), pass(2500)];
            life.extend(delivered);
            life.push(append(0, 3, 0));
            let away = vec![append(0, 3, 0), compress(), append(0, 2, 0)];
            life.push(stop(labels(false, 0), is_kill, away));
            assert_well(setup(false, 0, 700), life);
        }
    }
}

#[test]
fn a_log_that_was_compressed_before_the_agent_died_is_read_on() {
    let mut life = vec![append(0, 3, 0), pass(2500), append(0, 9, 400)];
    life.extend([pass(1), compress(), append(0, 3, 0), pass(12_000)]);
    life.push(stop(labels(false, 0), true, vec![pass(12_000)]));
    assert_well(setup(false, 0, 700), life);
}

#[test]
fn a_log_that_nobody_saw_before_it_was_compressed_is_read() {
    for means_all in [false, true] {
        assert_well(
            setup(means_all, 0, 3000),
            vec![
                append(1, 1, 0),
                pass(12_000),
                stop(labels(false, 0), true, vec![append(0, 3, 0), compress()]),
            ],
        );
    }
}
