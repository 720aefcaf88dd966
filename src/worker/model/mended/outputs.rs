//! The same where an output was taken out of the configuration.

use super::super::acts::{Act, Outcome};
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
