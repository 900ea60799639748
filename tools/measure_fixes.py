"""Applies all fixes to a folder of models, and checks their proofs with new inputs.

    python tools/measure_fixes.py FOLDER-OR-LIST... [--rules HYG001,HYG002] [--skip 01234]

For each rule: how often it proposed a fix, how many were carried out, which step of the proof
refused the others, how many of its findings vanished, and how many models whose fixes were proved
give something else on inputs that the proof did not use, which must be none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modellint.base.temporary import temporary_folder
from modellint.engine import lint_file
from modellint.execution import NoInputsError, Way, compare, made_up, run
from modellint.fixing.files import Destination, fix_file
from modellint.fixing.rounds import Wanted
from modellint.formats import read_model
from modellint.model import Model
from modellint.plan import Plan
from modellint.probes.runner import Limits
from modellint.results.fixed import FileFixes
from modellint.rules.registry import load_rules
from modellint.targets.deployment import Deployment

FRESH = 7000
"""Seeds that no proof uses start here."""
SEEDS = 3
LIMITS = Limits(120.0, 8 << 30)


@dataclass
class Figures:
    """Figures of one rule."""

    proposed: int = 0
    fixed: int = 0
    models: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    vanished: int = 0
    contradicted: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--rules", default="", help="only fixes of these, separated by commas")
    parser.add_argument("--choose", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--runtime", help="for rules that are about one")
    parser.add_argument(
        "--keep", default="", help="only names whose SHA-256 starts with one of these"
    )
    parser.add_argument(
        "--skip", default="", help="no names whose SHA-256 starts with one of these"
    )
    parser.add_argument("--largest", type=int, default=200_000_000, help="bytes of a file")
    parser.add_argument("--every", type=int, default=1, help="take only every so manieth file")
    parser.add_argument("--safe", action="store_true", help="only safe fixes")
    parser.add_argument("--output", type=Path, help="a JSON file for all figures")
    parser.add_argument("--verbose", action="store_true", help="print each refusal")
    given = parser.parse_args()
    files = [
        path
        for path in _files(given.places)
        if _chosen(path, given.keep, given.skip) and path.stat().st_size <= given.largest
    ][:: given.every]
    choices = dict(each.split("=", 1) for each in given.choose)
    wanted = Wanted(not given.safe, tuple(filter(None, given.rules.split(","))), (), choices)
    rules = tuple(load_rules(plugins=False).values())
    plan = Plan(rules=rules, deployments=(Deployment(runtime=given.runtime),))
    figures: dict[str, Figures] = defaultdict(Figures)
    started, fixed_models = time.perf_counter(), 0
    for number, path in enumerate(files, 1):
        try:
            fixes = _measure(path, plan, wanted, figures)
        except Exception as error:
            _say(f"{path}: {type(error).__name__}: {error}")
            continue
        fixed_models += bool(fixes.fixed)
        if given.verbose:
            for each in fixes.refused:
                said = f"{each.entry.code} {each.entry.says} {each.step}: {each.detail}"
                _say(f"  {path}: {said}")
        if number % 50 == 0:
            _say(f"{number} of {len(files)}")
    table = _table(figures, len(files), fixed_models, time.perf_counter() - started)
    sys.stdout.write("\n".join([*table, ""]))
    if given.output is not None:
        content = {code: vars(each) for code, each in sorted(figures.items())}
        given.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return int(any(each.contradicted for each in figures.values()))


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(place.rglob("*.onnx"))
        elif place.suffix == ".txt":
            yield from map(Path, place.read_text(encoding="utf-8").split("\n")[:-1])
        else:
            yield place


def _chosen(path: Path, keep: str, skip: str) -> bool:
    digit = hashlib.sha256(path.name.encode()).hexdigest()[0]
    return (not keep or digit in keep) and digit not in skip


def _measure(path: Path, plan: Plan, wanted: Wanted, figures: dict[str, Figures]) -> FileFixes:
    with temporary_folder() as folder:
        result = folder / "fixed.onnx"
        fixes = fix_file(path, path.name, plan, wanted, Destination(file=result))
        fixed = Counter(each.code for each in fixes.fixed)
        for code, number in fixed.items():
            figures[code].fixed += number
            figures[code].proposed += number
            figures[code].models += 1
        for each in fixes.refused:
            figures[each.entry.code].proposed += 1
            figures[each.entry.code].refused[each.step] += 1
        if result.exists():
            old, new = (_findings(each, plan) for each in (path, result))
            for code in fixed:
                figures[code].vanished += old[code] - new[code]
            difference = _difference(path, result)
            if difference > _allowed(fixes):
                _say(f"CONTRADICTED {path}: {difference:g} {dict(fixed)}")
                for code in fixed:
                    figures[code].contradicted.append(str(path))
        return fixes


def _findings(path: Path, plan: Plan) -> Counter[str]:
    return Counter(each.code for each in lint_file(path, path.name, plan).findings)


def _allowed(fixes: FileFixes) -> float:
    """Return the difference that new inputs may show: none, unless numbers change."""
    if all(each.applicability in ("safe", "exact", "choice") for each in fixes.fixed):
        return 0.0
    return max(10 * fixes.largest_difference, 1e-5)


def _difference(before: Path, after: Path) -> float:
    """Return the largest difference on new inputs that both can take."""
    old, new = read_model(before), read_model(after)
    try:
        feeds = [made_up(old, FRESH + n, n) for n in range(SEEDS)]
    except NoInputsError:
        return 0.0
    way = Way(packed=False)
    runs = [run(each, "onnx", feeds, way, limits=LIMITS).runs for each in (before, after)]
    largest = 0.0
    for one, other in zip(*runs, strict=True):
        if one.error:
            continue
        if other.error:
            return 0.0 if _types(old) != _types(new) else math.inf
        for name in one.outputs.keys() & other.outputs.keys():
            found = compare(one.outputs[name], other.outputs[name])
            if not found.comparable or not found.same_nonfinite:
                return math.inf
            if found.differing:
                largest = max(largest, found.to_range)
    return largest


def _types(model: Model) -> list[object]:
    return [(v.name, v.declared_dtype, v.declared_shape) for v in model.fed]


def _table(figures: dict[str, Figures], files: int, fixed: int, seconds: float) -> Iterator[str]:
    yield f"{files} files, {fixed} fixed, {seconds:.0f} s"
    row = "{:<8} {:>8} {:>8} {:>8} {:>9} {:>12}  {}"
    yield row.format(
        "rule", "proposed", "fixed", "models", "vanished", "contradicted", "refused by"
    )
    for code, each in sorted(figures.items()):
        refused = ", ".join(f"{step} {number}" for step, number in each.refused.items())
        counts = (each.proposed, each.fixed, each.models, each.vanished, len(each.contradicted))
        yield row.format(code, *counts, refused)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
