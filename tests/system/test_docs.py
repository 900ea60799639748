"""The page on security names tests that exist."""

from __future__ import annotations

import re

from tests.support import ROOT


def test_every_promise_names_its_tests() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    promises = page.split("## Promises")[1].split("## ")[0]
    named = set(re.findall(r"`(tests/[a-z_/.]+)`", page))
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
    for promise in re.split(r"\n\n(?=\*\*)", promises.strip()):
        assert "Tests:" in promise, promise
