//! What happens to the files, between two acts of the agent or in the midst of its work: behind any step
//! of a look, of which the next relies on what it saw.

use std::cell::RefCell;
use std::rc::Rc;

use super::acts::Act;
use super::files::Files;
use super::stage::Stage;
use crate::source::meanwhile;

/// Lets something happen to the files.
pub(super) fn happen(files: &mut Files, stage: &mut Stage, act: &Act) {
    match *act {
        Act::Append { log, lines, width } => files.append(stage, log, lines, width),
        Act::AppendSame { log, lines } => files.append_same(stage, log, lines),
        Act::AppendBad { log, lines, mask } => files.append_bad(stage, log, lines, mask),
        Act::AppendTrace {
            log,
            lines,
            is_whole,
        } => files.append_trace(stage, log, lines, is_whole),
        Act::AppendPart { log } => files.append_part(stage, log),
        Act::AppendToRotated { log } => files.append_to_rotated(stage, log),
        Act::Rename { log } => files.rename(stage, log),
        Act::CopyTruncate { log } => {
            files.copy(stage, log);
            files.truncate(stage, log);
        }
        Act::Truncate { log, lines } => {
            files.truncate(stage, log);
            if lines > 0 {
                files.append(stage, log, lines, 20);
            }
        }
        Act::Refill { log } => files.refill(stage, log),
        Act::Link { log } => files.link(stage, log),
        Act::Delete { log } => files.delete(stage, log),
        Act::DeleteOldest { log } => files.delete_oldest(stage, log),
        Act::Gzip {
            log,
            which,
            is_slow,
        } => _ = files.gzip(stage, log, which, is_slow),
        Act::GzipInPlace { log } => _ = files.gzip_in_place(stage, log),
        Act::NewDay => files.new_day(),
        _ => unreachable!("{act:?} is not for files"),
    }
}

/// Lets the agent work, and these acts happen to the files when it has asked the system so often; or
/// not at all, if it does not ask so often.
pub(super) fn work(
    (files, stage): (&mut Files, &mut Stage),
    steps: usize,
    acts: &[Act],
    work: impl FnOnce(&mut Stage),
) {
    files.lose_time();
    let lent = std::mem::replace(files, Files::new(0, 0));
    let scene = Rc::new(RefCell::new((lent, stage.without_agent())));
    let (lent, acts) = (Rc::clone(&scene), acts.to_vec());
    meanwhile::let_happen_behind(steps, move || {
        let (files, stage) = &mut *lent.borrow_mut();
        for act in &acts {
            if !files.is_doubtful(act) {
                happen(files, stage, act);
            }
        }
    });
    work(stage);
    meanwhile::forget();
    let (lent, other) = Rc::into_inner(scene).unwrap().into_inner();
    *files = lent;
    stage.catch_up(&other);
}
