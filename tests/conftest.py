"""Fixtures for all tests. Plain helpers are in `tests.support`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from modellint.rules.registry import load_rules
from tests.kept import KeptEntries
from tests.warm import WarmChildren


@pytest.fixture(scope="session", autouse=True)
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let children share their bytecode, apart from the sources, where none is to be written."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        shared = tmp_path_factory.getbasetemp().parent / "bytecode"
        os.environ["PYTHONPYCACHEPREFIX"] = str(shared)


@pytest.fixture(scope="session")
def kept_rules(tmp_path_factory: pytest.TempPathFactory) -> KeptEntries:
    """Rules as a run of the program keeps them, which no later run has to parse."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELLINT_CACHE_DIR", str(folder))
        load_rules.__globals__["_built_in"].cache_clear()
        load_rules(plugins=False)
    return KeptEntries(folder)


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New folders, named without looking at all that there are."""
    root = tmp_path_factory.mktemp("caches")
    return (root / str(number) for number in count())


@pytest.fixture(autouse=True)
def isolated(
    caches: Iterator[Path], kept_rules: KeptEntries, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Keep the user's cache and the surrounding CI out of every test; gives the cache folder."""
    cache = next(caches)
    cache.mkdir(mode=0o700)
    kept_rules.put_into(cache)
    monkeypatch.setenv("MODELLINT_CACHE_DIR", str(cache))
    monkeypatch.setenv("MODELLINT_ENVIRONMENTS", str(cache / "environments"))
    for name in ("CI", "GITHUB_ACTIONS", "PRE_COMMIT", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return cache


@pytest.fixture
def empty_cache(isolated: Path) -> Path:
    """The cache before the program's first run."""
    for entry in isolated.iterdir():
        entry.unlink()
    load_rules.__globals__["_built_in"].cache_clear()
    return isolated


@pytest.fixture(scope="session")
def warm_children() -> Iterator[WarmChildren]:
    children = WarmChildren()
    yield children
    children.end()


@pytest.fixture
def warm(warm_children: WarmChildren, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask runtimes for what they say of a model, without a new process for each question."""
    if sys.platform == "linux":
        for module in ("modellint.probes.runner", "modellint.verify.optimized"):
            monkeypatch.setattr(f"{module}.run_child", warm_children)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests measured and want to be read, wherever they ran."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(str(value))
