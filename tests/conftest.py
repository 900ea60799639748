"""Fixtures for all tests. Plain helpers are in `tests.support`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.warm import WarmChildren


@pytest.fixture(scope="session", autouse=True)
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let children share their bytecode, apart from the sources, where none is to be written."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        shared = tmp_path_factory.getbasetemp().parent / "bytecode"
        os.environ["PYTHONPYCACHEPREFIX"] = str(shared)


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cache and the surrounding CI out of every test; gives the cache folder."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MODELLINT_CACHE_DIR", str(cache))
    monkeypatch.setenv("MODELLINT_ENVIRONMENTS", str(cache / "environments"))
    for name in ("CI", "GITHUB_ACTIONS", "PRE_COMMIT", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return cache


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
