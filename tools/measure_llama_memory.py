"""Hold the memory that is said of GGUF files against llama.cpp's own breakdown of it.

    python tools/measure_llama_memory.py FOLDER [--write tests/data/llama_cpp_memory.json]

It runs the step of xllamacpp (`pip install xllamacpp`) that fits a model into memory, which
allocates neither weights nor cache: files may be sparse, and only need true headers. Prints the
differences, and keeps what was measured as data for tests/language/test_llama_cpp.py.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from pathlib import Path
from statistics import median
from threading import Timer
from typing import Any, NamedTuple

import click

from modellint.analysis.language import language_needs
from modellint.formats import read_model
from modellint.model import Model
from modellint.model.architecture import LayerShape
from modellint.targets.deployment import Deployment, Serving

CONTEXTS = (1024, 8192, 32768)
CACHES = (("fp16", True), ("q8_0", True), ("fp16", False), ("q4_0", True))
"""Types of the cache, and whether attention keeps its scores on chip."""
MIB = 1 << 20
PATIENCE = 60
"""Seconds after which a model counts as one that llama.cpp does not load."""
STEP = """
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = {path!r}
params.n_ctx = params.fit_params_min_ctx = {tokens}
params.n_parallel = 1
params.warmup = False
params.verbosity = 10
params.fit_params = True
params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_{kind}
params.flash_attn_type = xllamacpp.llama_flash_attn_type({flash})
xllamacpp.Server(params)
"""
BREAKDOWN = re.compile(r"breakdown_print: \|\s+- (\S+).*\|\s+(\d+) =\s+(\d+) \+\s+(\d+) \+\s+(\d+)")
COMPUTE = re.compile(r"compute buffer size =\s+([\d.]+)")
CACHE = re.compile(r"\w+: size =\s+([\d.]+) MiB \(\s*\d+ cells")


class Breakdown(NamedTuple):
    """MiB of a model."""

    weights: int
    cache: float
    compute: float


def measured(path: Path, tokens: int, kind: str, flash: bool) -> Breakdown | None:
    """Return what llama.cpp plans; None if it does not load the model."""
    name = {"fp16": "F16"}.get(kind, kind.upper())
    code = STEP.format(path=str(path), tokens=tokens, kind=name, flash=int(flash))
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    timer = Timer(PATIENCE, child.kill)
    timer.start()
    weights, cache, compute = 0, 0.0, 0.0
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if found := BREAKDOWN.search(line):
                weights += int(found[3])
            elif found := CACHE.search(line):
                cache += float(found[1])
            elif found := COMPUTE.search(line):
                compute += float(found[1])
            elif "projected to use" in line:
                return Breakdown(weights, cache, compute)
    finally:
        timer.cancel()
        child.kill()
        child.wait()
    return None


def said(model: Model, tokens: int, kind: str, flash: bool) -> Breakdown | None:
    serving = Serving(kv_precision=kind, flash_attention=flash)
    needs = language_needs(model, Deployment(runtime="llama.cpp", serving=serving))
    if needs is None:
        return None
    need = needs.at(tokens)
    return Breakdown(round(need.weights / MIB), need.cache / MIB, need.compute / MIB)


def compared(path: Path) -> Iterator[tuple[tuple[int, str, bool], Breakdown, Breakdown]]:
    model = read_model(path)
    for tokens, (kind, flash) in product(CONTEXTS, CACHES):
        mine = said(model, tokens, kind, flash)
        theirs = measured(path, tokens, kind, flash) if mine is not None else None
        if mine is None or theirs is None:
            click.echo(
                f"{path.stem:20} not compared: {'llama.cpp' if mine else 'modellint'} refuses it"
            )
            return
        yield (tokens, kind, flash), mine, theirs


def stored(model: Model) -> dict[str, Any]:
    """Return an architecture as data, with equal layers that follow each other counted."""
    architecture = model.architecture
    assert architecture is not None
    plain = LayerShape()
    layers: list[list[Any]] = []
    for layer in architecture.layers:
        stated = {
            item.name: getattr(layer, item.name)
            for item in fields(layer)
            if getattr(layer, item.name) != getattr(plain, item.name)
        }
        if layers and layers[-1][1] == stated:
            layers[-1][0] += 1
        else:
            layers.append([1, stated])
    return {
        "architecture": architecture.name,
        "hidden": architecture.hidden,
        "vocabulary": architecture.vocabulary,
        "layers": layers,
    }


def off(mine: float, theirs: float) -> float:
    return abs(mine / theirs - 1) if theirs else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    kept: dict[str, Any] = json.loads(given.write.read_text())["models"] if given.write else {}
    computes, totals, caches = [], [], []
    for path in sorted(given.folder.glob("*.gguf")):
        rows, worst = [], 0.0
        for key, mine, theirs in compared(path):
            rows.append([*key, round(theirs.cache, 2), theirs.compute])
            worst = max(worst, off(mine.compute, theirs.compute))
            computes.append(off(mine.compute, theirs.compute))
            totals.append(off(sum(mine), sum(theirs)))
            caches.append(abs(mine.cache - theirs.cache))
        if rows:
            kept[path.stem] = stored(read_model(path)) | {"measured": rows}
            click.echo(f"{path.stem:20} {len(rows)} compared, compute off by {worst:.1%} at most")
    if computes:
        click.echo(f"cache off by {max(caches):.2f} MiB at most")
        click.echo(f"compute off by {median(computes):.2%}, {max(computes):.1%} at most")
        click.echo(f"total off by {median(totals):.2%}, {max(totals):.1%} at most")
    if given.write:
        given.write.write_text(written(kept), encoding="utf-8")


def written(models: dict[str, Any]) -> str:
    """Return the data with a line for each model and each measurement."""
    source = "llama.cpp's breakdown on a CPU, by xllamacpp 2026.10.11549"
    blocks = []
    for name, facts in models.items():
        head = json.dumps({key: value for key, value in facts.items() if key != "measured"})
        rows = ",\n".join(f"      {json.dumps(row)}" for row in facts["measured"])
        blocks.append(f'    "{name}": {head[:-1]}, "measured": [\n{rows}\n    ]}}')
    body = ",\n".join(blocks)
    return f'{{\n  "source": {json.dumps(source)},\n  "models": {{\n{body}\n  }}\n}}\n'


if __name__ == "__main__":
    main()
