"""Compares predicted placements with those of the runtime's own compiler.

    python tools/measure_placement.py qnn MODEL... --answers answers.jsonl --ask
    python tools/measure_placement.py qnn MODEL... --answers answers.jsonl

Answers go by the paths as they are given, for names may recur. With --ask, models without one are
compiled first, which needs the runtime in this interpreter: `placements/` has a module for each.
Without, only answers are compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from modellint.analysis.assume import settle
from modellint.formats import read_model
from modellint.model import Node
from modellint.placement import UnitPlacement, placement
from modellint.runtimes.qnn.log import plain_name
from modellint.targets import find_target
from modellint.targets.deployment import Deployment

Answer = Mapping[str, Any]
MOST_SHOWN = 30
ROOM = Path(__file__).parent / "placements"


@dataclass
class Agreement:
    """Predicted and measured placements of some models."""

    nodes: Counter[bool] = field(default_factory=Counter)
    """Nodes by whether they are placed alike."""
    parts: Counter[bool] = field(default_factory=Counter)
    whole: Counter[bool] = field(default_factory=Counter)
    """Models by whether both say alike that everything runs on the accelerator."""
    not_started: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, name: str, found: UnitPlacement, answer: Answer) -> None:
        if not answer["starts"]:
            self.not_started += 1
            return
        taken = {plain_name(each) for part in answer["partitions"] for each in part}
        left = {plain_name(each) for each in answer["left"]}
        for node in _named(found.nodes):
            if node.label in taken or node.label in left:
                self._judge(name, node, found, node.label in taken)
        mine, real = len(found.accelerated), len(answer["partitions"])
        what = "copies" if "copies" in answer else "parts"
        counts = (len(found.boundaries), answer["copies"]) if "copies" in answer else (mine, real)
        self.parts[counts[0] == counts[1]] += 1
        if counts[0] != counts[1]:
            self.differences.append(f"{name}: {counts[0]} {what} predicted, {counts[1]} measured")
        self.whole[(found.is_whole and mine > 0) == (not left and real > 0)] += 1

    def _judge(self, name: str, node: Node, found: UnitPlacement, is_taken: bool) -> None:
        refusal = found.refusal_of(node)
        alike = (refusal is None) == is_taken
        self.nodes[alike] += 1
        if not alike:
            why = f"predicted on the {found.fallback}, it {refusal.words}" if refusal else "left"
            self.differences.append(f"{name}: {node.qualified_op} {node.label}: {why}")

    def __str__(self) -> str:
        said = [
            f"{_share(self.nodes)} of {sum(self.nodes.values())} nodes placed the same",
            f"{_share(self.parts)} of {sum(self.parts.values())} models with equal part counts",
            f"{_share(self.whole)} agree on whether all of it runs on the accelerator",
            f"{self.not_started} did not start",
        ]
        return ", ".join(said)


def _share(counts: Counter[bool]) -> str:
    whole = sum(counts.values())
    return f"{counts[True] / whole:.1%}" if whole else "none"


def _named(nodes: Iterable[Node]) -> list[Node]:
    """Return the nodes that an answer can be about: those with a label of their own."""
    every = list(nodes)
    counts = Counter(node.label for node in every)
    return [node for node in every if counts[node.label] == 1]


def predicted(
    path: Path, runtime: str, sizes: Mapping[str, int], target: str | None = None
) -> UnitPlacement | None:
    """Return the placement of a file whose open dims have some sizes."""
    device = find_target(target) if target is not None else None
    return placement(read_model(path), Deployment(device, runtime, symbols=sizes))


def usual_sizes(path: Path) -> dict[str, int]:
    """Return a size for each named open dim of the inputs."""
    model = read_model(path)
    dims = {dim for value in model.fed for dim in value.declared_shape or ()}
    assumed = settle(model, Deployment()).assumed
    return {name: size for name, size in assumed.items() if name in dims}


def answers(file: Path) -> dict[str, Answer]:
    if not file.exists():
        return {}
    told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {each["file"]: each for each in told}


def ask(runtime: str, files: Iterable[Path], kept: Path, chip: str, *, fixed: bool) -> None:
    """Compile models, and append what becomes of each."""
    compile_model = import_module(f"placements.{runtime.replace('-', '_')}").compiler(chip)
    with kept.open("a", encoding="utf-8") as out:
        for file in files:
            sizes = usual_sizes(file) if fixed else {}
            told = {
                "file": file.as_posix(),
                "chip": chip,
                "sizes": sizes,
                **compile_model(file, sizes),
            }
            out.write(json.dumps(told) + "\n")
            out.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runtime", choices=sorted(file.stem.replace("_", "-") for file in ROOM.glob("[a-z]*.py"))
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--ask", action="store_true")
    parser.add_argument("--chip", default="", help="the runtime's own name of a chip")
    parser.add_argument("--target")
    parser.add_argument("--fixed", action="store_true", help="give open dims usual sizes")
    given = parser.parse_args()
    told = answers(given.answers)
    if given.ask:
        new = [path for path in given.models if path.as_posix() not in told]
        ask(given.runtime, new, given.answers, given.chip, fixed=given.fixed)
        told = answers(given.answers)
    found = Agreement()
    for path in given.models:
        answer = told.get(path.as_posix())
        if answer is not None:
            mine = predicted(path, given.runtime, answer["sizes"], given.target)
            if mine is not None:
                found.add(path.as_posix(), mine, answer)
    for line in found.differences[:MOST_SHOWN]:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
