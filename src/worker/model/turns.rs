//! Whose turn it is among the lives of one log.

use std::fs;

use super::lost::{LATER, SOON, stage};

#[test]
fn a_younger_life_of_a_log_is_read_while_a_batch_of_the_older_one_is_on_its_way() {
    let mut stage = stage();
    let log = stage.path("a.log");
    fs::write(&log, "one\nwithout an end").unwrap();
    stage.pass(SOON);
    // As long as what was there, so that the older one seems to wait for its line end still.
    fs::write(&log, "two\nand the third\n").unwrap();
    stage.pass(LATER);
    let sealed = &stage.backends[0].sealed;
    for line in ["one", "two", "and the third"] {
        assert!(sealed.contains_key(line), "{line:?} is in no batch");
    }
}
