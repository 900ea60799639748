"""Fits the coefficients of Arm's Ethos-U to the estimates of its compiler, into coefficients.toml.

    python tools/fit_ethos.py MODELS --vela VELA [--write]

MODELS is a folder of quantized .tflite files, and VELA the executable of ethos-u-vela, whose
estimates are kept in the folder. They are of a typical system, not measured: what follows is
`derived`, with bounds that are wide. Needs numpy.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from benchmarked import Kernels, Row
from fit_latency import lines_of
from fit_resident import ResidentFit
from latency_files import write_resident

from modellint.analysis.latency.kernels import launches
from modellint.analysis.latency.processor import Coefficients
from modellint.formats import read_model
from modellint.targets import Target, find_target
from modellint.targets.deployment import Deployment

ACCELERATORS = {
    "ethos-u55-128": ("imx93", 128 * 500e6),
    "ethos-u55-256": ("imx93", 256 * 500e6),
    "ethos-u65-256": ("imx93", 256 * 1e9),
    "ethos-u85-256": ("alif-ensemble-e8", 256 * 1e9),
}
"""A target with the same operators, and multiply-adds per second, by Vela's typical systems."""
PRIOR = Coefficients(
    launch=1e-6, matrix=0.5, grouped=1.0, depthwise=0.5, load=1e9, stream=4e9, passes=1.0, call=1e-5
)
FITTED = ("launch", "matrix", "depthwise", "load", "stream")
SPREAD = dict.fromkeys(FITTED, 1.0)
ERROR = 3.0
"""Factor of the bounds: of a compiler's estimate, for another system than a device's own."""
VELA = "https://pypi.org/project/ethos-u-vela/5.2.0/"


class EthosFit(ResidentFit):
    @property
    def common(self) -> list[str]:
        return list(FITTED)

    def coefficients(self, found: np.ndarray, target: Target | None) -> Coefficients:
        return replace(super().coefficients(found, target), overlap=0.3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, metavar="MODELS")
    parser.add_argument("--vela", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    estimates = kept_estimates(given.models, given.vela)
    tables = []
    for core in sorted({name.rpartition("-")[0] for name in ACCELERATORS}):
        fit = EthosFit(list(rows(core, given.models, estimates)), PRIOR, (), SPREAD)
        for name, expected in (
            ("fit", fit.predicted(fit.best, fit.rows)),
            ("network left out", fit.left_out("family")),
        ):
            misses = np.abs(np.exp(expected - fit.measured) - 1)
            figures = f"MAPE {misses.mean():.1%}, worst {misses.max():.0%}"
            sys.stdout.write(f"{core}, {name}, {len(misses)} estimates: {figures}\n")
        tables.append(table_of(core, fit))
    sys.stdout.write("\n".join(tables))
    if given.write:
        write_resident("\n".join(tables))
    return 0


def rows(core: str, models: Path, estimates: Mapping[str, float]) -> list[Row]:
    found = []
    for name, seconds in estimates.items():
        network, _, accelerator = name.partition(" ")
        if accelerator.startswith(core):
            like, rate = ACCELERATORS[accelerator]
            own = replace(find_target(like), id=accelerator, rates={"int8": 2 * rate})
            kernels = kernels_of(models / network, find_target(like))
            sizes = (network, "", 1, "int8")
            found.append(
                Row(accelerator, own, sizes, "int8", network, "C", "", VELA, seconds, kernels)
            )
    return found


def kernels_of(path: Path, target: Target) -> Kernels:
    found = launches(read_model(path), Deployment(target, target.default_runtime))
    counts = Counter(replace(kernel, nodes=()) for kernel in found.kernels)
    return Kernels(tuple(counts.items()), found.weight_bytes, found.input_bytes)


def kept_estimates(models: Path, vela: Path) -> dict[str, float]:
    """Return Vela's seconds by network and accelerator, of networks that it runs as a whole."""
    kept = models / "vela.json"
    known: dict[str, float | None] = json.loads(kept.read_text()) if kept.exists() else {}
    for path in sorted(models.glob("*.tflite")):
        for accelerator in ACCELERATORS:
            name = f"{path.name} {accelerator}"
            if name not in known:
                known[name] = estimate(path, accelerator, vela)
                kept.write_text(json.dumps(known, indent=1))
    return {name: seconds for name, seconds in known.items() if seconds is not None}


def estimate(path: Path, accelerator: str, vela: Path) -> float | None:
    with tempfile.TemporaryDirectory() as folder:
        options = ["--accelerator-config", accelerator, "--output-dir", folder]
        told = subprocess.run(
            [vela.resolve(), path.resolve(), *options, "--show-cpu-operations"],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
        written = next(iter(Path(folder).glob("*_summary_*.csv")), None)
        if written is None or "CPU: " in told.stdout:
            return None
        with written.open(encoding="utf-8", newline="") as stream:
            return float(next(csv.DictReader(stream))["inference_time"])


def table_of(core: str, fit: EthosFit) -> str:
    found = asdict(fit.coefficients(fit.best, None))
    return "\n".join(
        [
            f"[architecture.{core}]",
            f'runtime = "{fit.rows[0].target.default_runtime}"',
            f"error = {ERROR}",
            'confidence = "derived"',
            f'source = "{VELA}"  # its {len(fit.rows)} estimates, for a typical system',
            "",
            f"[architecture.{core}.coefficients]",
            *lines_of({name: found[name] for name in (*FITTED, "passes", "overlap", "grouped")}),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
