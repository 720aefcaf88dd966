#!/usr/bin/env python3
"""Checks every crate of the lock file against deny.toml: licence, ban and source.

Owns: the reading of SPDX expressions and of the part of cargo-deny's format that is used here.
Never asks the network, so it knows no advisories: those exceptions are only checked to have a
reason. With --self-test it shows first that each rule can fail.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATES_IO = "https://github.com/rust-lang/crates.io-index"


def problems(metadata: dict, deny: dict) -> list:
    """Everything in `metadata` (of `cargo metadata`) that `deny` does not permit."""
    return [
        *licence_problems(metadata, deny),
        *ban_problems(metadata, deny),
        *source_problems(metadata, deny),
        *reason_problems(deny),
    ]


def licence_problems(metadata: dict, deny: dict) -> list:
    allowed = set(deny["licenses"].get("allow", []))
    exceptions = {e["crate"]: set(e["allow"]) for e in deny["licenses"].get("exceptions", [])}
    found = []
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        expression = package.get("license")
        if not expression:
            found.append(f"{name}: names no licence")
            continue
        permitted = allowed | exceptions.pop(package["name"], set())
        try:
            if not satisfied(expression, permitted):
                found.append(f"{name}: licence {expression!r} is not allowed by deny.toml")
        except ValueError as error:
            found.append(f"{name}: licence {expression!r} cannot be read: {error}")
    found.extend(f"{crate}: a licence exception for a crate that is not used" for crate in exceptions)
    return found


def ban_problems(metadata: dict, deny: dict) -> list:
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    parents = {}
    for node in metadata["resolve"]["nodes"]:
        for dependency in node["dependencies"]:
            parents.setdefault(names[dependency], set()).add(names[node["id"]])
    found = []
    for ban in deny.get("bans", {}).get("deny", []):
        crate, wrappers = ban["crate"], set(ban.get("wrappers", []))
        if crate not in names.values():
            continue
        strangers = parents.get(crate, set()) - wrappers
        if strangers or not wrappers:
            by = ", ".join(sorted(strangers)) or "the lock file"
            found.append(f"{crate}: banned ({ban.get('reason', 'no reason')}), brought in by {by}")
    return found


def source_problems(metadata: dict, deny: dict) -> list:
    sources = deny.get("sources", {})
    allowed = {f"registry+{url}" for url in sources.get("allow-registry", [CRATES_IO])}
    allowed |= {f"git+{url}" for url in sources.get("allow-git", [])}
    found = []
    for package in metadata["packages"]:
        source = package.get("source")
        # The crate itself has no source.
        if source and source.split("?")[0].split("#")[0] not in allowed:
            found.append(f"{package['name']} {package['version']}: comes from {source}")
    return found


def reason_problems(deny: dict) -> list:
    found = []
    for entry in deny.get("advisories", {}).get("ignore", []):
        name = entry if isinstance(entry, str) else entry.get("id") or entry.get("crate")
        if isinstance(entry, str) or not entry.get("reason", "").strip():
            found.append(f"{name}: an ignored advisory without a reason")
    for ban in deny.get("bans", {}).get("deny", []):
        if not ban.get("reason", "").strip():
            found.append(f"{ban['crate']}: a ban without a reason")
    return found


def satisfied(expression: str, allowed: set) -> bool:
    """Whether the SPDX expression can be met with `allowed`. `/` is the old way to write OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    value, rest = alternatives(tokens, allowed)
    if rest:
        raise ValueError(f"unexpected {rest[0]!r}")
    return value


def alternatives(tokens: list, allowed: set):
    value, tokens = conjunction(tokens, allowed)
    while tokens and tokens[0] == "OR":
        right, tokens = conjunction(tokens[1:], allowed)
        value = value or right
    return value, tokens


def conjunction(tokens: list, allowed: set):
    value, tokens = term(tokens, allowed)
    while tokens and tokens[0] == "AND":
        right, tokens = term(tokens[1:], allowed)
        value = value and right
    return value, tokens


def term(tokens: list, allowed: set):
    if not tokens or tokens[0] in {")", "AND", "OR", "WITH"}:
        raise ValueError(f"a licence was expected, found {tokens[0] if tokens else 'the end'!r}")
    if tokens[0] == "(":
        value, rest = alternatives(tokens[1:], allowed)
        if not rest or rest[0] != ")":
            raise ValueError("a bracket is not closed")
        return value, rest[1:]
    name, rest = tokens[0], tokens[1:]
    if rest[:1] == ["WITH"]:
        if len(rest) < 2:
            raise ValueError("WITH without an exception")
        # An exception only adds permissions, but it is named in full all the same.
        return f"{name} WITH {rest[1]}" in allowed, rest[2:]
    return name in allowed, rest


