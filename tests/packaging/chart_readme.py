#!/usr/bin/env python3
"""Keeps the table of values in helm/pinnace/README.md the same as helm/pinnace/values.yaml.

Each key whose description stands above it as `# -- text` gets a row; a key without one belongs to
a group. With --write the table is renewed. Owns the part between the two markers, nothing else.
Needs PyYAML: target/tools/packaging/bin/python has it after the first run of tests/packaging/run.
"""

import json
import re
import sys
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parents[2] / "helm" / "pinnace"
BEGIN = "<!-- values: made from values.yaml by tests/packaging/chart_readme.py --write -->"
END = "<!-- end of values -->"


def problems(readme: str, values: str) -> list:
    """What has drifted, and what is not described at all."""
    rows, undescribed = describe(values)
    found = [f"values.yaml: {key} has no `# --` line" for key in undescribed]
    try:
        if replaced(readme, rows) != readme:
            found.append("README.md: the table differs from values.yaml; renew it with --write")
    except ValueError as error:
        found.append(f"README.md: {error}")
    return found


def describe(values: str):
    """Returns the rows (key, default, description) and the keys that no row covers."""
    rows, undescribed, path, text = [], [], [], None
    tree = yaml.safe_load(values)
    for line in values.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            text = stripped[5:]
            continue
        match = re.match(r"^( *)([A-Za-z_]+):", line)
        if not match:
            text = text if stripped.startswith("#") else None
            continue
        path = path[: len(match[1]) // 2] + [match[2]]
        if covered(path, rows):
            continue
        value = tree
        for part in path:
            value = value[part]
        if text is not None:
            rows.append((tuple(path), json.dumps(value, ensure_ascii=False), text))
        elif not isinstance(value, dict) or not value:
            undescribed.append(".".join(path))
        text = None
    return rows, undescribed


def covered(path: list, rows: list) -> bool:
    """Whether a row describes the key or one above it."""
    return any(tuple(path[: len(key)]) == key for key, _, _ in rows)


def replaced(readme: str, rows: list) -> str:
    """The README with a table of `rows` between its markers."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError("the markers of the table are not there once each")
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    cells = [
        (f"`{'.'.join(key)}`", f"`{default}`", text) for key, default, text in rows
    ]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    table = "\n".join(["| key | default | meaning |", "|---|---|---|", *lines])
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def self_test() -> list:
    """Returns what does not hold."""
    values = "# -- One.\na: 1\nb:\n  # -- Two | three.\n  c: {d: 2}\n  e: 3\n"
    rows, undescribed = describe(values)
    wrong = []
    if [row[0] for row in rows] != [("a",), ("b", "c")] or undescribed != ["b.e"]:
        wrong.append(f"describe: {rows} {undescribed}")
    empty = f"x\n{BEGIN}\n{END}\ny\n"
    current = replaced(empty, rows)
    if problems(empty, values.replace("  e: 3\n", "")) == []:
        wrong.append("a table that has drifted passes")
    if problems(current, values.replace("  e: 3\n", "")) != []:
        wrong.append("a current table does not pass")
    if not problems("no markers", "# -- One.\na: 1\n"):
        wrong.append("a README without markers passes")
    return wrong


def main() -> int:
    readme, values = CHART / "README.md", (CHART / "values.yaml").read_text()
    if "--write" in sys.argv[1:]:
        readme.write_text(replaced(readme.read_text(), describe(values)[0]))
    found = self_test() + problems(readme.read_text(), values)
    print("\n".join(found) or "chart README: in step with values.yaml")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
