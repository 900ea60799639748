"""The tables of what runtimes take: what a measurement finds again today."""

from __future__ import annotations

from typing import Any

import pytest
from measure_support import RUNTIMES, measure
from supports.cases import cases
from supports.tables import entry

from modellint.probes.backends import known_backends
from modellint.runtimes.support import support

AGAIN = {
    "tensorrt-rtx": ["Abs", "Det", "MatMul", "NonZero", "OneHot", "Relu", "Where"],
    "onnxruntime": ["Abs", "Clip", "Det", "ImageDecoder", "OneHot", "RoiAlign", "Sin"],
}
"""Operators that are taken, refused, taken for some types, and taken in older versions only."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("runtime", AGAIN)
def test_a_measurement_finds_the_same_again(runtime: str) -> None:
    backend, table = known_backends()[runtime], support(runtime)
    assert table is not None
    if backend.module is None:
        pytest.skip(f"{backend.title} is not installed: {backend.install}")
    if backend.version != table.version:
        pytest.skip(f"the table is of {backend.title} {table.version}, here is {backend.version}")
    tests = {op: found for op, found in cases().items() if op in AGAIN[runtime]}
    assert len(tests) == len(AGAIN[runtime])
    measured = measure(RUNTIMES[runtime](), tests)
    for op, found in measured.items():
        assert _without_note(entry(found)) == _without_note(table.operators[op]), op


def _without_note(entry: Any) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "note"}
