"""Placement of ncnn's layers, and how its converter's messages are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import placement
from modellint.runtimes.ncnn.probe import why
from modellint.targets.deployment import Deployment

CONVOLUTION = "Convolution conv 1 1 a b 0=8 1=1 6=64"
COMPUTED = "Convolution conv 2 1 a w b 0=8 1=1 6=0 19=1"
RECURRENT = "LSTM lstm 1 1 b c 0=8 1=256 2=0"
LAST = "ReLU relu 1 1 c d"


def param(*layers: str) -> str:
    every = ["Input in 0 1 a", "Input more 0 1 w", *layers]
    return "\n".join(["7767517", f"{len(every)} 9", *every, ""])


@pytest.mark.parametrize(
    ("layers", "counts", "parts"),
    [
        ((CONVOLUTION,), {"GPU": 1}, 1),
        ((COMPUTED,), {"GPU": 0, "CPU": 1}, 0),
        ((CONVOLUTION, RECURRENT, LAST), {"GPU": 2, "CPU": 1}, 2),
    ],
)
def test_layers_without_a_shader_run_on_the_cpu(
    layers: tuple[str, ...], counts: dict[str, int], parts: int, tmp_path: Path
) -> None:
    path = tmp_path / "m.param"
    path.write_text(param(*layers))
    found = placement(read_model(path), Deployment(runtime="ncnn"))
    assert found is not None
    assert found.counts == counts
    assert len(found.accelerated) == parts
    assert found.measured


def test_the_line_that_tells_why() -> None:
    printed = "############# pass_level0 onnx\nort CreateSession failed No Op registered for Foo\n"
    assert why(printed) == "ort CreateSession failed No Op registered for Foo"
    assert why("inputshape = [1,3]f32\n") == ""
