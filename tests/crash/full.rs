//! A state directory whose volume is full for a while.

use super::{Action, Backend, Faults, Life, Scene, SmallVolume, pass};
use crate::harness::{PATIENCE, eventually, get};

/// More than all that is on its way at a time.
const BYTES: u64 = 16 << 20;

/// Why there may be no volume.
pub(super) const NO_VOLUME: &str = "no volume can be mounted in a namespace of its own";

/// The volume for the state; nothing where there can be none.
pub(super) fn volume(scene: &Scene) -> Option<SmallVolume> {
    SmallVolume::mount(&scene.empty_config().state_dir, BYTES)
}

impl Life<'_> {
    /// Fills the volume for a while. As soon as the journal can be written again, what was sealed
    /// meanwhile outlives a kill.
    pub(super) fn fill_the_state(&mut self) {
        self.kill_often(self.scale.kills / 4);
        // Nothing is in doubt any more.
        self.drain();
        let volume = self.volume.take();
        if let Some(volume) = &volume {
            volume.fill();
        }
        self.tell("full");
        self.wait_for_protection(false);
        let before = Backend::ALL.map(|backend| self.scene.receiver.summary(backend).stored);
        pass(self.scale.full);
        for (backend, before) in Backend::ALL.into_iter().zip(before) {
            if self.scene.receiver.summary(backend).stored == before {
                self.problem(backend, "nothing is delivered while it is full".to_owned());
            }
        }
        self.hold_in_doubt();
        if let Some(volume) = &volume {
            volume.clear();
        }
        self.volume = volume;
        self.tell("no longer full");
        self.wait_for_protection(true);
        self.kill();
        self.start();
        self.all_faults(&Faults::default());
        self.kill_often(self.scale.kills / 4);
    }

    /// From now on all is stored and nothing is known of it.
    fn hold_in_doubt(&mut self) {
        let injected = Backend::ALL.map(|backend| self.scene.receiver.summary(backend).injected);
        self.all_faults(&Faults {
            store: true,
            ..Faults::of(Action::Status(500))
        });
        for (backend, before) in Backend::ALL.into_iter().zip(injected) {
            let receiver = &self.scene.receiver;
            if !receiver.wait_for(backend, PATIENCE, |it| it.injected > before) {
                self.problem(backend, "nothing is on its way".to_owned());
            }
        }
    }

    fn wait_for_protection(&mut self, is_wanted: bool) {
        let line = format!("pinnace_journal_unprotected {}", u8::from(!is_wanted));
        let port = self.config.port();
        let is_so = eventually(|| {
            let answer = get(port, "/metrics");
            answer.is_some_and(|(_, text)| text.lines().any(|it| it == line))
        });
        if !is_so {
            self.problem(Backend::Loki, format!("never said: {line}"));
        }
    }
}
