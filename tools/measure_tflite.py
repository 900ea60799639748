"""Measures which TFLite operators, types and forms a runtime takes, for its support-<version>.json.

    python tools/measure_tflite.py ethos-u --answers answers.jsonl --ask
    python tools/measure_tflite.py ethos-u --answers answers.jsonl

The models are those of tools/tflite_cases.py, of one operator each. With --ask, those without an
answer are given to the runtime first, which has to be installed for this interpreter. Without,
the tables are written from the answers, and each answer is compared with what the tables predict.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from supports.tables import Operator, write_table
from tflite_cases import FORMS, TYPES, cases

ALL = frozenset(TYPES)
ALL_TYPES = frozenset({"CAST", "QUANTIZE", "DEQUANTIZE"})
TRIED_FIRST = 2
MOST_SHOWN = 40
SECONDS = 20
"""Time that a case may take."""


class Asked(Protocol):
    """A runtime that can be asked about a model."""

    version: str

    def refusal(self, model: Path) -> str:
        """Return why the accelerator does not take the operator; empty if it does."""


class Vela:
    """Compiles for one Ethos-U."""

    def __init__(self, chip: str) -> None:
        from modellint.runtimes.ethos_u.probe import VelaCompiler

        self.version = metadata.version("ethos-u-vela")
        self._compiler = VelaCompiler(chip)

    def refusal(self, model: Path) -> str:
        found = self._compiler.compile(model)
        if found.error:
            return f"error: {found.error}"
        reasons = list(found.reasons.values())
        return (reasons or ["left to the CPU"])[0] if found.left else ""


class Xnnpack:
    """Lets LiteRT apply its delegate for CPUs."""

    def __init__(self) -> None:
        self.version = metadata.version("ai-edge-litert")

    def refusal(self, model: Path) -> str:
        from modellint.runtimes.xnnpack.probe import delegated

        found = delegated(model)
        if found.error:
            return f"error: {found.error}"
        return "left to the built-in kernel" if found.left else ""


class Qualcomm:
    """Lets LiteRT's plug-in share a model out for a Snapdragon 8 Gen 3."""

    def __init__(self) -> None:
        self.version = metadata.version("ai-edge-litert")

    def refusal(self, model: Path) -> str:
        from modellint.runtimes.litert_qualcomm import USUAL
        from modellint.runtimes.litert_qualcomm.probe import shared_out

        found = shared_out(model, USUAL)
        if found.error:
            return f"error: {found.error}"
        return "is not supported" if found.left else ""


class GpuDelegate:
    """Asks TensorFlow Lite's check for its GPU delegate."""

    def __init__(self) -> None:
        from gpu_check import VERSION

        self.version = VERSION

    def refusal(self, model: Path) -> str:
        from gpu_check import refused_nodes

        return next(iter(refused_nodes(model).values()), "")


RUNTIMES: Mapping[str, Callable[[], Asked]] = {
    "ethos-u": lambda: Vela("ethos-u65-256"),
    "ethos-u85": lambda: Vela("ethos-u85-256"),
    "litert-qualcomm": Qualcomm,
    "tflite-gpu": GpuDelegate,
    "xnnpack": Xnnpack,
}
SOURCES = {
    "ethos-u": "https://gitlab.arm.com/artificial-intelligence/ethos-u/ethos-u-vela",
    "ethos-u85": "https://gitlab.arm.com/artificial-intelligence/ethos-u/ethos-u-vela",
    "litert-qualcomm": "https://github.com/google-ai-edge/LiteRT/tree/main/litert/vendors/qualcomm",
    "tflite-gpu": "https://ai.google.dev/edge/litert/performance/gpu",
    "xnnpack": "https://github.com/google-ai-edge/LiteRT/tree/main/tflite/delegates/xnnpack",
}
FURTHER = {
    "ethos-u": frozenset({"int8", "int16", "int32"}),
    "ethos-u85": frozenset({"int8", "int16", "int32"}),
    "litert-qualcomm": frozenset({"float32", "int8", "uint8", "int16", "int32"}),
    "tflite-gpu": frozenset({"float32", "int8", "int32"}),
    "xnnpack": frozenset({"float32", "int8", "uint8"}),
}
"""Types that all forms are tried with; the others only with the first two."""


_LSTM = {"UNIDIRECTIONAL_SEQUENCE_LSTM": Operator(taken=["int8", "int16"])}
_OF_MODELS = {
    "ASSIGN_VARIABLE": Operator(
        at=1, taken=["float32", "float16", "int8", "uint8"], tried=["int32"]
    ),
    "DENSIFY": Operator(taken=["float16"]),
    "custom.Convolution2DTransposeBias": Operator(taken=["float32"]),
}
SEEN = {
    "ethos-u": _LSTM,
    "ethos-u85": _LSTM,
    "tflite-gpu": {"DEPTHWISE_CONV_2D": Operator(taken=["float32", "float16", "int8", "uint8"])},
    "xnnpack": _OF_MODELS,
}
"""Operators that are taken in larger models; alone they are not, or could not be written."""


class Case(NamedTuple):
    op: str
    form: str
    dtype: str
    content: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        return self.op, self.form, self.dtype


