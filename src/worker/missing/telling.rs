//! Tells of what is missing for good: counts it, and says how it came to be.

use super::{Absent, How};
use crate::observe::snapshot::utc;
use crate::source::{Moment, Whereabouts};
use crate::span::GenerationId;
use crate::worker::Worker;

impl Worker {
    pub(super) fn tell_missing(
        &mut self,
        id: GenerationId,
        absent: &Absent,
        found: Whereabouts,
        at: Moment,
    ) {
        let seen = &absent.seen;
        let is_emptied = found == Whereabouts::Emptied;
        let (reason, why) = match absent.how {
            How::Away => {
                let (reason, what_happened) = if is_emptied {
                    ("truncated", "emptied")
                } else {
                    ("deleted_while_away", "deleted")
                };
                let when = utc(seen.seen);
                (
                    reason,
                    format!(
                        "the file was {what_happened} while it was not held open by a running agent; whether it was written after {when} is not known"
                    ),
                )
            }
            How::Emptied => (
                "truncated",
                "the file was emptied before they were read; rotate by renaming, or less often"
                    .to_owned(),
            ),
            How::Copied => (
                "truncated",
                "they were written between the copying and the emptying; rotate by renaming"
                    .to_owned(),
            ),
            How::Cut(_) => (
                "truncated",
                "they were cut off the end of the file before they were read".to_owned(),
            ),
        };
        let lost = self.lost_of(id, absent);
        if lost == 0 {
            // Most often a log that was done with: nothing is known to be lost.
            let path = seen.path.display();
            tracing::info!(%path, "all that was seen of a file was delivered: {why}");
        } else {
            self.losses.note(reason, &seen.path, lost, &why, at.time);
        }
        self.miss_no_more(id);
    }
}
