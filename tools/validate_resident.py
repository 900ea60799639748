"""Writes the section on chips that keep networks on themselves of docs/accuracy-latency.md.

    python tools/validate_resident.py ROWS.csv MODELS

MODELS is the folder that `tools/export_benchmarked.py` wrote. Needs numpy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fit_resident import EDGE, ResidentFit, edge_fit, hailo_fit
from generated import between
from validate_latency import BEGIN_RESIDENT, END, PAGE, Prediction, by_chip, summary

HAILO = """
## Chips that keep networks on themselves

A Hailo computes all layers at once, each in a part of the chip of its own. {rows} published rates
of images, in batches of one and of eight, on a Hailo-8 and a Hailo-10H: what a run takes among
others that wait, not the latency of a single image. A network that the chip has no room for is cut,
and its parts are loaded by turns. The goal, a MAPE of 30%, is reached by the fit and for families
left out; it is not for devices left out, since no datasheet says how much a chip has room for.
Bounds contain 95 % of the rows, each of which counts the same. Networks that mix positions by
pooling (efficientformer, poolformer) take up to twenty times as long as expected: why is not known,
and nothing was fitted to make up for it.
"""
EDGE_TPU = """
An Edge TPU keeps 8 MB of weights, and loads the others for every run. Only four networks were
published, on hosts with PCIe or USB 3, as times that the vendor's tests allow: the estimate is
`derived`, within a factor of 2.5. No measurements of an Ethos-U were found: its coefficients follow
from estimates of Arm's compiler (`tools/fit_ethos.py`), and are `derived`, within a factor of 3.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, metavar="ROWS.csv")
    parser.add_argument("models", type=Path, metavar="MODELS")
    given = parser.parse_args()
    hailo, edge = (make(given.rows, given.models) for make in (hailo_fit, edge_fit))
    text = "\n".join([*of_hailo(hailo), *of_edge(edge)]) + "\n"
    PAGE.write_text(between(PAGE, BEGIN_RESIDENT, text, END), encoding="utf-8")
    return 0


def of_hailo(fit: ResidentFit) -> Iterator[str]:
    found = predictions(fit)
    yield HAILO.format(rows=len(fit.rows))
    yield from summary(found)
    yield from by_chip(fit, found, "batch", lambda row: row.batch)


def of_edge(fit: ResidentFit) -> Iterator[str]:
    yield EDGE_TPU
    yield from summary(predictions(fit))
    yield (
        "\n| network | " + " | ".join(f"{host[10:-1]}: measured | expected" for host in EDGE) + " |"
    )
    yield "| --- |" + " ---: | ---: |" * len(EDGE)
    expected = np.exp(fit.predicted(fit.best, fit.rows))
    for name in sorted({row.sizes[0] for row in fit.rows}):
        cells = [
            f"{row.seconds * 1e3:.2f} ms | {seconds * 1e3:.2f} ms"
            for host in EDGE
            for row, seconds in zip(fit.rows, expected, strict=True)
            if (row.device, row.sizes[0]) == (host, name)
        ]
        yield f"| {name.partition(':')[2]} | " + " | ".join(cells) + " |"


def predictions(fit: ResidentFit) -> dict[str, Prediction]:
    keys = {"family left out": "family", "device left out": "chip"}
    left_out = {
        name: Prediction(fit.rows, fit.left_out(key), np.full(len(fit.rows), fit.error(key)))
        for name, key in keys.items()
    }
    factors = left_out["family left out"].factors
    return {"fit": Prediction(fit.rows, fit.predicted(fit.best, fit.rows), factors), **left_out}


if __name__ == "__main__":
    sys.exit(main())
