"""In the child process: compiles a TFLite file with Vela, for an Ethos-U NPU that is not there."""

from __future__ import annotations

import csv
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.base.records import dataclass
from modellint.formats.tflite.reader import read
from modellint.model import Node
from modellint.runtimes.captured import captured, text_of
from modellint.runtimes.ethos_u.log import Refusal, failure, refusals
from modellint.runtimes.probe import Remark, Tell

NPU, CPU = "NPU", "CPU"
COMPILED = "ethos-u"
"""The custom operator that stands for a part on the NPU."""
KIB = 1 << 10


def answer(request: dict[str, Any], tell: Tell) -> None:
    from importlib.metadata import version

    said = {"version": version("ethos-u-vela"), "level": request["level"]}
    started = time.perf_counter()
    found = Compiler(request["chip"]).compile(Path(request["path"]))
    if found.error:
        remark = Remark("model-refused", found.error)
        tell({**said, "status": "refused", "remarks": [asdict(remark)]})
        return
    units = {NPU: len(found.taken), CPU: len(found.left)}
    tell(
        {
            **said,
            "status": "accepted",
            "remarks": [asdict(each) for each in _remarks(found)],
            "figures": {
                "build_seconds": time.perf_counter() - started,
                "nodes_taken": len(found.taken),
                "subgraphs_taken": found.parts,
                **found.figures,
            },
            "placement": {unit: count for unit, count in units.items() if count},
        }
    )


def _remarks(found: Compiled) -> Iterator[Remark]:
    reasons = {(each.op, each.output): each.reason for each in found.refusals}
    for node in found.left:
        yield Remark(
            "on-cpu", reasons.get(_key(node), ""), node.label, node.op_type, index=node.index
        )


@dataclass(frozen=True, slots=True)
class Compiled:
    """Result of compiling a model."""

    taken: tuple[Node, ...] = ()
    left: tuple[Node, ...] = ()
    """Nodes of the model that stay on the CPU."""
    parts: int = 0
    """Parts on the NPU."""
    refusals: tuple[Refusal, ...] = ()
    figures: Mapping[str, float] = {}
    error: str = ""


class Compiler:
    """Vela, for one accelerator."""

    def __init__(self, chip: str) -> None:
        from ethosu.vela.vela import main

        self._main, self._chip = main, chip

    def compile(self, path: Path) -> Compiled:
        with TemporaryDirectory() as folder, captured() as log:
            error = self._run(path, folder)
            sys.stdout.flush()
            written = next(Path(folder).glob("*_vela.tflite"), None)
            if error or written is None:
                return Compiled(error=failure(error or text_of(log)))
            compiled, figures = read(written), dict(_figures(Path(folder)))
            said = tuple(refusals(text_of(log)))
        nodes = read(path).graph.nodes
        remaining = [node for node in compiled.graph.nodes if node.op_type != COMPILED]
        left = _counterparts(nodes, remaining)
        return Compiled(
            taken=tuple(node for node in nodes if node not in left),
            left=left,
            parts=len(compiled.graph.nodes) - len(remaining),
            refusals=said,
            figures=figures,
        )

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


def _counterparts(nodes: list[Node], remaining: list[Node]) -> tuple[Node, ...]:
    """Return the nodes of the model that are still in the compiled one."""
    places: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in reversed(nodes):
        places[_key(node)].append(node)
    found = (places[_key(node)] for node in remaining)
    return tuple(each.pop() for each in found if each)


def _key(node: Node) -> tuple[str, str]:
    """Return the operator and the first output's name, without the suffix that makes it unique."""
    name, _, suffix = node.label.rpartition("#")
    return node.op_type, name if suffix.isdigit() else node.label
