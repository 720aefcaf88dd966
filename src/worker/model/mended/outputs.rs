//! The same where an output was taken out of the configuration.

use super::super::acts::{Act, Labels, Outcome};
use super::{append, assert_well, labels, setup, stop, to_loki_alone};

#[test]
fn a_batch_too_old_to_wait_for_its_output_is_given_up_though_its_answer_was_on_its_way() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 3, 0),
            Act::Reload {
                labels: labels(false, 0),
            },
            Act::Jump {
                seconds: 10_000_000,
            },
            Act::Answer {
                output: 1,
                which: 0,
                outcome: Outcome::Delivered,
            },
            stop(to_loki_alone(), true, vec![]),
        ],
    );
}

#[test]
fn what_was_delivered_behind_a_batch_that_is_given_up_comes_again_with_it() {
    let jump = Act::Jump {
        seconds: 10_000_000,
    };
    let to_cloudwatch_alone = Labels {
        takers: [false, true],
        ..labels(false, 0)
    };
    assert_well(
        setup(false, 0, 700),
        vec![
            append(1, 1, 0),
            stop(labels(false, 0), true, vec![append(0, 1, 0)]),
            stop(labels(false, 1), true, vec![jump]),
            Act::Answer {
                output: 0,
                which: 2,
                outcome: Outcome::Partial,
            },
            Act::Reload {
                labels: to_cloudwatch_alone,
            },
        ],
    );
}
