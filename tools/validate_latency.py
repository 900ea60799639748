"""Compares time estimates with published measurements: writes docs/accuracy-latency.md.

    python tools/validate_latency.py ROWS.csv MODELS [--output FILE]

MODELS is the folder that `tools/export_benchmarked.py` wrote. Four predictions of each row: by the
fit to all rows, by a fit without any row of its device, by one without any of its family, and for
devices and families that were kept aside, by a fit that saw none of them. Needs numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarked import Row, read_npu_rows, read_rows
from fit_latency import Fit, npu_fit
from latency_bounds import Bounds, well_known

BEGIN_CPU, BEGIN_RESIDENT, END = (
    "<!-- tools/validate_cpu.py -->\n",
    "<!-- tools/validate_resident.py -->\n",
    "<!-- end -->",
)
PAGE = Path(__file__).parents[1] / "docs" / "accuracy-latency.md"
KEPT_FOR_FITTING = frozenset({"bert", "t4", "v100"})
"""Families and chips that are not kept aside, since nearly nothing would be left to fit."""
KEPT_TWINS = frozenset({"V100-SXM2-32GB"})
KIND_NAMES = {
    "convolution": "convolution",
    "depthwise": "depthwise convolution",
    "product": "product of matrices",
    "attention": "attention",
    "pointwise": "pointwise and others",
    "other": "pointwise and others",
}
FEW = 8
"""Rows below which a rank correlation says nothing."""

INTRODUCTION = """# How wrong expected times are

Expected times of `modellint inspect` against {rows:,} published measurements of TensorRT: {models}
architectures of {families} families on {devices} devices, exported with random weights. Nothing
was measured for this page; `tools/validate_latency.py` writes it from tables of published figures,
which are not part of this repository. [estimates.md](estimates.md) explains the model.

Sources contradict each other: where several measured one configuration, the largest and the
smallest figure differ by a factor of 1.23 at the median, up to 1.9. No estimate can be closer to
all of them than that.

- **fit**: by coefficients fitted to all rows, the row's own among them: those that modellint ships;
- **family left out**: fitted without any row of the model's family, as for an architecture that
  no figures were published of, on a device with published figures: where fewer than half of these
  are of other families, the device would not be known, and the rows do not count;
- **device left out**: fitted without any row of the device, of whatever memory size: from the
  datasheet alone;
- **kept aside**: predicted by a fit that saw neither their devices nor their families, chosen by
  the first digit of the SHA-256 of their names, except for {exceptions}. Their totals were looked
  at before the last changes, and some of their rows when two were made: dpn, lcnet, resnext and
  rexnet for the coefficient of convolutions in groups, and a list of V100 in batches of one and of
  A100 when the runs of PaddleClas with copies were separated from those without; errors of families
  left out, some of them kept aside too, were in view throughout. Nothing was fitted to them, but
  they are less unseen than rows of a new source would be.

Bounds follow from what was left out, too: each family, or each device, counts the same, and 95 % of
the left-out measurements are inside. Those of a device with figures of fewer than three families
are as wide as those of a device without. In the tables, bounds of a family or a device follow from
the others alone.

