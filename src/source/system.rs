//! What the system says, of files, of volumes, of writers and of the time.

#[cfg(test)]
pub(crate) mod births;
pub(super) mod clock;
#[cfg(test)]
pub(crate) mod denied;
pub(super) mod file;
pub(super) mod lease;
pub(super) mod moment;
#[cfg(test)]
pub(crate) mod sight;
pub(super) mod volume;
pub(super) mod writers;
