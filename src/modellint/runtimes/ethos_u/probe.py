"""In the child process: compiles a TFLite file with Vela, for an Ethos-U NPU that is not there."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, field
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.base.records import dataclass
from modellint.formats.tflite.reader import read
from modellint.model import Graph, Node, Value
from modellint.runtimes.captured import captured, text_of
from modellint.runtimes.delegated import parts_of
from modellint.runtimes.ethos_u.log import LeftOperator, failure, refusals
from modellint.runtimes.probe import Remark, Tell

NPU, CPU = "NPU", "CPU"
COMPILED = "ethos-u"
"""The custom operator that stands for a part on the NPU."""
KIB = 1 << 10


def answer(request: dict[str, Any], tell: Tell) -> None:
    said = {"version": metadata.version("ethos-u-vela"), "level": request["level"]}
    started = time.perf_counter()
    found = VelaCompiler(request["chip"]).compile(Path(request["path"]))
    if found.error:
        remark = Remark("model-refused", found.error)
        tell({**said, "status": "refused", "remarks": [asdict(remark)]})
        return
    units = {NPU: sum(map(len, found.partitions)), CPU: len(found.left)}
    names = {
        "partitions": [[_named(node) for node in part] for part in found.partitions],
        "left": [_named(node) for node in found.left],
    }
    tell(
        {
            **said,
            "status": "accepted",
            "remarks": [asdict(each) for each in _remarks(found)],
            "figures": {
                "build_seconds": time.perf_counter() - started,
                "nodes_taken": units[NPU],
                "subgraphs_taken": len(found.partitions),
                **found.figures,
            },
            "placement": {unit: count for unit, count in units.items() if count},
            **(names if request.get("names") else {}),
        }
    )


def _named(node: Node) -> tuple[str, str]:
    return node.label, node.op_type


def _remarks(found: VelaResult) -> Iterator[Remark]:
    reasons = {(each.op, each.output): each.reason for each in found.refusals}
    for node in found.left:
        yield Remark(
            "on-cpu", reasons.get(_key(node), ""), node.label, node.op_type, index=node.index
        )


@dataclass(frozen=True, slots=True)
class VelaResult:
    """Result of compiling a model."""

    partitions: tuple[tuple[Node, ...], ...] = ()
    """Nodes of the model, by the part on the NPU that computes them."""
    left: tuple[Node, ...] = ()
    """Nodes of the model that stay on the CPU."""
    refusals: tuple[LeftOperator, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


class VelaCompiler:
    """Vela, for one accelerator."""

    def __init__(self, chip: str) -> None:
        self._main, self._chip = import_module("ethosu.vela.vela").main, chip

    def compile(self, path: Path) -> VelaResult:
        with TemporaryDirectory() as folder, captured() as log:
            error = self._run(path, folder)
            sys.stdout.flush()
            written = next(Path(folder).glob("*_vela.tflite"), None)
            if error or written is None:
                return VelaResult(error=failure(error or text_of(log)))
            compiled, figures = read(written), dict(_figures(Path(folder)))
            said = tuple(refusals(text_of(log)))
        graph = read(path).graph
        left = _counterparts(graph, [n for n in compiled.graph.nodes if n.op_type != COMPILED])
        parts = [node for node in compiled.graph.nodes if node.op_type == COMPILED]
        return VelaResult(tuple(parts_of(_borders(graph, parts), left)), left, said, figures)

    def _run(self, path: Path, folder: str) -> str:
        given = ("--accelerator-config", self._chip, "--output-dir", folder)
        try:
            self._main([str(path), *given])
        except (Exception, SystemExit) as error:  # of its own kinds, and of the library's
            return str(error) or type(error).__name__
        return ""


def _figures(folder: Path) -> Iterator[tuple[str, float]]:
    """Iterate over what Vela estimates, from the summary that it writes."""
    for path in folder.glob("*_summary_*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file), {})
        yield "sram_bytes", round(float(row["sram_memory_used"]) * KIB)
        yield "cycles", round(float(row["cycles_total"]))
        yield "inferences_per_second", float(row["inferences_per_second"])


def _counterparts(graph: Graph, remaining: list[Node]) -> tuple[Node, ...]:
    """Return the nodes of the model that are still in the compiled one."""
    places: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in reversed(graph.nodes):
        places[_key(node)].append(node)
    renamed: Counter[str] = Counter()
    found: list[Node] = []
    for node in remaining:
        if places[_key(node)]:
            found.append(places[_key(node)].pop())
        else:  # Vela renames results that it converts, as those of type bool
            renamed[node.op_type] += 1
    for op, count in renamed.items():
        found += [node for node in graph.nodes if node.op_type == op and node not in found][:count]
    return tuple(found)


def _borders(
    graph: Graph, parts: Iterable[Node]
) -> Iterator[tuple[Collection[Value], Collection[Value]]]:
    """Iterate over what parts read and write, as values of the model."""
    named: dict[str, list[Value]] = defaultdict(list)
    for value in graph.values.values():
        named[_plain(value.name)].append(value)
    for part in parts:
        sides = (
            (value for value in side if value is not None) for side in (part.inputs, part.outputs)
        )
        reads, writes = ([each for v in side for each in named[_plain(v.name)]] for side in sides)
        yield reads, writes


def _results(node: Node) -> list[str]:
    return [_plain(value.name) for value in node.outputs if value is not None]


def _plain(name: str) -> str:
    """Return a name without the suffix that makes it unique."""
    stem, _, suffix = name.rpartition("#")
    return stem if suffix.isdigit() else name


def _key(node: Node) -> tuple[str, str]:
    return node.op_type, next(iter(_results(node)), "")