MAPE is the mean of |expected / measured - 1|. ρ is Spearman's rank correlation. *Inside* is the
share of measurements between `low` and `high`.
"""


@dataclass(frozen=True)
class Prediction:
    """Logarithms of expected seconds of some rows, and the factor of their bounds."""

    rows: Sequence[Row]
    expected: Any
    factors: Any

    @property
    def ratios(self) -> Any:
        return self.expected - np.array([row.logarithm for row in self.rows])

    def of(self, keep: Callable[[Row], bool]) -> Prediction:
        places = [at for at, row in enumerate(self.rows) if keep(row)]
        rows = [self.rows[at] for at in places]
        return Prediction(rows, self.expected[places], self.factors[places])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, metavar="ROWS.csv")
    parser.add_argument("models", type=Path, metavar="MODELS")
    parser.add_argument("--npus", type=Path, metavar="ROWS.csv", help="a table of NPUs")
    parser.add_argument("--output", type=Path, default=PAGE)
    given = parser.parse_args()
    rows = read_rows(given.rows, given.models)
    ranked = read_rows(given.rows, given.models, "C")
    lines = list(page(rows, ranked))
    if given.npus is not None:
        lines += npus(npu_fit(read_npu_rows(given.npus, given.models)))
    text = "\n".join(lines).rstrip("\n") + "\n\n"
    others = "\n".join(section(given.output, begin) for begin in (BEGIN_RESIDENT, BEGIN_CPU))
    given.output.write_text(text + others, encoding="utf-8")
    return 0


def section(path: Path, begin: str) -> str:
    """The part of a page that another tool wrote, with the comments around it."""
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    return f"{begin}{written.partition(begin)[2].partition(END)[0]}{END}\n"


def page(rows: Sequence[Row], ranked: Sequence[Row]) -> Iterator[str]:
    fit = Fit(rows)
    predictions = {
        "fit": bounded(fit, fit.predicted(fit.best, rows), "family"),
        "family left out": known_devices(bounded(fit, fit.left_out("family"), "family")),
        "device left out": bounded(fit, fit.left_out("chip"), "chip"),
    }
    yield INTRODUCTION.format(
        rows=len(rows),
        models=len({row.sizes[0] for row in rows}),
        families=len({row.family for row in rows}),
        devices=len({row.chip for row in rows}),
        exceptions=", ".join(sorted(KEPT_FOR_FITTING)),
    )
    yield "## In short\n"
    yield from summary(predictions)
    yield from goals(predictions)
    yield from aside(rows)
    kind = partial(leading_kind, fit)
    for title, key in (
        ("device", lambda row: row.chip),
        ("family", lambda row: row.family),
        ("kind of kernel", kind),
        ("precision", lambda row: row.precision),
        ("batch", lambda row: row.batch),
        ("trust", lambda row: f"{row.trust}: {row.scope}"),
    ):
        yield f"\n## By {title}\n"
        if key is kind:
            yield KINDS
        yield from by(predictions, key, title)
    yield "\n## Is int8 faster than fp16?\n"
    yield from faster(predictions)
    yield "\n## Figures that are good for ranking only\n"
    yield from ranking(fit, ranked)


KINDS = """Published figures are of whole runs. Each counts with the kind of kernel that takes at
least half of its expected time in kernels, or as *mixed*.
"""


def leading_kind(fit: Fit, row: Row) -> str:
    """Return the kind of kernel that takes at least half of a run's expected time in kernels."""
    machine = fit.best_machines(row)
    times: dict[str, float] = defaultdict(float)
    for kernel, count in row.kernels.counts:
        is_grouped = kernel.kind == "convolution" and any(p.groups > 1 for p in kernel.products)
        kind = "convolution in groups" if is_grouped else KIND_NAMES[kernel.kind]
        times[kind] += count * machine.time(kernel, row.kernels.weight_bytes).seconds
    kind = max(times, key=lambda each: times[each])
    return kind if times[kind] * 2 >= sum(times.values()) else "mixed"


NPU_INTRODUCTION = """## NPUs

{rows:,} published times of models that ran whole on the NPU of a Snapdragon, one image or text at a
time, by any of three runtimes; `float` is 16 bits. The vendor publishes no rates of most of them,
so these are fitted, too: a device that was left out has those of its generation, of which each is
faster than the one before by one fitted factor. The goal, a MAPE of 30%, is {fitted} by the fit,
{family} for families left out, and {device} for devices left out. What the compiler makes of
recurrent layers and of networks with many small branches is not modelled, and other coefficients
make up for it.
"""


def npus(fit: Fit) -> Iterator[str]:
    """Describe the fit to NPUs, whose rates are not published."""
    predictions = {
        "fit": bounded(fit, fit.predicted(fit.best, fit.rows), "family"),
        "family left out": bounded(fit, fit.left_out("family"), "family"),
        "device left out": bounded(fit, fit.left_out("chip"), "chip"),
    }
    reached = [_reached(prediction) for prediction in predictions.values()]
    fitted, family, device = reached
    yield NPU_INTRODUCTION.format(rows=len(fit.rows), fitted=fitted, family=family, device=device)
    yield from summary(predictions)
    yield from by_chip(fit, predictions, "precision", lambda row: row.precision)


def _reached(prediction: Prediction) -> str:
    return "reached" if np.abs(np.exp(prediction.ratios) - 1).mean() <= 0.3 else "not reached"


