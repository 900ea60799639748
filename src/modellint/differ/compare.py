"""Comparison of two opened models, which always returns a `Difference`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from modellint.analysis.quantization import QuantizationMap, quantization_summary
from modellint.base.garbage import no_garbage_collection
from modellint.base.records import dataclass
from modellint.base.standins import settled
from modellint.differ.findings import finding_difference
from modellint.differ.interface import interface_changes
from modellint.differ.language import language_difference
from modellint.differ.matched import Matching
from modellint.differ.matching import match_models
from modellint.differ.nodes import node_difference
from modellint.differ.precisions import precision_difference, quantization_impact
from modellint.differ.weights import weight_difference
from modellint.engine import lint_opened
from modellint.formats.huggingface import HUGGING_FACE
from modellint.inspector import Asked, inspect_opened
from modellint.model import Model
from modellint.model.reading import BUDGET
from modellint.plan import Plan
from modellint.results.difference import (
    CountChange,
    DeviceDifference,
    Difference,
    FigureChange,
    ModelSide,
    QuantizationImpact,
)
from modellint.results.inspection import Inspection, Memory
from modellint.rules.moot import without_moot
from modellint.rules.rule import Rule
from modellint.session import OpenModel, Session

Opened = tuple[OpenModel, OpenModel]
Inspections = tuple[Inspection, Inspection]


@dataclass(frozen=True, slots=True)
class ComparedFile:
    """A file to compare, its name in reports, and the plan that lints it."""

    path: Path
    shown: str
    plan: Plan


def compare_files(
    old: ComparedFile, new: ComparedFile, rules: Mapping[str, Rule], *, memory: bool = False
) -> tuple[Difference, Matching | None]:
    """Compare two files, whatever their content; also return the matching of their graphs.

    Memory and time are estimated for targets, and with `memory` also without one.
    """

    def compare() -> tuple[Difference, Matching | None]:
        opened = (
            Session(old.plan.deployments).open(old.path, old.shown),
            Session(new.plan.deployments).open(new.path, new.shown),
        )
        has_target = any(each.target is not None for each in new.plan.deployments)
        estimates: Literal["brief", "none"] = "brief" if memory or has_target else "none"
        asked = Asked(new.plan.deployments, rules, memory=estimates)
        return compare_opened(opened, (old.plan, new.plan), asked)

    with no_garbage_collection(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return settled(old.path, lambda: settled(new.path, compare))


def compare_opened(
    opened: Opened, plans: tuple[Plan, Plan], asked: Asked
) -> tuple[Difference, Matching | None]:
    """Compare two opened models; also return the matching of their graphs."""
    looks = inspect_opened(opened[0], asked), inspect_opened(opened[1], asked)
    sides = _side(opened[0], looks[0]), _side(opened[1], looks[1])
    plain = Difference(*sides, assumptions=looks[1].assumptions or [])
    if not plain.is_readable:
        return plain, None
    old, new = opened[0].model, opened[1].model
    found = match_models(old, new) if old.has_graph and new.has_graph else None
    return _Comparison(opened, plans, looks, found).complete(plain), found


def _side(opened: OpenModel, look: Inspection) -> ModelSide:
    stated = look.identity
    return ModelSide(
        opened.shown,
        look.format,
        look.problems,
        stated.producer if stated is not None else None,
        stated.opsets if stated is not None else {},
        look.nodes,
    )


class _Comparison:
    """Comparison of two models that could be read."""

    def __init__(
        self,
        opened: Opened,
        plans: tuple[Plan, Plan],
        looks: Inspections,
        found: Matching | None,
    ) -> None:
        self._opened = opened
        self._plans = plans
        self._looks = looks
        self._found = found

    @property
    def _models(self) -> tuple[Model, Model]:
        return self._opened[0].model, self._opened[1].model

    def complete(self, plain: Difference) -> Difference:
        found, (old, new) = self._found, self._models
        budget = self._budget
        reads = old.weight_bytes + new.weight_bytes <= budget
        language = language_difference(old, new)
        weights = weight_difference(found, old, new, budget) if language is None else None
        devices = list(_devices(self._looks))
        reports = [
            lint_opened(opened, plan if reads else replace(plan, read_weights=False))
            for opened, plan in zip(self._opened, self._plans, strict=True)
        ]
        told = [
            without_moot(report.findings, plan.rules)
            for report, plan in zip(reports, self._plans, strict=True)
        ]
        whole = replace(
            plain,
            weights=weights,
            language=language,
            blocks=list(_blocks(self._looks)),
            figures=list(_figures(self._looks)),
            devices=devices,
            findings=finding_difference(
                told[0],
                told[1],
                _twins(found) if found else {},
                reads_weights=reads,
            ),
        )
        if found is None:
            return whole
        maps = self._map(0), self._map(1)
        return replace(
            whole,
            interface=list(interface_changes(old, new, found.inputs, found.outputs)),
            nodes=node_difference(found, converted=_main_type(old) != _main_type(new)),
            precisions=precision_difference(found, maps),
            quantization=self._impact(maps, devices),
        )

    @property
    def _budget(self) -> int:
        """Return the bytes of both models' weights to read; beyond, samples have to do."""
        plan = self._plans[1]
        if not all(each.read_weights for each in self._plans):
            return 0
        return BUDGET if plan.weights_budget is None else plan.weights_budget

    def _map(self, at: int) -> QuantizationMap:
        opened = self._opened[at]
        return opened.under(self._plans[1].deployments[0]).get(QuantizationMap)

    def _impact(
        self, maps: tuple[QuantizationMap, QuantizationMap], devices: Sequence[DeviceDifference]
    ) -> QuantizationImpact | None:
        if maps[0].is_quantized or not maps[1].is_quantized:
            return None
        deployment = self._plans[1].deployments[0]
        summary = quantization_summary(self._models[1], deployment)
        stored = [sum((look.weight_bytes or {}).values()) for look in self._looks]
        return quantization_impact(maps, summary, stored, devices)


