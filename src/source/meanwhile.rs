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
}

type Event = (After, Box<dyn FnOnce()>);

std::thread_local! {
    static NEXT: RefCell<Option<Event>> = const { RefCell::new(None) };
}

/// Lets it happen behind the next such step.
pub(super) fn let_happen(after: After, event: impl FnOnce() + 'static) {
    NEXT.with_borrow_mut(|next| *next = Some((after, Box::new(event))));
}

pub(super) fn happen(after: After) {
    let is_it = |next: &mut Event| next.0 == after;
    if let Some((_, event)) = NEXT.with_borrow_mut(|next| next.take_if(is_it)) {
        event();
    }
}
