"""The fetched programs, and the one way to call a program.

Owns: where helm, kubectl, hadolint and shellcheck are. Every call gets a folder of its own as HOME,
so that nothing of the user's configuration is read or written.
"""

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Toolbox:
    """The programs below one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)

    def run(self, *command, stdin: str = "", env: dict = None, cwd: Path = ROOT):
        """Runs a program and returns it with `returncode`, `stdout` and `stderr`."""
        base = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
        }
        return subprocess.run(
            [str(part) for part in command],
            input=stdin,
            env=base | (env or {}),
            cwd=cwd,
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def fetched(self, name: str) -> Path:
        """A program that a wheel has put beside the environment's Python."""
        return self.folder / "bin" / name

    def cluster_tool(self, name: str) -> Path:
        """helm or kubectl: the ones inside the fetched layer, which are built for Linux on x86-64;
        elsewhere those of the PATH."""
        path = self.folder / "cluster" / name
        if not path.exists():
            self.unpack_layer()
        try:
            if self.run(path, "--help").returncode == 0:
                return path
        except OSError:
            pass
        found = shutil.which(name)
        if not found:
            raise FileNotFoundError(f"the fetched {name} does not run here, and none is on the PATH")
        return Path(found)

    def unpack_layer(self) -> None:
        """helm and kubectl lie in a zip, in a tgz, in the wheel."""
        (tgz,) = self.folder.glob("lib/python3*/site-packages/aws_cdk/*/_jsii/*.tgz")
        with tarfile.open(tgz) as archive:
            layer = io.BytesIO(archive.extractfile("package/lib/layer.zip").read())
        target = self.folder / "cluster"
        target.mkdir(exist_ok=True)
        with zipfile.ZipFile(layer) as files:
            for name in ("helm", "kubectl"):
                partial = target / f"{name}.{os.getpid()}"
                partial.write_bytes(files.read(f"{name}/{name}"))
                partial.chmod(0o755)
                partial.replace(target / name)


def repository_files(*patterns: str) -> list:
    """The repository's files that match one of the globs, without what builds made."""
    skipped = {"target", ".git", "node_modules"}
    found = set()
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            parts = path.relative_to(ROOT).parts
            if path.is_file() and not skipped.intersection(parts):
                found.add(path)
    return sorted(found)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))
