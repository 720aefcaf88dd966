"""The chart under the real helm: what it must render and what it must refuse.

Owns: the values that must be refused, and the calls of helm. Checks no manifest itself.
"""

from pathlib import Path

import yaml

from toolbox import ROOT, Toolbox, repository_files

CHART = ROOT / "helm" / "pinnace"

# (values on top of the defaults, a piece of the refusal)
REFUSED = [
    ("nonsense: 1", "nonsense"),
    ("image: {repo: x}", "repo"),
    ("image: {repository: ''}", "repository"),
    ("image: {tag: 1.2}", "tag"),
    ("image: {digest: 'sha256:12'}", "digest"),
    ("image: {pullPolicy: Sometimes}", "pullPolicy"),
    ("imagePullSecrets: [registry]", "imagePullSecrets"),
    ("config: {memory_limit: lots}", "memory_limit"),
    ("config: {memoryLimit: 16MiB}", "memoryLimit"),
    ("config: {version: 2}", "version"),
    ("config: {state_dir: /tmp}", "state_dir"),
    ("config: {outputs: []}", "outputs"),
    ("config: {shutdown: {timeout: 25}}", "timeout"),
    ("config: {shutdown: {timeout: 25 seconds}}", "timeout"),
    ("config: {inputs: []}", "inputs"),
    ("config: {inputs: [{name: a}]}", "include"),
    ("config: {inputs: [{name: a, include: [relative.log]}]}", "include"),
    ("config: {inputs: [{name: a, include: [/a], readFrom: end}]}", "readFrom"),
    ("config: {inputs: [{name: a, include: [/a], read_from: middle}]}", "read_from"),
    ("config: {inputs: [{name: a, include: [/a], fields: {n: 1}}]}", "fields"),
    ("outputs: {loki: {url: loki:3100}}", "url"),
    ("outputs: {loki: {tenant: a}}", "tenant"),
    ("outputs: {loki: {compression: gzip}}", "compression"),
    ("outputs: {loki: {labels: {bad-name: x}}}", "bad-name"),
    ("outputs: {loki: {batch: {max_wait: soon}}}", "max_wait"),
    ("outputs: {loki: {type: elastic}}", "type"),
    ("outputs: {loki: {enabled: 'yes'}}", "enabled"),
    ("outputs: {other: {enabled: true}}", "type"),
    ("outputs: {'bad name': {type: loki, url: 'http://a'}}", "bad name"),
    ("outputs: {cloudwatch: {create: {retention_in_days: 2}}}", "retention_in_days"),
    ("outputs: {cloudwatch: {verify_after_error: maybe}}", "verify_after_error"),
    ("outputs: {cloudwatch: {log_group: ''}}", "log_group"),
    ("outputs: {cloudwatch: {url: 'http://a'}}", "url"),
    ("outputs: {loki: {enabled: false}}", "at least one of outputs"),
    ("onError: panic", "onError"),
    ("port: http", "port"),
    ("port: 80", "port"),
    ("extraEnv: {A: b}", "extraEnv"),
    ("extraEnv: [{name: '1A', value: b}]", "extraEnv"),
    ("logs: {sizeLimit: much}", "sizeLimit"),
    ("logs: {path: relative}", "path"),
    ("state: {claim: a}", "claim"),
    ("livenessProbe: {httpGet: {path: /readyz}}", "httpGet"),
    ("livenessProbe: {periodSeconds: 0}", "periodSeconds"),
    ("app: {lines: -1}", "lines"),
    ("app: {interval: 0}", "interval"),
    ("app: {interval: soon}", "interval"),
    ("app: {schedule: '@daily'}", "app.schedule needs"),
    ("{state: {existingClaim: a}, app: {replicas: 2}}", "serves one pod"),
    ("terminationGracePeriodSeconds: 25", "must be longer"),
    ("config: {shutdown: {timeout: 1m}}", "must be longer"),
    ("config: {shutdown: {timeout: 1h}}", "must be longer"),
    ("podMonitor: {interval: 30}", "interval"),
]
# Just inside the limits.
ACCEPTED = [
    "terminationGracePeriodSeconds: 26",
    "config: {shutdown: {timeout: 59999ms}}",
    "{app: {schedule: '@daily', lines: 5}}",
    # As --set hands it on.
    "app: {interval: '0.5'}",
    "{existingConfigMap: mine, outputs: {loki: {enabled: false}}}",
    "outputs: {loki: null, cloudwatch: {enabled: true}}",
    "outputs: {loki: {url: '${LOKI_URL}'}}",
]


