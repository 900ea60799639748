"""Compares programs that simplify models: what they remove, what they break, what they cost.

    python tools/compare_fixers.py LIST 'modellint=modellint optimize {in} -o {out}' \
        'onnxsim=onnxsim {in} {out}' 'onnxslim=onnxslim {in} {out}'

Only models that ONNX Runtime runs count; with `--most`, the first so many of them in the order of
SHA-256 of their names or what `--seconds` allow, and with `--nodes`, only those with so many
operations or more. An output is changed if, on random inputs, it differs by more than a thousandth
of its largest element, or is missing; bitwise equality is counted apart.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modellint.base.temporary import temporary_folder
from modellint.execution import Execution, NoInputsError, compare, made_up, run
from modellint.formats import read_model
from modellint.model import Model
from modellint.probes.runner import Limits

SEEDS = 3
FRESH = 9000
CHANGED = 1e-3
SECONDS = 120
LIMITS = Limits(120.0, 6 << 30)


@dataclass
class Score:
    """Figures of one program over all models."""

    written: int = 0
    failed: int = 0
    nodes: int = 0
    unloadable: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    interfaces: list[str] = field(default_factory=list)
    equal: int = 0
    seconds: float = 0.0
    memory: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, help="a folder, or a list of files")
    parser.add_argument("programs", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument(
        "--keep", default="0123456789abcdef", help="first digits of SHA-256 of names"
    )
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--most", type=int, default=sys.maxsize, help="number of models")
    parser.add_argument("--nodes", type=int, default=0, help="operations that a model has at least")
    parser.add_argument("--largest", type=int, default=50_000_000)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no model after them")
    given = parser.parse_args()
    programs = dict(each.split("=", 1) for each in given.programs)
    scores = {name: Score() for name in programs}
    total = models = 0
    began = time.monotonic()
    for path in _files(given.models, given.keep, given.largest)[:: given.every]:
        if models == given.most or time.monotonic() - began > given.seconds:
            break
        model = read_model(path)
        if _nodes(model) < given.nodes or model.external_files:
            continue
        before = _outputs(path, model)
        if before is None:
            continue
        models += 1
        total += _nodes(model)
        for name, command in programs.items():
            _score(scores[name], command, path, model, before)
        if models % 20 == 0:
            sys.stderr.write(f"{models} models\n")
    sys.stdout.write("\n".join([*_table(scores, models, total), ""]))
    return 0


def _files(place: Path, keep: str, largest: int) -> list[Path]:
    if place.is_dir():
        found = sorted(place.rglob("*.onnx"))
    else:
        found = [Path(line) for line in place.read_text(encoding="utf-8").split("\n") if line]
    kept = [e for e in found if _digest(e)[0] in keep and e.stat().st_size <= largest]
    return sorted(kept, key=_digest)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.name.encode()).hexdigest()


def _nodes(model: Model) -> int:
    """Return the number of operations: Constant nodes are only another way of storing tensors."""
    return sum(node.op_type != "Constant" for node in model.nodes(functions=True))


def _outputs(path: Path, model: Model) -> tuple[list[object], Execution] | None:
    """Return inputs and what the model gives; None if it cannot be run."""
    try:
        feeds = [made_up(model, FRESH + n, n) for n in range(SEEDS)]
    except NoInputsError:
        return None
    execution = run(path, model.format, feeds, limits=LIMITS)
    if model.format != "onnx" or any(each.error for each in execution.runs):
        return None
    again = run(path, model.format, feeds[:1], limits=LIMITS)
    is_random = _difference(execution, again) > 0
    return None if is_random else (list(feeds), execution)


def _score(
    score: Score, command: str, path: Path, model: Model, before: tuple[list[object], Execution]
) -> None:
    with temporary_folder() as folder:
        given, result = folder / "in.onnx", folder / "out.onnx"
        shutil.copyfile(path, given)
        words = [
            each.replace("{in}", str(given)).replace("{out}", str(result))
            for each in shlex.split(command)
        ]
        started, memory = time.perf_counter(), 0
        try:
            memory = _measured(words, folder)
        except subprocess.TimeoutExpired:
            score.failed += 1
            return
        score.seconds += time.perf_counter() - started
        score.memory = max(score.memory, memory)
        if not result.exists():
            score.failed += 1
            return
        score.written += 1
        new = read_model(result)
        feeds, old = before
        ran = run(result, "onnx", feeds, limits=LIMITS)  # type: ignore[arg-type]
        if _interface(model) != _interface(new):
            score.interfaces.append(str(path))
        if any(each.error for each in ran.runs):
            score.unloadable.append(str(path))
            return
        score.nodes += _nodes(model) - _nodes(new)
        difference = _difference(old, ran)
        score.equal += difference == 0
        if difference > CHANGED:
            score.changed.append(str(path))


def _measured(words: list[str], folder: Path) -> int:
    """Run a program; return its peak of memory in bytes."""
    script = (
        f"import resource, subprocess, sys; subprocess.run(sys.argv[1:], timeout={SECONDS}, "
        "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS + 10,
        check=False,
    )
    return int(done.stdout or 0) * (1 if sys.platform == "darwin" else 1024)


def _interface(model: Model) -> list[object]:
    values = [*model.fed, *model.outputs]
    return [(each.name, each.declared_dtype) for each in values]


def _difference(old: Execution, new: Execution) -> float:
    largest = 0.0
    for one, other in zip(old.runs, new.runs, strict=False):
        for name, array in one.outputs.items():
            if name not in other.outputs:
                return math.inf
            found = compare(array, other.outputs[name])
            if not found.comparable or not found.same_nonfinite:
                return math.inf
            if found.differing:
                largest = max(largest, found.to_range or math.ulp(0.0))
    return largest


def _table(scores: dict[str, Score], models: int, total: int) -> Iterator[str]:
    yield f"{models} models with {total:,} nodes"
    yield ""
    yield (
        "| program | written | failed | nodes removed | does not load or run | outputs changed "
        "| other inputs or outputs | bitwise equal | time per model | most memory |"
    )
    yield "| --- |" + " --- |" * 9
    for name, each in scores.items():
        tried = max(each.written + each.failed, 1)
        yield (
            f"| {name} | {each.written} | {each.failed} | {each.nodes:,} | {len(each.unloadable)} "
            f"| {len(each.changed)} | {len(each.interfaces)} | {each.equal} "
            f"| {each.seconds / tried:.2f} s | {each.memory / 2**20:.0f} MiB |"
        )
    for name, each in scores.items():
        for kind in ("unloadable", "changed", "interfaces"):
            for path in getattr(each, kind):
                sys.stderr.write(f"{name} {kind}: {path}\n")


if __name__ == "__main__":
    sys.exit(main())
