//! The file of sealed bodies: places are given, taken back and given again, so the file stays as
//! small as what is on its way. It protects against the end of the process, for which the page
//! cache suffices; it is never synced.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::entry::Extent;
use super::volume::{Handle, Volume};

pub(super) const NAME: &str = "batches";
/// Places begin at multiples of this, so that bodies share no page.
const ALIGN: u64 = 4096;
/// A file that has grown past this is cut when nothing is in it.
const WORTH_CUTTING: u64 = 64 * 1024;

/// Sealed bodies on disk.
#[derive(Debug)]
pub(super) struct Bodies<F> {
    file: F,
    /// The places in use, in order. After a power loss two batches may name the same place.
    used: Vec<Extent>,
    len: u64,
}

impl<F: Handle> Bodies<F> {
    /// Opens the file, in which these places are in use.
    pub(super) fn open<V: Volume<File = F>>(
        volume: &V,
        dir: &Path,
        used: impl Iterator<Item = Extent>,
    ) -> io::Result<Self> {
        let file = volume.open(&dir.join(NAME))?;
        let len = file.len()?;
        // What lies beyond the end was lost, and takes no room.
        let mut used: Vec<_> = used.filter(|extent| extent.end() <= len).collect();
        used.sort_unstable_by_key(|extent| extent.offset);
        Ok(Self { file, used, len })
    }

    /// Whether the file is still the one of the directory.
    pub(super) fn is_in_place(&self, dir: &Path) -> bool {
        self.file.is_at(&dir.join(NAME))
    }

    /// Writes a body where there is room.
    pub(super) fn store(&mut self, body: &[u8]) -> io::Result<Extent> {
        let len = body.len() as u64;
        let offset = self.gap_for(len);
        self.file.write_at(body, offset)?;
        let extent = Extent {
            offset,
            len,
            checksum: crc32c::crc32c(body),
        };
        let place = self.used.partition_point(|it| it.offset <= offset);
        self.used.insert(place, extent);
        self.len = self.len.max(offset + len);
        Ok(extent)
    }

    /// The first gap of this length.
    fn gap_for(&self, len: u64) -> u64 {
        let mut offset = 0;
        for used in &self.used {
            if used.offset >= offset + len {
                break;
            }
            offset = offset.max(used.end().next_multiple_of(ALIGN));
        }
        offset
    }

    /// The body at a place; nothing when other bytes are there now.
    pub(super) fn load(&self, extent: Extent) -> io::Result<Option<Bytes>> {
        load(&self.file, extent)
    }

    /// A place can be given again.
    pub(super) fn release(&mut self, extent: Extent) {
        if let Some(place) = self.used.iter().position(|it| *it == extent) {
            self.used.remove(place);
        }
    }

    /// Cuts the file when nothing is in it.
    pub(super) fn shrink(&mut self) {
        if self.used.is_empty() && self.len > WORTH_CUTTING && self.file.set_len(0).is_ok() {
            self.len = 0;
        }
    }
}

/// The body at a place of the file; nothing when other bytes are there now.
pub(super) fn load(file: &impl Handle, extent: Extent) -> io::Result<Option<Bytes>> {
    // A damaged entry must not make us reserve more than there is.
    if extent.end() > file.len()? {
        return Ok(None);
    }
    let mut body = vec![0; usize::try_from(extent.len).unwrap_or(0)];
    file.read_at(&mut body, extent.offset)?;
    Ok((crc32c::crc32c(&body) == extent.checksum).then(|| Bytes::from(body)))
}

#[cfg(test)]
mod tests {
    use super::super::volume::Real;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bodies_never_overlap_and_the_file_stays_small(
            steps in proptest::collection::vec((1usize..20_000, any::<bool>()), 1..60),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut bodies = Bodies::open(&Real, dir.path(), std::iter::empty()).unwrap();
            let mut live: Vec<(Extent, Vec<u8>)> = Vec::new();
            let mut most = 0;
            for (number, (len, is_release)) in steps.into_iter().enumerate() {
                if is_release && !live.is_empty() {
                    let (extent, _) = live.swap_remove(number % live.len());
                    bodies.release(extent);
                } else {
                    let body = vec![u8::try_from(number % 251).unwrap(); len];
                    live.push((bodies.store(&body).unwrap(), body));
                }
                let in_use: u64 = live.iter().map(|(it, _)| it.len.next_multiple_of(ALIGN)).sum();
                most = most.max(in_use);
                for (extent, body) in &live {
                    prop_assert_eq!(&bodies.load(*extent).unwrap().unwrap()[..], &body[..]);
                }
            }
            // First fit wastes at most what lies between bodies of such different lengths.
            prop_assert!(bodies.len <= 3 * most);
            for (extent, _) in live {
                bodies.release(extent);
            }
            bodies.shrink();
            prop_assert!(bodies.len <= WORTH_CUTTING);
        }
    }

    #[test]
    fn a_body_that_was_overwritten_or_cut_off_is_not_returned() {
        let dir = tempfile::tempdir().unwrap();
        let mut bodies = Bodies::open(&Real, dir.path(), std::iter::empty()).unwrap();
        let extent = bodies.store(b"what was sealed").unwrap();
        bodies.file.write_at(b"W", extent.offset).unwrap();
        assert_eq!(bodies.load(extent).unwrap(), None);
        bodies.file.set_len(3).unwrap();
        assert_eq!(bodies.load(extent).unwrap(), None);
        let nonsense = Extent {
            offset: u64::MAX,
            len: u64::MAX,
            checksum: 0,
        };
        assert_eq!(bodies.load(nonsense).unwrap(), None);
    }
}
