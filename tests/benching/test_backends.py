"""Runtimes that models are timed in, and what is said where one is not here."""

from __future__ import annotations

import pytest

from modellint.base.errors import UsageError
from modellint.benching.backends import backend_for
from modellint.targets import HOST, find_target


@pytest.mark.parametrize(
    ("format", "name", "tool", "option"),
    [
        ("onnx", "tensorrt", "trtexec", "--onnx="),
        ("onnx", "tensorrt-rtx", "tensorrt_rtx", "--onnx="),
        ("tensorrt-engine", None, "trtexec", "--loadEngine="),
    ],
)
def test_tensorrt_is_timed_by_its_own_tool(
    format: str, name: str | None, tool: str, option: str
) -> None:
    with pytest.raises(UsageError) as raised:
        backend_for(format, name)
    said = str(raised.value)
    assert f"{tool} {option}" in said
    assert "--import times.json" in said
    has_gpu = find_target(HOST).compute_capability is not None
    assert ("not found here" in said) is not has_gpu


def test_formats_that_nothing_times_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot be timed"):
        backend_for("safetensors")
