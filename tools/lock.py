"""Writes constraints.txt: the version of everything that tests, checks and benchmarks install.

    python tools/lock.py            # the newest of everything

Resolved once for each Python that modellint supports; where the answers differ, a marker says
for which of them a line is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from modellint.base.data import read_toml

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "constraints.txt"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
EXTRAS = ("ort", "remote", "trt-rtx")
GROUPS = ("dev", "bench", "release", "site")
ABOUT = """\
# Written by `make lock`; do not edit. What `make test`, .ci/run and the workflows install.
# .github/workflows/newest.yml tries the newest of everything every week.
"""


def requirements(project: dict[str, Any], python: str) -> list[str]:
    """Return the requirements of modellint, its extras and its groups with this Python."""
    from pip._vendor.packaging.requirements import Requirement

    own, groups = project["project"], project["dependency-groups"]
    lists = [own["dependencies"]]
    lists += [own["optional-dependencies"][extra] for extra in EXTRAS]
    lists += [groups[group] for group in GROUPS]
    wanted = [Requirement(line) for lines in lists for line in lines]
    environment = {"python_version": python, "sys_platform": "linux"}
    kept = [each for each in wanted if each.marker is None or each.marker.evaluate(environment)]
    for each in kept:
        each.marker = None
    return [str(each) for each in kept]


def resolve(wanted: list[str], python: str) -> dict[str, str]:
    """The newest versions that go together, by name."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-"]
    command += ["--ignore-installed", "--target", "unused", "--only-binary", ":all:"]
    done = subprocess.run(
        [*command, "--python-version", python, *wanted], stdout=subprocess.PIPE, check=True
    )
    found = [each["metadata"] for each in json.loads(done.stdout)["install"]]
    return {each["name"].lower().replace("_", "-"): each["version"] for each in found}


def main() -> None:
    project = read_toml(ROOT / "pyproject.toml")
    pins: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for python in PYTHONS:
        for name, version in resolve(requirements(project, python), python).items():
            pins[name][version].append(python)
    lines = [
        f"{name}=={version}" + _marker(pythons)
        for name, versions in sorted(pins.items())
        for version, pythons in versions.items()
    ]
    LOCK.write_text(ABOUT + "\n".join(lines) + "\n", encoding="utf-8")


def _marker(pythons: list[str]) -> str:
    """For which Pythons a line is, which stand next to each other."""
    bounds = []
    if pythons[0] != PYTHONS[0]:
        bounds.append(f"python_version >= '{pythons[0]}'")
    if pythons[-1] != PYTHONS[-1]:
        bounds.append(f"python_version <= '{pythons[-1]}'")
    return f"; {' and '.join(bounds)}" if bounds else ""


if __name__ == "__main__":
    main()
