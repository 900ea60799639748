"""In the child process: compiles a TFLite file with Vela for an Ethos-U NPU, without the NPU."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.formats.tflite.reader import read
from modellint.runtimes.captured import captured, text_of
from modellint.runtimes.delegated import Delegated, compiled_parts, key_of, tell_parts
from modellint.runtimes.ethos_u.log import failure, refusals
from modellint.runtimes.probe import Tell

NPU = "NPU"
COMPILED = "ethos-u"
"""The custom operator that stands for a part on the NPU."""
KIB = 1 << 10


def answer(request: dict[str, Any], tell: Tell) -> None:
    compiler = VelaCompiler(request["chip"])
    tell_parts(request, tell, metadata.version("ethos-u-vela"), NPU, compiler.compile)


class VelaCompiler:
    """Vela, for one accelerator."""

    def __init__(self, chip: str) -> None:
        self._main, self._chip = import_module("ethosu.vela.vela").main, chip

    def compile(self, path: Path) -> Delegated:
        with TemporaryDirectory() as folder, captured() as log:
            error = self._run(path, folder)
            sys.stdout.flush()
            written = next(Path(folder).glob("*_vela.tflite"), None)
            if error or written is None:
                return Delegated(error=failure(error or text_of(log)))
            compiled, figures = read(written), dict(_figures(Path(folder)))
            said = list(refusals(text_of(log)))
        partitions, left = compiled_parts(read(path).graph, compiled.graph, COMPILED)
        why = {(each.op, each.output): each.reason for each in said}
        reasons = {id(node): why[key_of(node)] for node in left if key_of(node) in why}
        return Delegated(partitions, left, reasons, figures)

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
