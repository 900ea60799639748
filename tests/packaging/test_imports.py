"""Imports run one way, and the heavy ones wait until they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import PATIENCE, ROOT

SRC = ROOT / "src"

# Which room may import which others, as docs/architecture.md draws it. Its own modules, and the
# package root (the version), every room may.
MODELS = {"capability", "model", "targets", "analysis", "runtimes"}
VALUES = {"base", "results", "operators"}
MAY_IMPORT: dict[str, set[str]] = {
    "base": set(),
    "capability": {"base"},
    "operators": {"base"},
    "results": {"base"},
    "native": {"base"},
    "browser": {"base"},
    "model": {"base", "capability"},
    "runtimes": {"base", "browser", "formats", "model"},
    "formats": {"base", "capability", "model", "native", "operators"},
    "targets": VALUES | {"model", "runtimes"},
    "analysis": {"base", "model", "operators", "runtimes", "targets"},
    "forms": {"analysis", "base", "formats", "model", "operators", "targets"},
    "placement": {
        "analysis",
        "base",
        "formats",
        "forms",
        "model",
        "operators",
        "runtimes",
        "targets",
    },
    "webnn": {"analysis", "base", "formats", "model", "targets"},
    "frame": {"analysis", "model", "results"},
    "rules": MODELS | VALUES | {"formats"},
    "checks": MODELS
    | VALUES
    | {"formats", "forms", "native", "placement", "probes", "profiles", "rules", "webnn"},
    "fixes": MODELS | VALUES | {"checks", "execution", "formats", "native", "rules"},
    "probes": VALUES | {"model", "runtimes", "targets"},
    "execution": MODELS | {"base", "operators", "probes"},
    "profiles": MODELS | VALUES | {"formats"},
    "benching": MODELS
    | {"base", "differ", "execution", "formats", "probes", "profiles", "results"},
    "quantizing": {
        "analysis",
        "base",
        "execution",
        "formats",
        "model",
        "operators",
        "probes",
        "results",
        "runtimes",
        "targets",
    },
    "plan": VALUES | {"probes", "rules", "targets"},
    "verify": VALUES | {"checks", "formats", "model", "probes", "rules", "runtimes"},
    "session": MODELS | VALUES | {"checks", "formats", "probes", "rules"},
    "inspector": MODELS | VALUES | {"formats", "placement", "profiles", "rules", "session"},
    "differ": MODELS
    | VALUES
    | {
        "checks",
        "engine",
        "evaluation",
        "execution",
        "formats",
        "inspector",
        "native",
        "plan",
        "rules",
        "session",
    },
    "questions": VALUES | {"capability", "checks", "formats", "model", "plan", "rules", "targets"},
    "engine": MODELS
    | VALUES
    | {"checks", "formats", "frame", "plan", "probes", "questions", "rules", "session", "verify"},
    "fixing": MODELS
    | VALUES
    | {
        "checks",
        "engine",
        "execution",
        "fixes",
        "formats",
        "native",
        "plan",
        "probes",
        "questions",
        "rules",
        "session",
    },
    "examples": VALUES | {"engine", "fixing", "formats", "plan", "probes", "rules", "targets"},
    "config": VALUES | {"rules", "targets"},
    "discovery": VALUES | {"config", "formats"},
    "cache": VALUES | {"formats", "plan", "probes", "rules"},
    "planning": VALUES
    | {"config", "plan", "probes", "profiles", "remote", "rules", "runtimes", "targets", "verify"},
    "workers": VALUES | {"cache", "engine", "plan", "rules"},
    "lint": VALUES
    | {
        "cache",
        "config",
        "discovery",
        "fixing",
        "lfs",
        "plan",
        "planning",
        "probes",
        "rules",
        "targets",
        "workers",
    },
    "lfs": {"base", "formats", "remote"},
    "fleets": {
        "base",
        "cache",
        "config",
        "discovery",
        "lint",
        "plan",
        "planning",
        "remote",
        "results",
        "rules",
        "workers",
    },
    "revisions": {"base", "formats"},
    "evaluation": {"base"},
    "remote": {"base"},
    "report": {"base", "results"},
}
MAY_IMPORT["api"] = set(MAY_IMPORT)
MAY_IMPORT["serving"] = set(MAY_IMPORT)
MAY_IMPORT["mcp"] = set(MAY_IMPORT)
MAY_IMPORT["lsp"] = set(MAY_IMPORT) - {"mcp"}
MAY_IMPORT["pytest_plugin"] = {"api", "base", "formats"}
MAY_IMPORT["cli"] = set(MAY_IMPORT) - {"pytest_plugin"}
MAY_IMPORT["__main__"] = {"base", "cli"}

HEAVY = ("numpy", "onnx", "onnxruntime", "pydantic", "rich", "sarif_om")


def room_of(module: str) -> str:
    return module.partition(".")[0]


def modules_under(src: Path) -> dict[str, Path]:
    """Every module below the package root, named without it: `model.graph` -> its file."""
    package = src / "modellint"
    files = {
        ".".join(file.relative_to(package).with_suffix("").parts): file
        for file in package.rglob("*.py")
    }
    files.pop("__init__", None)  # the root, which has no name of its own
    return {name.removesuffix(".__init__"): file for name, file in files.items()}


def imported_by(module: str, file: Path, known: set[str]) -> Iterator[tuple[int, str]]:
    """Line and name of each of our own modules that a module imports, wherever the statement is."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    above = f"modellint.{package}".rstrip(".").split(".")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = above[: len(above) - node.level + 1] if node.level else []
            origin = ".".join([*base, node.module or ""]).rstrip(".")
            # `from modellint import config` names a module, `from modellint.model import Node` not.
            inside = [f"{origin}.{alias.name}" for alias in node.names]
            names = [
                name if name.removeprefix("modellint.") in known else origin for name in inside
            ]
        else:
            continue
        for name in names:
            if name.startswith("modellint."):
                yield node.lineno, name.removeprefix("modellint.")


