//! What the agent itself needs: its state directory, and the address at which it is asked.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Section;
use crate::config::Config;
use crate::journal::{Place, look_at_place};
use crate::observe::{control, http};

/// An agent on this machine answers sooner.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn look(config: &Config) -> Section {
    let mut section = Section::new("agent".to_owned());
    let dir = &config.state_dir;
    let shown = dir.display();
    let mut runs = false;
    match look_at_place(dir) {
        Ok(Place::CanBeMade(folder)) => {
            let folder = folder.display();
            section.holds("state_dir", format!("{shown} can be made, in {folder}"));
        }
        Ok(Place::Free) => {
            section.holds(
                "state_dir",
                format!("{shown} can be written, and no agent holds it"),
            );
        }
        Ok(Place::Held) => {
            runs = control::ask_status(dir).await.is_ok();
            if runs {
                section.holds(
                    "state_dir",
                    format!("{shown} can be written; the agent that runs holds it"),
                );
            } else {
                section.note(
                    "state_dir",
                    format!("{shown} can be written; an agent holds it that does not answer"),
                );
            }
        }
        Err(error) => section.fails("state_dir", error.to_string()),
    }
    match config.server.listen {
        None => section.holds("listen", "off: nothing is served"),
        Some(address) => listen(&mut section, address, runs).await,
    }
    section
}

/// Whether an address is free, or that of the agent which runs.
async fn listen(section: &mut Section, address: SocketAddr, runs: bool) {
    match http::bind(address).await {
        Ok(_) => section.holds("listen", format!("{address} is free")),
        Err(error)
            if runs
                && error.kind() == io::ErrorKind::AddrInUse
                && is_of_an_agent(address).await =>
        {
            section.holds(
                "listen",
                format!("{address} is that of the agent that runs"),
            );
        }
        Err(error) => section.fails("listen", http::cannot_listen(address, &error)),
    }
}

/// Whether an agent answers at an address of this machine.
async fn is_of_an_agent(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, ask).await;
    let answer = answer.ok().and_then(Result::ok).unwrap_or_default();
    memchr::memmem::find(&answer, http::GREETING.as_bytes()).is_some()
}
