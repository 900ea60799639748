"""From a graph to a `Layout`: which values share memory, and what is never written at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from modellint.analysis.chains import LONGEST
from modellint.analysis.folding import Folding
from modellint.analysis.programs import IN_PLACE, Layout, Task
from modellint.model import Graph, Node, Value
from modellint.operators import Trait, having

VIEWS = having(Trait.VIEW)
DEQUANTIZE = having(Trait.DEQUANTIZE)
_ON_INTEGERS = frozenset({*having(Trait.FLOAT_PRODUCT, Trait.MOVES), "Concat"})
_ZEROS = (None, "constant")


def lay_out(
    graph: Graph,
    groups: Sequence[tuple[Node, ...]],
    folding: Folding,
    *,
    joins: bool = False,
    widens: bool = False,
    ahead: Sequence[Value] = (),
    fills: Sequence[Value] = (),
) -> Layout:
    """Return the tasks and buffers of a graph whose nodes run in these groups.

    A tensor that is read only inside its group stays in registers and has no buffer. With `joins`,
    the inputs of a Concat are written directly into its output. With `widens`, what is quantized
    is kept as integers only for readers that compute on integers. `ahead` and `fills` are constants
    that are computed in every run: at its start, and right before the group that reads them first.
    """
    return _LayoutBuilder(graph, groups, folding, joins, widens, ahead, fills).layout


class _LayoutBuilder:
    def __init__(
        self,
        graph: Graph,
        groups: Sequence[tuple[Node, ...]],
        folding: Folding,
        joins: bool,
        widens: bool,
        ahead: Sequence[Value],
        fills: Sequence[Value],
    ) -> None:
        self.layout = Layout()
        self._folding = folding
        self._group_of = {id(node): at for at, nodes in enumerate(groups) for node in nodes}
        self._step_of: dict[int, int] = {}
        """Index of each group's task."""
        self._buffers: dict[int, int] = {}
        self._unfilled = {folding.content(value): value for value in fills}
        self._fills: dict[int, int] = {}
        """Buffers of constants that are computed in the run, by content."""
        self._fill_steps: dict[int, int] = {}
        self._weights: set[int] = set()
        self._widens = widens
        self._home = _joined_into(graph, folding) if joins else {}
        for value in graph.inputs:
            if not value.is_constant:
                self._buffers[id(value)] = self._new(value, held=True)
        for value in ahead:
            self._fill(value)
        for at, nodes in enumerate(groups):
            if self._unfilled:
                self._fill_for(nodes)
            task = self._task(at, nodes)
            self._step_of[at] = len(self.layout.tasks)
            self.layout.tasks.append(task)

    def _fill_for(self, nodes: tuple[Node, ...]) -> None:
        """Add tasks that compute the constants which these nodes are the first to read."""
        for source in chain.from_iterable(map(_sources, nodes)):
            if not self._folding.is_constant(source):
                continue
            value = self._unfilled.pop(self._folding.content(source), None)
            if value is not None:
                self._fill(value)

    def _fill(self, value: Value) -> None:
        found = self._fills[self._folding.content(value)] = self._new(value, held=False)
        self._fill_steps[found] = len(self.layout.tasks)
        self.layout.tasks.append(Task((), (), (found,)))

    def _task(self, at: int, nodes: tuple[Node, ...]) -> Task:
        reads: dict[int, None] = {}
        writes: dict[int, None] = {}
        after: dict[int, None] = {}
        whole: set[int] = set()
        for node in nodes:
            may_replace = node.op_type in IN_PLACE
            for source in _sources(node):
                found = self._buffer_read(source)
                if found is not None and found not in writes:
                    reads[found] = None
                    if not may_replace:
                        whole.add(found)
                    if found in self._fill_steps:
                        after[self._fill_steps[found]] = None
                maker = self._step_of.get(self._group_of.get(id(source.producer), at))
                if maker is not None:
                    after[maker] = None
            for result in node.outputs:
                if result is not None:
                    self._write(node, result, at, writes)
        replaces = tuple(found for found in reads if found not in whole)
        return Task(nodes, tuple(reads), tuple(writes), replaces, tuple(after))

    def _write(self, node: Node, result: Value, at: int, writes: dict[int, None]) -> None:
        viewed = viewed_value(node)
        if viewed is not None and self._is_weight(viewed):
            self._weights.add(id(result))
        elif viewed is not None and id(viewed) in self._buffers:
            # A view has no memory, even if it is a graph output.
            found = self._buffers[id(result)] = self._buffers[id(viewed)]
            self.layout.held[found] |= result.is_output
        elif _leaves(result, at, self._group_of):
            kept = _quantized(result)
            if kept is not None and self._widens and not _has_integer_reader(kept):
                kept = None
            found = self._buffer_for(kept or result)
            self._buffers[id(kept or result)] = self._buffers[id(result)] = found
            writes[found] = None

    def _is_weight(self, value: Value) -> bool:
        """Return True if stored, or unpacked from a stored tensor for its consumer."""
        return id(value) in self._weights or self._folding.is_constant(value)

    def _buffer_for(self, value: Value) -> int:
        value = self._home.get(id(value), value)
        if id(value) not in self._buffers:
            self._buffers[id(value)] = self._new(value, held=value.is_output)
        return self._buffers[id(value)]

    def _buffer_read(self, value: Value) -> int | None:
        if self._fills and self._folding.is_constant(value):
            return self._fills.get(self._folding.content(value))
        return self._buffers.get(id(value))

    def _new(self, value: Value, *, held: bool) -> int:
        self.layout.values.append(value)
        self.layout.held.append(held)
        return len(self.layout.values) - 1


