//! The way back of a journal that could not be written: a checkpoint of the whole state, with what an
//! earlier run left in the directory, and the bodies that are not there.

use std::io;
use std::time::Instant;

use super::segments::{Kept, Segments};
use super::volume::Volume;
use super::{Disk, Files, Journal, Past, open_bodies};

/// An attempt to begin anew that failed: why, and what there is to try with again.
type NotBegun<V> = (String, Option<Kept<<V as Volume>::Lock>>);

impl<V: Volume> Journal<V> {
    /// Begins anew once the directory can be written.
    pub(super) fn reopen(&mut self, now: Instant) {
        let Disk::Failed { tried, kept, .. } = &mut self.disk else {
            return;
        };
        *tried = now;
        let kept = kept.take();
        match self.begin_anew(kept) {
            Ok(files) => {
                tracing::info!(state_dir = %self.dir.display(), "the journal can be written again");
                self.disk = Disk::Good(files);
                self.is_unsynced = true;
                if let Past::Unread(earlier) = &mut self.past {
                    self.past = Past::Regained(std::mem::take(earlier));
                }
            }
            Err((again, returned)) => {
                if let Disk::Failed { error, kept, .. } = &mut self.disk {
                    *error = again;
                    *kept = returned;
                }
            }
        }
    }

    /// Begins with a checkpoint of the whole state. What an earlier run left in the directory is
    /// taken in first, if it is not known yet.
    fn begin_anew(&mut self, kept: Option<Kept<V::Lock>>) -> Result<Files<V>, NotBegun<V>> {
        let in_place = kept.filter(|kept| self.volume.is_in_place(kept.lock(), &self.dir));
        let kept = match in_place {
            Some(kept) => kept,
            None => Kept::only(
                self.volume
                    .lock(&self.dir)
                    .map_err(|error| (error.to_string(), None))?,
            ),
        };
        let known = self.state.generations.len();
        let past = match &mut self.past {
            Past::Unread(found) => Some((&mut self.state, found)),
            Past::Known | Past::Regained(_) => None,
        };
        let segments = kept
            .look(&self.volume, &self.dir, past)
            .and_then(|kept| Segments::create(self.volume.clone(), &self.dir, kept, &self.state))
            .map_err(failed)?;
        // What this run read of files that an earlier one knew may be delivered: when this one dies,
        // they are read from the earlier one's cursors.
        let is_known_better = self.state.generations.len() > known;
        self.with_bodies(segments, is_known_better).map_err(failed)
    }

    /// Writes the bodies that are not on disk, unless `as_they_are`, and then another checkpoint,
    /// which says where they lie. Only what the first one does not need was written over by then.
    fn with_bodies(
        &mut self,
        mut segments: Segments<V>,
        as_they_are: bool,
    ) -> Result<Files<V>, (io::Error, Kept<V::Lock>)> {
        let mut open = || {
            let mut bodies = open_bodies(&self.volume, &self.dir, &self.state)?;
            let before = match &self.disk {
                Disk::Failed { bodies, .. } => bodies.as_ref(),
                Disk::Good(_) => None,
            };
            let (in_hand, state) = (&self.in_hand, &mut self.state);
            if !as_they_are && in_hand.store_missing(&mut bodies, before, state)? {
                segments.switch(&self.state)?;
            }
            Ok(bodies)
        };
        match open() {
            Ok(bodies) => Ok(Files::new(segments, bodies)),
            Err(error) => Err((error, segments.into_kept())),
        }
    }
}

fn failed<L>((error, kept): (io::Error, Kept<L>)) -> (String, Option<Kept<L>>) {
    (error.to_string(), Some(kept))
}
