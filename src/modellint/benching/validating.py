"""Estimates of time against measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

from modellint.analysis.latency import TimeEstimate, latency
from modellint.base.records import dataclass
from modellint.model import Model
from modellint.profiles.profiled import ProfiledModel
from modellint.results.measured import MeasuredRun
from modellint.targets.target import Target


@dataclass(frozen=True, slots=True)
class Estimated:
    """A run, and the estimate of its time."""

    model: str
    device: str
    runtime: str
    batch: int | None
    measured: Annotated[float, "Seconds."]
    expected: Annotated[float, "Seconds."]
    inside: Annotated[bool, "True if the measurement is between the estimate's bounds."]

    @property
    def error(self) -> float:
        """Return the error of the estimate, as a share of the measurement."""
        return self.expected / self.measured - 1


@dataclass(frozen=True, slots=True)
class OperatorError:
    """Error of the estimates of an operator's kernels, in all runs with layers."""

    kernels: int
    measured: Annotated[float, "Seconds."]
    expected: Annotated[float, "Seconds."]
    mape: Annotated[float, "Mean absolute error of the kernels, each weighted by its time."]

    @property
    def bias(self) -> float:
        return self.expected / self.measured - 1


@dataclass(frozen=True, slots=True)
class Validation:
    """All runs with their estimates."""

    rows: tuple[Estimated, ...]
    unknown: Annotated[tuple[str, ...], "Models that were not found, or have no estimate."]
    operators: Annotated[dict[str, OperatorError], "By operator, those that take longest first."]

    @property
    def mape(self) -> float | None:
        """Return the mean absolute error, as a share."""
        return mean_error(self.rows)

    def by(self, key: str) -> dict[str, float]:
        """Return the mean absolute error by a field of the rows."""
        groups: dict[str, list[Estimated]] = {}
        for row in self.rows:
            groups.setdefault(str(getattr(row, key)), []).append(row)
        return {name: mean_error(rows) or 0.0 for name, rows in groups.items()}

    def to_json(self) -> dict[str, Any]:
        errors = sorted(abs(row.error) for row in self.rows)
        return {
            "version": 1,
            "mape": self.mape,
            "median": statistics.median(errors) if errors else None,
            "worst": errors[-1] if errors else None,
            "rank_correlation": rank_correlation(self.rows),
            "inside": statistics.fmean(row.inside for row in self.rows) if self.rows else None,
            "by_device": self.by("device"),
            "by_model": self.by("model"),
            "by_operator": {
                op: {**asdict(each), "bias": each.bias} for op, each in self.operators.items()
            },
            "rows": [{**asdict(row), "error": row.error} for row in self.rows],
            "unknown": list(self.unknown),
        }


def validate(runs: Iterable[tuple[MeasuredRun, Model | None]], target: Target) -> Validation:
    """Estimate every run on a target."""
    rows: list[Estimated] = []
    unknown: list[str] = []
    kernels: dict[str, list[tuple[float, float]]] = {}
    for run, model in runs:
        whole = measured_seconds(run)
        estimate = None
        if model is not None and whole:
            profiled = ProfiledModel(run, model)
            deployment = replace(profiled.deployment, target=target, runtime=run.runtime.name)
            estimate = latency(model, deployment)
        if model is None or estimate is None or not whole:
            unknown.append(run.label)
            continue
        rows.append(
            Estimated(
                run.model.name,
                run.device.name or target.id,
                run.runtime.name,
                run.conditions.batch,
                whole,
                estimate.expected,
                estimate.low <= whole <= estimate.high,
            )
        )
        for op, measured, expected in _kernels(profiled, whole, estimate):
            kernels.setdefault(op, []).append((measured, expected))
    operators = {op: _operator_error(pairs) for op, pairs in kernels.items()}
    longest = sorted(operators.items(), key=lambda each: -each[1].measured)
    return Validation(tuple(rows), tuple(unknown), dict(longest))


def _kernels(
    profiled: ProfiledModel, whole: float, estimate: TimeEstimate
) -> Iterator[tuple[str, float, float]]:
    """Iterate over kernels that were measured: operator, measured and expected seconds.

    Layers count with their share of the whole inference: they were timed in others, which may have
    been disturbed more. Kernels that share a layer share its time as they are expected to.
    """
    usual = whole / (math.fsum(layer.undisturbed for layer in profiled.layers) or whole)
    by_node = {node: kernel for kernel in estimate.layers for node in kernel.launch.nodes}
    measured: dict[int, float] = {}
    for layer in profiled.layers:
        mine = {id(k): k for node in layer.nodes if (k := by_node.get(node)) is not None}
        together = sum(kernel.seconds for kernel in mine.values())
        for at, kernel in mine.items():
            share = usual * layer.undisturbed * kernel.seconds / together if together else 0.0
            measured[at] = measured.get(at, 0.0) + share
    for kernel in estimate.layers:
        if measured.get(id(kernel)):
            yield kernel.launch.main.op_type, measured[id(kernel)], kernel.seconds


def _operator_error(pairs: Sequence[tuple[float, float]]) -> OperatorError:
    measured, expected = (math.fsum(column) for column in zip(*pairs, strict=True))
    missed = math.fsum(abs(told - real) for real, told in pairs)
    return OperatorError(len(pairs), measured, expected, missed / measured)


def measured_seconds(run: MeasuredRun) -> float | None:
    """Return the time of an inference on a quiet machine, as far as the run can tell it.

    On one thread, processor time is what the clock would show if nothing else ran.
    """
    times = run.times
    if times is None:
        return run.seconds
    is_disturbed = (run.environment.waiting or 0.0) > 0.05
    if is_disturbed and run.conditions.threads == 1 and times.processor:
        return min(times.processor, times.minimum or times.processor)
    return times.median


def mean_error(rows: Sequence[Estimated]) -> float | None:
    return statistics.fmean(abs(row.error) for row in rows) if rows else None


def rank_correlation(rows: Sequence[Estimated]) -> float | None:
    """Return Spearman's correlation of estimates and measurements."""
    if len(rows) < 3:
        return None
    ranks = [_ranks([row.measured for row in rows]), _ranks([row.expected for row in rows])]
    return statistics.correlation(*ranks)


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda at: values[at])
    ranks = [0.0] * len(values)
    for rank, at in enumerate(order):
        ranks[at] = float(rank)
    return ranks
