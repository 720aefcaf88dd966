//! Named places in the code at which a debug build kills itself when the environment asks for it,
//! so that the crash suite hits each of them and not only what chance finds. A release build has
//! none of it, whatever its environment says.
//!
//! `PINNACE_CRASH_AT=sealed:3` is death at the third passing of the place `sealed`.

#[cfg(debug_assertions)]
pub(crate) use armed::{is_asked_for, pass};

/// A place that means something only to a debug build.
#[cfg(not(debug_assertions))]
pub(crate) const fn pass(_place: &str) {}

/// Whether this process is to end at such a place: never.
#[cfg(not(debug_assertions))]
pub(crate) const fn is_asked_for() -> bool {
    false
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    const VARIABLE: &str = "PINNACE_CRASH_AT";

    struct Plan {
        place: String,
        passings_left: AtomicU64,
    }

    fn plan() -> Option<&'static Plan> {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        let read = || {
            let text = std::env::var(VARIABLE).ok()?;
            let (place, passing) = text.split_once(':')?;
            Some(Plan {
                place: place.to_owned(),
                passings_left: AtomicU64::new(passing.parse().ok()?),
            })
        };
        PLAN.get_or_init(read).as_ref()
    }

    /// Whether this process is to end at such a place.
    pub(crate) fn is_asked_for() -> bool {
        plan().is_some()
    }

    /// Ends the process as `kill -9` does, if this is the place and the passing.
    pub(crate) fn pass(place: &str) {
        let Some(plan) = plan().filter(|plan| plan.place == place) else {
            return;
        };
        if plan.passings_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            let _ = kill_process(getpid(), Signal::KILL);
            // Nothing runs on behind this place until the signal is there.
            loop {
                std::thread::park();
            }
        }
    }
}
