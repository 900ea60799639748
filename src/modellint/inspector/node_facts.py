"""Results of analyses for single nodes, as drawings and tables of layers show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from modellint.analysis.assume import settle
from modellint.analysis.blocks import Blocks
from modellint.analysis.cost import ModelCost, NodeCost
from modellint.analysis.latency.kernels import Launches, launches
from modellint.analysis.precision import activation_dtype, precision_of
from modellint.analysis.quantization import QuantizationMap
from modellint.analysis.roofline import NodeBound, roofline
from modellint.analysis.shapes import DeployedTypes
from modellint.model import Node, Shape, Value, format_shape
from modellint.placement import UnitPlacement, placement
from modellint.session import OpenModel
from modellint.targets.deployment import Deployment

T = TypeVar("T")


class NodeFacts:
    """Results of analyses for each node; one that fails leaves its facts out."""

    def __init__(self, opened: OpenModel, deployment: Deployment) -> None:
        self.deployment = deployment
        self._model = opened.model
        settled = attempt(lambda: opened.under(deployment).get(settle).deployment)
        self.sized = settled or deployment
        """The deployment with a size for every open dim."""
        self._analyses = opened.under(self.sized)
        self._costs = attempt(lambda: self._analyses.get(ModelCost))
        self.types = attempt(lambda: self._analyses.get(DeployedTypes))
        self._quantized = attempt(lambda: self._analyses.get(QuantizationMap))
        found = attempt(lambda: opened.under(deployment).get(roofline))
        self.bounds: dict[int, NodeBound] = (
            {id(each.node): each for each in found.nodes} if found is not None else {}
        )
        self._placement = attempt(lambda: opened.under(deployment).get(placement))
        self.units = _units(self._placement)

    def blocks(self) -> Blocks:
        return self._analyses.get(Blocks)

    def launches(self) -> Launches:
        return launches(self._model, self.deployment)

    def cost(self, node: Node) -> NodeCost:
        costs = self._costs
        unknown = NodeCost(None, None, None, None)
        return attempt(lambda: costs.of(node)) or unknown if costs is not None else unknown

    def is_quantized(self, node: Node) -> bool:
        found = self._quantized
        if found is None:
            return False
        op = found.op(node)
        return op.is_quantized if op is not None else found.converter(node) is not None

    def precision(self, node: Node, bound: NodeBound | None) -> str:
        """Return the precision of a product, or else of the first result."""
        op = self._quantized.op(node) if self._quantized is not None else None
        if op is not None:
            if op.is_quantized or bound is None:
                return attempt(lambda: op.precision) or ""
            return bound.precision
        output = node.output()
        dtype = output.known_dtype if output is not None else None
        if dtype is None:
            return ""
        return precision_of(activation_dtype(dtype, self.deployment.precision))

    def refusal(self, node: Node) -> str:
        found = self._placement.refusal_of(node) if self._placement is not None else None
        return f"{node.qualified_op} {found.words}" if found is not None else ""

    def shape(self, value: Value) -> Shape | None:
        types = self.types
        return attempt(lambda: types.shape(value)) if types is not None else value.known_shape

    def type_of(self, value: Value) -> str:
        shape, dtype = self.shape(value), value.known_dtype
        if shape is None and dtype is None:
            return ""
        return f"{dtype or '?'} {format_shape(shape)}"


def _units(found: UnitPlacement | None) -> dict[int, str]:
    if found is None:
        return {}
    return {
        id(node): found.fallback or "nowhere" if id(node) in found.refusals else found.unit
        for node in found.nodes
    }


def attempt(compute: Callable[[], T]) -> T | None:
    """Return None if an analysis fails: it is one detail of a report."""
    try:
        return compute()
    except Exception:
        return None
