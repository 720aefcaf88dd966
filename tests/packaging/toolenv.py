#!/usr/bin/env python3
"""Makes one Python environment under target/tools from a list of pins, and keeps it between runs.

Usage: toolenv.py REQUIREMENTS DIRECTORY

Prints the path of the environment's Python. Owns: when an environment counts as complete, and
what to do when this machine's Python has no ensurepip. Writes nothing outside DIRECTORY and its
lock file. Never installs a system package: it says which one is missing.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

MARKER = ".complete"
ATTEMPTS = 3


class ToolError(Exception):
    """The environment could not be made; the message says what the user can do."""


def environment(requirements: Path, directory: Path) -> Path:
    """Returns the Python of a complete environment in `directory`, making it when needed."""
    # Only made absolute, never resolved: a moved tree has another path and needs a new one.
    directory = Path(os.path.abspath(directory))
    python = directory / "bin" / "python"
    wanted = fingerprint(requirements, directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with lock(directory.with_name(directory.name + ".lock")):
        marker = directory / MARKER
        if marker.is_file() and marker.read_text() == wanted and python.exists():
            return python
        make(requirements, directory, python)
        # Last: whatever was cut off before this point is thrown away by the next run.
        partial = directory / (MARKER + ".new")
        partial.write_text(wanted)
        partial.replace(marker)
    return python


def fingerprint(requirements: Path, directory: Path) -> str:
    """What an environment depends on. Scripts in it carry its own path, so the path counts."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    version = ".".join(str(part) for part in sys.version_info[:3])
    return f"{digest}\n{version} {sys.base_prefix}\n{directory}\n"


@contextlib.contextmanager
def lock(path: Path):
    """Holds an exclusive lock: two runs at once must not build the same environment."""
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(requirements: Path, directory: Path, python: Path) -> None:
    """Makes the environment from nothing."""
    shutil.rmtree(directory, ignore_errors=True)
    say(f"making {directory} (once)")
    pip = bare_environment(directory, python)
    # No dependency is followed: the lists name everything, so that today's set is tomorrow's.
    command = [*pip, "install", "--quiet", "--no-deps", "--no-cache-dir", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "5", "--timeout", "60"]
    command += ["-r", str(requirements)]
    for attempt in range(1, ATTEMPTS + 1):
        if subprocess.run(command, env=clean_environment(), check=False).returncode == 0:
            return
        say(f"pip failed, attempt {attempt} of {ATTEMPTS}")
    raise ToolError(f"pip could not install {requirements}; its own message is above")


def bare_environment(directory: Path, python: Path) -> list:
    """Makes an empty environment and returns the command of a pip that installs into it."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    env = clean_environment()
    made = [sys.executable, "-m", "venv", str(directory)]
    if subprocess.run(made, env=env, check=False, **quiet).returncode == 0:
        return [str(python), "-m", "pip"]
    # Debian splits ensurepip off. An environment without pip, filled by the host's pip, is as good.
    shutil.rmtree(directory, ignore_errors=True)
    made = [sys.executable, "-m", "venv", "--without-pip", str(directory)]
    if subprocess.run(made, env=env, check=False, **quiet).returncode == 0:
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        if subprocess.run([*pip, "--version"], env=env, check=False, **quiet).returncode == 0:
            return pip
    raise ToolError(
        f"{sys.executable} can make no virtual environment: it has neither ensurepip nor a pip "
        "of 22.3 or newer. On Debian and Ubuntu: apt-get install python3-venv"
    )


def clean_environment() -> dict:
    """The caller's environment, without what would make pip install somewhere else."""
    drop = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    kept = {key: value for key, value in os.environ.items() if key not in drop}
    kept["PIP_ROOT_USER_ACTION"] = "ignore"
    return kept


def say(text: str) -> None:
    print(f"tools: {text}", file=sys.stderr, flush=True)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    try:
        print(environment(Path(sys.argv[1]), Path(sys.argv[2])))
    except ToolError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
