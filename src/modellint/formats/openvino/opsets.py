"""Operator sets of OpenVINO, and the operations that each introduced."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

_NUMBERED = re.compile(r"opset(\d{1,3})")


class OperatorSets(NamedTuple):
    """Content of `opsets.json`, as `tools/measure_openvino_opsets.py` measured it."""

    newest: int
    first: Mapping[str, int]
    """Number of the first operator set with an operation."""


@cache
def operator_sets() -> OperatorSets:
    table = json.loads(Path(__file__).with_name("opsets.json").read_text(encoding="utf-8"))
    return OperatorSets(table["newest"], table["first"])


def number_of(opset: str) -> int | None:
    """Return the number of one of OpenVINO's own operator sets; None for all others."""
    found = _NUMBERED.fullmatch(opset)
    return int(found[1]) if found else None
