"""Published measurements of latency, met with the kernels of the architectures that they name.

Shared by the tools that fit and validate the estimate of time. The kernels of each architecture,
batch and precision are found once, and kept next to the exports that
`tools/export_benchmarked.py` wrote.
"""

from __future__ import annotations

import argparse
import csv
import math
import pickle
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from export_benchmarked_names import file_name

from modellint.analysis.latency.kernels import Launch, launches
from modellint.analysis.latency.processor import Processor
from modellint.analysis.latency.timing import instead_of
from modellint.formats import read_model
from modellint.targets import Target, load_targets
from modellint.targets.deployment import Deployment

LABELS = {
    "A100 (unspecified)": "a100-40gb",
    "A100-80GB": "a100-80gb",
    "A100-SXM-40GB": "a100-40gb",
    "A100-SXM-80GB": "a100-80gb",
    "Jetson Nano 2GB": "jetson-nano",
    "Jetson AGX Orin": "jetson-agx-orin-64gb",
    "V100 (unspecified)": "v100-16gb",
    "V100-16GB": "v100-16gb",
    "V100-SXM2-32GB": "v100-32gb",
    "Dragonwing RB3 Gen 2 Vision Kit": "qcs6490",
    "QCS8550 (Proxy)": "snapdragon-8-gen-2",
    "Samsung Galaxy S24": "snapdragon-8-gen-3",
    "Samsung Galaxy S25": "snapdragon-8-elite",
    "Snapdragon X Elite CRD": "snapdragon-x-elite",
}
"""Targets of devices that the tables give other names than target files do."""
PRECISIONS = {"tf32": "fp32", "float": "fp16", "w8a8": "int8"}
"""Precisions that a deployment states in another way: matrix units compute fp32 in tf32."""

DOUBTFUL = (":video.", ":segmentation.")
"""Names of models that differ 50-fold between runtimes, or ran with a larger input than stated."""

PREDICTOR, COPIES = "predictor run", " (copies included)"

Sizes = tuple[str, str, int, str]
"""Architecture, input, batch and precision."""


@dataclass(frozen=True)
class Kernels:
    """The kernels of a run, without their nodes, with the number of each."""

    counts: tuple[tuple[Launch, int], ...]
    weight_bytes: int
    copied_bytes: int
    """Inputs and outputs."""


@dataclass(frozen=True)
class Row:
    """One measurement, with what it is of."""

    device: str
    target: Target
    sizes: Sizes
    precision: str
    """As published."""
    family: str
    trust: str
    scope: str
    source: str
    seconds: float
    kernels: Kernels

    @property
    def batch(self) -> int:
        return self.sizes[2]

    @property
    def chip(self) -> str:
        """Return the device without its memory: an A100 with 40 GB computes as one with 80."""
        return chip_of(self.target)

    @property
    def logarithm(self) -> float:
        return math.log(self.seconds)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return what all tools take that fit coefficients to published rows, which may add more."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("rows", type=Path, metavar="ROWS.csv")
    parser.add_argument("models", type=Path, metavar="MODELS")
    parser.add_argument("--write", action="store_true")
    return parser


def chip_of(target: Target) -> str:
    name = target.id
    for chip in ("a100", "v100", "jetson-agx-orin", "h100"):
        if name.startswith(chip):
            return chip
    return name


def read_rows(table: Path, models: Path, trusts: str = "AB") -> list[Row]:
    """Return the rows of a table whose architecture was exported and whose device is known."""
    targets = {target.id: target for target in load_targets()}
    with table.open(encoding="utf-8", newline="") as stream:
        raw = [row for row in csv.DictReader(stream) if row["trust"] in trusts]
    return _met(raw, models, targets, "t4")


def read_npu_rows(table: Path, models: Path) -> list[Row]:
    """Return the rows of a table of NPUs where the whole model ran on a known one."""
    targets = {target.id: target for target in load_targets()}
    with table.open(encoding="utf-8", newline="") as stream:
        raw = [row for row in csv.DictReader(stream) if _is_whole(row)]
    return _met(raw, models, targets, "snapdragon-8-gen-3")


