"""TensorFlow Lite's own check which nodes of a file its GPU delegate takes.

It is a library in TensorFlow's package up to 2.16, loaded without the package around it, which
needs an old numpy. LiteRT's later packages have the function, too, but it checks nothing there.
"""

from __future__ import annotations

import ctypes
import re
from functools import cache
from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from modellint.formats import read_model
from modellint.model import Node

VERSION = "2.16.2"
CHECK = "_pywrap_analyzer_wrapper"
NEEDED = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
REFUSED = re.compile(r"at nodes ([\d, ]+) on TFLite")
REASON = re.compile(r"GPU COMPATIBILITY WARNING: (?!Subgraph#)(.*)")
TYPES = frozenset({"float32", "float16", "int8", "uint8"})
FURTHER = {
    "CAST": ({"bool", "int32"}, {"bool", "int32"}),
    "GATHER": ({"int32"}, set()),
    "LOGICAL_AND": ({"bool"}, {"bool"}),
    "ONE_HOT": ({"int32"}, set()),
    "SELECT": ({"bool"}, set()),
    "SELECT_V2": ({"bool"}, set()),
    **dict.fromkeys(
        ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"),
        (set(), {"bool"}),
    ),
}
"""Further types of computed inputs and of outputs (delegates/gpu/common/model_builder.cc)."""
HIGHEST_RANK = 4


@cache
def _check() -> Any:
    found = find_spec("tensorflow")
    assert found is not None
    assert found.origin is not None
    room = Path(found.origin).parent
    for name in NEEDED:
        ctypes.CDLL(str(room / name), mode=ctypes.RTLD_GLOBAL)
    file = next(room.rglob(f"{CHECK}.so"))
    spec = spec_from_file_location(CHECK, file, loader=ExtensionFileLoader(CHECK, str(file)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refused_nodes(file: Path) -> dict[int, str]:
    """Return the reasons by the index of each node that the delegate refuses."""
    said = _check().ModelAnalyzer(str(file), True, True)  # a file; for the GPU
    listed = REFUSED.search(said)
    places = [int(each) for each in listed[1].split(",")] if listed else []
    found = dict(zip(places, REASON.findall(said), strict=False))
    graph = read_model(file).graph
    for node in graph.nodes:
        reason = _other_type(node)
        if reason:
            found.setdefault(node.index, reason)
    return found


def _other_type(node: Node) -> str:
    """Return what the delegate says besides, as it is stated in its source."""
    further = FURTHER.get(node.op_type, (set(), set()))
    for values, more in zip((node.inputs, node.outputs), further, strict=True):
        for value in values:
            if value is None:
                continue
            dtype = value.dtype.name if value.dtype is not None else ""
            if len(value.declared_shape or ()) > HIGHEST_RANK:
                return "tensor shape isn't compatible"
            if not value.is_constant and dtype not in TYPES | more:
                return "tensor type isn't compatible"
    return ""
