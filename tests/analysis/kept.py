"""The kept exports as models, and models from text, for the tests of analyses."""

from __future__ import annotations

from functools import cache

from modellint.formats import read_model
from modellint.formats.onnx.text import read_text
from modellint.model import Model
from tests.exports import EXPORTS


@cache
def export(name: str) -> Model:
    """A real export; its weights are named, but not there."""
    return read_model(EXPORTS / f"{name}.onnx")


def graph(body: str, inputs: str, outputs: str, *, opset: int = 20, weights: str = "") -> Model:
    """A model of one graph: ``graph("y = Relu(x)", "float[1, 8] x", "float[1, 8] y")``."""
    imports = f'opset_import: ["" : {opset}, "com.microsoft" : 1]'
    stored = f" <{weights}>" if weights else ""
    return read_text(
        f"<ir_version: 10, {imports}> g ({inputs}) => ({outputs}){stored} {{ {body} }}"
    )
