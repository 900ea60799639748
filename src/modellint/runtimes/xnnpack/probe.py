"""In the child process: lets LiteRT apply XNNPACK to a TFLite file, and looks what it has taken."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import asdict
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from modellint.base.records import dataclass
from modellint.formats.tflite.facts import tflite_facts
from modellint.formats.tflite.reader import read
from modellint.model import Node, Value
from modellint.runtimes.delegated import parts_of
from modellint.runtimes.probe import Remark, Tell

DELEGATE = "DELEGATE"
UNIT, FALLBACK = "XNNPACK", "CPU"


def answer(request: dict[str, Any], tell: Tell) -> None:
    said = {"version": metadata.version("ai-edge-litert"), "level": request["level"]}
    started = time.perf_counter()
    found = delegated(Path(request["path"]))
    if found.error:
        remark = Remark("model-refused", found.error)
        tell({**said, "status": "refused", "remarks": [asdict(remark)]})
        return
    units = {UNIT: sum(map(len, found.partitions)), FALLBACK: len(found.left)}
    names = {
        "partitions": [[_named(node) for node in part] for part in found.partitions],
        "left": [_named(node) for node in found.left],
    }
    left = [Remark("on-cpu", "", *_named(node), index=node.index) for node in found.left]
    tell(
        {
            **said,
            "status": "accepted",
            "remarks": [asdict(each) for each in left],
            "figures": {
                "build_seconds": time.perf_counter() - started,
                "nodes_taken": units[UNIT],
                "subgraphs_taken": len(found.partitions),
            },
            "placement": {unit: count for unit, count in units.items() if count},
            **(names if request.get("names") else {}),
        }
    )


def _named(node: Node) -> tuple[str, str]:
    return node.label, node.op_type


@dataclass(frozen=True, slots=True)
class Delegated:
    """Nodes of a model by the part of the delegate that runs them, and those that none runs."""

    partitions: tuple[tuple[Node, ...], ...] = ()
    left: tuple[Node, ...] = ()
    error: str = ""


def delegated(path: Path) -> Delegated:
    litert = import_module("ai_edge_litert.interpreter")
    try:
        interpreter = litert.Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
        listed = interpreter._get_ops_details()  # no public name tells what was delegated
    except (ValueError, RuntimeError) as error:
        return Delegated(error=str(error))
    model = read(path)
    values = tflite_facts(model).tensors[model.graph]
    parts = tuple(parts_of(_borders(listed, values)))
    taken = {id(node) for part in parts for node in part}
    return Delegated(parts, tuple(node for node in model.graph.nodes if id(node) not in taken))


def _borders(
    listed: list[dict[str, Any]], values: tuple[Value, ...]
) -> Iterator[tuple[Collection[Value], Collection[Value]]]:
    for each in listed:
        if each["op_name"] == DELEGATE:
            reads, writes = (
                [values[int(index)] for index in each[side] if 0 <= int(index) < len(values)]
                for side in ("inputs", "outputs")
            )
            yield reads, writes
