"""What came of asking a runtime about a model: plain data, kept in the cache as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field, fields, replace
from typing import Any, Literal, get_args

from modellint.base.records import dataclass
from modellint.runtimes.probe import Level, Remark

Death = Literal["crashed", "hung", "out-of-memory", "killed", "garbage", "failed"]
"""The ways in which a child process may end without an answer."""
Status = Literal["accepted", "refused", "unanswered", Death]
"""`unanswered` when no runtime could be asked."""
DEATHS: tuple[Status, ...] = get_args(Death)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the runtime measured or planned; None where it does not tell."""

    parse_seconds: float | None = None
    build_seconds: float | None = None
    engine_bytes: int | None = None
    activation_bytes: int | None = None
    weight_bytes: int | None = None
    scratch_bytes: int | None = None
    nodes_taken: int | None = None
    """Of a refused model: nodes in the parts that the runtime would take."""
    subgraphs_taken: int | None = None
    nodes_optimized: int | None = None
    """Nodes left after the runtime's own graph optimization."""
    peak_bytes: int | None = None
    """What the probing process itself took at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One model asked about on one runtime for one deployment."""

    status: Status
    backend: str = ""
    version: str = ""
    target: str | None = None
    capability: str | None = None
    """The compute capability that was built for, as ``8.6``."""
    level: Level = "parse"
    """How far the runtime got to be asked."""
    detail: str = ""
    """Why nobody was asked, how the process died, or why it was not asked to build."""
    remarks: tuple[Remark, ...] = ()
    figures: Figures = Figures()
    profiles: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    """Minimum, optimum and maximum of each dynamic input that was built for."""
    placement: Mapping[str, int] = field(default_factory=dict)
    """Nodes by execution provider."""
    layers: tuple[str, ...] = ()
    cached: bool = False

    @property
    def asked(self) -> bool:
        return self.status != "unanswered"

    @property
    def died(self) -> bool:
        return self.status in DEATHS

    @property
    def built(self) -> bool:
        return self.status == "accepted" and self.level == "build"

    def of(self, *kinds: str) -> list[Remark]:
        return [remark for remark in self.remarks if remark.kind in kinds]


def _numbers(figures: Mapping[str, Any]) -> dict[str, Any]:
    if not all(isinstance(value, (int, float, type(None))) for value in figures.values()):
        raise ValueError("a figure is no number")
    return dict(figures)


def to_json(outcome: Outcome) -> dict[str, Any]:
    return asdict(outcome)


def from_json(data: Mapping[str, Any]) -> Outcome:
    """The outcome that `to_json` wrote, or that a child process did; ValueError for anything else.

    A child says as much as it knows: what is left out takes its default.
    """
    if data.get("status") not in get_args(Status):
        raise ValueError(f"{data.get('status')!r} is no answer")
    try:
        known = {item.name for item in fields(Outcome)}
        outcome = Outcome(**{key: value for key, value in data.items() if key in known})
        return replace(
            outcome,
            remarks=tuple(Remark(**remark) for remark in data.get("remarks", ())),
            figures=Figures(**_numbers(data.get("figures", {}))),
            profiles={
                name: tuple(tuple(shape) for shape in shapes)
                for name, shapes in data.get("profiles", {}).items()
            },
            layers=tuple(data.get("layers", ())),
        )
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
