//! What the system says of the volumes that files lie on. Opens nothing.

use rustix::fs::StatFs;

/// What a volume is called that others than this system's processes can change files on; nothing
/// for those that only they can.
pub(in crate::source) fn shared(volume: &StatFs) -> Option<&'static str> {
    // Numbers from linux/magic.h.
    match u64::try_from(volume.f_type).ok()? {
        0x6969 => Some("NFS"),
        0xFF53_4D42 | 0xFE53_4D42 | 0x517B => Some("SMB"),
        0x0102_1997 => Some("9p"),
        0x6573_5546 => Some("FUSE"),
        _ => None,
    }
}
