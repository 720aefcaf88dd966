"""Broken samples: each must be found by the check it was made for.

Owns the samples. A check of ours that cannot fail proves nothing.
"""

import copy
import json
import shutil
import tempfile
from pathlib import Path

import charts
import configurations
import documents
import restricted
from toolbox import ROOT, Toolbox

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "sample"},
    "spec": {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [
            {
                "name": "pinnace",
                "image": "registry.example.org:5000/pinnace:1@sha256:00",
                "restartPolicy": "Always",
                "args": ["run", "--on-error=degrade"],
                "env": [],
                "startupProbe": {"httpGet": {"path": "/healthz", "port": 9899}},
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": 9899}},
                "resources": {"limits": {"memory": "64Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
        "volumes": [{"name": "logs", "emptyDir": {"sizeLimit": "1Gi"}}],
    },
}
CONTAINER = ("initContainers", 0)
SECURITY = (*CONTAINER, "securityContext")

# (name, path below spec, value)
POD_CHANGES = [
    ("the host's network", ("hostNetwork",), True),
    ("the host's processes", ("hostPID",), True),
    ("a token of the API server", ("automountServiceAccountToken",), True),
    ("a hostPath volume", ("volumes", 0), {"name": "a", "hostPath": {"path": "/"}}),
    ("an emptyDir without a limit", ("volumes", 0), {"name": "a", "emptyDir": {}}),
    ("an unsafe sysctl", ("securityContext", "sysctls"), [{"name": "kernel.msgmax", "value": "1"}]),
    ("a pod that may be root", ("securityContext", "runAsNonRoot"), False),
    ("a user 0", ("securityContext", "runAsUser"), 0),
    ("no seccomp profile", ("securityContext", "seccompProfile"), {"type": "Unconfined"}),
    ("a container that may be root", (*SECURITY, "runAsNonRoot"), False),
    ("a privileged container", (*SECURITY, "privileged"), True),
    ("privilege escalation", (*SECURITY, "allowPrivilegeEscalation"), None),
    ("a writable root file system", (*SECURITY, "readOnlyRootFilesystem"), False),
    ("capabilities that are kept", (*SECURITY, "capabilities"), {"drop": ["NET_RAW"]}),
    ("a capability that is added", (*SECURITY, "capabilities"), {"drop": ["ALL"], "add": ["CHOWN"]}),
    ("a host port", (*CONTAINER, "ports"), [{"containerPort": 1, "hostPort": 1}]),
    ("no memory limit", (*CONTAINER, "resources"), {}),
    ("a variable of Kubernetes'", (*CONTAINER, "env"), [{"name": "PINNACE_PORT", "value": "1"}]),
    ("an init container that must end", (*CONTAINER, "restartPolicy"), None),
    ("another command", (*CONTAINER, "args"), ["check"]),
    ("a sidecar that ends on errors", (*CONTAINER, "args"), ["run", "--on-error=exit"]),
    ("a probe that asks for the backend", (*CONTAINER, "livenessProbe", "httpGet", "path"), "/readyz"),
    ("a probe with a port's name", (*CONTAINER, "startupProbe", "httpGet", "port"), "http"),
]

CONFIG = """
inputs: [{name: app, include: ["/var/log/app/*.log"]}]
outputs: [{name: l, type: loki, url: "http://${HOST}"}]
"""


def checks(chart: charts.Chart, tools: Toolbox):
    """(name, function that returns the problems of a broken sample, never none)"""
    yield "the unbroken pod passes", lambda: not restricted.problems(POD)
    for name, path, value in POD_CHANGES:
        yield name, lambda p=path, v=value: restricted.problems(changed(p, v))
    yield from configuration_samples()
    yield from document_samples(tools)
    yield "values that the schema accepts", lambda: chart.refusal_problems([("port: 9000", "port")], [])
    yield "values refused for another reason", lambda: chart.refusal_problems([("port: a", "zz")], [])
    yield "good values that are refused", lambda: chart.refusal_problems([], ["nonsense: 1"])
    yield "a chart that does not render", lambda: broken_chart(tools)
    published = {"properties": {"inputs": {"items": {"properties": {"brand_new": {}}}}}}
    known = charts.CHART / "values.schema.json"
    yield "a key that the chart does not know", lambda: [
        problem
        for problem in charts.schema_keys_problems(published, json.loads(known.read_text()))
        if "brand_new" in problem
    ]


def changed(path: tuple, value) -> dict:
    """The good pod with one thing in it changed."""
    pod = copy.deepcopy(POD)
    target = pod["spec"]
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    return pod


def configuration_samples():
    def found(text=CONFIG, environment=frozenset({"HOST"}), grace=26, mounts=None):
        default = ["/var/log/app", "/var/lib/pinnace"]
        return configurations.Found("sample", text, set(environment), grace, mounts or default)

    def of(sample):
        return lambda: configurations.problems(sample)

    yield "the unbroken configuration passes", lambda: not configurations.problems(found())
    yield "a variable that nobody sets", of(found(environment=frozenset()))
    yield "a pod killed before the shutdown ends", of(found(grace=25))
    yield "logs in no volume", of(found(mounts=["/var/log", "/var/lib/pinnace"][1:]))
    yield "a state directory in no volume", of(found(mounts=["/var/log/app", "/var/lib/pin"]))
    yield "text that is no configuration", of(found("inputs: []"))
    yield "text that is no YAML", of(found("inputs: ["))


def document_samples(tools: Toolbox):
    def in_folder(name, text, check, mode=0o755):
        def call():
            with tempfile.TemporaryDirectory(dir=tools.home) as folder:
                path = Path(folder) / name
                path.write_text(text)
                path.chmod(mode)
                return check(path)

        return call

    def paths(text):
        return lambda: documents.path_problems(text, ROOT)

    yield "a link to nowhere", paths("[a](docs/nowhere.md)")
    yield "a path in backticks to nowhere", paths("see `src/nowhere.rs`")
    yield "good links pass", lambda: not documents.path_problems(
        "[a](LICENSE) [b](https://example.org/x) [c](#d) `deploy/*/*.yaml` `src/lib.rs`", ROOT
    )
    script = lambda path: documents.script_problems(tools, [path])  # noqa: E731
    yield "a script with a syntax error", in_folder("a", "#!/bin/bash\nif true\n", script)
    yield "a script that shellcheck dislikes", in_folder("a", "#!/bin/bash\nrm $1\n", script)
    yield "a script that cannot be run", in_folder("a", "#!/bin/bash\n:\n", script, 0o644)
    yield "shell in a manifest", lambda: documents.inline_script_problems(
        tools, [{"name": "a", "command": ["/bin/sh", "-c"], "args": ["rm $1"]}]
    )
    image = lambda path: documents.dockerfile_problems(tools, path)  # noqa: E731
    yield "a Dockerfile with a loose base", in_folder("Dockerfile", "FROM rust:latest\n", image)
    yield "a Dockerfile that copies nothing", in_folder(
        "Dockerfile", "FROM scratch\nCOPY nowhere /\n", image
    )
    if shutil.which("systemd-analyze"):
        unit = (ROOT / "deploy/systemd/pinnace.service").read_text()
        yield "a unit with an unknown key", lambda: documents.unit_problems(
            tools, unit.replace("Type=exec", "Tpye=exec")
        )
        yield "a unit that is not hardened", lambda: documents.unit_problems(
            tools, "[Service]\nExecStart=/bin/sh\n"
        )
    yield "a task definition that is no JSON", lambda: documents.task_definition_problems("{")
    task = (ROOT / "deploy/ecs/task-definition.json").read_text()
    yield "a task definition with a wrong volume", lambda: documents.task_definition_problems(
        task.replace('"sourceVolume": "logs"', '"sourceVolume": "lgos"')
    )
    compose = (ROOT / "localstack/docker-compose.yml").read_text()
    yield "a compose file without a version", lambda: documents.compose_problems(
        compose.replace(":4.4.0", ":latest")
    )
    yield "a compose file open to the network", lambda: documents.compose_problems(
        compose.replace("127.0.0.1:4566:4566", "4566:4566")
    )


def broken_chart(tools: Toolbox) -> list:
    with tempfile.TemporaryDirectory(dir=tools.home) as folder:
        chart = Path(folder) / "pinnace"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: pinnace\nversion: 0.1.0\n")
        (chart / "templates" / "a.yaml").write_text("a: {{ .Values.nowhere.deeper }}\n")
        return charts.Chart(tools, chart).lint_problems()
