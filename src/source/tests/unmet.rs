//! Copies of logs that nobody has met yet, and history that is compressed.

use super::*;

/// They are older than the log by when they were written, so they are looked at before it.
#[test]
fn copies_of_a_log_that_nobody_has_met_are_not_read() {
    for glob in ["*.log", "a.log*"] {
        for is_compressed in [false, true] {
            let mut bench = bench(&[glob]);
            assert_eq!(bench.walk(), []);
            bench.restart(&[glob]);
            for rotation in [3, 2, 1] {
                bench.write("a.log", &lines(&format!("life {rotation}"), 5000));
                let_the_clock_tick();
                let name = format!("a.log.{rotation}");
                fs::copy(bench.path("a.log"), bench.path(&name)).unwrap();
                if is_compressed {
                    bench.gzip(&name);
                }
            }
            bench.write("a.log", "and more\n");
            bench.settle();
            let size = fs::metadata(bench.path("a.log")).unwrap().len();
            let log = row("a.log", "a.log", Place::Home, size);
            assert_eq!(bench.shown(), [log], "{glob}, compressed: {is_compressed}");
        }
    }
}

#[test]
fn what_was_rotated_before_a_log_that_holds_the_same_and_more_is_no_copy_of_it() {
    for glob in ["*.log", "a.log*"] {
        for is_less in [false, true] {
            let mut bench = bench(&[glob]);
            assert_eq!(bench.walk(), []);
            bench.restart(&[glob]);
            let len = if is_less { 3000 } else { 8000 };
            bench.write("a.log", &lines("the same", len));
            let_the_clock_tick();
            if is_less {
                // A banner: what was copied may have been another run of the job.
                fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
            } else {
                bench.rename("a.log", "a.log.1");
                let_the_clock_tick();
            }
            bench.write("a.log", &lines("the same", len));
            bench.write("a.log", "and more\n");
            bench.settle();
            assert_eq!(bench.shown().len(), 2, "{glob}, {:?}", bench.shown());
        }
    }
}

/// It is another file then, which was made just now.
#[test]
fn history_that_is_compressed_while_the_agent_runs_is_history_still() {
    for is_another in [false, true] {
        let mut bench = bench(&["*.log"]);
        let text = lines("history", 5000);
        bench.write("a.log.1", &text);
        let_the_clock_tick();
        bench.restart(&["*.log"]);
        bench.write("a.log", "one\n");
        bench.opened();
        let written = fs::metadata(bench.path("a.log.1")).unwrap().modified();
        bench.rename("a.log.1", "a.log.2");
        bench.gzip("a.log.2");
        let mut written = written.unwrap();
        if is_another {
            // Another run of a job that writes the very same.
            written += Duration::from_secs(5);
        }
        let gzip = fs::File::options()
            .append(true)
            .open(bench.path("a.log.2.gz"));
        gzip.unwrap().set_modified(written).unwrap();
        bench.settle();
        let gzip = row("a.log", "a.log.2.gz", Place::Rotated, text.len() as u64);
        assert_eq!(bench.shown().contains(&gzip), is_another);
    }
}
