"""Several models, each compared with another."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """One of several models that were compared."""

    name: Annotated[str, "Path of the new model, or of the old one if there is no new one."]
    was: Annotated[str | None, "Path of the old model, if it is another one."]
    status: Literal["same", "changed", "breaking", "added", "removed", "unreadable"]
    says: Annotated[str, "What has changed, in one line."]
    bytes: Annotated[list[int | None], "Bytes of the old and the new model's files."]


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """One of several variants of a model."""

    name: str
    metric: float | None
    bytes: Annotated[int | None, "Of its files."]
    memory: Annotated[int | None, "Expected bytes in all."]
    seconds: Annotated[float | None, "Lower bound on the time of a run."]
    cost: Annotated[float | None, "Lower bound on the price of a million runs, one by one."]
    is_optimal: Annotated[bool, "True if no other variant is as good in all, and better in one."]


@dataclass(frozen=True, slots=True)
class TradeOffs:
    """Accuracy next to size, memory, time and cost."""

    metric: Annotated[str | None, "The metric that all evaluations state."]
    better: Annotated[Literal["higher", "lower"] | None, "Direction of its improvement."]
    target: str | None
    price: Annotated[str | None, "Price of the target, with its offer, day and source."]
    currency: str | None
    variants: list[VariantFigures]


@dataclass(frozen=True, slots=True)
class Overview:
    """Several models, each with another: of two folders, or of two revisions."""

    old: Annotated[str, "The folder or the revision of the old models."]
    new: Annotated[str, "The same of the new ones; empty for the working tree."]
    models: list[OverviewRow]
    trade_offs: Annotated[
        TradeOffs | None, "Null unless evaluations or more than two models were given."
    ] = None
