//! A small volume for an agent's state or its logs, which a test can fill. It is a tmpfs in namespaces of its
//! own, so nothing of it is left when the test ends, however it ends.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The volume. Gone when it is dropped.
#[derive(Debug)]
pub(crate) struct SmallVolume {
    /// Keeps the namespaces alive: it ends when its stdin does.
    holder: Child,
    at: PathBuf,
}

impl SmallVolume {
    /// A volume of so many bytes at a folder, which is made; nothing where the system does not
    /// permit that.
    pub(crate) fn mount(at: &Path, bytes: u64) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let script = "mount -t tmpfs -o \"size=$1\" tmpfs \"$0\" && echo mounted && exec cat";
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .args([at.as_os_str(), bytes.to_string().as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = String::new();
        let stdout = holder.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        let volume = Self {
            holder,
            at: at.to_owned(),
        };
        (said == "mounted\n").then_some(volume)
    }

    /// A command that runs a program where the volume is; the process becomes the program.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--preserve-credentials", "--user", "--mount", "--target"])
            .arg(self.holder.id().to_string())
            .arg(program);
        command
    }

    /// Leaves not a byte free.
    pub(crate) fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        for piece in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    /// Gives back what was filled.
    pub(crate) fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// The path by which a test reaches a file on it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.at.strip_prefix("/").unwrap()).join(name)
    }

    fn filler(&self) -> PathBuf {
        self.file("filler")
    }
}

impl Drop for SmallVolume {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
