//! Which content a file holds: a new one, one that is known, or one that another file holds too.

pub(super) mod adopting;
pub(super) mod anew;
pub(super) mod apart;
pub(super) mod beginning;
pub(super) mod copies;
pub(super) mod elsewhere;
pub(super) mod opened;
pub(super) mod recognise;
pub(crate) mod rotation;
pub(super) mod unmet;
