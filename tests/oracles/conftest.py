"""Fixtures for tests that run other vendors' programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracles.support import ENVIRONMENTS
from tests.packaging.conftest import built, snapshot, wheels

__all__ = ["built", "snapshot", "wheels"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a file in one worker: servers and browsers are started once for all."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def environments(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the environments that `make oracles` has set up."""
    monkeypatch.setenv("MODELLINT_ENVIRONMENTS", str(ENVIRONMENTS))
