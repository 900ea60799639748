"""A model with a run of it: the work and the nodes of each layer, and its time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property

from modellint.analysis.cost import cost
from modellint.analysis.cost.traffic import sizes_of
from modellint.analysis.roofline import Bound, peak_rate
from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.model import Model, Node, Value
from modellint.operators import Trait, having
from modellint.profiles.placing import nodes_of_layers
from modellint.results.measured import MeasuredRun, RunLayer
from modellint.targets.deployment import Deployment, ShapeProfile
from modellint.targets.target import Target

_VIEWS = having(Trait.VIEW, Trait.READS_SHAPE, Trait.CONSTANT)


@dataclass(frozen=True)
class ProfiledLayer:
    """A layer of a run with its nodes and their work; None where that is unknown."""

    layer: RunLayer
    nodes: tuple[Node, ...]
    flops: int | None = None
    macs: int | None = None
    nbytes: int | None = None
    """Bytes that it must read and write: values that come from or go to other layers."""

    @property
    def seconds(self) -> float:
        return self.layer.seconds

    @property
    def intensity(self) -> float | None:
        """Return the operations per byte."""
        return self.flops / self.nbytes if self.flops is not None and self.nbytes else None

    @property
    def undisturbed(self) -> float:
        """Return the least time, if it is known: on a busy machine, others are in the usual one."""
        return self.seconds if self.layer.fastest is None else self.layer.fastest

    @property
    def flops_per_second(self) -> float | None:
        return self.flops / self.undisturbed if self.flops and self.undisturbed else None

    @property
    def bytes_per_second(self) -> float | None:
        return self.nbytes / self.undisturbed if self.nbytes and self.undisturbed else None


@dataclass(frozen=True, slots=True)
class Roofs:
    """Peaks of a device at a precision."""

    compute: float
    """Operations per second."""
    memory: float
    """Bytes per second."""

    def least(self, layer: ProfiledLayer) -> float | None:
        """Return the least time that the device could take for a layer; None if it does nothing."""
        if layer.flops is None or not layer.nbytes:
            return None
        return max(layer.flops / self.compute, layer.nbytes / self.memory)

    def bound(self, layer: ProfiledLayer) -> Bound | None:
        if layer.flops is None or not layer.nbytes:
            return None
        return "compute" if layer.flops / self.compute >= layer.nbytes / self.memory else "memory"


class ProfiledModel:
    """Layers of a run, found again in a model."""

    def __init__(self, run: MeasuredRun, model: Model) -> None:
        self.run = run
        self.model = model

    @cached_property
    def deployment(self) -> Deployment:
        """Return the deployment that was measured."""
        shapes = {
            name: ShapeProfile(shape, shape, shape)
            for name, shape in self.run.conditions.shapes.items()
            if name in self.model.graph.values
        }
        conditions = self.run.conditions
        batch = None if shapes else conditions.batch
        return Deployment(batch=batch, shapes=shapes, precision=conditions.precision)

    @cached_property
    def layers(self) -> list[ProfiledLayer]:
        nodes = nodes_of_layers(self.run, self.model)
        types = DeployedTypes(self.model, self.deployment)
        costs = cost(self.model, self.deployment, types)
        sizes = sizes_of(types, self.deployment.precision)
        found = []
        for layer, group in zip(self.run.layers, nodes, strict=True):
            if not group:
                found.append(ProfiledLayer(layer, ()))
                continue
            works = [costs.work_of(node) for node in group]
            found.append(
                ProfiledLayer(
                    layer,
                    tuple(group),
                    _total(work.flops for work in works),
                    _total(work.macs for work in works),
                    _total(sizes[value] for value in _crossing(group)),
                )
            )
        return found

    @cached_property
    def _of_node(self) -> Mapping[Node, ProfiledLayer]:
        return {node: layer for layer in self.layers for node in layer.nodes}

    @property
    def total(self) -> float:
        """Return the time of all layers together."""
        return self.run.layer_seconds

    @property
    def found(self) -> float:
        """Return the share of the computing layers' time whose nodes were found."""
        computing = [each for each in self.layers if each.layer.kind == "compute"]
        total = math.fsum(each.seconds for each in computing)
        found = math.fsum(each.seconds for each in computing if each.nodes)
        return found / total if total else 0.0

    def layer_of(self, node: Node) -> ProfiledLayer | None:
        return self._of_node.get(node)

    def seconds_of(self, nodes: Iterable[Node]) -> float | None:
        """Return the time of the layers that some nodes are in; None if none was found.

        What only renames or reshapes has no part in a layer that computes something.
        """
        found = {
            id(layer): layer
            for node in nodes
            if (layer := self.layer_of(node)) is not None and _takes_time(node, layer)
        }
        return math.fsum(layer.seconds for layer in found.values()) if found else None

    def roofs(self, target: Target | None, layer: ProfiledLayer) -> Roofs | None:
        """Return the peaks of a device for a layer; None if they are unknown."""
        if target is None or not target.memory.bandwidth:
            return None
        precision = layer.layer.precision or self.run.conditions.precision or "fp32"
        rate = peak_rate(target, precision)
        return Roofs(rate[1], target.memory.bandwidth) if rate is not None else None

    def next_layers(self, layer: ProfiledLayer) -> list[ProfiledLayer | None]:
        """Return the layers that read what one computes; None for each reader not found."""
        inside = set(layer.nodes)
        readers = {
            use.node: None
            for node in layer.nodes
            for value in node.outputs
            if value is not None
            for use in value.consumers
            if use.node not in inside
        }
        found = {id(each): each for each in map(self.layer_of, readers)}
        return list(found.values())


def _takes_time(node: Node, layer: ProfiledLayer) -> bool:
    return node.op_type not in _VIEWS or all(each.op_type in _VIEWS for each in layer.nodes)


def placed(run: MeasuredRun, model: Model) -> MeasuredRun:
    """Return the run with the nodes of each layer and their work, as far as they can be found."""
    if not run.layers or not model.has_graph:
        return run
    return replace(run, layers=tuple(map(_placed, ProfiledModel(run, model).layers)))


def _placed(found: ProfiledLayer) -> RunLayer:
    if not found.nodes:
        return found.layer
    return replace(
        found.layer,
        nodes=tuple(node.label for node in found.nodes),
        operators=tuple(node.op_type for node in found.nodes),
        flops=found.flops,
        nbytes=found.nbytes,
    )


def _crossing(group: list[Node]) -> dict[Value, None]:
    """Return the values that a group reads or writes, without those that stay inside."""
    inside = set(group)
    crossing: dict[Value, None] = {}
    for node in group:
        if node.op_type in _VIEWS:
            continue
        for value in node.inputs:
            if value is not None and value.producer not in inside:
                crossing[value] = None
        for value in node.outputs:
            if value is not None and (
                value.is_output or any(use.node not in inside for use in value.consumers)
            ):
                crossing[value] = None
    return crossing


def _total(numbers: Iterable[int | None]) -> int | None:
    listed = list(numbers)
    return None if None in listed else sum(number for number in listed if number is not None)
