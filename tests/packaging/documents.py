"""Whether the paths that documents name exist, and whether scripts and units are well formed.

Pure where it can be; what needs a program gets the toolbox. Owns: which words of a document are
taken for a path.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

import yaml

from toolbox import ROOT, Toolbox, relative, repository_files

# A word in backticks that begins so is a path of this repository.
TREES = ("src/", "tests/", "benches/", "helm/", "deploy/", "localstack/", "docs/", ".ci/")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)


def path_problems(text: str, folder: Path, root: Path = ROOT) -> list:
    """Paths that a Markdown text names and that do not exist."""
    prose = FENCE.sub("", text)
    found = []
    for target in LINK.findall(prose):
        if re.match(r"[a-z][a-z0-9+.-]*:", target) or target.startswith("#"):
            continue
        path = target.split("#")[0]
        base = root if path.startswith("/") else folder
        if not (base / path.lstrip("/")).exists():
            found.append(f"link to {target}")
    for word in CODE.findall(prose):
        path = word.split("::")[0].split()[0] if word.strip() else ""
        if not path.startswith(TREES) or "…" in path or "<" in path or "{" in path:
            continue
        bases = {root, folder}
        if not any(matches(base, path.rstrip("/.")) for base in bases):
            found.append(f"path {word}")
    return found


def matches(base: Path, path: str) -> bool:
    return any(base.glob(path)) if "*" in path else (base / path).exists()


def all_path_problems() -> list:
    return [
        f"{relative(path)}: {problem}"
        for path in repository_files("*.md", "**/*.md")
        for problem in path_problems(path.read_text(), path.parent)
    ]


def scripts() -> list:
    """Every bash or sh script of the repository, by its first line."""
    found = []
    for path in repository_files("*", ".ci/*", "localstack/*", "deploy/**/*", "tests/**/*", "benches/**/*"):
        with open(path, "rb") as file:
            first = file.readline(200)
        if re.match(rb"#!.*\b(ba)?sh\b", first):
            found.append(path)
    return found


def script_problems(tools: Toolbox, paths: list) -> list:
    found = []
    for path in paths:
        for command in (("bash", "-n"), (tools.fetched("shellcheck"), "--severity=style")):
            answer = tools.run(*command, path)
            if answer.returncode != 0:
                found.append(f"{path}: {answer.stdout}{answer.stderr}".strip())
        if not path.stat().st_mode & 0o111:
            found.append(f"{path}: not executable")
    return found


def inline_script_problems(tools: Toolbox, manifest_containers: list) -> list:
    """Scripts that manifests hand to a shell."""
    found = []
    for container in manifest_containers:
        command = [*(container.get("command") or []), *(container.get("args") or [])]
        if command[:2] not in (["/bin/sh", "-c"], ["sh", "-c"]):
            continue
        answer = tools.run(tools.fetched("shellcheck"), "--shell=busybox", "-", stdin=command[2])
        if answer.returncode != 0:
            found.append(f"container {container['name']}: {answer.stdout}{answer.stderr}".strip())
    return found


def python_problems() -> list:
    """Python files that do not compile."""
    found = []
    for path in repository_files("tests/**/*", "localstack/*", "benches/**/*"):
        with open(path, "rb") as file:
            first = file.readline(200)
        if path.suffix != ".py" and not re.match(rb"#!.*\bpython", first):
            continue
        try:
            compile(path.read_text(), str(path), "exec")
        except SyntaxError as error:
            found.append(f"{relative(path)}: {error}")
    return found


def dockerfile_problems(tools: Toolbox, path: Path) -> list:
    answer = tools.run(tools.fetched("hadolint"), "--no-color", path)
    found = [answer.stdout.strip()] if answer.returncode != 0 else []
    for line in re.findall(r"^COPY (?!--from)(.*)$", path.read_text(), re.M):
        for source in line.split()[:-1]:
            if not (ROOT / source).exists():
                found.append(f"COPY {source}: there is no such file")
    return found


def unit_problems(tools: Toolbox, text: str) -> list:
    """What systemd says; nothing where there is no systemd."""
    if not shutil.which("systemd-analyze"):
        return []
    # The binary is not installed here, and that is no mistake of the unit.
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/sh", text, flags=re.M)
    with tempfile.TemporaryDirectory(dir=tools.home) as folder:
        unit = Path(folder) / "pinnace.service"
        unit.write_text(text)
        answer = tools.run("systemd-analyze", "verify", unit)
        found = [answer.stderr.strip()] if answer.returncode != 0 or answer.stderr.strip() else []
        security = ["security", "--offline=true", "--threshold=20", "--no-pager"]
        answer = tools.run("systemd-analyze", *security, unit)
        # Older ones cannot judge a file.
        if answer.returncode != 0 and "offline" not in answer.stderr:
            found.append("exposed more than 2.0: " + answer.stdout.strip().splitlines()[-1])
    return found


def task_definition_problems(text: str) -> list:
    """JSON, and names that refer to what exists."""
    try:
        task = json.loads(text)
    except ValueError as error:
        return [str(error)]
    found = [
        f"no {key}"
        for key in ("family", "cpu", "memory", "networkMode", "executionRoleArn", "taskRoleArn")
        if key not in task
    ]
    volumes = {volume["name"] for volume in task.get("volumes", [])}
    names = {container["name"] for container in task.get("containerDefinitions", [])}
    if not any(container.get("essential", True) for container in task.get("containerDefinitions", [])):
        found.append("no essential container")
    for container in task.get("containerDefinitions", []):
        for mount in container.get("mountPoints", []):
            if mount["sourceVolume"] not in volumes:
                found.append(f"{container['name']}: no volume {mount['sourceVolume']}")
        for dependency in container.get("dependsOn", []):
            if dependency["containerName"] not in names - {container["name"]}:
                found.append(f"{container['name']}: depends on {dependency['containerName']}")
        if container.get("stopTimeout", 30) > 120:
            found.append(f"{container['name']}: stopTimeout is at most 120 s")
    return found


def compose_problems(text: str) -> list:
    """The compose file must offer LocalStack on loopback, in the pinned version."""
    services = (yaml.safe_load(text) or {}).get("services") or {}
    service = services.get("localstack") or {}
    found = []
    if not re.fullmatch(r"localstack/localstack:[0-9]+\.[0-9]+\.[0-9]+", service.get("image", "")):
        found.append("localstack has no pinned image")
    if not any(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])):
        found.append("localstack is not bound to loopback")
    return found