def self_test() -> list:
    """Returns what does not hold among: good trees pass, each broken tree fails."""
    wrong = []
    table = [
        ("MIT", True),
        ("GPL-3.0", False),
        ("GPL-3.0 OR MIT", True),
        ("GPL-3.0/MIT", True),
        ("MIT AND GPL-3.0", False),
        ("(GPL-3.0 OR MIT) AND ISC", True),
        ("GPL-3.0 OR MIT AND ISC", True),
        ("GPL-3.0 OR (MIT AND LGPL-2.1)", False),
        ("MIT WITH LLVM-exception", False),
        ("MIT AND", None),
        ("(MIT", None),
        ("MIT ISC", None),
    ]
    for expression, expected in table:
        try:
            seen = satisfied(expression, {"MIT", "ISC"})
        except ValueError:
            seen = None
        if seen is not expected:
            wrong.append(f"{expression!r}: expected {expected}, found {seen}")
    for name, metadata, deny, count in samples():
        if len(problems(metadata, deny)) != count:
            wrong.append(f"{name}: expected {count} problems, found {problems(metadata, deny)}")
    return wrong


def samples():
    """(name, metadata, deny, number of problems)"""
    registry = f"registry+{CRATES_IO}"

    def tree(*packages):
        listed = [
            {"id": n, "name": n, "version": "1.0.0", "license": licence, "source": source}
            for n, licence, source, _ in packages
        ]
        nodes = [{"id": n, "dependencies": list(needs)} for n, _, _, needs in packages]
        return {"packages": listed, "resolve": {"nodes": nodes}}

    def rules(**more):
        return {"licenses": {"allow": ["MIT"]}, **more}

    one_wrapper = {"deny": [{"crate": "b", "wrappers": ["a"], "reason": "old"}]}
    good = ("a", "MIT", registry, ())
    yield "a good tree", tree(good), rules(), 0
    yield "a licence not on the list", tree(("a", "GPL-3.0", registry, ())), rules(), 1
    yield "no licence", tree(("a", None, registry, ())), rules(), 1
    yield "a crate from git", tree(("a", "MIT", "git+https://example.org/a#1", ())), rules(), 1
    yield "the crate itself", tree(("a", "MIT", None, ())), rules(), 0
    yield (
        "an exception in use",
        tree(("a", "GPL-3.0", registry, ())),
        rules() | {"licenses": {"exceptions": [{"crate": "a", "allow": ["GPL-3.0"]}]}},
        0,
    )
    yield (
        "an exception nobody uses",
        tree(good),
        {"licenses": {"allow": ["MIT"], "exceptions": [{"crate": "z", "allow": ["GPL-3.0"]}]}},
        1,
    )
    chain = (("a", "MIT", registry, ("b",)), ("b", "MIT", registry, ()))
    yield "a ban with its wrapper", tree(*chain), rules(bans=one_wrapper), 0
    other = ("c", "MIT", registry, ("b",))
    yield "a banned crate by another way", tree(*chain, other), rules(bans=one_wrapper), 1
    flat = {"deny": [{"crate": "a", "reason": "no"}]}
    yield "a ban without wrappers", tree(good), rules(bans=flat), 1
    yield "a ban without a reason", tree(good), rules(bans={"deny": [{"crate": "z"}]}), 1
    silent = {"ignore": [{"id": "RUSTSEC-2000-0001", "reason": " "}]}
    yield "an advisory without a reason", tree(good), rules(advisories=silent), 1


def main() -> int:
    wrong = self_test()
    if "--self-test" in sys.argv[1:] or wrong:
        print("\n".join(wrong) or "licences: the self-tests hold")
        return 1 if wrong else 0
    deny = tomllib.loads((ROOT / "deny.toml").read_text())
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--locked", "--format-version", "1"]
    answer = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE)
    if answer.returncode != 0:
        print("licences: cargo metadata failed; its message is above", file=sys.stderr)
        return 1
    metadata = json.loads(answer.stdout)
    found = problems(metadata, deny)
    print("\n".join(found) or f"licences: {len(metadata['packages'])} crates, all allowed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
