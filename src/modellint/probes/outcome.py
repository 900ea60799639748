"""Outcome of a probe: plain data, cached as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field, fields
from typing import Any, Literal, get_args

from modellint.base.rebuild import checked_from_plain
from modellint.base.records import dataclass
from modellint.runtimes.probe import Level, Remark

Death = Literal["crashed", "hung", "out-of-memory", "killed", "garbage", "failed"]
"""Ways in which a child process may end without an answer."""
Status = Literal["accepted", "refused", "unanswered", Death]
"""Status of an outcome; `unanswered` if no runtime could be probed."""
DEATHS: tuple[Status, ...] = get_args(Death)
REFUSALS = (
    "on-cpu",
    "node-refused",
    "no-importer",
    "no-plugin",
    "no-kernel",
    "shape-conflict",
    "build-failed",
    "model-refused",
)
"""Kinds of remarks on what a runtime does not take: those that name a node first."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures measured or planned by the runtime; None if not reported."""

    parse_seconds: float | None = None
    build_seconds: float | None = None
    engine_bytes: int | None = None
    activation_bytes: int | None = None
    weight_bytes: int | None = None
    scratch_bytes: int | None = None
    nodes_taken: int | None = None
    """Nodes in the supported parts of a refused model."""
    subgraphs_taken: int | None = None
    nodes_optimized: int | None = None
    """Number of nodes after the runtime's graph optimization."""
    peak_bytes: int | None = None
    """Peak memory of the probing process."""
    sram_bytes: int | None = None
    """Memory on the chip that a run needs, as the compiler has planned it."""
    cycles: int | None = None
    """Cycles of a run, as the compiler estimates them."""
    moved_bytes: int | None = None
    """Bytes that all layers read and write in a run, as the compiler counts them."""
    inferences_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of probing a model with a runtime for a deployment."""

    status: Status
    backend: str = ""
    version: str = ""
    target: str | None = None
    capability: str | None = None
    """Compute capability of the build, for example ``8.6``."""
    level: Level = "parse"
    """Depth of the probe."""
    detail: str = ""
    """Reason why no runtime was probed, how the process died, or why the model was not built."""
    remarks: tuple[Remark, ...] = ()
    figures: Figures = Figures()
    profiles: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    """Minimum, optimum and maximum shape of each dynamic input in the build."""
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

    @property
    def reason(self) -> str:
        """Return why the answer is not a plain yes; of several reasons, the first."""
        remarks = sorted(self.of(*REFUSALS), key=lambda each: REFUSALS.index(each.kind))
        if not remarks or self.died or not self.asked:
            return self.detail
        first = remarks[0]
        node = f"{first.op} '{first.node}'".removesuffix(" ''") if first.op else ""
        return ": ".join(filter(None, (node, first.text or self.detail)))

    def of(self, *kinds: str) -> list[Remark]:
        return [remark for remark in self.remarks if remark.kind in kinds]


def to_json(outcome: Outcome) -> dict[str, Any]:
    return asdict(outcome)


def from_json(data: object) -> Outcome:
    """Convert the output of `to_json` or a child process; raise ValueError for anything else.

    A child may omit fields, which take their defaults.
    """
    if not isinstance(data, Mapping):
        raise ValueError("not a table")
    if data.get("status") not in get_args(Status):
        raise ValueError(f"unknown status {data.get('status')!r}")
    known = {item.name for item in fields(Outcome)}
    given = {key: value for key, value in data.items() if key in known and value is not None}
    return checked_from_plain(Outcome, given)
