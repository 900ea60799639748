"""In the child process: compiles a TFLite file with Vela, for an Ethos-U NPU that is not there."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, field
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.base.records import dataclass
from modellint.formats.tflite.reader import read
from modellint.model import Node
from modellint.runtimes.captured import captured, text_of
from modellint.runtimes.delegated import compiled_parts, key_of
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
            "on-cpu", reasons.get(key_of(node), ""), node.label, node.op_type, index=node.index
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
        partitions, left = compiled_parts(read(path).graph, compiled.graph, COMPILED)
        return VelaResult(partitions, left, said, figures)

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
