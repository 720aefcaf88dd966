//! What happens, in a test, in the middle of a look: between two steps of which the second relies on
//! what the first has seen.

use std::cell::RefCell;

/// Behind which step it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The system was asked which file a name leads to, and nobody has opened it yet.
    Asking,
    /// A file was opened, and nobody has looked yet at what it is.
    Opening,
    /// The names of a folder were read, and nobody has looked yet where they lead.
    Listing,
    /// Some bytes of a file were read.
    Reading,
}

/// What is to happen, and behind which step; or behind so many more of any kind.
type Event = (Result<After, usize>, Box<dyn FnOnce()>);

std::thread_local! {
    static NEXT: RefCell<Option<Event>> = const { RefCell::new(None) };
}

/// Lets it happen behind the next such step.
pub(super) fn let_happen(after: After, event: impl FnOnce() + 'static) {
    NEXT.with_borrow_mut(|next| *next = Some((Ok(after), Box::new(event))));
}

/// Lets it happen when so many steps more are behind.
pub(crate) fn let_happen_behind(steps: usize, event: impl FnOnce() + 'static) {
    NEXT.with_borrow_mut(|next| *next = Some((Err(steps), Box::new(event))));
}

/// Nothing happens any more.
pub(crate) fn forget() {
    NEXT.with_borrow_mut(|next| *next = None);
}

pub(super) fn happen(after: After) {
    let is_it = |next: &mut Event| match &mut next.0 {
        Ok(wanted) => *wanted == after,
        Err(0) => true,
        Err(steps) => {
            *steps -= 1;
            false
        }
    };
    if let Some((_, event)) = NEXT.with_borrow_mut(|next| next.take_if(is_it)) {
        event();
    }
}
