//! The control socket in the state directory: `pinnace status` asks over it. One line of JSON
//! in, one out; only the owner of the state directory can connect.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::Observer;
use super::snapshot::Status;

/// A longer request is none of ours, in bytes.
const MAX_REQUEST: u64 = 4096;
const TIMEOUT: Duration = Duration::from_secs(10);

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

/// Listens. A dead socket is replaced; one that answers is another agent's.
pub(crate) fn bind(state_dir: &Path) -> io::Result<UnixListener> {
    let path = path_in(state_dir);
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until the runtime ends.
pub(crate) async fn serve(listener: UnixListener, observer: Arc<Observer>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let observer = Arc::clone(&observer);
        tokio::spawn(async move {
            let _ = tokio::time::timeout(TIMEOUT, answer(stream, &observer)).await;
        });
    }
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
    #[error("no agent answers at {}: {source}; is one running with this state_dir?", path.display())]
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

/// Asks the agent with this state directory.
pub(crate) async fn ask_status(state_dir: &Path) -> Result<Status, AskError> {
    let path = path_in(state_dir);
    let mut stream = UnixStream::connect(&path)
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