class Chart:
    """The chart and the helm that renders it."""

    def __init__(self, tools: Toolbox, folder: Path = CHART):
        self.tools = tools
        self.folder = folder
        self.helm = tools.cluster_tool("helm")

    def cases(self) -> list:
        """(name, arguments) for the defaults and for each file of ci/."""
        files = repository_files("helm/pinnace/ci/*.yaml")
        return [("defaults", []), *((path.stem, ["--values", path]) for path in files)]

    def call(self, *arguments, stdin: str = ""):
        home = self.tools.home
        folders = {f"HELM_{kind}_HOME": str(home / "helm") for kind in ("CACHE", "CONFIG", "DATA")}
        return self.tools.run(self.helm, *arguments, stdin=stdin, env=folders)

    def lint_problems(self) -> list:
        found = []
        for name, arguments in self.cases():
            answer = self.call("lint", "--strict", self.folder, *arguments)
            if answer.returncode != 0:
                found.append(f"{name}: {answer.stdout}{answer.stderr}".strip())
        return found

    def rendered(self, arguments: list, stdin: str = "") -> list:
        """The manifests, hooks included. Raises ValueError with helm's message."""
        command = ["template", "demo", self.folder, "--namespace", "demo", *arguments]
        answer = self.call(*command, stdin=stdin)
        if answer.returncode != 0:
            raise ValueError(answer.stderr.strip())
        return [document for document in yaml.safe_load_all(answer.stdout) if document]

    def notes(self, arguments: list) -> str:
        command = ["install", "demo", self.folder, "--dry-run=client", "--namespace", "demo"]
        answer = self.call(*command, *arguments)
        if answer.returncode != 0:
            raise ValueError(answer.stderr.strip())
        return answer.stdout.partition("\nNOTES:\n")[2]

    def refusal_problems(self, refused: list = None, accepted: list = None) -> list:
        """Values that should be refused and are not, or not for the right reason."""
        found = []
        for values, piece in REFUSED if refused is None else refused:
            try:
                self.rendered(["--values", "-"], stdin=values)
            except ValueError as error:
                if piece not in str(error):
                    found.append(f"{values}: refused, but without a word of {piece!r}: {error}")
            else:
                found.append(f"{values}: not refused")
        for values in ACCEPTED if accepted is None else accepted:
            try:
                self.rendered(["--values", "-"], stdin=values)
            except ValueError as error:
                found.append(f"{values}: refused: {error}")
        return found

    def note_problems(self) -> list:
        """The notes must show how to verify, and the policy exactly when a role is needed."""
        found = []
        for name, arguments in self.cases():
            notes = self.notes(arguments)
            wants_policy = any(
                output["type"] == "cloudwatch_logs" for output in outputs(self.rendered(arguments))
            )
            if ("logs:PutLogEvents" in notes) != wants_policy:
                found.append(f"{name}: the IAM policy is {'missing' if wants_policy else 'too much'}")
            if "kubectl -n demo" not in notes:
                found.append(f"{name}: no verifying command")
            if "<no value>" in notes or "%!" in notes:
                found.append(f"{name}: a value is missing in the notes")
        return found


def outputs(manifests: list) -> list:
    """The outputs of the rendered configuration."""
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap":
            return yaml.safe_load(manifest["data"]["pinnace.yaml"])["outputs"]
    return []


def schema_keys_problems(published: dict, values: dict) -> list:
    """Keys of the program's configuration that the chart's schema does not let through, and keys it
    lets through that the program does not know."""
    ours, theirs = set(), set()
    definitions = values["$defs"]
    for name in ("input", "batch", "create", "loki", "cloudwatch_logs", "dead_letters", "shutdown"):
        collect_keys(definitions[name], ours)
    ours |= set(values["properties"]["config"]["properties"])
    collect_keys(published, theirs)
    own = {"enabled"}
    made_by_chart = {"state_dir", "server", "listen", "outputs"}
    found = [f"values.schema.json does not know {key}" for key in sorted(theirs - ours - made_by_chart)]
    found += [f"values.schema.json knows {key}, the program does not" for key in sorted(ours - theirs - own)]
    return found


def collect_keys(schema, keys: set) -> None:
    """Every property name anywhere in a JSON schema."""
    if isinstance(schema, dict):
        for name, inner in schema.items():
            if name == "properties" and isinstance(inner, dict):
                keys |= set(inner)
                for value in inner.values():
                    collect_keys(value, keys)
            else:
                collect_keys(inner, keys)
    elif isinstance(schema, list):
        for inner in schema:
            collect_keys(inner, keys)
