"""Writes the section on a CPU of docs/accuracy-latency.md: estimates against runs of this machine.

    python tools/validate_cpu.py TARGET.toml SEEN UNSEEN --models MODELS [--write]

TARGET.toml is what `modellint calibrate` fitted to `--suite micro`; SEEN and UNSEEN are registries
of `modellint bench` with models that it was not fitted to. Nothing is changed once the second were
looked at.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from generated import DOCS, between
from validate_latency import BEGIN_CPU, END

from modellint.benching.measured_models import ModelFinder
from modellint.benching.validating import Estimated, Validation, rank_correlation, validate
from modellint.profiles import read_runs
from modellint.targets.loader import target_in
from modellint.targets.target import Target

PAGE = DOCS / "accuracy-latency.md"
INTRODUCTION = """
## A core of a CPU

Expected times against {count} networks, measured with `modellint bench --threads 1` in
ONNX Runtime {version} on one core of {device}: exports of timm, torchvision and transformers with
random weights, one image or text at a time, in 32 bits. The target was fitted with
`modellint calibrate` to {layers} layers of single operators, `--suite micro`: to none of these
networks.
The machine was busy, so that processor time counts instead of the clock's, and for layers the least
time.

- **seen**: networks whose layers were free to look at while the estimate was made;
- **unseen**: all others, chosen by the first digit of the SHA-256 of their names. Nothing was
  changed after they were looked at.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, metavar="TARGET.toml")
    parser.add_argument("seen", type=Path, metavar="SEEN")
    parser.add_argument("unseen", type=Path, metavar="UNSEEN")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="write the page")
    given = parser.parse_args()
    target = target_in(given.target)
    groups = {name: held(getattr(given, name), given.models, target) for name in ("seen", "unseen")}
    text = "\n".join(section(groups, target)) + "\n"
    if given.write:
        PAGE.write_text(between(PAGE, BEGIN_CPU, text, END), encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


def held(runs: Path, models: Path, target: Target) -> tuple[Validation, str]:
    """The estimates of a registry's runs, and the version of the runtime."""
    measured = read_runs([runs])
    with tempfile.TemporaryDirectory() as scratch:
        finder = ModelFinder([models], Path(scratch))
        return validate(finder.found(measured), target), measured[0].runtime.version or ""


def section(groups: Mapping[str, tuple[Validation, str]], target: Target) -> Iterator[str]:
    found = {name: list(validation.rows) for name, (validation, _) in groups.items()}
    every = [row for rows in found.values() for row in rows]
    yield INTRODUCTION.format(
        count=len(every),
        version=next(iter(groups.values()))[1],
        device=f"an {every[0].device}",
        layers=target.calibrations["onnxruntime"].rows,
    )
    yield "| networks | number | MAPE | median | worst | bias | ρ | inside |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, rows in found.items():
        yield summary(name, rows)
    yield ""
    yield "Unseen networks:\n"
    yield "| network | measured | expected | error |"
    yield "| --- | ---: | ---: | ---: |"
    for row in sorted(found["unseen"], key=lambda row: row.model):
        times = f"{1e3 * row.measured:.2f} ms | {1e3 * row.expected:.2f} ms"
        yield f"| {Path(row.model).stem} | {times} | {row.error:+.0%} |"


def summary(name: str, rows: list[Estimated]) -> str:
    errors = [abs(row.error) for row in rows]
    cells = (
        f"{statistics.fmean(errors):.1%}",
        f"{statistics.median(errors):.1%}",
        f"{max(errors):.0%}",
        f"{statistics.fmean(row.error for row in rows):+.0%}",
        f"{rank_correlation(rows) or 0:.3f}",
        f"{statistics.fmean(row.inside for row in rows):.0%}",
    )
    return f"| {name} | {len(rows)} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
