//! Where the content of a generation stands: a value.

/// Where the content stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the name under which it was first seen.
    Home,
    /// At another name that is meant too.
    Moved,
    /// At no name that is meant.
    Rotated,
    /// At no name at all.
    Deleted,
    /// Nowhere: it was truncated away.
    Gone,
}

impl Place {
    /// The word for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Moved => "moved",
            Self::Rotated => "rotated",
            Self::Deleted => "deleted",
            Self::Gone => "gone",
        }
    }
}
