//! Logs that were emptied while nobody looked.

use super::*;

/// Nothing but the banner was read, and both contents begin with it.
#[test]
fn a_log_that_was_emptied_behind_its_banner_and_filled_again_is_another_after_a_restart() {
    let banner = lines("banner", 2000);
    let content = |name| banner.clone() + &lines(name, 6000);
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", &content("one"));
    let id = bench.opened();
    bench.deliver(id, 1000);
    bench.restart(&["*.log"]);
    fs::write(bench.path("a.log"), content("two")).unwrap();
    assert_ne!(bench.opened(), id);
}
