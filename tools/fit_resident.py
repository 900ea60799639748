"""Fits the coefficients of chips that keep networks on themselves, into their target files.

    python tools/fit_resident.py ROWS.csv MODELS [--write]

MODELS is the folder that `tools/export_benchmarked.py` wrote. For a Hailo, by the fit of
`tools/fit_latency.py`, to published throughput in batches of one and eight; for an Edge TPU, to the
four networks that were published, on three hosts. Needs numpy.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarked import Row, arguments, kernels_of
from fit_latency import Array, Fit, lines_of
from latency_bounds import factor_of_rows
from latency_files import write_device

from modellint.analysis.latency.processor import Coefficients, Processor
from modellint.analysis.latency.resident import Dataflow, Resident, occupied
from modellint.targets import Target, find_target

EDGE = ("Edge TPU (host aarch64)", "Edge TPU (host x86_64)", "Edge TPU (host rp4b)")
"""Hosts that an Edge TPU is connected to by PCIe or USB 3; the first is the Dev Board."""
EDGE_ROOM = 8e6
"""Bytes of weights that an Edge TPU keeps, by https://coral.ai/docs/edgetpu/faq/."""
EDGE_ERROR = 2.5
"""Factor of the bounds, of a fit to four networks, whose times are those that tests allow."""
HAILO = {"Hailo-8": "hailo-8", "Hailo-10H": "hailo-10h"}
"""Times of a Hailo-15H are within a few percent of a Hailo-10H's, which it has the core of."""
HAILO_ROOM = {"hailo-8": 4e7, "hailo-10h": 1.5e7, "hailo-8l": 2e7}
"""Bytes of networks that were published as cut or not, by whether batches are any faster: a
Hailo-8 holds 36 MB, a Hailo-10H 14.5 MB but not 15.6. A Hailo-8L has half of a Hailo-8's units."""
LIKE = {"hailo-8l": "hailo-8"}
"""Chips without rows, with those they have the coefficients of."""
PRIOR = Coefficients(
    launch=5e-5,
    matrix=0.3,
    convolution=1.5,
    attention=0.3,
    grouped=0.1,
    depthwise=0.04,
    load=5e9,
    stream=1e11,
    passes=4.0,
    call=2e-5,
)
EDGE_PRIOR = replace(PRIOR, launch=2e-6, load=4e8, stream=1e10, call=1e-3, convolution=1.0)
FIXED = {"overlap": 1.0, "integer": 1.0}
SPREAD = dict.fromkeys(("launch", "depthwise", "grouped", "stream", "passes", "load"), 0.7)
FITTED = (
    *("launch", "matrix", "convolution", "attention", "grouped", "depthwise"),
    *("load", "stream", "passes", "call"),
)
SOURCES = {
    "hailort": "https://github.com/hailo-ai/hailo_model_zoo/tree/c83fc030e862/docs/public_models",
    "edgetpu": "https://github.com/google-coral/edgetpu/tree/5020de9386ff/benchmarks/reference",
}


@dataclass
class ResidentFit(Fit):
    """A fit of chips that keep networks on themselves."""

    @property
    def common(self) -> list[str]:
        return list(FITTED)

    def coefficients(self, found: Array, target: Target | None) -> Coefficients:
        return replace(super().coefficients(found, target), **FIXED)

    def machines(self, found: Array, rows: Sequence[Row]) -> Callable[[Row], Processor]:
        targets = {row.target.id: row.target for row in rows}
        known = {name: self.coefficients(found, target) for name, target in targets.items()}
        return lambda row: machine_for(row, known[row.target.id])

    def error(self, key: str) -> float:
        """Return the factor of the bounds, which contain 95% of the rows, families or chips apart.

        Not the same share of each family: those that pooling mixes positions in would decide.
        """
        return factor_of_rows(self.left_out(key) - self.measured)


def machine_for(row: Row, coefficients: Coefficients) -> Processor:
    if row.target.default_runtime != "hailort":
        room = EDGE_ROOM if row.target.default_runtime == "edgetpu" else 0.0
        return Resident(row.target, replace(coefficients, room=room))
    held = occupied(row.kernels.counts, row.batch)
    return Dataflow(row.target, replace(coefficients, room=HAILO_ROOM[row.target.id]), held)


def main() -> int:
    given = arguments(__doc__).parse_args()
    for name, table in tables(given.rows, given.models).items():
        sys.stdout.write(f"\n# {name}\n{table}")
        if given.write:
            write_device(name, table)
    return 0


def tables(rows: Path, models: Path) -> dict[str, str]:
    """Return the tables of all targets."""
    hailo, edge = hailo_fit(rows, models), edge_fit(rows, models)
    found = {}
    for name, like in {**{each: each for each in HAILO.values()}, **LIKE}.items():
        is_known = name == like
        error = hailo.error("family" if is_known else "chip")
        found[name] = table_of(hailo, like, error, HAILO_ROOM[name], is_known)
    own = replace(find_target("coral-dev-board"), id=EDGE[0])
    found["coral-dev-board"] = table_of(edge, own.id, EDGE_ERROR, EDGE_ROOM, False)
    return found


def hailo_fit(table: Path, models: Path) -> ResidentFit:
    targets = {device: find_target(name) for device, name in HAILO.items()}
    return ResidentFit(read(table, models, targets), PRIOR, ("launch", "load"), SPREAD)


def edge_fit(table: Path, models: Path) -> ResidentFit:
    targets = {host: replace(find_target("coral-dev-board"), id=host) for host in EDGE}
    return ResidentFit(read(table, models, targets), EDGE_PRIOR, ("call", "load"), SPREAD)


def read(table: Path, models: Path, targets: Mapping[str, Target]) -> list[Row]:
    """Return the rows of some devices."""
    with table.open(encoding="utf-8", newline="") as stream:
        raw = [row for row in csv.DictReader(stream) if row["device"] in targets]
    sizes = [(row["timm_or_hf_name"], row["input"], int(row["batch"]), "int8") for row in raw]
    known = kernels_of(sizes, models, next(iter(targets.values())))
    return [
        Row(
            device=row["device"],
            target=targets[row["device"]],
            sizes=size,
            precision="int8",
            family=row["family"],
            trust="B",
            scope=row["stat"],
            source=row["source"],
            seconds=float(row["latency_ms"]) / 1e3,
            kernels=known[size],
        )
        for row, size in zip(raw, sizes, strict=True)
        if size in known
    ]


def table_of(fit: Fit, target_id: str, error: float, room: float, is_known: bool) -> str:
    target = next(row.target for row in fit.rows if row.target.id == target_id)
    found = replace(fit.coefficients(fit.best, target), room=room)
    figures = {name: asdict(found)[name] for name in (*FITTED, *FIXED, "room")}
    rows = sum(row.target.id == target_id for row in fit.rows)
    runtime = target.default_runtime
    return "\n".join(
        [
            f"[latency.{runtime}]  # fitted by tools/fit_resident.py",
            f"error = {error:.2f}",
            f"rows = {rows}",
            f'source = "{SOURCES[runtime]}"',
            f'confidence = "{"calibrated" if is_known else "derived"}"',
            "",
            f"[latency.{runtime}.coefficients]",
            *lines_of(figures),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
