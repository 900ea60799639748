"""Real exports of well-known architectures get no errors, and no warning no one can defend."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clean.goldens import findings, read_golden
from tests.exports import exports


@pytest.mark.parametrize("name", exports())
def test_clean_export(name: str, tmp_path: Path) -> None:
    expected, reasons = read_golden(name)
    found = findings(name, tmp_path)
    assert found == expected, "if this is right: python -m tests.clean.goldens " + name
    for title, lines in found.items():
        for line in lines:
            assert line.severity != "error", f"{line.code} on a model that builds and runs"
            assert line.severity == "info" or reasons[title, line.code], f"defend {line.code}"


def test_the_set_is_large_enough() -> None:
    assert len(exports()) >= 20
