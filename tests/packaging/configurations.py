"""Finds every Pinnace configuration in manifests, task definitions, files and documents, and checks
what can be checked from outside the program.

Owns: where configurations are looked for, and the rules between a configuration and its pod. What a
configuration may say is the program's own business: its schema and `pinnace check` are asked.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

import restricted
from toolbox import ROOT, relative, repository_files

REFERENCE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}")


@dataclass
class Found:
    """One configuration."""

    place: str
    text: str
    # The variables its container has; None when nothing says which.
    environment: set = None
    grace_seconds: int = None
    mounts: list = field(default_factory=list)

    def variables(self) -> set:
        """The variables it cannot do without."""
        return {m[1] for m in REFERENCE.finditer(self.text) if m[1] and not m[2]}

    def filled(self):
        """The tree with every reference replaced, as the program sees it."""
        return fill(yaml.safe_load(self.text))


def fill(value):
    if isinstance(value, dict):
        return {key: fill(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner) for inner in value]
    if isinstance(value, str):
        return REFERENCE.sub(replacement, value)
    return value


def replacement(match) -> str:
    if match[0] == "$$":
        return "$"
    return match[2][2:] if match[2] else sample(match[1])


def sample(name: str) -> str:
    """Stands for what is only known at run time."""
    if name.endswith(("URL", "ENDPOINT")):
        return "http://127.0.0.1:3100"
    return "/tmp/sample" if name.endswith(("FOLDER", "DIR")) else "eu-west-1"


def in_manifests(manifests: list, place: str) -> list:
    """The configurations in ConfigMaps that pods mount, and in PINNACE_CONFIG."""
    texts = {
        manifest["metadata"]["name"]: manifest["data"]["pinnace.yaml"]
        for manifest in manifests
        if manifest.get("kind") == "ConfigMap" and "pinnace.yaml" in (manifest.get("data") or {})
    }
    found = []
    for manifest in manifests:
        spec = restricted.pod_spec(manifest)
        for container in restricted.containers(spec) if spec else []:
            if not restricted.is_pinnace(container):
                continue
            at = f"{place}: {manifest['kind']}/{manifest['metadata']['name']}"
            found.extend(of_container(container, spec, texts, at))
    return found


def of_container(container: dict, spec: dict, texts: dict, place: str) -> list:
    names = {variable["name"] for variable in container.get("env") or []}
    # What comes from elsewhere as a whole cannot be known here.
    environment = None if container.get("envFrom") else names
    mounts = [mount["mountPath"] for mount in container.get("volumeMounts") or []]
    found = [
        Found(place, variable["value"], environment, None, mounts)
        for variable in container.get("env") or []
        if variable["name"] == "PINNACE_CONFIG"
    ]
    for volume in spec.get("volumes") or []:
        text = texts.get((volume.get("configMap") or {}).get("name"))
        if text is not None:
            grace = spec.get("terminationGracePeriodSeconds", 30)
            # A pod that only checks has nothing to deliver at its end.
            running = (container.get("args") or ["run"])[0] == "run"
            found.append(Found(place, text, environment, grace if running else None, mounts))
    return found


def in_task_definition(path: Path) -> list:
    found = []
    for container in json.loads(path.read_text())["containerDefinitions"]:
        env = {variable["name"]: variable["value"] for variable in container.get("environment", [])}
        if "PINNACE_CONFIG" in env:
            mounts = [mount["containerPath"] for mount in container.get("mountPoints", [])]
            grace = container.get("stopTimeout", 30)
            place = f"{relative(path)}: {container['name']}"
            found.append(Found(place, env["PINNACE_CONFIG"], set(env), grace, mounts))
    return found


def in_files() -> list:
    """Files that are configurations, and the YAML blocks of documents that look like one."""
    found = []
    for path in repository_files("deploy/**/*.yaml", "localstack/**/*.yaml", "docs/**/*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            if looks_like_one(document):
                found.append(Found(relative(path), path.read_text()))
    for path in repository_files("**/*.md"):
        for block in re.findall(r"^```ya?ml\n(.*?)^```", path.read_text(), re.M | re.S):
            try:
                document = yaml.safe_load(block)
            except yaml.YAMLError:
                continue
            if looks_like_one(document):
                found.append(Found(relative(path), block))
    return found


def looks_like_one(document) -> bool:
    return isinstance(document, dict) and {"inputs", "outputs"} <= set(document)


def problems(found: Found) -> list:
    """What does not hold between a configuration and the place where it runs."""
    try:
        tree = found.filled()
    except yaml.YAMLError as error:
        return [f"{found.place}: {error}"]
    wrong = []
    if not looks_like_one(tree):
        return [f"{found.place}: no inputs or no outputs"]
    if found.environment is not None:
        for name in sorted(found.variables() - found.environment):
            wrong.append(f"${{{name}}} is not in the container's environment")
    timeout = seconds((tree.get("shutdown") or {}).get("timeout", "25s"))
    if found.grace_seconds is not None and found.grace_seconds <= timeout:
        wrong.append(f"killed after {found.grace_seconds} s, but shutdown.timeout is {timeout:g} s")
    if found.mounts:
        paths = [glob for item in tree["inputs"] for glob in item.get("include", [])]
        for path in [tree.get("state_dir", "/var/lib/pinnace"), *paths]:
            if not any(path.startswith(mount.rstrip("/") + "/") or path == mount for mount in found.mounts):
                wrong.append(f"{path} lies in no volume of the container")
    return [f"{found.place}: {problem}" for problem in wrong]


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)\s*(ms|s|m|h)", str(duration)).groups()
    return float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def schema_problems(found: Found, validator) -> list:
    """What the program's published schema has against it."""
    return [
        f"{found.place}: {'.'.join(str(part) for part in error.path)}: {error.message}"
        for error in validator.iter_errors(found.filled())
    ]


def check_problems(found: Found, binary: str, tools) -> list:
    """What `pinnace check` says about it."""
    path = tools.folder / "home" / "pinnace.yaml"
    path.write_text(found.text)
    environment = {name: sample(name) for name in found.variables() | {"AWS_REGION"}}
    answer = tools.run(ROOT / binary, "check", f"--config={path}", env=environment)
    if answer.returncode == 0:
        return []
    said = (answer.stderr or answer.stdout).strip()
    return [f"{found.place}: pinnace check ends with {answer.returncode}:\n{said}"]
