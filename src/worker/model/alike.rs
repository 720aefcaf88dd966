//! A job that writes the very same at each run, and more than proves what a content is. What another
//! one begins with is excused in a life of chance; here each run counts.

use std::time::Duration;

use super::acts::Setup;
use super::files::Files;
use super::stage::Stage;

/// Lines of a run: more than 4 KiB.
const LINES: usize = 300;
/// Within this all is read.
const SOON: Duration = Duration::from_millis(50);
/// After this a rotated file that is delivered is closed.
const LATER: Duration = Duration::from_secs(400);

fn each_run_is_read(means_all: bool) {
    let setup = Setup {
        means_all,
        banner_lines: 0,
        own_lines: 0,
        batch_bytes: 1 << 16,
        max_wait: 0,
        has_records: false,
        takers: [true, true],
    };
    let mut stage = Stage::new(setup);
    let mut files = Files::new(setup.banner_lines, setup.own_lines);
    for run in 1..=3 {
        files.append_same(&mut stage, 0, LINES);
        stage.pass(SOON);
        for output in 0..2 {
            stage.answer_all(output);
            let stored = stage.backends[output].stored().len();
            assert_eq!(stored, run * LINES, "{means_all}, run {run}");
        }
        files.rename(&mut stage, 0);
        stage.pass(LATER);
    }
}

#[test]
fn each_run_of_a_job_that_writes_the_same_is_read_after_the_one_before_was_closed() {
    each_run_is_read(false);
    each_run_is_read(true);
}
