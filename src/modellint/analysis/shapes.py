"""Shapes for a deployment: binds symbols, and reruns inference where useful."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modellint.analysis.folding_ops import small_constants
from modellint.base.memo import Kept, Remembered
from modellint.base.records import dataclass
from modellint.model import Model, Shape, Value, bind, is_static
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS, MOST_NODES = 32, 40_000
"""Limits on rounds of inference and on the nodes in all rounds: each round resolves one more
level of computed shapes."""


@dataclass(slots=True)
class _Deduced:
    """Types under a set of sizes, which several deployments may share."""

    shapes: dict[int, Shape | None] = field(default_factory=dict)
    types: Mapping[tuple[str, str], tuple[object, Shape | None]] = field(default_factory=dict)
    numbers: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    sizes: dict[str | None, Kept[Value, int | None]] = field(default_factory=dict)
    """Bytes of values by precision, as far as they have been asked for."""
    is_complete: bool = False
    """True once inference has run."""


_NOT_ASKED: Shape = (-1,)
_DEDUCED: Remembered[_Deduced] = Remembered()


class DeployedTypes:
    """Shapes of all values for the deployment's batch, symbols and shapes."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self._symbols = dict(deployment.symbols)
        self._inputs = bound_inputs(model, deployment)
        self._model = model
        for name, shape in self._inputs.items():
            declared = model.graph.values[name].shape
            for old, new in zip(declared or (), shape, strict=False):
                if isinstance(old, str) and isinstance(new, int):
                    self._symbols.setdefault(old, new)
        self.key = tuple(sorted(self._inputs.items())), tuple(sorted(self._symbols.items()))
        """All sizes that the deployment sets: equal for deployments with the same shapes."""
        self._deduced = model.memo.get(_DEDUCED, self.key, _Deduced)
        self.sizes = self._deduced.sizes

    def shape(self, value: Value) -> Shape | None:
        """Return the most specific known shape of a value."""
        known = self._deduced.shapes.get(id(value), _NOT_ASKED)
        if known is _NOT_ASKED:
            known = self._deduced.shapes[id(value)] = self._find_shape(value)
        return known

    def _find_shape(self, value: Value) -> Shape | None:
        shape = value.shape
        if is_static(shape):
            return shape
        shape = bind(shape, self._symbols)
        if is_static(shape) or not (self._inputs or self._is_closed):
            return shape
        self._infer()
        return self._better(shape, value)

    def numbers(self, value: Value) -> NDArray[Any] | None:
        """Return the elements of a main-graph value that is computed from shapes only."""
        self._infer()
        return self._deduced.numbers.get(value.name) if value.graph is self._model.graph else None

    @cached_property
    def _is_closed(self) -> bool:
        """Return True if all input shapes are known."""
        return all(is_static(value.shape) for value in self._model.inputs)

    def _better(self, shape: Shape | None, value: Value) -> Shape | None:
        deployed = self._deduced.types.get((value.graph.path, value.name), (None, None))[1]
        return deployed if deployed is not None else shape

    def _infer(self) -> None:
        """Run inference, and rerun it with results of shape arithmetic that it cannot evaluate."""
        infer_types, graph, deduced = self._model.infer_types, self._model.graph, self._deduced
        if deduced.is_complete:
            return
        deduced.is_complete = True
        deduced.types = {(graph.path, name): (None, at) for name, at in self._inputs.items()}
        if infer_types is None:
            return
        self._model.infer()
        deduced.numbers = small_constants(graph, self._shape_so_far)
        if not (self._inputs or deduced.numbers):
            return  # nothing that inference has not seen
        for _ in range(min(ROUNDS, 1 + MOST_NODES // max(len(graph.nodes), 1))):
            if not self._is_open():
                return
            deduced.types = infer_types(self._inputs, deduced.numbers).types
            numbers = small_constants(graph, self._shape_so_far, deduced.numbers)
            if len(numbers) == len(deduced.numbers):
                return
            deduced.numbers = numbers

    def _shape_so_far(self, value: Value) -> Shape | None:
        shape = value.known_shape
        if is_static(shape):
            return shape
        shape = bind(shape, self._symbols)
        return shape if is_static(shape) else self._better(shape, value)

    def _is_open(self) -> bool:
        return any(
            value is not None and not is_static(self._shape_so_far(value))
            for node in self._model.nodes()
            for value in node.outputs
        )


def bound_inputs(model: Model, deployment: Deployment) -> dict[str, Shape]:
    """Return the main graph's input shapes that the deployment changes."""
    bound: dict[str, Shape] = {}
    if deployment.batch is None and not deployment.shapes and not deployment.symbols:
        return bound
    for value in model.inputs:
        if value.is_constant:
            continue
        profile = deployment.shapes.get(value.name)
        shape = profile.optimum if profile is not None else value.shape
        if shape is None:
            continue
        shape = bind(shape, deployment.symbols) or ()
        if deployment.batch is not None and shape and not isinstance(shape[0], int):
            shape = (deployment.batch, *shape[1:])
        if shape != value.shape:
            bound[value.name] = shape
    return bound
