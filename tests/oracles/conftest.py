"""Fixtures for tests that run other vendors' programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracles.support import ENVIRONMENTS
from tests.packaging.conftest import built, snapshot, wheels

__all__ = ["built", "snapshot", "wheels"]


@pytest.fixture(autouse=True)
def environments(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the environments that `make oracles` has set up."""
    monkeypatch.setenv("MODELLINT_ENVIRONMENTS", str(ENVIRONMENTS))