def _twins(found: Matching) -> dict[str, str]:
    """Return the names of nodes and values in the new model by their names in the old one."""
    twins = {old.name: new.name for old, new in found.values.items()}
    return {**twins, **{old.label: new.label for old, new in found.nodes().items()}}


def _main_type(model: Model) -> str:
    """Return the type of most stored floats."""
    sizes: dict[str, int] = {}
    for tensor in model.tensors:
        if tensor.dtype.is_float:
            sizes[tensor.dtype.name] = sizes.get(tensor.dtype.name, 0) + tensor.elements
    return max(sizes, key=lambda name: sizes[name], default="")


_FIGURES: Mapping[str, Callable[[Inspection], int | None]] = {
    "parameters": lambda look: look.parameters,
    "macs": lambda look: look.macs,
    "nodes": lambda look: look.nodes,
}
_BYTES: Mapping[str, Callable[[Inspection], int | None]] = {
    "file-bytes": lambda look: _stored(look),
    "weight-bytes": lambda look: (
        sum(look.weight_bytes.values()) if look.weight_bytes is not None else None
    ),
    "kv-cache-per-token": lambda look: _cache(look),
}


def _stored(look: Inspection) -> int | None:
    """Return the bytes of all files; those of a folder's model are counted with it."""
    identity = look.identity
    if identity is None:
        return None
    is_folder = look.format == HUGGING_FACE.name
    return identity.file_bytes + (0 if is_folder else identity.external_bytes)


def _cache(look: Inspection) -> int | None:
    if look.llm is not None:
        return look.llm.cache_per_token
    return look.kv_cache.bytes_per_token if look.kv_cache is not None else None


def _figures(looks: Inspections) -> Iterator[FigureChange]:
    for name, figure in _FIGURES.items():
        yield FigureChange(name, "", figure(looks[0]), figure(looks[1]))
    for name, figure in _BYTES.items():
        yield FigureChange(name, "bytes", figure(looks[0]), figure(looks[1]))


def _blocks(looks: Inspections) -> Iterator[CountChange]:
    counts = [{block.kind: block.count for block in look.blocks or ()} for look in looks]
    for kind in dict.fromkeys([*counts[0], *counts[1]]):
        yield CountChange(kind, counts[0].get(kind, 0), counts[1].get(kind, 0))


def _devices(looks: Inspections) -> Iterator[DeviceDifference]:
    for one, other in zip(looks[0].estimates, looks[1].estimates, strict=False):
        yield _device((one, other))


def _device(both: tuple[Memory, Memory]) -> DeviceDifference:
    new = both[1]
    return DeviceDifference(
        target=new.target,
        device=new.device,
        runtime=new.runtime,
        precision=[each.precision for each in both],
        memory=[each.total.expected for each in both],
        weights=[each.weights for each in both],
        activations=[each.activations.expected for each in both],
        verdict=[each.verdict for each in both],
        seconds=[each.roofline.seconds if each.roofline is not None else None for each in both],
    )
