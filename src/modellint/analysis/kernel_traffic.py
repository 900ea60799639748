"""Bytes that fused kernels read from memory and write to it.

A kernel reads each tensor once, and writes what other kernels or the caller read. Quantization is
free: the kernel before writes integers, and the one after reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modellint.analysis.folding import Folding
from modellint.model import Graph, Node, Value
from modellint.operators import Trait, having

_VIEWS = having(Trait.VIEW)
_TRANSPOSES = having(Trait.TRANSPOSE)
_QUANTIZE = having(Trait.QUANTIZE)
_DEQUANTIZE = having(Trait.DEQUANTIZE)
_SELECTS = having(Trait.SELECTS)
_READS_NO_ELEMENTS = having(Trait.READS_SHAPE, Trait.CONSTANT)


class KernelTraffic:
    """Traffic of each node of the main graph, for the kernels that it runs in."""

    def __init__(
        self,
        graph: Graph,
        groups: Sequence[Sequence[Node]],
        folding: Folding,
        sizes: Mapping[Value, int | None],
    ) -> None:
        self._graph = graph
        self._folding = folding
        self._sizes = sizes
        self._kernel_of = {node: at for at, nodes in enumerate(groups) for node in nodes}
        self._stored_as: dict[Value, Value] = {}
        """Values in memory, by the results of views and dequantizations of them."""
        self._written: set[Value] = set()
        self._bytes: dict[Node, int] = {}
        needs = {node: self._needs(node) for node in self._running()}
        for node, values in needs.items():
            self._note_written(node, values)
        read: set[tuple[int | None, Value]] = set()
        for node, values in needs.items():
            self._bytes[node] = self._read(node, values, read) + self._write(node)

    def of(self, node: Node) -> int:
        """Return the bytes that a node moves; tensors of unknown size are not counted."""
        return self._bytes.get(node, 0)

    def is_counted(self, node: Node) -> bool:
        """Return False for views, and for work done by the kernels that read the result."""
        return node in self._bytes

    def _running(self) -> Iterator[Node]:
        """Iterate over nodes that move bytes, and record those stored for the results of others."""
        for node in self._graph.ordered:
            if self._folding.is_folded(node):
                continue
            if not self._is_free(node):
                yield node
                continue
            source, result = node.input(0), node.output()
            if source is not None and result is not None:
                stored = self._stored_as[result] = self._stored(source)
                if self._is_read_elsewhere(result):
                    self._written.add(stored)

    def _is_free(self, node: Node) -> bool:
        op_type = node.op_type
        if op_type in _VIEWS:
            return True
        if op_type in _DEQUANTIZE:
            return not any(value is not None and value.is_output for value in node.outputs)
        if op_type in _TRANSPOSES:  # of dequantized weights, which are stored transposed
            source = self._stored_as.get(node.inputs[0]) if node.inputs and node.inputs[0] else None
            return source is not None and self._folding.is_constant(source)
        return False

    def _stored(self, value: Value) -> Value:
        return self._stored_as.get(value, value)

    def _needs(self, node: Node) -> list[Value]:
        """Return the values that a node reads from other kernels, each once."""
        if node.op_type in _READS_NO_ELEMENTS:
            return []
        kernel_of = self._kernel_of
        kernel = kernel_of.get(node)
        found: dict[Value, None] = {}
        for value in node.inputs:
            if value is not None:
                stored = self._stored_as.get(value, value)
                maker = stored.producer
                if maker is None or kernel is None or kernel_of.get(maker) != kernel:
                    found[stored] = None
        return list(found)

    def _note_written(self, node: Node, needs: list[Value]) -> None:
        """Record what is written for a node, and which results the caller or subgraphs read."""
        if node.op_type not in _QUANTIZE:
            self._written.update(needs)
        self._written.update(
            value for value in node.outputs if value is not None and self._is_read_elsewhere(value)
        )

    def _is_read_elsewhere(self, value: Value) -> bool:
        return value.is_output or any(use.node.graph is not self._graph for use in value.consumers)

    def _read(self, node: Node, needs: list[Value], known: set[tuple[int | None, Value]]) -> int:
        """Return the bytes that no node of the kernel has read before."""
        total, kernel = 0, self._kernel_of.get(node)
        if node.op_type in _QUANTIZE:
            needs = [value for value in needs if not self._is_computed(value)]
        for value in needs:
            size = self._sizes[value] or 0
            if node.op_type in _SELECTS and value is self._stored(node.inputs[0] or value):
                total += min(size, self._selected(node))
            elif (kernel, value) not in known:
                known.add((kernel, value))
                total += size
        return total

    def _is_computed(self, value: Value) -> bool:
        return value.producer is not None and not self._folding.is_constant(value)

    def _selected(self, node: Node) -> int:
        """Return the bytes of an input that are selected, in the type that it is stored in."""
        written = sum(self._sizes[result] or 0 for result in node.outputs if result is not None)
        source = node.inputs[0]
        whole = self._sizes[source] if source is not None else None
        stored = self._sizes[self._stored(source)] if source is not None else None
        return written * stored // whole if stored and whole else written

    def _write(self, node: Node) -> int:
        if node.op_type in _READS_NO_ELEMENTS:
            return 0
        return sum([self._sizes[value] or 0 for value in node.outputs if value in self._written])