def tried(further: frozenset[str] = ALL) -> list[Case]:
    """The cases that are tried: not every form with every type."""
    every = [Case(*each) for each in cases()]
    return [each for each in every if each.dtype in further or _is_first(each)]


def _is_first(case: Case) -> bool:
    names = list(FORMS[case.op])[:TRIED_FIRST]
    return case.op in ALL_TYPES or case.form in (*names, "not quantized")


def ask(make: Callable[[], Asked], further: frozenset[str], kept: Path) -> None:
    """Append what becomes of each case; the runtime runs in a child, since it may crash."""
    done = answers(kept)
    left = [case for case in tried(further) if case.key not in done]
    with kept.open("a", encoding="utf-8") as out:
        while left:
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                os.close(reader)
                _answer(make(), left, out, writer)
                os._exit(0)
            os.close(writer)
            left = left[_answered(reader) :]
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if left:
                _write(out, left.pop(0), "error: the process died, or did not finish")
            sys.stderr.write(f"{len(left)} left\n")


def _answered(reader: int) -> int:
    """Return how many cases a child answers before it ends, or takes too long."""
    ticks = 0
    with os.fdopen(reader, "rb", buffering=0) as file:
        while select.select([file], [], [], SECONDS)[0] and (read := file.read(1 << 16)):
            ticks += len(read)
    return ticks


def _answer(runtime: Asked, left: Sequence[Case], out: Any, writer: int) -> None:
    taken = {op for (op, _, _), refused in answers(Path(out.name)).items() if not refused}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tflite"
        for case in left:
            if _is_first(case) or case.op in taken:  # else it takes the operator in no form
                model.write_bytes(case.content)
                refused = runtime.refusal(model)
                taken |= set() if refused else {case.op}
                _write(out, case, refused)
            os.write(writer, b".")


def _write(out: Any, case: Case, refused: str) -> None:
    told = {"op": case.op, "form": case.form, "type": case.dtype, "refused": refused[:300]}
    out.write(json.dumps(told) + "\n")
    out.flush()


def answers(file: Path) -> dict[tuple[str, str, str], str]:
    if not file.exists():
        return {}
    told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {(each["op"], each["form"], each["type"]): each["refused"] for each in told}


def table(name: str, known: Mapping[tuple[str, str, str], str]) -> dict[str, Operator]:
    """The types that are taken in some form, and the forms that are refused with such a type."""
    found: dict[str, Operator] = defaultdict(Operator)
    for (op, form, varied), refused in known.items():
        entry, dtype = found[op], _type_read(op, form, varied)
        if dtype not in entry.tried:
            entry.tried.append(dtype)
        if not refused:
            entry.accepted += 1
            if dtype not in entry.taken:
                entry.taken.append(dtype)
    for (op, form, dtype), refused in known.items():
        if refused and dtype in found[op].taken:
            found[op].refused.setdefault(form, refused)
    for op, entry in found.items():
        entry.at = _varied_input(op)
    for op, seen in SEEN.get(name, {}).items():
        found[op] = replace(seen, accepted=1, tried=[*found[op].tried, *seen.tried])
    return dict(found)


def _type_read(op: str, form: str, varied: str) -> str:
    """The type of a form's input, if that is not the varied one."""
    text = FORMS[op][form].partition("->")[0].split(";")[_varied_input(op)].strip()
    stated = text.partition("[")[0].rstrip("'!%")
    return stated if stated in TYPES else varied


def _varied_input(op: str) -> int:
    """The first input whose type is varied."""
    form = next(iter(FORMS[op].values()))
    inputs = [each.strip() for each in form.partition("->")[0].split(";")]
    return next((place for place, each in enumerate(inputs) if each.startswith("T")), 0)


def compare(name: str, known: Mapping[tuple[str, str, str], str]) -> Counter[bool]:
    """Print the answers that the tables do not predict."""
    from modellint.formats import read_model
    from modellint.placement import placement
    from modellint.targets.deployment import Deployment

    alike: Counter[bool] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for place, case in enumerate(tried()):
            if case.key not in known:
                continue
            model = Path(folder) / f"{place}.tflite"
            model.write_bytes(case.content)
            found = placement(read_model(model), Deployment(runtime=name))
            model.unlink()
            assert found is not None, name
            refused = known[case.key]
            same = bool(refused) == bool(found.refusals) or not found.nodes
            alike[same] += 1
            if not same and alike[False] <= MOST_SHOWN:
                mine = [each.words for each in found.refusals.values()]
                sys.stdout.write(f"{' / '.join(case.key)}: predicted {mine}, said {refused!r}\n")
    return alike


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--ask", action="store_true")
    parser.add_argument("--version", help="of the runtime that was asked, if it is not installed")
    given = parser.parse_args()
    make = RUNTIMES[given.runtime]
    if given.ask:
        ask(make, FURTHER[given.runtime], given.answers)
    known = answers(given.answers)
    version = given.version or make().version
    write_table(
        given.runtime, version, "measured", SOURCES[given.runtime], table(given.runtime, known)
    )
    alike = compare(given.runtime, known)
    sys.stdout.write(f"{alike[True]} of {alike.total()} predicted\n")


if __name__ == "__main__":
    main()
