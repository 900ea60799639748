"""Fits the coefficients of Rockchip's NPUs to published times, and writes them into target files.

    python tools/fit_rknn.py ROWS.csv MODELS [--write]

Two networks were published on each chip, on one core and in 8 bits: too few for what
`tools/fit_latency.py` does. A handful of shares is therefore chosen for all chips together, and a
chip whose times are not in the table takes its rate and its bandwidth from the datasheet. MODELS is
the folder that `tools/export_benchmarked.py` wrote.
"""

from __future__ import annotations

import csv
import itertools
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarked import Kernels, arguments, kernels_of, seconds
from latency_files import write_device

from modellint.analysis.latency.processor import Coefficients
from modellint.analysis.latency.timing import Machine
from modellint.targets import Target, find_target

CHIPS = {"RK3562": (1.0, 10.7), "RK3566/RK3568": (1.0, 12.5), "RK3576/1core": (3.0, 16.9)}
"""Tera-operations per second of a core, and GB/s: 32 bits at the clock that the names of
https://github.com/rockchip-linux/rkbin state."""
TARGETS = {"rk3568": (1.0, 12.5), "rk3576": (3.0, 16.9), "rk3588": (2.0, 33.8)}
MEASURED = {"rk3568": 2, "rk3576": 2}
GRID = {
    "share": (0.3, 0.4, 0.5, 0.6, 0.75, 0.9),
    "memory": (0.2, 0.3, 0.4, 0.6, 0.8),
    "launch": (2e-6, 5e-6, 1e-5, 2e-5),
    "call": (1e-4, 2e-4),
    "depthwise": (0.3, 1.0, 3.0),
    "fill": (8.0, 24.0, 64.0),
}
"""Values that are tried; `share` is that of a core's rate, and 16 bits take twice the time."""
ERROR = 2.0
"""Factor of the bounds: twice what the fit misses, since it saw two networks."""
SOURCE = "https://github.com/airockchip/rknn_model_zoo/blob/bad6c7334531/README.md"

Observed = tuple[str, Kernels, float]


def main() -> int:
    given = arguments(__doc__).parse_args()
    found = list(observed(given.rows, given.models))
    tries = [dict(zip(GRID, each, strict=True)) for each in itertools.product(*GRID.values())]
    best = min(tries, key=lambda each: sum(miss**2 for miss in misses(found, each)))
    sys.stdout.write(f"{best}\n{[f'{math.exp(miss) - 1:+.0%}' for miss in misses(found, best)]}\n")
    for name, (rate, _) in TARGETS.items():
        table = table_of(coefficients(best, rate), MEASURED.get(name), len(found))
        sys.stdout.write(f"\n# {name}\n{table}")
        if given.write:
            write_device(name, table)
    return 0


def observed(table: Path, models: Path) -> Iterator[Observed]:
    with table.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["device"] in CHIPS]
    sizes = {(row["timm_or_hf_name"], row["input"], 1, "int8") for row in rows}
    known = kernels_of(sizes, models, find_target("rk3588"))
    for row in rows:
        kernels = known[row["timm_or_hf_name"], row["input"], 1, "int8"]
        yield row["device"], kernels, float(row["latency_ms"]) / 1e3


def misses(found: list[Observed], tried: dict[str, float]) -> list[float]:
    """Return the logarithms of expected to measured seconds."""
    return [
        math.log(
            seconds(kernels, Machine(chip(CHIPS[name][1]), coefficients(tried, CHIPS[name][0])))
            / measured
        )
        for name, kernels, measured in found
    ]


def chip(bandwidth: float) -> Target:
    like = find_target("rk3588")
    return replace(like, memory=replace(like.memory, bandwidth=bandwidth * 1e9))


def coefficients(tried: dict[str, float], rate: float) -> Coefficients:
    own = {name: value for name, value in tried.items() if name != "share"}
    reached = rate * 1e12 * tried["share"]
    return Coefficients(
        matrix=1.0, integer=1.0, float_rate=reached / 2, integer_rate=reached, **own
    )


def table_of(found: Coefficients, rows: int | None, all_rows: int) -> str:
    names = (*(name for name in GRID if name != "share"), "matrix", "integer")
    figures = {name: getattr(found, name) for name in (*names, "float_rate", "integer_rate")}
    lines = [f"{name} = {value:.3g}" for name, value in figures.items()]
    return "\n".join(
        [
            "[latency.rknn]  # of one core, which runs a network by default; by tools/fit_rknn.py",
            f"error = {ERROR:.2f}",
            f"rows = {rows or all_rows}" + ("" if rows else "  # of other chips"),
            f'source = "{SOURCE}"',
            f'confidence = "{"calibrated" if rows else "derived"}"',
            "",
            "[latency.rknn.coefficients]",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
