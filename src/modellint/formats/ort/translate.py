"""Translation of ONNX Runtime's tables into ONNX's messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from modellint.formats.flatbuffer import FlatTable
from modellint.formats.onnx.wire import LARGE, RAW_DATA, Payload, Payloads
from modellint.formats.problems import MalformedError
from modellint.native import messages

if TYPE_CHECKING:
    from onnx import (
        AttributeProto,
        GraphProto,
        ModelProto,
        NodeProto,
        SparseTensorProto,
        TensorProto,
        TypeProto,
        ValueInfoProto,
    )

DEEPEST = 50
"""Limit on graphs within graphs, and on sequences of sequences."""
FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS, TENSORS, GRAPHS = range(1, 11)
TENSOR_TYPE, SEQUENCE_TYPE, MAP_TYPE = 1, 2, 3
NUMBER, SYMBOL = 1, 2
_STRING = 8
_EXTERNAL = 1
PROVIDER = "execution_provider"


class Translator:
    """Translates one file; large payloads are left in it."""

    def __init__(self) -> None:
        self.payloads = Payloads()
        self.optimizations = 0

    def model(self, table: FlatTable) -> ModelProto:
        proto: ModelProto = messages().ModelProto()
        proto.ir_version = table.number(0, "q")
        for each in table.tables(1):
            imported = proto.opset_import.add()
            imported.domain, imported.version = each.text(0), each.number(1, "q")
        proto.producer_name = table.text(2)
        proto.producer_version = table.text(3)
        proto.domain = table.text(4)
        proto.model_version = table.number(5, "q")
        for each in table.tables(9):
            entry = proto.metadata_props.add()
            entry.key, entry.value = each.text(0), each.text(1)
        graph = table.table(7)
        if graph is not None:
            self._graph(graph, proto.graph, 0)
        return proto

    def _graph(self, table: FlatTable, proto: GraphProto, depth: int) -> None:
        if depth > DEEPEST:
            raise MalformedError("too-deep", "graphs within graphs", limit=DEEPEST)
        known = {each.text(0): each for each in table.tables(1)}
        for each in table.tables(0):
            self._tensor(each, proto.initializer.add())
        for each in table.tables(7):
            self._sparse(each, proto.sparse_initializer.add())
        inputs, outputs = table.texts(5), table.texts(6)
        for name in inputs:
            _value_info(name, known.get(name), proto.input.add())
        for name in outputs:
            _value_info(name, known.get(name), proto.output.add())
        for name in known.keys() - {*inputs, *outputs}:
            _value_info(name, known[name], proto.value_info.add())
        for each in _in_order(list(table.tables(2))):
            self._node(each, proto.node.add(), depth)
        optimized = table.table(8)
        if optimized is not None:
            entries = optimized.tables(0)
            self.optimizations += sum(1 for each in entries for _ in each.tables(1))

    def _node(self, table: FlatTable, proto: NodeProto, depth: int) -> None:
        proto.name = table.text(0)
        proto.domain = table.text(2)
        proto.op_type = table.text(5)
        proto.input.extend(table.texts(8))
        proto.output.extend(table.texts(9))
        provider = table.text(7)
        if provider:
            entry = proto.metadata_props.add()
            entry.key, entry.value = PROVIDER, provider
        for each in table.tables(10):
            self._attribute(each, proto.attribute.add(), depth)

    def _attribute(self, table: FlatTable, proto: AttributeProto, depth: int) -> None:
        kind = table.number(2, "i")
        proto.name = table.text(0)
        if not 0 <= kind <= GRAPHS:
            raise MalformedError("corrupt", f"an attribute of kind {kind}")
        proto.type = kind  # type: ignore[assignment]
        if kind == FLOAT:
            proto.f = table.real(3)
        elif kind == INT:
            proto.i = table.number(4, "q")
        elif kind == STRING:
            proto.s = table.content(5)
        elif kind == TENSOR and (tensor := table.table(6)) is not None:
            self._tensor(tensor, proto.t)
        elif kind == GRAPH and (graph := table.table(7)) is not None:
            self._graph(graph, proto.g, depth + 1)
        elif kind == FLOATS:
            proto.floats.extend(table.reals(8))
        elif kind == INTS:
            proto.ints.extend(table.numbers(9, "q"))
        elif kind == STRINGS:
            proto.strings.extend(each.encode(errors="replace") for each in table.texts(10))
        elif kind == TENSORS:
            for each in table.tables(11):
                self._tensor(each, proto.tensors.add())
        elif kind == GRAPHS:
            for each in table.tables(12):
                self._graph(each, proto.graphs.add(), depth + 1)

    def _tensor(self, table: FlatTable, proto: TensorProto) -> None:
        proto.name = table.text(0)
        proto.dims.extend(table.numbers(2, "q"))
        proto.data_type = table.number(3, "i")
        if proto.data_type == _STRING:
            proto.string_data.extend(each.encode() for each in table.texts(5))
            return
        span = table.span(4)
        if span is None or not span.length:
            return
        if span.length < LARGE:
            table.buffer.charge(span.length)
            proto.raw_data = table.buffer.read(*span)
            return
        entry = proto.external_data.add()
        entry.key = self.payloads.token
        entry.value = self.payloads.leave_out((Payload(RAW_DATA, *span),))
        proto.data_location = _EXTERNAL  # type: ignore[assignment]

    def _sparse(self, table: FlatTable, proto: SparseTensorProto) -> None:
        values, indices = table.table(0), table.table(1)
        if values is None or indices is None:
            raise MalformedError("corrupt", "a sparse tensor without values or indices")
        self._tensor(values, proto.values)
        self._tensor(indices, proto.indices)
        proto.dims.extend(table.numbers(2, "q"))


def _value_info(name: str, table: FlatTable | None, proto: ValueInfoProto) -> None:
    proto.name = name
    stated = table.table(2) if table is not None else None
    if stated is not None:
        _type(stated, proto.type, 0)


def _type(table: FlatTable, proto: TypeProto, depth: int) -> None:
    if depth > DEEPEST:
        raise MalformedError("too-deep", "types within types", limit=DEEPEST)
    kind, stated = table.number(1, "B"), table.table(2)
    if stated is None:
        return
    if kind == TENSOR_TYPE:
        proto.tensor_type.elem_type = stated.number(0, "i")
        shape = stated.table(1)
        if shape is None:
            return
        proto.tensor_type.shape.SetInParent()
        for each in shape.tables(0):
            dim, size = proto.tensor_type.shape.dim.add(), each.table(0)
            if size is not None and size.number(0, "b") == NUMBER:
                dim.dim_value = size.number(1, "q")
            elif size is not None and size.number(0, "b") == SYMBOL:
                dim.dim_param = size.text(2)
    elif kind == SEQUENCE_TYPE:
        proto.sequence_type.SetInParent()
        element = stated.table(0)
        if element is not None:
            _type(element, proto.sequence_type.elem_type, depth + 1)
    elif kind == MAP_TYPE:
        proto.map_type.key_type = stated.number(0, "i")
        element = stated.table(1)
        if element is not None:
            _type(element, proto.map_type.value_type, depth + 1)


def _in_order(nodes: Sequence[FlatTable]) -> Iterator[FlatTable]:
    """Iterate over nodes in an executable order; the file has them by index."""
    makers = {name: at for at, node in enumerate(nodes) for name in node.texts(9) if name}
    placed: set[int] = set()
    for first in range(len(nodes)):
        pending, begun = [first], set()
        while pending:
            at = pending[-1]
            needed = [makers[name] for name in _read_by(nodes[at]) if name in makers]
            missing = [each for each in needed if each not in placed and each not in begun]
            if at in placed:
                pending.pop()
            elif at in begun or not missing:
                placed.add(pending.pop())
                yield nodes[at]
            else:
                begun.add(at)
                pending += missing


def _read_by(node: FlatTable) -> list[str]:
    return [*node.texts(8), *node.texts(12)]
