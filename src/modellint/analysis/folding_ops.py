"""Shape arithmetic: values that a graph computes from small constants and shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from modellint.analysis.evaluators import EVALUATORS, SMALL, KnownInputs, NotFoldable
from modellint.analysis.shape_formulas import MISTAKES, formula_of, is_plausible
from modellint.model import Graph, Node, Shape, Value, is_static, small_constant
from modellint.operators import Trait, having

if TYPE_CHECKING:
    from numpy.typing import NDArray


_READS_SHAPE = having(Trait.READS_SHAPE)


def small_constants(
    graph: Graph,
    shape_of: Callable[[Value], Shape | None],
    before: Mapping[str, NDArray[Any]] = MappingProxyType({}),
) -> dict[str, NDArray[Any]]:
    """Return the values that a graph computes from small constants and shapes, by name.

    Sizes that `shape_of` does not know are carried on by the formulas of the usual operators.
    What was found `before`, when fewer shapes were known, is not computed again.
    """
    known = dict(before)
    sizes = _Sizes(
        shape_of, known, is_asked=any(op.rpartition(".")[2] in _READS_SHAPE for op in graph.by_op)
    )
    for node in graph.ordered:
        if node.outputs and node.outputs[0] is not None and node.outputs[0].name in before:
            continue
        evaluate = EVALUATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        inputs: KnownInputs | None = None
        if evaluate is not None:
            describes = node.op_type in _READS_SHAPE
            inputs = _shape_as_input(node, sizes.of) if describes else _known_inputs(node, known)
        if evaluate is None or inputs is None:
            sizes.carry_on(node)
            continue
        try:
            results = evaluate(node, inputs)
        except (NotFoldable, ValueError, IndexError, TypeError, ArithmeticError):
            sizes.carry_on(node)
            continue
        results = results if isinstance(results, list) else [results]
        for value, result in zip(node.outputs, results, strict=False):
            if value is not None and result.size <= SMALL:
                known[value.name] = result
    return known


class _Sizes:
    """Shapes of one graph, those that inference knows and those that follow from them."""

    def __init__(
        self,
        shape_of: Callable[[Value], Shape | None],
        known: Mapping[str, NDArray[Any]],
        *,
        is_asked: bool,
    ) -> None:
        self._is_asked = is_asked
        self._shape_of = shape_of
        self._known = known
        self._found: dict[int, Shape] = {}

    def of(self, value: Value) -> Shape | None:
        if value.name in self._known:
            return tuple(self._known[value.name].shape)
        shape = self._shape_of(value)
        return shape if is_static(shape) else self._found.get(id(value), shape)

    def carry_on(self, node: Node) -> None:
        """Find the shape of a node's first output, where inference did not, if any is asked for."""
        formula, result = formula_of(node) if self._is_asked else None, node.output()
        if formula is None or result is None or is_static(self._shape_of(result)):
            return
        shapes: list[Any] = []
        for value in filter(None, node.inputs):
            shape = self.of(value)
            if shape is None or not is_static(shape):
                return
            shapes.append(shape)
        with suppress(*MISTAKES):
            found = formula(node, shapes, [*map(self._elements, node.inputs)])
            if is_plausible(found):
                self._found[id(result)] = found

    def _elements(self, value: Value | None) -> NDArray[Any] | None:
        stored = small_constant(value)
        return self._known.get(value.name) if stored is None and value is not None else stored


def _shape_as_input(node: Node, shape_of: Callable[[Value], Shape | None]) -> KnownInputs | None:
    source = node.input(0)
    shape = shape_of(source) if source is not None else None
    return KnownInputs([], shape) if is_static(shape) else None


def _known_inputs(node: Node, known: dict[str, NDArray[Any]]) -> KnownInputs | None:
    for value in node.inputs:  # before any is read
        if value is not None and value.tensor is None and value.name not in known:
            return None
    arrays: list[NDArray[Any] | None] = []
    for value in node.inputs:
        if value is None:
            arrays.append(None)
            continue
        stored = small_constant(value)
        elements = known.get(value.name) if stored is None else stored
        if elements is None or elements.dtype.hasobject:
            return None
        arrays.append(elements)
    return KnownInputs(arrays) if arrays else None
