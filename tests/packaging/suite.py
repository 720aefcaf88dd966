"""The list of checks, in their order, and the count at the end.

Each check returns sentences: none means that it passed. A check that uses a rule of our own is
followed by one that shows the rule can fail. Needs the fetched tools' Python.
"""

import json
import os
import traceback
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

import broken
import chart_readme
import charts
import configurations
import documents
import licences
import restricted
from toolbox import ROOT, Toolbox, repository_files

# Kinds that other people's operators bring: Kubernetes itself has no schema for them.
FOREIGN = {("monitoring.coreos.com/v1", "PodMonitor"), ("kustomize.config.k8s.io/v1beta1", "Kustomization")}
PUBLISHED_SCHEMA = ROOT / "docs" / "configuration.schema.json"


class Skipped(Exception):
    """A check had nothing to check with; the message says what was missing."""


def run(folder: Path, wanted: list) -> int:
    """Runs the checks whose names hold one of `wanted`, or all; returns the exit code."""
    suite = Suite(Toolbox(folder))
    passed, failed = 0, 0
    for name, check in suite.checks():
        if wanted and not any(part in name for part in wanted):
            continue
        try:
            found = check()
        except Skipped as reason:
            print(f"skip {name}: {reason}", flush=True)
            continue
        except Exception:  # A check that breaks has failed; the others still count.
            found = [traceback.format_exc().strip()]
        print(f"{'FAIL' if found else 'ok  '} {name}", flush=True)
        for problem in found:
            print("     " + problem.replace("\n", "\n     "))
        passed, failed = passed + (not found), failed + bool(found)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


