//! Files that lost their ends with the power: known by what is left of them, and only where nothing
//! else can have become of them.

use super::*;
use crate::batch::{BatchId, StreamName};
use crate::journal::Seal;
use crate::record::cut::Learned;
use crate::span::Span;

/// A log all of which was delivered, and that is known beyond its banner by 5000 bytes.
fn delivered(text: &str) -> (Bench, GenerationId) {
    let mut bench = bench(&["*.log"]);
    bench.write("a.log", text);
    let id = bench.opened();
    bench.deliver(id, 5000);
    bench.deliver(id, text.len() as u64);
    (bench, id)
}

impl Bench {
    /// Puts something else into a log, as if it had not been written for that.
    fn leave_in_it(&self, text: &str) {
        let path = self.path("a.log");
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, text).unwrap();
        set_written(&path, written);
    }

    /// As after a restart of the machine.
    fn boot(&mut self) {
        self.restart(&["*.log"]);
        self.source.boot.time = Moment::now().time;
    }
}

fn set_written(path: &Path, at: SystemTime) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(at).unwrap();
}

/// A batch of the end of a generation.
fn seal_of(generation: &Generation, start: u64) -> Seal {
    let end = generation.position(generation.size).unwrap();
    let span = Span {
        generation: generation.id,
        start,
        end,
        learned: Learned::default(),
    };
    Seal {
        output: "out".into(),
        stream: StreamName::Loki {
            labels: "{}".into(),
        },
        spans: vec![span],
        records: 1,
        uncompressed: 1,
        replaced: 0,
        cut: 0,
        is_gzip: false,
        first_time: Time(1),
        last_time: Time(1),
        body: None,
        shares: Vec::new(),
        request_timeout: Duration::ZERO.into(),
    }
}

#[test]
fn a_log_that_lost_its_end_with_the_power_is_known_by_its_beginning() {
    let text = lines("one", 8000);
    for is_renamed in [false, true] {
        let (mut bench, id) = delivered(&text);
        bench.leave_in_it(&text[..6000]);
        if is_renamed {
            bench.rename("a.log", "a.log.1");
        }
        bench.boot();
        assert_eq!(bench.opened(), id);
        let generation = bench.source.get(id).unwrap();
        assert!(generation.has_lost_end);
        assert_eq!(generation.size, 6000);
    }
}

#[test]
fn what_is_on_its_way_of_a_log_without_its_end_is_waited_for() {
    let text = lines("one", 8000);
    let (mut bench, id) = delivered(&text);
    bench.write("a.log", "sealed\n");
    bench.events();
    let seal = seal_of(bench.source.get(id).unwrap(), text.len() as u64);
    let batch = BatchId(1);
    bench.journal.append(&Entry::Seal(batch, Box::new(seal)));
    bench.leave_in_it(&text[..6000]);
    bench.boot();
    assert_eq!(bench.walk(), []);
    assert!(bench.source.has_deferred());
    bench.journal.append(&Entry::Acknowledge(batch));
    assert_eq!(bench.opened(), id);
}

#[test]
fn a_log_that_is_shorter_for_another_reason_is_another_one() {
    let text = lines("one", 8000);
    let is_another = |become_another: &dyn Fn(&mut Bench)| {
        let (mut bench, id) = delivered(&text);
        become_another(&mut bench);
        bench.opened() > id
    };
    assert!(is_another(&|bench| {
        // The machine was not started meanwhile.
        bench.leave_in_it(&text[..6000]);
        bench.restart(&["*.log"]);
    }));
    assert!(is_another(&|bench| {
        // It was written since.
        bench.boot();
        let_the_clock_tick();
        fs::write(bench.path("a.log"), &text[..6000]).unwrap();
    }));
    assert!(is_another(&|bench| {
        // It was written before, when no agent looked any more.
        bench.leave_in_it(&text[..6000]);
        let later = SystemTime::now() + Duration::from_mins(1);
        set_written(&bench.path("a.log"), later);
        bench.boot();
        bench.source.boot.time = (later + Duration::from_mins(1)).into();
    }));
    assert!(is_another(&|bench| {
        // It begins alike.
        let other = text[..2000].to_owned() + &lines("two", 4000);
        bench.leave_in_it(&other);
        bench.boot();
    }));
    assert!(is_another(&|bench| {
        // What is left of it proves too little.
        bench.leave_in_it(&text[..3000]);
        bench.boot();
    }));
}