def bounded(fit: Fit, expected: Any, key: str) -> Prediction:
    """Return a prediction with the factors that follow from what was left out elsewhere."""
    bounds, known = Bounds(fit), {}
    pairs = [(row.chip, row.family if key == "family" else "") for row in fit.rows]
    for chip, family in set(pairs):
        is_known = key == "family"
        own = bounds.of_device(chip, family) if is_known else bounds.of_unseen_devices(chip)
        known[chip, family] = own
    return Prediction(fit.rows, expected, np.array([known[pair] for pair in pairs]))


def known_devices(prediction: Prediction) -> Prediction:
    """Return the rows whose device is still known when their family is left out."""
    places = well_known(prediction.rows)
    rows = [prediction.rows[at] for at in places]
    return Prediction(rows, prediction.expected[places], prediction.factors[places])


def goals(predictions: dict[str, Prediction]) -> Iterator[str]:
    """State what was aimed at, and whether it was reached."""
    yield "\n| goal | aimed at | reached |"
    yield "| --- | ---: | ---: |"
    for what, name, mape, rho in (
        ("known devices, unseen families", "family left out", 0.20, 0.95),
        ("unseen devices, by the datasheet", "device left out", 0.30, 0.93),
    ):
        ratios = predictions[name].ratios
        inside = np.mean(np.abs(ratios) <= np.log(predictions[name].factors))
        yield f"| {what}: MAPE | {mape:.0%} | {_mape(ratios)} |"
        yield f"| {what}: ρ | {rho} | {rank(predictions[name])} |"
        yield f"| {what}: inside | 90% | {inside:.0%} |"


def summary(predictions: dict[str, Prediction]) -> Iterator[str]:
    yield "| prediction | rows | MAPE | median | worst | bias | ρ | inside |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, prediction in predictions.items():
        yield f"| {name} | {figures(prediction)} |"


def figures(prediction: Prediction) -> str:
    ratios = prediction.ratios
    if not len(ratios):
        return "0 | | | | | |"
    misses = np.abs(np.exp(ratios) - 1)
    inside = np.mean(np.abs(ratios) <= np.log(prediction.factors))
    cells = (
        f"{len(ratios):,}",
        _mape(ratios),
        f"{np.median(misses):.1%}",
        f"{misses.max():.0%}",
        _bias(ratios),
        rank(prediction),
        f"{inside:.0%}",
    )
    return " | ".join(cells)