class Suite:
    """All checks. Holds what several of them need, made once."""

    def __init__(self, tools: Toolbox):
        self.tools = tools
        self._chart = None
        self._rendered = None

    def checks(self):
        """(name, function that returns problems)"""
        tools = self.tools
        yield "the licence rules can fail", licences.self_test
        yield "every path in the documents exists", documents.all_path_problems
        yield "scripts pass bash -n and shellcheck", lambda: documents.script_problems(
            tools, documents.scripts()
        )
        yield "Python files compile", documents.python_problems
        yield "the Dockerfile passes hadolint", lambda: documents.dockerfile_problems(
            tools, ROOT / "deploy" / "Dockerfile"
        )
        yield "the systemd unit is well formed and hardened", lambda: documents.unit_problems(
            tools, (ROOT / "deploy/systemd/pinnace.service").read_text()
        )
        yield "the ECS task definition is consistent", lambda: documents.task_definition_problems(
            (ROOT / "deploy/ecs/task-definition.json").read_text()
        )
        yield "the compose file pins LocalStack on loopback", lambda: documents.compose_problems(
            (ROOT / "localstack/docker-compose.yml").read_text()
        )
        yield "the chart passes helm lint --strict with all values", lambda: self.chart.lint_problems()
        yield "the chart refuses wrong values", lambda: self.chart.refusal_problems()
        yield "the notes verify and name the policy", lambda: self.chart.note_problems()
        yield "the chart's README is in step with its values", self.readme_problems
        yield "the README's rules can fail", chart_readme.self_test
        for version in supported_versions():
            yield f"manifests are valid for Kubernetes {version}", lambda v=version: self.schema_problems(v)
        yield "the plain manifests build with kubectl kustomize", self.kustomize_problems
        yield "pods pass the restricted standard", self.restricted_problems
        yield "shell in manifests passes shellcheck", self.inline_problems
        yield "configurations fit the places where they run", self.configuration_problems
        yield "configurations match the published schema", self.published_schema_problems
        yield "the chart knows the keys that the program knows", self.key_problems
        yield "configurations pass pinnace check", self.check_problems
        yield "judged rightly: a cluster without native sidecars", lambda: (
            [] if self.schema_problems("1.27.0") else ["it passed"]
        )
        for name, check in broken.checks(self.chart, tools):
            yield f"judged rightly: {name}", lambda c=check: [] if c() else ["it was not"]

    @property
    def chart(self) -> charts.Chart:
        if self._chart is None:
            self._chart = charts.Chart(self.tools)
        return self._chart

    @property
    def manifests(self) -> dict:
        """Everything rendered and everything plain: name → manifests."""
        if self._rendered is None:
            found = {f"helm {name}": self.chart.rendered(args) for name, args in self.chart.cases()}
            found["deploy/kubernetes"] = [
                document
                for path in repository_files("deploy/kubernetes/*.yaml")
                for document in yaml.safe_load_all(path.read_text())
                if document
            ]
            self._rendered = found
        return self._rendered

    def each(self):
        for place, manifests in self.manifests.items():
            for manifest in manifests:
                yield place, manifest

    def readme_problems(self) -> list:
        folder = charts.CHART
        return chart_readme.problems(
            (folder / "README.md").read_text(), (folder / "values.yaml").read_text()
        )

    def schema_problems(self, version: str) -> list:
        return [
            f"{place}: {problem}"
            for place, manifest in self.each()
            for problem in manifest_problems(manifest, version)
        ]

    def kustomize_problems(self) -> list:
        answer = self.tools.run(
            self.tools.cluster_tool("kubectl"), "kustomize", ROOT / "deploy" / "kubernetes"
        )
        if answer.returncode != 0:
            return [answer.stderr.strip()]
        built = len([document for document in yaml.safe_load_all(answer.stdout) if document])
        # All but the kustomization itself.
        plain = len(self.manifests["deploy/kubernetes"]) - 1
        return [] if built == plain else [f"{built} manifests built, {plain} written"]

    def restricted_problems(self) -> list:
        return [
            f"{place}: {problem}"
            for place, manifest in self.each()
            for problem in restricted.problems(manifest)
        ]

    def inline_problems(self) -> list:
        found = []
        for place, manifest in self.each():
            spec = restricted.pod_spec(manifest)
            inner = restricted.containers(spec) if spec else []
            found += [f"{place}: {p}" for p in documents.inline_script_problems(self.tools, inner)]
        return sorted(set(found))

    def configurations(self) -> list:
        found = configurations.in_files()
        for place, manifests in self.manifests.items():
            found += configurations.in_manifests(manifests, place)
        for path in repository_files("deploy/ecs/*.json"):
            found += configurations.in_task_definition(path)
        return found

    def configuration_problems(self) -> list:
        found = self.configurations()
        if len(found) < 10:
            return [f"only {len(found)} configurations found"]
        return [problem for one in found for problem in configurations.problems(one)]

    def published_schema_problems(self) -> list:
        schema = json.loads(PUBLISHED_SCHEMA.read_text())
        validator = jsonschema.validators.validator_for(schema)(schema)
        found = self.configurations()
        return [p for one in found for p in configurations.schema_problems(one, validator)]

    def key_problems(self) -> list:
        return charts.schema_keys_problems(
            json.loads(PUBLISHED_SCHEMA.read_text()),
            json.loads((charts.CHART / "values.schema.json").read_text()),
        )

    def check_problems(self) -> list:
        binary = os.environ.get("PINNACE_BIN")
        if not binary:
            raise Skipped("PINNACE_BIN is not set")
        wrong = configurations.Found("a wrong configuration", "version: 1\nnonsense: 1\n")
        if not configurations.check_problems(wrong, binary, self.tools):
            return ["pinnace check accepts a wrong configuration"]
        return [
            problem
            for one in self.configurations()
            for problem in configurations.check_problems(one, binary, self.tools)
        ]


def supported_versions() -> list:
    """Every release that the validator has and that the chart is for."""
    versions = {*kubernetes_validate.utils.all_versions()}
    return sorted(version for version in versions if version >= "1.29")


def manifest_problems(manifest: dict, version: str) -> list:
    kind = (manifest.get("apiVersion"), manifest.get("kind"))
    if kind in FOREIGN:
        return []
    name = f"{manifest.get('kind')}/{(manifest.get('metadata') or {}).get('name')}"
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{name}: {'.'.join(str(part) for part in error.path)}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"{name}: {error.message}"]
    return []
