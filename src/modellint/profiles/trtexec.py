"""Exports of trtexec: times, a profile of layers, and the layers of the engine.

The engine inspector of TensorRT writes layers in the same form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.analysis.layers import is_reformat, onnx_names, precision
from modellint.formats import read_model
from modellint.formats.trt import LAYERS
from modellint.formats.trt.layers import UNTOLD
from modellint.model import Node
from modellint.profiles.gathering import times_from
from modellint.profiles.part import RunPart, bare
from modellint.profiles.types import precision_of
from modellint.results.measured import RunLayer, shown

MILLI = 1e-3
REFORMATS = ("Reformatting CopyNode", "reformat", "{ForeignNode_reformat")
_RUNTIME = "tensorrt"


def read(table: Any, path: Path) -> RunPart | None:
    """Return the contents of an export; None for anything else."""
    if isinstance(table, dict) and isinstance(table.get("Layers"), list):
        return _layers(path)
    if not isinstance(table, list) or not all(isinstance(each, dict) for each in table):
        return None
    if any("computeMs" in each for each in table[:3]):
        return _times(table)
    if any("averageMs" in each or "timeMs" in each for each in table[:3]):
        return _profile(table)
    return None


def _times(table: Sequence[Mapping[str, Any]]) -> RunPart:
    """Read ``--exportTimes``: one entry per inference, with the copies to and from the device."""
    computed = [_milliseconds(each, "computeMs") for each in table]
    copied = [_milliseconds(each, "inMs") + _milliseconds(each, "outMs") for each in table]
    times = times_from(computed)
    assert times is not None
    host = times_from(copied)
    times = replace(times, host=host.median if host is not None else None)
    return RunPart(replace(bare(_RUNTIME, "trtexec-times"), times=times))


def _profile(table: Sequence[Mapping[str, Any]]) -> RunPart:
    """Read ``--exportProfile``: the number of inferences, then one entry per layer."""
    layers = tuple(_timed(each) for each in table if "name" in each)
    if not layers:
        raise ValueError("a profile of trtexec without layers")
    return RunPart(replace(bare(_RUNTIME, "trtexec-profile"), layers=layers))


def _timed(each: Mapping[str, Any]) -> RunLayer:
    name = shown(each["name"])
    key = next((key for key in ("medianMs", "averageMs") if key in each), "averageMs")
    return RunLayer(
        name=name,
        op=None,
        seconds=_milliseconds(each, key),
        calls=1.0,
        kind="reformat" if name.startswith(REFORMATS) else "compute",
    )


def _layers(path: Path) -> RunPart:
    model = read_model(path)
    if model.format != LAYERS.name or model.problems:
        raise ValueError("its list of layers cannot be read")
    facts = {node.name: _facts(node) for node in model.graph.nodes}
    return RunPart(bare(_RUNTIME, "trtexec-layers"), facts)


def _facts(node: Node) -> RunLayer:
    return RunLayer(
        name=node.name,
        op=node.op_type if node.op_type != UNTOLD else None,
        seconds=0.0,
        kind="reformat" if is_reformat(node) else "compute",
        precision=precision_of(precision(node)),
        kernel=shown(node.metadata.get("tactic")) or None,
        nodes=tuple(onnx_names(node)),
        inputs=_shapes(node.inputs),
        outputs=_shapes(node.outputs),
        produces=tuple(value.name for value in node.outputs if value is not None),
    )


def _shapes(values: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    shapes = (value.declared_shape for value in values if value is not None)
    return tuple(
        tuple(shape)
        for shape in shapes
        if shape is not None and all(isinstance(dim, int) for dim in shape)
    )


def _milliseconds(each: Mapping[str, Any], key: str) -> float:
    number = each.get(key, 0.0)
    if type(number) not in (int, float) or not 0 <= number < 1e12:
        raise ValueError(f"{key} is not a time")
    return float(number) * MILLI