def _is_whole(row: Mapping[str, str]) -> bool:
    return (
        row["compute_unit"] == "NPU"
        and row["layers_cpu"] in ("", "0")
        and not any(word in row["timm_or_hf_name"] for word in DOUBTFUL)
        and row["precision"] in PRECISIONS
        and row["device"] in LABELS
    )


def _met(
    raw: Sequence[dict[str, str]],
    models: Path,
    targets: Mapping[str, Target],
    usual: str,
) -> list[Row]:
    """Return the rows whose architecture was exported and whose device is known."""
    found = [(row, target) for row in raw if (target := _target(row["device"], targets))]
    known = kernels_of({_sizes(row, target) for row, target in found}, models, targets[usual])
    rows = []
    for row, target in found:
        if row["precision"].endswith("?"):
            continue  # the source does not say
        kernels = known.get(_sizes(row, target))
        if target.memory.bandwidth and kernels is not None:
            rows.append(_row(row, target, kernels))
    return rows


def _row(row: Mapping[str, str], target: Target, kernels: Kernels) -> Row:
    return Row(
        row["device"],
        target,
        _sizes(row, target),
        row["precision"],
        row["family"],
        row.get("trust", "B"),
        scope_of(row),
        row["source"],
        float(row["latency_ms"]) / 1e3,
        kernels,
    )


def scope_of(row: Mapping[str, str]) -> str:
    """Return what a row's clock covered.

    PaddleClas published the same models twice. Times of its list exceed those of its pages by about
    0.15 ms for each image: the copies. Tables call all of them alike, and the times of the same
    predictor on an A100 those of an engine.
    """
    if "Paddle" not in row["source"]:
        return row.get("scope") or row["runtime"]
    return PREDICTOR + (COPIES if "model_list" in row["source"] else "")


def _sizes(row: Mapping[str, str], target: Target) -> Sizes:
    precision = instead_of(PRECISIONS.get(row["precision"], row["precision"]), target)
    return row["timm_or_hf_name"], row["input"], int(row["batch"]), precision


def _target(device: str, targets: Mapping[str, Target]) -> Target | None:
    name = LABELS.get(device, device.lower().replace(" ", "-"))
    for target in targets.values():
        if name == target.id or name in target.aliases or device in (target.name, *target.aliases):
            return target
    return None


def kernels_of(wanted: Iterable[Sizes], models: Path, target: Target) -> dict[Sizes, Kernels]:
    """Return the kernels that TensorRT makes of architectures, those that were exported."""
    kept = models / f"{target.default_runtime}.pickle"
    known: dict[Sizes, Kernels] = pickle.loads(kept.read_bytes()) if kept.exists() else {}  # noqa: S301 - written below
    missing: dict[Path, list[Sizes]] = {}
    for sizes in sorted(set(wanted) - set(known)):
        missing.setdefault(models / file_name(sizes[0], sizes[1]), []).append(sizes)
    for path, several in missing.items():
        if path.exists():
            model = read_model(path)
            for sizes in several:
                known[sizes] = _found(model, sizes, target)
    if missing:
        kept.write_bytes(pickle.dumps(known))
    return known


def _found(model: Any, sizes: Sizes, target: Target) -> Kernels:
    runtime = target.default_runtime
    deployment = Deployment(target=target, runtime=runtime, precision=sizes[3], batch=sizes[2])
    found = launches(model, deployment)
    counts = Counter(replace(kernel, nodes=()) for kernel in found.kernels)
    copied = found.input_bytes + found.output_bytes
    return Kernels(tuple(counts.items()), found.weight_bytes, copied)


def seconds(kernels: Kernels, machine: Processor) -> float:
    """Return the expected time of a run, as `analysis.latency` does for a whole model."""
    return machine.call + sum(
        count * machine.time(kernel, kernels.weight_bytes).seconds
        for kernel, count in kernels.counts
    )
