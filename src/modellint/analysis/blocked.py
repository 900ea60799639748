"""Blocks of channels, the layout in which ONNX Runtime computes convolutions on a CPU.

Convolutions take and give values in blocks, and so does what lies between them, if it can; around
everything else, values are converted. A conversion counts with the node that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from modellint.base.store import kept_toml
from modellint.model import Graph, Node, Value
from modellint.operators import Trait, having

_CONVOLUTIONS = having(Trait.CONVOLUTION)
_VIEWS_AND_SHAPES = having(Trait.READS_SHAPE)
_ALIGNED = 4
"""Channels whose multiples are filled up to whole blocks."""
_IMAGES = 4
"""Dims of tensors that are computed in blocks."""

_SEVERAL = having(Trait.ARITHMETIC, Trait.CONCATENATES)

_FILE = Path(__file__).with_suffix(".toml")

ShapeOf = Callable[[Value | None], tuple[int, ...]]


def block() -> int:
    """Return the channels of a block."""
    channels: int = kept_toml(_FILE)["channels"]
    return channels


class BlockedLayout:
    """The nodes that compute in blocks, and the values that are converted for each node."""

    def __init__(
        self,
        graph: Graph,
        shape_of: ShapeOf,
        is_constant: Callable[[Value], bool],
        kernels: Iterable[Sequence[Node]],
    ) -> None:
        self._shape_of, self._is_constant = shape_of, is_constant
        blocks = kept_toml(_FILE)
        self._block = block()
        self._begins, self._continues = set(blocks["begins"]), set(blocks["continues"])
        self._kernel_of = {id(n): at for at, nodes in enumerate(kernels) for n in nodes}
        self._blocked_kernels: set[int | None] = set()
        self._blocked: set[Value] = set()
        self._converted: set[Value] = set()
        self.conversions: dict[int, list[Value]] = {}
        """Values by the identity of the node that they are converted for."""
        self.foreign: dict[int, list[Value]] = {}
        """Values by the identity of a node that reads them in the other layout."""
        for node in graph.ordered:
            self._place(node)
        for value in graph.outputs:
            if value in self._blocked and value.producer is not None:
                self._convert(value, value.producer)

    def computes(self, node: Node) -> bool:
        """Return True if a convolution computes in blocks."""
        result = node.output()
        return result is not None and result in self._blocked

    def is_blocked(self, value: Value) -> bool:
        """Return True for a value that a node makes in blocks."""
        return value in self._blocked

    def _place(self, node: Node) -> None:
        if node.op_type in _VIEWS_AND_SHAPES:
            return
        operands = [
            value for value in node.inputs if value is not None and not self._is_constant(value)
        ]
        kernel = self._kernel_of.get(id(node))
        if self._is_blocked(node, operands, kernel):
            if node.op_type in _CONVOLUTIONS:
                self._blocked_kernels.add(kernel)
                operands = operands[:1] if self._channels(operands[:1]) >= self._block else []
            self._blocked.update(value for value in node.outputs if value is not None)
            wrong = [value for value in operands if value not in self._blocked]
        else:
            wrong = [value for value in operands if value in self._blocked]
        if wrong:
            self.foreign[id(node)] = wrong
        for value in wrong:
            self._convert(value, node)

    def _convert(self, value: Value, node: Node) -> None:
        if value not in self._converted:
            self._converted.add(value)
            self.conversions.setdefault(id(node), []).append(value)

    def _is_blocked(self, node: Node, operands: Sequence[Value], kernel: int | None) -> bool:
        if node.op_type in _CONVOLUTIONS:
            return self._is_convolved(node)
        shapes = {self._shape_of(value) for value in operands}
        if any(len(shape) != _IMAGES for shape in shapes) or not shapes:
            return False
        if kernel is not None and kernel in self._blocked_kernels:
            return any(value in self._blocked for value in operands)
        if node.op_type in self._begins:
            return self._channels(operands) % self._block == 0
        if node.op_type not in self._continues or len(operands) != self._operands_of(node):
            return False
        alike = len(shapes) == 1 or node.get_int("axis") == 1
        return alike and all(value in self._blocked for value in operands)

    def _operands_of(self, node: Node) -> int:
        """Return how many operands must not be constant: all of sums, else the first."""
        several = node.op_type in _SEVERAL
        return len([v for v in node.inputs if v is not None]) if several else 1

    def _is_convolved(self, node: Node) -> bool:
        source, weight = self._shape_of(node.input(0)), self._shape_of(node.input(1))
        value = node.input(1)
        if len(source) != _IMAGES or len(weight) != _IMAGES or value is None:
            return False
        groups = node.get_int("group") or 1
        taken, made = source[1], weight[0]
        if not self._is_constant(value):
            return False
        if groups == 1:
            return taken < self._block or taken % _ALIGNED == 0
        if groups == taken == made:
            return taken % _ALIGNED == 0
        return (taken // groups) % self._block == 0 and (made // groups) % self._block == 0

    def _channels(self, operands: Sequence[Value]) -> int:
        shape = self._shape_of(operands[0]) if operands else ()
        return shape[1] if len(shape) > 1 else 0


def converted_bytes(
    nodes: Iterable[Node], layout: BlockedLayout, sizes: Mapping[Value, int | None]
) -> int:
    """Return the bytes that are read and written to convert values for some nodes."""
    values = (value for node in nodes for value in layout.conversions.get(id(node), ()))
    return 2 * sum(sizes[value] or 0 for value in values)
