//! Asks the system itself whether anybody has a file open for writing, in whatever container: it
//! gives a read lease only where nobody has. The lease is given back at once.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use libc::{EAGAIN, F_RDLCK, F_SETLEASE, F_UNLCK, SIGURG, c_int};

use super::volume;

/// Which signal tells that somebody waits for the end of a lease; from asm-generic/fcntl.h.
const F_SETSIG: c_int = 10;

/// Whether somebody has this file open for writing, which is open for reading here. Nothing where
/// the system does not say that: the file is another user's and `CAP_LEASE` is lacking, or its
/// volume knows no leases.
///
/// Whoever opens the file for writing, or truncates it, within the few microseconds of the lease
/// waits for its end; so it is asked of files alone that are past.
pub(in crate::source) fn is_written(file: &File) -> Option<bool> {
    #[cfg(test)]
    if super::sight::is_lost() {
        return None;
    }
    // A server gives leases by rules of its own, and other machines may write.
    if volume::shared(&rustix::fs::fstatfs(file).ok()?).is_some() {
        return None;
    }
    // The usual signal would end this process; of this one nobody takes notice.
    fcntl(file, F_SETSIG, SIGURG).ok()?;
    match fcntl(file, F_SETLEASE, F_RDLCK) {
        Ok(()) => {
            // Should it fail, the lease ends with the descriptor.
            let _ = fcntl(file, F_SETLEASE, F_UNLCK);
            Some(false)
        }
        Err(error) if error.raw_os_error() == Some(EAGAIN) => Some(true),
        Err(_) => None,
    }
}

#[expect(
    unsafe_code,
    reason = "there is no safe interface to leases; `rustix` and the standard library have none"
)]
fn fcntl(file: &File, command: c_int, argument: c_int) -> io::Result<()> {
    // SAFETY: the descriptor stays open while `file` is borrowed, and the commands above take a
    // number and touch no memory of this process.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_file_is_written_until_its_last_writer_closes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let first = File::create(&path).unwrap();
        let second = File::options().append(true).open(&path).unwrap();
        let ours = File::open(&path).unwrap();
        if is_written(&ours).is_none() {
            return eprintln!("skipped: this volume knows no leases");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(is_written(&ours), Some(true));
        drop(first);
        assert_eq!(is_written(&ours), Some(true));
        drop(second);
        assert_eq!(is_written(&ours), Some(false));
        assert_eq!(is_written(&ours), Some(false), "the lease was given back");
    }
}