def rank(prediction: Prediction) -> str:
    if len(prediction.rows) < FEW:
        return ""
    measured = [row.logarithm for row in prediction.rows]
    return f"{spearman(prediction.expected, measured):.3f}"


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(figures: Sequence[float]) -> Any:
    """Return ranks, equal ones for equal figures."""
    _, inverse, counts = np.unique(figures, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def by_chip(
    fit: Fit, predictions: dict[str, Prediction], title: str, key: Callable[[Row], Any]
) -> Iterator[str]:
    """Break the error of a fit to other chips than GPUs down, last by what is named."""
    of_kernel = partial(leading_kind, fit)
    for each, of_row in (
        ("device", lambda row: row.chip),
        ("family", lambda row: row.family),
        ("kind of kernel", of_kernel),
        (title, key),
    ):
        yield ""
        yield from by(predictions, of_row, each)


def by(predictions: dict[str, Prediction], key: Callable[[Row], Any], title: str) -> Iterator[str]:
    names = ("fit", "family left out", "device left out")
    yield f"| {title} | rows | " + " | ".join(f"{name}: MAPE | bias" for name in names) + " |"
    yield "| --- | ---: |" + " ---: | ---: |" * len(names)
    for value in sorted({key(row) for row in predictions["fit"].rows}):
        cells = []
        for name in names:
            ratios = predictions[name].of(partial(_is, key, value)).ratios
            cells += [_mape(ratios), _bias(ratios)]
        count = sum(key(row) == value for row in predictions["fit"].rows)
        yield f"| {value} | {count:,} | " + " | ".join(cells) + " |"


def _mape(ratios: Any) -> str:
    return f"{np.abs(np.exp(ratios) - 1).mean():.1%}" if len(ratios) else ""


def _bias(ratios: Any) -> str:
    return f"{math.exp(float(np.mean(ratios))) - 1:+.0%}" if len(ratios) else ""


def _is(key: Callable[[Row], Any], value: Any, row: Row) -> bool:
    return bool(key(row) == value)


def is_kept_aside(name: str) -> bool:
    """Return True for a family or a device that was not looked at."""
    if name.lower().split(" ")[0].split("-")[0] in KEPT_FOR_FITTING and name not in KEPT_TWINS:
        return False
    return hashlib.sha256(name.encode()).hexdigest()[0] in "01234"


def aside(rows: Sequence[Row]) -> Iterator[str]:
    """Describe what a fit that saw neither their devices nor their families says of rows."""
    seen = [row for row in rows if not (is_kept_aside(row.family) or is_kept_aside(row.device))]
    unseen = [row for row in rows if is_kept_aside(row.family) or is_kept_aside(row.device)]
    fit = Fit(seen)
    bounds, chips = Bounds(fit), {row.chip for row in seen}
    of_chip = {row.chip: bounds.of_device(row.chip) for row in unseen}
    factors = np.array([of_chip[row.chip] for row in unseen])
    prediction = Prediction(unseen, fit.predicted(fit.best, unseen), factors)
    yield "\n## Kept aside\n"
    yield "| what | rows | MAPE | median | worst | bias | ρ | inside |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    yield f"| all | {figures(prediction)} |"
    families = prediction.of(lambda row: is_kept_aside(row.family) and row.chip in chips)
    yield f"| unseen families on known devices | {figures(families)} |"
    devices = prediction.of(lambda row: row.chip not in chips)
    yield f"| unseen devices | {figures(devices)} |"
    for name in sorted({row.device for row in unseen if is_kept_aside(row.device)}):
        yield f"| {name} | {figures(prediction.of(partial(_is, lambda row: row.device, name)))} |"
    for name in sorted({row.family for row in unseen if is_kept_aside(row.family)}):
        yield f"| {name} | {figures(prediction.of(partial(_is, lambda row: row.family, name)))} |"


def faster(predictions: dict[str, Prediction]) -> Iterator[str]:
    """Compare the answers where one source measured a configuration at both precisions."""
    yield "| prediction | pairs | right | right where they differ by 10% | MAPE of the gain |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name, prediction in predictions.items():
        pairs = list(gains(prediction))
        right = [(told > 0) == (is_so > 0) for told, is_so in pairs]
        clear = [(told > 0) == (is_so > 0) for told, is_so in pairs if abs(is_so) > math.log(1.1)]
        misses = [abs(math.exp(told - is_so) - 1) for told, is_so in pairs]
        yield (
            f"| {name} | {len(pairs)} | {np.mean(right):.1%} | {np.mean(clear):.1%} of "
            f"{len(clear)} | {np.mean(misses):.1%} |"
        )


def gains(prediction: Prediction) -> Iterator[tuple[float, float]]:
    """Iterate over logarithms of the gain by int8: expected, and measured."""
    places: dict[tuple[Any, ...], dict[str, int]] = {}
    for at, row in enumerate(prediction.rows):
        key = (row.sizes[:3], row.device, row.source, row.scope)
        places.setdefault(key, {})[row.precision] = at
    for found in places.values():
        if {"int8", "fp16"} <= found.keys():
            wide, narrow = found["fp16"], found["int8"]
            measured = prediction.rows[wide].logarithm - prediction.rows[narrow].logarithm
            yield float(prediction.expected[wide] - prediction.expected[narrow]), measured


def ranking(fit: Fit, rows: Sequence[Row]) -> Iterator[str]:
    """Describe rank correlations with figures that were not fitted."""
    yield "Client-side times, and those that other sources contradict, were not fitted.\n"
    yield "| device | precision | batch | rows | ρ |"
    yield "| --- | --- | ---: | ---: | ---: |"
    groups = sorted({(row.device, row.precision, row.batch) for row in rows})
    for group in groups:
        own = [row for row in rows if (row.device, row.precision, row.batch) == group]
        if len(own) >= FEW:
            found = spearman(fit.predicted(fit.best, own), [row.logarithm for row in own])
            yield f"| {group[0]} | {group[1]} | {group[2]} | {len(own)} | {found:.3f} |"
    yield ""


if __name__ == "__main__":
    sys.exit(main())