def wrong_way_imports(src: Path) -> list[str]:
    modules = modules_under(src)
    wrong = []
    for module, file in sorted(modules.items()):
        room = room_of(module)
        for line, target in imported_by(module, file, set(modules)):
            if room_of(target) not in MAY_IMPORT.get(room, set()) | {room}:
                wrong.append(f"{file.relative_to(src)}:{line}: {room} imports {target}")
    return wrong


ALLOWED_CIRCLE = {"model.graph", "model.model"}
"""A node knows its model, and a model its nodes."""


def circles(src: Path) -> list[set[str]]:
    """Modules that import each other, in a round of any length, wherever the statements are."""
    modules = modules_under(src)
    imports = {
        module: {target for _, target in imported_by(module, file, set(modules))} & modules.keys()
        for module, file in modules.items()
    }
    reached = {module: _reach(module, imports) for module in modules}
    rounds = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in modules
        if module in reached[module]
    }
    return sorted((set(each) for each in rounds), key=sorted)


def _reach(module: str, imports: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(imports[module])
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += imports[current]
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(SRC) == [ALLOWED_CIRCLE]


def test_a_circle_inside_a_room_is_caught(tmp_path: Path) -> None:
    room = tmp_path / "modellint" / "rules"
    room.mkdir(parents=True)
    (room / "one.py").write_text("from modellint.rules.two import x")
    (room / "two.py").write_text("def later():\n    from modellint.rules.three import y")
    (room / "three.py").write_text("import modellint.rules.one")
    assert circles(tmp_path) == [{"rules.one", "rules.two", "rules.three"}]


def test_imports_run_one_way() -> None:
    assert wrong_way_imports(SRC) == []


def test_every_module_has_a_room() -> None:
    assert {room_of(module) for module in modules_under(SRC)} <= MAY_IMPORT.keys()


def test_no_two_rooms_import_each_other() -> None:
    mutual = [
        (one, other)
        for one, allowed in MAY_IMPORT.items()
        for other in allowed
        if one in MAY_IMPORT[other]
    ]
    assert mutual == []


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("model/graph.py", "from modellint.formats import read_model"),
        ("model/graph.py", "from modellint.results import inspection"),
        ("model/graph.py", "from ..analysis import shapes"),
        ("report/full.py", "def draw():\n    import modellint.model.graph"),
        ("report/__init__.py", "from .. import formats"),
        ("checks/load.py", "from modellint.lint import lint"),
        ("analysis/cost.py", "from modellint.rules.rule import Rule"),
    ],
)
def test_an_import_the_wrong_way_is_caught(tmp_path: Path, file: str, statement: str) -> None:
    importing = tmp_path / "modellint" / file
    importing.parent.mkdir(parents=True)
    importing.write_text(statement)
    for room in ("inspection", "formats"):
        (tmp_path / "modellint" / f"{room}.py").touch()
    assert len(wrong_way_imports(tmp_path)) == 1


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("analysis/cost.py", "from modellint.targets.deployment import Deployment"),
        ("report/__init__.py", "from modellint import __version__"),
        ("report/full.py", "from . import text"),
        ("cli/main.py", "from modellint import lint"),
    ],
)
def test_an_import_the_right_way_is_left_alone(tmp_path: Path, file: str, statement: str) -> None:
    importing = tmp_path / "modellint" / file
    importing.parent.mkdir(parents=True)
    importing.write_text(statement)
    assert wrong_way_imports(tmp_path) == []


@pytest.mark.parametrize(
    "program",
    [
        "import modellint.cli",
        "from modellint.cli import main; sys.argv = ['modellint', '--version']; main()",
        "from modellint.cli import main; sys.argv = ['modellint', '--help']; main()",
    ],
    ids=["import", "--version", "--help"],
)
def test_starting_up_loads_nothing_heavy(program: str) -> None:
    report = "print('loaded:', *sorted(sys.modules.keys() & set(HEAVY)))"
    script = f"import sys\nHEAVY = {HEAVY}\ntry:\n    {program}\nfinally:\n    {report}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]
