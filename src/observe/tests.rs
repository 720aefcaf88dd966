//! What is said again and again while an output does not deliver.

use std::io;
use std::sync::Mutex;

use tokio::sync::mpsc;

use super::snapshot::OutputView;
use super::*;
use crate::batch::StreamId;

/// An observer of two outputs, of each of which some bytes wait.
fn observer() -> (Arc<Observer>, Arc<OutputHealth>, Arc<OutputHealth>) {
    let (mailbox, inbox) = Mailbox::new().unwrap();
    std::thread::spawn(move || {
        let waiting = |lag_bytes| OutputView {
            lag_bytes,
            ..OutputView::default()
        };
        while let Some(message) = inbox.next() {
            if let Message::View { reply, .. } = message {
                let outputs = vec![waiting(100), waiting(200)];
                let _ = reply.send(WorkerView {
                    outputs,
                    ..WorkerView::default()
                });
            }
        }
    });
    let [one, other] = ["one", "other"].map(|name| Arc::new(OutputHealth::new(name)));
    let observer = Observer::new();
    let outputs = vec![Arc::clone(&one), Arc::clone(&other)];
    observer.set_agent(Agent { outputs, mailbox });
    (Arc::new(observer), one, other)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

fn reasons(found: &[(&'static str, String)]) -> Vec<&'static str> {
    found.iter().map(|(reason, _)| *reason).collect()
}

#[test]
fn what_has_not_delivered_for_so_long_is_said_with_its_reason_and_what_waits() {
    const HOUR: Duration = Duration::from_hours(1);
    let (observer, one, other) = observer();
    run(async {
        assert_eq!(observer.blocked_for(Duration::ZERO).await, []);
        other.failed("throttled", "answered 429: later");
        assert_eq!(observer.blocked_for(HOUR).await, [], "only just");
        let found = observer.blocked_for(Duration::ZERO).await;
        assert_eq!(reasons(&found), ["throttled"]);
        let sentence = &found[0].1;
        for part in ["output other has not", "answered 429: later", "200 B wait"] {
            assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
        }
        one.stream_is_held(StreamId(1), "dead_letters", "they are full");
        let found = observer.blocked_for(Duration::ZERO).await;
        assert_eq!(reasons(&found), ["dead_letters", "throttled"]);
        other.delivered();
        one.stream_goes_on(StreamId(1));
        assert_eq!(observer.blocked_for(Duration::ZERO).await, []);
    });
    let unborn = Observer::new();
    assert_eq!(run(unborn.blocked_for(Duration::ZERO)), []);
}

/// Hands on what is logged.
#[derive(Clone)]
struct Lines(Arc<Mutex<mpsc::UnboundedSender<String>>>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let sent = self.0.lock().unwrap();
        let _ = sent.send(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn it_is_logged_again_and_again() {
    let (sender, mut lines) = mpsc::unbounded_channel();
    let lines_of = Lines(Arc::new(Mutex::new(sender)));
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || lines_of.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (observer, one, _) = observer();
    one.failed("unreachable", "no route");
    run(async {
        let reminding = observer.remind(Duration::from_millis(1));
        let mut reminding = std::pin::pin!(reminding);
        for _ in 0..3 {
            let line = tokio::select! {
                () = &mut reminding => unreachable!("it never ends"),
                line = lines.recv() => line.unwrap(),
            };
            assert!(line.contains("WARN"), "{line}");
            assert!(
                line.contains("output one has not delivered since"),
                "{line}"
            );
            assert!(line.contains("reason=\"unreachable\""), "{line}");
        }
    });
}
