"""Constant folding: what a runtime computes once, before the first run.

    >>> found = folding(model, deployment)
    >>> found.is_folded(node)                # never runs
    >>> [value.name for value in found.weights()]
    >>> found.numbers(value)                 # elements of small constants, computed or stored

Shapes count as constants if the deployment fixes them, as in a static engine.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from modellint.analysis.shapes import DeployedTypes
from modellint.base.memo import Remembered
from modellint.model import Graph, Model, Node, Shape, Tensor, Value, is_static
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEPT = having(Trait.RANDOM, Trait.DROPS, Trait.DEQUANTIZE, Trait.UNPACKS)
"""Ops that are not folded: runtimes keep quantized weights and dequantize them on the fly."""
_SHAPE_OPS = having(Trait.READS_SHAPE)


class Folding:
    """The constant part of a deployed model."""

    def __init__(
        self, model: Model, deployment: Deployment, types: DeployedTypes | None = None
    ) -> None:
        self.types = types or DeployedTypes(model, deployment)
        self._constant: set[int] = set()
        self._folded: set[int] = set()
        self._contents: dict[int, int] = {}
        self._unnoted: list[Node] = []
        self._interned: dict[Hashable, int] = {}
        self._model = model
        for graph in model.graph.walk():
            for node in graph.ordered:
                if self._folds(node):
                    self._folded.add(id(node))
                    self._constant.update(id(v) for v in node.outputs if v is not None)
                    self._unnoted.append(node)

    @cached_property
    def folded(self) -> frozenset[int]:
        """Return the ids of all nodes that never run."""
        return frozenset(self._folded)

    def is_folded(self, node: Node) -> bool:
        return id(node) in self._folded

    def is_constant(self, value: Value) -> bool:
        """Return True if stored or computed from stored tensors."""
        return value.is_constant or id(value) in self._constant

    def weights(self) -> Iterator[Value]:
        """Iterate over distinct constants used by running nodes or the caller.

        Equal computations from the same constants count as one.
        """
        seen: set[int] = set()
        for graph in self._model.graphs():
            for value in self._asked_for(graph):
                key = self.content(value)
                if key not in seen:
                    seen.add(key)
                    yield value

    def content(self, value: Value) -> int:
        """Return a number that is equal for constants with equal origins."""
        if value.tensor is not None:
            return self._intern(_tensor_content(value.tensor))
        nodes, self._unnoted = self._unnoted, []
        for node in nodes:
            self._note_content(node)
        return self._contents[id(value)]

    def _note_content(self, node: Node) -> None:
        sources: Hashable
        source, results = node.input(0), node.outputs
        if node.op_type == "Identity" and source is not None and len(results) == 1:
            self._contents[id(results[0])] = self.content(source)
            return
        if node.op_type in _SHAPE_OPS:
            sources = self._static_shape(node)
        else:
            sources = tuple(self.content(v) if v is not None else None for v in node.inputs)
        attributes = tuple(
            (name, _tensor_content(value) if isinstance(value, Tensor) else repr(value))
            for name, value in sorted(node.attributes.items())
        )
        made = self._intern((node.qualified_op, attributes, sources))
        for value in node.outputs:
            if value is not None:
                self._contents[id(value)] = self._intern((made, value.index))

    def _intern(self, content: Hashable) -> int:
        return self._interned.setdefault(content, len(self._interned))

    def _static_shape(self, node: Node) -> Shape | None:
        source = node.input(0)
        return self.types.shape(source) if source is not None else None

    def _asked_for(self, graph: Graph) -> Iterator[Value]:
        """Iterate over constants that are used for more than computing others."""
        folded, constant = self._folded, self._constant
        asking = [node.inputs for node in graph.ordered if id(node) not in folded]
        for value in chain(*asking, graph.outputs):
            if value is not None and (value.tensor is not None or id(value) in constant):
                yield value

    def numbers(self, value: Value) -> NDArray[Any] | None:
        """Return the elements of a small constant that is simple to compute."""
        if value.tensor is not None:
            return value.tensor.if_small()
        return self.types.numbers(value)

    def integers(self, value: Value) -> list[int] | None:
        """Return the elements, in order, of a small constant of integers."""
        if value.tensor is not None:
            stored = value.tensor.small_integers()
            return list(stored) if stored is not None else None
        numbers = self.types.numbers(value)
        if numbers is None or numbers.dtype.kind not in "iu":
            return None
        return [int(number) for number in numbers.reshape(-1)]

    def _folds(self, node: Node) -> bool:
        if node.op_type in _KEPT or node.subgraphs:
            return False
        if self._model.functions and self._model.function_of(node) is not None:
            return False
        if node.op_type in _SHAPE_OPS:
            return is_static(self._static_shape(node))
        constant = self._constant
        for value in node.inputs:
            if value is not None and value.tensor is None and id(value) not in constant:
                return False
        return True


def _tensor_content(tensor: Tensor) -> Hashable:
    """Return the elements if in memory, else the tensor's identity."""
    elements = tensor.small_bytes()
    return id(tensor) if elements is None else (tensor.dtype.name, tensor.shape, elements)


_FOLDINGS: Remembered[Folding] = Remembered()


def folding(model: Model, deployment: Deployment, types: DeployedTypes | None = None) -> Folding:
    """Run the analysis, once for all deployments with the same shapes."""
    types = types or DeployedTypes(model, deployment)
    return model.memo.get(_FOLDINGS, types.key, lambda: Folding(model, deployment, types))
