"""Compare what the reader of ONNX Runtime's format says with what it says of the ONNX model.

    python tools/compare_ort.py FOLDER ...

ONNX Runtime loads each ONNX model and saves it again in both formats, and both files are read:
inputs, outputs, operators with their attributes, inputs and outputs, and numbers of initializers.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from compared import compare_all, files_in

from modellint.formats import read_model
from modellint.model import Model, Node, Tensor


def main(paths: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return compare_all(files_in(paths, ".onnx"), partial(compare, Path(folder)))


def compare(folder: Path, path: Path, counts: Counter[str]) -> Iterator[str]:
    if not (_save(path, folder / "saved.ort") and _save(path, folder / "saved.onnx")):
        return
    counts["files that ONNX Runtime saves"] += 1
    ours, theirs = read_model(folder / "saved.ort"), _with_data(folder / "saved.onnx", path)
    if any(problem.fatal for problem in ours.problems):
        yield f"cannot be read: {ours.problems}"
        return
    yield from _same("inputs", _types(ours.fed), _types(theirs.fed))
    yield from _same("outputs", _types(ours.outputs), _types(theirs.outputs))
    operators = _operators(theirs, counts)
    yield from _same("operators", _without_defaults(_operators(ours, counts), operators), operators)
    yield from _same("initializers", _stored(ours, counts), _stored(theirs, counts))


def _save(path: Path, saved: Path) -> bool:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", saved.suffix[1:].upper())
    options.optimized_model_filepath = str(saved)
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception:  # it has many, and none of them is of interest
        return False
    return True


def _with_data(saved: Path, original: Path) -> Model:
    """Read what is saved, which refers to external data in the folder of the original."""
    missing = [each for each in read_model(saved).problems if each.kind == "external-missing"]
    for location in (str(each.facts["location"]) for each in missing):
        target = saved.parent / location
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original.parent / location, target)
    return read_model(saved)


def _types(values: list[Any]) -> list[tuple[Any, ...]]:
    return [(value.name, value.type_name, value.declared_dtype) for value in values]


def _operators(model: Model, counts: Counter[str]) -> dict[str, dict[str, Any]]:
    """Attributes of all nodes by operator, inputs, outputs and subgraphs.

    Constant nodes are initializers in one of the formats.
    """
    found = {}
    for graph in model.graphs():
        for node in (each for each in graph.nodes if each.op_type != "Constant"):
            counts["operators"] += 1
            found[_described(node)] = {
                name: repr(value.nbytes if isinstance(value, Tensor) else value)
                for name, value in node.attributes.items()
            }
    return found


def _described(node: Node) -> str:
    names = [
        [value.name if value else "" for value in part] for part in (node.inputs, node.outputs)
    ]
    for part in names:
        while part and not part[-1]:
            part.pop()
    return f"{node.qualified_op} {names} {sorted(node.subgraphs)}"


def _without_defaults(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Leave out attributes that only the runtime's own format states: it writes defaults out."""
    return {
        key: {name: each for name, each in stated.items() if name in theirs.get(key, stated)}
        for key, stated in ours.items()
    }


def _stored(model: Model, counts: Counter[str]) -> dict[str, bytes]:
    """The numbers of all constants that a node of the main graph reads."""
    found = {}
    for value in model.graph.values.values():
        if value.tensor is not None and value.consumers and value.tensor.dtype.kind != "string":
            counts["constants"] += 1
            numbers = value.tensor.numpy()
            found[value.name] = numbers.tobytes() if numbers is not None else b""
    return found


def _same(what: str, ours: Any, theirs: Any) -> Iterator[str]:
    if ours == theirs:
        return
    if isinstance(ours, dict):
        here = [key for key in ours if ours[key] != theirs.get(key)]
        there = [key for key in theirs if ours.get(key) != theirs[key]]
        yield f"{what}: {here[:2]} here, {there[:2]} there"
    else:
        yield f"{what}: {ours} here, {theirs} there"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
