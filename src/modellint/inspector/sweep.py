"""Expected times over devices, precisions and batches, and which of them satisfy requirements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from modellint.analysis.latency import TimeEstimate
from modellint.analysis.memory import memory
from modellint.analysis.precision import running_precision, without_strange_assumption
from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.base.units import parse_bytes
from modellint.placement.timed import latency_on_units
from modellint.results.inspection import Candidate, Certainty
from modellint.session import OpenModel
from modellint.targets.deployment import Deployment

Figure = Literal["latency", "throughput", "price", "memory"]

_WORD = re.compile(r"([a-z]+)(<=|>=|<|>)(\d{1,15}(?:\.\d{1,9})?)([^\d<>=]*)")
_SIGN = re.compile(r" ?(<=|>=|<|>) ?")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_LONGEST = 200
EXAMPLE = 'example: --require "latency<=5ms throughput>=200 price<=1$/h"'


@dataclass(frozen=True, slots=True)
class Requirement:
    """A limit that a device has to keep."""

    figure: Figure
    is_most: bool
    """True for an upper limit."""
    limit: float
    text: str
    """As it was written."""

    def holds(self, value: float) -> bool:
        return value <= self.limit if self.is_most else value >= self.limit


@dataclass(frozen=True, slots=True)
class Sweep:
    """Batches and precisions to estimate; empty for those of the deployments."""

    batches: tuple[int, ...] = ()
    precisions: tuple[str, ...] = ()
    requirements: tuple[Requirement, ...] = ()

    @property
    def is_asked(self) -> bool:
        return len(self.batches) > 1 or len(self.precisions) > 1 or bool(self.requirements)


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    """Parse ``latency<=5ms throughput>=200 price<=1$/h memory<=8GB``; commas are as good."""
    if len(text) > _LONGEST:
        raise UsageError(f"--require is too long; {EXAMPLE}")
    spaced = " ".join(text.replace(",", " ").split())
    words = _SIGN.sub(r"\1", spaced).split()
    if not words:
        raise UsageError(f"--require is empty; {EXAMPLE}")
    return tuple(map(_requirement, words))


def _requirement(text: str) -> Requirement:
    match = _WORD.fullmatch(text)
    if match is None:
        raise UsageError(f"--require: cannot read {text!r}; {EXAMPLE}")
    name, sign, number, unit = match.groups()
    limit, is_most = float(number), sign.startswith("<")
    if name == "latency" and unit in _SECONDS:
        return Requirement("latency", is_most, limit * _SECONDS[unit], text)
    if name == "throughput" and unit in ("", "/s"):
        return Requirement("throughput", is_most, limit, text)
    if name == "price" and unit in ("$/h", "USD/h"):
        return Requirement("price", is_most, limit, text)
    if name == "memory" and unit:
        return Requirement("memory", is_most, parse_bytes(f"{number} {unit}"), text)
    units = {"latency": "s, ms or us", "throughput": "/s or nothing", "price": "$/h"}
    if name in units:
        raise UsageError(f"--require: {text!r}: the unit of {name} is {units[name]}")
    hint = did_you_mean(name, [*units, "memory"], EXAMPLE)
    raise UsageError(f"--require: unknown figure {name!r}; {hint}")


def candidates(
    opened: OpenModel, deployments: Sequence[Deployment], sweep: Sweep
) -> list[Candidate]:
    """Return all combinations: those that satisfy the requirements first, the best ahead."""
    found = [
        candidate
        for deployment in deployments
        for each in _variants(deployment, sweep)
        if (candidate := _candidate(opened, each, sweep.requirements)) is not None
    ]
    return sorted(found, key=_merit) if sweep.requirements else found


def _variants(deployment: Deployment, sweep: Sweep) -> Iterator[Deployment]:
    """Iterate over the precisions that the device computes in, and the batches."""
    target = deployment.target
    for precision in sweep.precisions or (deployment.precision,):
        if target is not None and precision is not None and target.lacks(precision):
            continue
        for batch in sweep.batches or (deployment.batch,):
            yield replace(deployment, precision=precision, batch=batch)


def _candidate(
    opened: OpenModel, deployment: Deployment, requirements: Sequence[Requirement]
) -> Candidate | None:
    deployment = without_strange_assumption(opened.model, deployment)
    time = opened.under(deployment).get(latency_on_units)
    if time is None:
        return None
    needs = opened.under(deployment).get(memory)
    price = time.target.price
    reasons = [
        reason
        for each in requirements
        if (reason := _reason(each, time, needs.total.expected)) is not None
    ]
    if requirements and needs.verdict == "does not fit":
        reasons.append("does not fit")
    return Candidate(
        target=time.target.id,
        precision=running_precision(opened.model, deployment),
        batch=time.batch,
        low=time.low,
        expected=time.expected,
        high=time.high,
        confidence=time.confidence,
        per_second=time.per_second,
        memory=needs.total.expected,
        verdict=needs.verdict,
        price=price.per_hour if price is not None else None,
        currency=price.currency if price is not None else None,
        satisfies=_certainty(requirements, time, reasons) if requirements else None,
        reasons=reasons,
    )


def _reason(requirement: Requirement, time: TimeEstimate, needed: int) -> str | None:
    """Return why a requirement is not satisfied; None if it is."""
    if requirement.figure == "price":
        price = time.target.price
        if price is None:
            return f"{requirement.text}: no price is known"
        if price.currency != "USD":
            return f"{requirement.text}: its price is in {price.currency}"
        holds, value = requirement.holds(price.per_hour), f"{price.per_hour:g} $/h"
    elif requirement.figure == "memory":
        holds, value = requirement.holds(needed), f"{needed / 1e9:.3g} GB"
    elif requirement.figure == "latency":
        holds, value = requirement.holds(time.expected), f"{time.expected * 1e3:.3g} ms"
    else:
        holds, value = requirement.holds(time.per_second), f"{time.per_second:.3g}/s"
    return None if holds else f"{requirement.text}: {value}"


def _certainty(
    requirements: Sequence[Requirement], time: TimeEstimate, reasons: Sequence[str]
) -> Certainty:
    """Return whether the requirements hold over the whole range of the estimate."""
    if reasons:
        return "no"
    worst: dict[Figure, Callable[[bool], float]] = {
        "latency": lambda is_most: time.high if is_most else time.low,
        "throughput": lambda is_most: time.batch / (time.low if is_most else time.high),
    }
    timed = [each for each in requirements if each.figure in worst]
    sure = all(each.holds(worst[each.figure](each.is_most)) for each in timed)
    return "surely" if sure else "expected"


def _merit(candidate: Candidate) -> tuple[object, ...]:
    """Return a sort key: those that satisfy first, then cheap ones, then fast ones."""
    order: list[Certainty | None] = ["surely", "expected", "no"]
    price = candidate.price if candidate.price is not None else float("inf")
    return order.index(candidate.satisfies), len(candidate.reasons), price, candidate.expected
