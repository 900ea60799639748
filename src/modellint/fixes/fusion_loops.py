"""Fixes of loops that could be unrolled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.checks.api import Context, Hit
from modellint.fixes.conditions import integers, opset_of
from modellint.model import DTYPES, Graph, Node, Value
from modellint.model.edits import (
    AddTensor,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    Operand,
    RemoveNodes,
    Replace,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CONTROL = 2
"""Inputs of a Loop, and of its body, before those that it carries."""
_FIRST_WITH_AXES_INPUT = 13


def unroll(context: Context, hit: Hit) -> Fix | None:
    """Unroll a Loop: write its body once for each iteration."""
    loop, rounds = hit.place, hit.facts["rounds"]
    if not isinstance(loop, Node) or loop.op_type != "Loop" or not isinstance(rounds, int):
        return None
    body = loop.subgraphs["body"]
    carried = loop.inputs[_CONTROL:]
    if None in carried or len(body.inputs) != _CONTROL + len(carried):
        return None
    if any(node.subgraphs for node in body.nodes) or opset_of(body) < _FIRST_WITH_AXES_INPUT:
        return None
    unrolled = _Unrolled(loop, body, carried)
    for number in range(rounds):
        unrolled.run(number)
    return Fix(tuple(unrolled.edits()), f"Unrolls Loop '{loop.label}', which runs {rounds} times.")


class _Unrolled:
    """The iterations of a loop, one after the other."""

    def __init__(self, loop: Node, body: Graph, carried: Sequence[Operand]) -> None:
        self.loop = loop
        self.body = body
        self.carried = list(carried)
        self.nodes: list[NewNode] = []
        self.tensors: dict[str, AddTensor] = {}
        self.scanned: list[list[Operand]] = []
        self._needed = [node for node in body.ordered if id(node) in _needed(body)]

    def run(self, number: int) -> None:
        """Write the nodes of one iteration, and record the values that it passes on."""
        known: dict[Value, Operand] = dict(
            zip(self.body.inputs[_CONTROL:], self.carried, strict=True)
        )
        for node in self._needed:
            outputs = [value and f"{value.name}_{number}" for value in node.outputs]
            inputs = tuple(self._operand(value, known, number) for value in node.inputs)
            name = f"{node.name}_{number}" if node.name else ""
            self.nodes.append(
                NewNode(node.op_type, inputs, tuple(outputs), {}, node.domain, name, like=node)
            )
            known |= {v: name for v, name in zip(node.outputs, outputs, strict=True) if v}
        made = [self._operand(value, known, number) for value in self.body.outputs[1:]]
        self.carried = made[: len(self.carried)]
        self.scanned.append(made[len(self.carried) :])

    def _operand(self, value: Value | None, known: dict[Value, Operand], number: int) -> Operand:
        if value is None or value in known:
            return known[value] if value is not None else None
        if value is self.body.inputs[0]:
            return self._stored(f"round_{number}", number, "int64")
        if value is self.body.inputs[1]:
            return self._stored("go_on", True, "bool")
        if value.graph is self.body and value.tensor is not None:
            tensor = value.tensor
            self.tensors[value.name] = AddTensor(
                value.name, self.loop.graph, tensor.dtype, tensor.shape, partial(_elements, value)
            )
            return value.name
        return value

    def _stored(self, name: str, number: int, dtype: str) -> str:
        elements = partial(_scalar, number, dtype)
        self.tensors[name] = AddTensor(name, self.loop.graph, DTYPES[dtype], (), elements)
        return name

    def edits(self) -> Iterator[GraphEdit]:
        yield RemoveNodes((self.loop,))
        last = len(self.carried)
        for value, made in zip(self.loop.outputs[:last], self.carried, strict=False):
            if value is not None and made is not None:
                yield Replace(value, made)
        for place, value in enumerate(self.loop.outputs[last:]):
            if value is not None:
                self._stack(value, [each[place] for each in self.scanned])
        yield from self.tensors.values()
        yield InsertNodes(self.loop.graph, tuple(self.nodes), before=self.loop)

    def _stack(self, value: Value, parts: list[Operand]) -> None:
        """Join the results of the iterations along a new first axis."""
        name = "first"
        self.tensors[name] = integers(name, self.loop.graph, (0,))
        rows = [f"{value.name}_row_{number}" for number in range(len(parts))]
        for row, part in zip(rows, parts, strict=True):
            self.nodes.append(NewNode("Unsqueeze", (part, name), (row,)))
        self.nodes.append(NewNode("Concat", tuple(rows), (value,), {"axis": 0}))


def _needed(body: Graph) -> set[int]:
    """Return the nodes that a body's carried values and results depend on."""
    needed: set[int] = set()
    pending = [value.producer for value in body.outputs[1:]]
    while pending:
        node = pending.pop()
        if node is not None and node.graph is body and id(node) not in needed:
            needed.add(id(node))
            pending += node.predecessors
    return needed


def _elements(value: Value) -> NDArray[Any]:
    assert value.tensor is not None
    stored = value.tensor.numpy()
    assert stored is not None
    return stored


def _scalar(number: float, dtype: str) -> NDArray[Any]:
    import numpy as np

    return np.array(number, dtype)