def _joined_into(graph: Graph, folding: Folding) -> dict[int, Value]:
    """Return the Concat output that each of its inputs can be written into directly.

    Concats are visited last to first, so that the output of a Concat of Concats is known.
    """
    home: dict[int, Value] = {}
    for node in reversed(graph.ordered):
        result = node.output()
        if node.qualified_op != "Concat" or result is None or folding.is_folded(node):
            continue
        for value in node.inputs:
            if value is None or value.producer is None or value.is_output:
                continue
            if not folding.is_constant(value) and value.producer.op_type not in VIEWS:
                home[id(value)] = home.get(id(result), result)
    return home


def viewed_value(node: Node) -> Value | None:
    """Return the input of which a node's output is only a view.

    Quantized tensors stay quantized in memory, and consumers dequantize them on the fly.
    """
    result = node.output()
    if node.op_type in DEQUANTIZE and result is not None and not result.is_output:
        return node.input(0)
    is_view = node.op_type in VIEWS or _takes_all(node) or _pads_a_convolution(node)
    return node.input(0) if is_view else None


def _pads_a_convolution(node: Node) -> bool:
    """Return True for a zero Pad that only a convolution reads, which can pad itself."""
    result = node.output(0) if node.op_type == "Pad" else None
    reader = result.sole_consumer if result is not None else None
    return reader is not None and reader.op_type == "Conv" and node.get_str("mode") in _ZEROS


def _takes_all(node: Node) -> bool:
    """Return True for a Slice that leaves nothing out."""
    if node.op_type != "Slice":
        return False
    source, result = node.input(0), node.output(0)
    before = source.shape if source is not None else None
    return (
        before is not None and None not in before and result is not None and result.shape == before
    )


def _quantized(value: Value) -> Value | None:
    """Return the integers that a value is kept as, for its readers to dequantize."""
    for _ in range(LONGEST):
        node = value.producer
        viewed = viewed_value(node) if node is not None else None
        if node is None or viewed is None:
            return None
        if node.op_type in DEQUANTIZE:
            return viewed
        value = viewed
    return None


def _has_integer_reader(value: Value) -> bool:
    """Return True if a reader computes on integers, or moves them."""
    for node, _ in value.consumers:
        result = node.output() if node.op_type in DEQUANTIZE else None
        if result is None or any(use.node.op_type in _ON_INTEGERS for use in result.consumers):
            return True
    return False


def _sources(node: Node) -> Iterable[Value]:
    """Iterate over the values that a node reads, including captures of its subgraphs."""
    direct = [value for value in node.inputs if value is not None]
    return chain(direct, _captured(node)) if node.subgraphs else direct


def _captured(node: Node) -> Iterator[Value]:
    for graph in node.subgraphs.values():
        for inner in graph.walk():
            for each in inner.nodes:
                for value in each.inputs:
                    if value is not None and value.graph is not inner:
                        yield value
            yield from (value for value in inner.outputs if value.graph is not inner)


def _leaves(value: Value, at: int, group_of: dict[int, int]) -> bool:
    """Return True if a value is read outside the group at `at`, or never read."""
    if value.is_output or not value.consumers:
        return True
    for node, _ in value.consumers:  # noqa: SIM110 - asked of every value: a generator takes longer
        if group_of.get(id(node)) != at:
            return True
    return False
