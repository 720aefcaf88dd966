//! The control socket in the state directory: `pinnace status` asks over it. One line of JSON
//! in, one out; only the owner of the state directory can connect.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::Observer;
use super::snapshot::Status;
use crate::journal::who_may_look;

/// A longer request is none of ours, in bytes.
const MAX_REQUEST: u64 = 4096;
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether the socket is still at its name, while nobody asks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often it is tried to make the socket.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// A longer path is not taken for a socket, in bytes.
const LONGEST_ADDRESS: usize = 107;

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
enum Question {
    Status,
}

/// The socket of the agent with this state directory.
pub(crate) fn path_in(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

/// The address of the socket at a path. Where the path is too long it leads through the folder, which
/// is open meanwhile.
struct Address {
    path: PathBuf,
    _folder: Option<OwnedFd>,
}

impl Address {
    fn of(path: &Path) -> io::Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidFilename.into());
        };
        if path.as_os_str().len() <= LONGEST_ADDRESS {
            return Ok(Self {
                path: path.to_owned(),
                _folder: None,
            });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        let through = format!("/proc/self/fd/{}", folder.as_raw_fd());
        Ok(Self {
            path: Path::new(&through).join(name),
            _folder: Some(folder),
        })
    }
}

/// Serves for as long as the runtime lives. The socket is made at once where that is possible, and
/// else as soon as it is: so too when its name is gone, with the state directory or without it.
pub(crate) fn serve(state_dir: &Path, observer: &Arc<Observer>) -> JoinHandle<()> {
    let path = path_in(state_dir);
    let socket = Socket::bind(&path)
        .inspect_err(|error| {
            tracing::warn!(
                socket = %path.display(),
                %error,
                "cannot serve the control socket: pinnace status will not work until that is mended"
            );
        })
        .ok();
    tokio::spawn(keep_serving(socket, path, Arc::clone(observer)))
}

async fn keep_serving(mut socket: Option<Socket>, path: PathBuf, observer: Arc<Observer>) {
    loop {
        match socket.take() {
            Some(socket) => socket.serve(&path, &observer).await,
            None => tokio::time::sleep(TRY_AGAIN).await,
        }
        socket = Socket::bind(&path).ok();
        if socket.is_some() {
            tracing::info!("serving the control socket now");
        }
    }
}

/// A listening socket, and which file it is.
#[derive(Debug)]
struct Socket {
    listener: UnixListener,
    file: (u64, u64),
}

impl Socket {
    /// Listens. A dead socket is replaced; one that answers is another agent's.
    fn bind(path: &Path) -> io::Result<Self> {
        let address = Address::of(path)?;
        if std::os::unix::net::UnixStream::connect(&address.path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&address.path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let file = file_at(path)?;
        Ok(Self { listener, file })
    }

    /// Serves until its name leads to it no more.
    async fn serve(&self, path: &Path, observer: &Arc<Observer>) {
        loop {
            match tokio::time::timeout(LOOK_EVERY, self.listener.accept()).await {
                Ok(Ok((stream, _))) => {
                    let observer = Arc::clone(observer);
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(TIMEOUT, answer(stream, &observer)).await;
                    });
                }
                Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(_) if file_at(path).ok() != Some(self.file) => return,
                Err(_) => {}
            }
        }
    }
}

/// Device and inode: an inode is not given again while the socket is open.
fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

async fn answer(mut stream: UnixStream, observer: &Observer) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_REQUEST))
        .read_line(&mut line)
        .await?;
    let mut reply = match serde_json::from_str(&line) {
        Ok(Question::Status) => serde_json::to_vec(&observer.status(true).await)?,
        Err(error) => serde_json::to_vec(&serde_json::json!({ "error": error.to_string() }))?,
    };
    reply.push(b'\n');
    write.write_all(&reply).await
}

/// Why an agent could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Nobody listens.
    #[error("no agent answers at {}: {source}{}", path.display(), mending(path, source))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The conversation broke.
    #[error("the agent stopped answering")]
    Talk(#[source] io::Error),
    /// It speaks otherwise.
    #[error("the agent's answer cannot be understood: is it of another version?")]
    Understand(#[source] serde_json::Error),
}

fn mending(socket: &Path, error: &io::Error) -> String {
    match (error.kind(), socket.parent()) {
        (io::ErrorKind::PermissionDenied, Some(state_dir)) => who_may_look(state_dir),
        _ => "; is one running with this state_dir?".to_owned(),
    }
}

/// Asks the agent with this state directory.
pub(crate) async fn ask_status(state_dir: &Path) -> Result<Status, AskError> {
    let path = path_in(state_dir);
    let connect = async {
        let address = Address::of(&path)?;
        UnixStream::connect(&address.path).await
    };
    let mut stream = connect
        .await
        .map_err(|source| AskError::Connect { path, source })?;
    let mut question = serde_json::to_vec(&Question::Status).map_err(AskError::Understand)?;
    question.push(b'\n');
    let talk = async {
        stream.write_all(&question).await?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await?;
        Ok(reply)
    };
    let reply = tokio::time::timeout(TIMEOUT, talk)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(AskError::Talk)?;
    serde_json::from_slice(&reply).map_err(AskError::Understand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_is_told_as_whom_to_ask() {
        let dir = tempfile::tempdir().unwrap();
        let told = |kind: io::ErrorKind| {
            let path = path_in(&dir.path().join("away"));
            let source = kind.into();
            AskError::Connect { path, source }.to_string()
        };
        let closed = told(io::ErrorKind::PermissionDenied);
        assert!(
            closed.ends_with("; run this as the user of the agent or as root"),
            "{closed}"
        );
        let away = told(io::ErrorKind::NotFound);
        assert!(
            away.ends_with("; is one running with this state_dir?"),
            "{away}"
        );
    }
}
