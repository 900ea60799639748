"""Shapes in the light of a deployment: symbols bound, and inference run again where it helps."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.model import Model, Shape, Value, bind
from modellint.targets.deployment import Deployment


class DeployedTypes:
    """The shape of every value once the deployment's batch, symbols and shapes are known."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self._types: Mapping[tuple[str, str], tuple[object, Shape | None]] = {}
        self._symbols = dict(deployment.symbols)
        self._inputs = bound_inputs(model, deployment)
        self._model = model
        self._inferred = False
        for name, shape in self._inputs.items():
            declared = model.graph.values[name].shape if model.graph else None
            for old, new in zip(declared or (), shape, strict=False):
                if isinstance(old, str) and isinstance(new, int):
                    self._symbols.setdefault(old, new)

    def shape(self, value: Value) -> Shape | None:
        """The most that is known of a value's shape."""
        shape = bind(value.shape, self._symbols)
        if not self._inputs or (shape is not None and all(isinstance(d, int) for d in shape)):
            return shape
        deployed = self._deployed().get((value.graph.path, value.name), (None, None))[1]
        return deployed if deployed is not None else shape

    def _deployed(self) -> Mapping[tuple[str, str], tuple[object, Shape | None]]:
        if not self._inferred:
            self._inferred = True
            if self._model.infer_types is not None:
                self._types = self._model.infer_types(self._inputs).types
        return self._types


def bound_inputs(model: Model, deployment: Deployment) -> dict[str, Shape]:
    """Shapes of the main graph's inputs that the deployment changes."""
    if model.graph is None:
        return {}
    bound: dict[str, Shape] = {}
    for value in model.graph.inputs:
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
