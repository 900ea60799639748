"""Reading of TFLite files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from modellint.base.text import bounded
from modellint.formats.flatbuffer import PAGE, Flatbuffer, FlatTable
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.source import Source
from modellint.formats.tflite import CUSTOM, DOMAIN, TFLITE
from modellint.formats.tflite.facts import (
    Entrance,
    OperatorCode,
    Quantization,
    TFLiteFacts,
)
from modellint.formats.tflite.metadata import converter, words
from modellint.formats.tflite.schema import options, schema
from modellint.formats.tflite.sizes import BatchSizes
from modellint.formats.tflite.tensors import BufferReader
from modellint.model import Attribute, Graph, Model, Node, Shape, Tensor, Use, Value

IDENTIFIER = b"TFL3"
CONVERTER = "TensorFlow Lite converter"
CUSTOM_CODE = "CUSTOM"
BLOCKWISE = 2
"""Kind of the details of a quantization whose scales are in another tensor."""
SUBGRAPH, CALLED = "subgraph_index", "subgraph"
"""Endings of options that are the index of a subgraph."""
MOST_LISTED = 1 << 16
"""Subgraphs, and operators in the table of operators: a node looks up one of these."""


def sniff(head: bytes, path: Path) -> bool:
    return head[4:8] == IDENTIFIER


def read(path: Path) -> Model:
    model = Model(path, TFLITE.name)
    try:
        with Source(path, window=PAGE) as source:
            _TFLiteReader(model, Flatbuffer(source)).read()
    except MalformedError as error:
        return broken(path, TFLITE.name, error.kind, **error.facts)
    return model


class _SubgraphCall(NamedTuple):
    """A subgraph to read, and the node that calls it."""

    subgraph: int
    caller: Node | None
    key: str


class _TFLiteReader:
    """Reads one file into a model."""

    def __init__(self, model: Model, flatbuffer: Flatbuffer) -> None:
        self.model = model
        self.root = flatbuffer.root()
        self.problems = Problems()
        self.buffers = BufferReader(self.root, self.problems, model.path)
        self.codes = tuple(_operator_codes(self.root))
        self.subgraphs = list(_limited(self.root.tables(2), "subgraphs"))
        self.graphs: dict[int, Graph] = {}
        self.tensors: dict[Graph, tuple[Value, ...]] = {}
        self.quantization: dict[Value, Quantization] = {}
        self.stated: dict[Value, tuple[int, ...]] = {}
        self.variables: set[Value] = set()
        self.sparse: set[Value] = set()

    def read(self) -> None:
        model = self.model
        if not self.subgraphs:
            raise MalformedError("corrupt", "it has no subgraph")
        model.capabilities = TFLITE.tells
        model.graph = self._read_from(0)
        for index, table in enumerate(self.subgraphs):
            if index not in self.graphs:
                name = bounded(table.text(4)) or f"subgraph {index}"
                graph = self._read_from(index)
                graph.called = name
                model.functions[DOMAIN, name, str(index)] = graph
        stored = dict(self._metadata())
        signatures = tuple(self._signatures())
        model.metadata = words(self.root, stored, signatures)
        model.producer_version = bounded(converter(self.root, stored))
        model.producer_name = CONVERTER if model.producer_version else ""
        model.format_facts = TFLiteFacts(
            self.root.number(0, "I"),
            self.codes,
            self.quantization,
            self.tensors,
            frozenset(self.variables),
            frozenset(self.sparse),
            signatures,
            self.buffers.facts(),
            stored,
        )
        model.tensors = self.buffers.tensors
        model.external_files = self.buffers.external_files
        model.problems = self.problems
        if self.stated:
            model.infer_types = BatchSizes(model, self.stated)

    def _read_from(self, index: int) -> Graph:
        """Read a subgraph, and those that its nodes call and that have not been read."""
        pending = [_SubgraphCall(index, None, "")]
        while pending:
            each = pending.pop()
            if each.subgraph in self.graphs:
                continue
            table = self.subgraphs[each.subgraph]
            name = bounded(table.text(4))
            graph = Graph(self.model, name, each.caller, each.key)
            self.graphs[each.subgraph] = graph
            if table.place(0) is None:
                self._misplaced(None, f"the tensors of subgraph '{graph.path}'")
            if each.caller is not None:
                each.caller.subgraphs = {**each.caller.subgraphs, each.key: graph}
            pending += self._read_graph(graph, table)
        return self.graphs[index]

    def _read_graph(self, graph: Graph, table: FlatTable) -> list[_SubgraphCall]:
        values = []
        tables = list(table.tables(0))
        for index, each in enumerate(tables):
            values.append(self._value(graph, each, index))
        self.tensors[graph] = tuple(values)
        for value, each in zip(values, tables, strict=True):
            self._quantize(value, each, values)
        graph.inputs = self._chosen(graph, table.numbers(1, "i"), "inputs")
        graph.outputs = self._chosen(graph, table.numbers(2, "i"), "outputs")
        for value in graph.inputs:
            value.is_input = True
        for value in graph.outputs:
            value.is_output = True
        calls: list[_SubgraphCall] = []
        for each in table.tables(3):
            calls += self._add_node(graph, each)
        self._check_order(graph)
        return calls

    def _value(self, graph: Graph, table: FlatTable, index: int) -> Value:
        name = bounded(table.text(3)) or f"tensor {index}"
        if name in graph.values:
            name = f"{name}#{index}"
        value = graph.values[name] = Value(name, graph)
        known, number = schema(), table.number(1, "b")
        shape = table.numbers(0, "i")
        if not 0 <= number < len(known.types):
            self._misplaced(name, f"element type {number} in tensor '{name}'")
            value.declare(None, _shape(table, shape))
            return value
        dtype = known.dtypes[number]
        if dtype is None:
            value.type_name = known.types[number].lower()
            return value
        is_sparse = table.place(6) is not None
        stored = self.buffers.tensor(table, name, dtype, shape, is_sparse=is_sparse)
        if stored is not None:
            value.store(stored)
            if is_sparse:
                self.sparse.add(value)
                graph.sparse |= {name}
        else:
            value.declare(dtype, _shape(table, shape))
            if None in (value.declared_shape or ()):
                self.stated[value] = shape
        if table.number(5, "?"):
            self.variables.add(value)
        return value

    def _quantize(self, value: Value, table: FlatTable, values: list[Value]) -> None:
        stated = table.table(4)
        if stated is None:
            return
        block, scales = 0, None
        if stated.number(4, "B") == BLOCKWISE and (details := stated.table(5)) is not None:
            block, at = details.number(2, "i"), details.number(0, "i")
            scales = values[at] if 0 <= at < len(values) else None
            if scales is None:
                self._misplaced(value.name, f"scales of tensor '{value.name}' in tensor {at}")
        found = Quantization(
            stated.reals(2),
            stated.numbers(3, "q"),
            stated.number(6, "i"),
            block,
            scales,
            stated.reals(0),
            stated.reals(1),
        )
        if found.is_quantized or found.minimum:
            self.quantization[value] = found

    def _chosen(self, graph: Graph, indices: Iterable[int], part: str) -> list[Value]:
        values, found = self.tensors[graph], []
        for index in indices:
            if 0 <= index < len(values):
                found.append(values[index])
            else:
                self._misplaced(None, f"tensor {index} among the {part} of '{graph.path}'")
        return found

    def _add_node(self, graph: Graph, table: FlatTable) -> list[_SubgraphCall]:
        index, at = table.number(0, "I"), len(graph.nodes)
        if index >= len(self.codes):
            self._misplaced(None, f"operator {index} in node {at} of '{graph.path}'")
            code = OperatorCode("UNKNOWN", "", 1)
        else:
            code = self.codes[index]
        node = Node(graph, at, code.op_type, code.domain, "")
        graph.nodes.append(node)
        node.metadata = {"version": str(code.version)}
        node.attributes = dict(_attributes(table))
        inputs = tuple(self._operands(node, table.numbers(1, "i"), "input"))
        outputs = tuple(self._operands(node, table.numbers(2, "i"), "output"))
        node.inputs, node.outputs = inputs, outputs
        for place, value in enumerate(inputs):
            if value is not None:
                value.consumers.append(Use(node, place))
        for place, value in enumerate(outputs):
            if value is not None and value.producer is None:
                value.producer, value.index = node, place
        return list(self._calls(node))

    def _operands(self, node: Node, indices: tuple[int, ...], part: str) -> Iterator[Value | None]:
        values = self.tensors[node.graph]
        for index in indices:
            if 0 <= index < len(values):
                yield values[index]
                continue
            if index != -1 or part == "output":
                place = f"node {node.index} ({node.op_type}) of '{node.graph.path}'"
                self._misplaced(None, f"tensor {index} as {part} of {place}")
            yield None

    def _calls(self, node: Node) -> Iterator[_SubgraphCall]:
        """Iterate over the subgraphs that a node calls."""
        for name, stated in node.attributes.items():
            if not name.endswith((SUBGRAPH, CALLED)):
                continue
            key = name.removesuffix(SUBGRAPH).strip("_") or "body"
            if isinstance(stated, int) and 0 <= stated < len(self.subgraphs):
                yield _SubgraphCall(stated, node, key)
            else:
                place = f"node {node.index} ({node.op_type}) of '{node.graph.path}'"
                self._misplaced(None, f"subgraph {stated!r} in {place}")
        branches = node.attributes.get("branch_subgraph_indices")
        for number, index in enumerate(branches if isinstance(branches, tuple) else ()):
            if isinstance(index, int) and 0 <= index < len(self.subgraphs):
                yield _SubgraphCall(index, node, f"branch_{number}")

    def _check_order(self, graph: Graph) -> None:
        """Record values that are read before anything has written them.

        Custom operators may be given tensors to work in, which nothing writes.
        """
        unsorted: list[tuple[Value, Node]] = []
        for node in graph.nodes:
            for value in filter(None, node.inputs):
                if value.producer is not None and value.producer.index >= node.index:
                    if value not in self.variables and not value.is_input:
                        unsorted.append((value, node))
                elif node.domain != CUSTOM and self._is_undefined(value):
                    self.problems.note("undefined-value", at=value.name, **_place(value, node))
        if unsorted:
            value, node = unsorted[0]
            count = len({id(each) for _, each in unsorted})
            self.problems.note("unsorted-graph", at=value.name, **_place(value, node), nodes=count)

    def _is_undefined(self, value: Value) -> bool:
        is_given = value.is_input or value.is_constant or value in self.variables
        is_empty = 0 in (value.declared_shape or ())
        return value.producer is None and not is_given and not is_empty

    def _misplaced(self, at: str | None, detail: str) -> None:
        self.problems.note("invalid-reference", at=at, detail=detail)

    def _signatures(self) -> Iterator[Entrance]:
        for table in self.root.tables(7):
            index = table.number(4, "I")
            key = bounded(table.text(2))
            graph = self.graphs.get(index)
            if graph is None:
                self._misplaced(None, f"subgraph {index} in signature '{key}'")
            names = [dict(self._named(table, slot, graph, key)) for slot in (0, 1)]
            yield Entrance(key, graph, *names)

    def _named(
        self, table: FlatTable, slot: int, graph: Graph | None, key: str
    ) -> Iterator[tuple[str, Value]]:
        values = self.tensors[graph] if graph is not None else ()
        for each in table.tables(slot):
            index, name = each.number(1, "I"), bounded(each.text(0))
            if index < len(values):
                yield name, values[index]
            elif graph is not None:
                self._misplaced(None, f"tensor {index} in signature '{key}'")

    def _metadata(self) -> Iterator[tuple[str, Tensor]]:
        for table in self.root.tables(6):
            name = bounded(table.text(0))
            stored = self.buffers.blob(table.number(1, "I"), name)
            if stored is not None:
                yield name, stored


def _limited(tables: Iterable[FlatTable], part: str) -> Iterator[FlatTable]:
    for count, each in enumerate(tables):
        if count >= MOST_LISTED:
            raise MalformedError("corrupt", f"it has more than {MOST_LISTED} {part}")
        yield each


def _operator_codes(root: FlatTable) -> Iterator[OperatorCode]:
    names = schema().operators
    for table in _limited(root.tables(1), "kinds of operators"):
        # The old field is a byte, and full for all that came after; the higher number counts.
        number = max(table.number(0, "b"), table.number(3, "i"))
        name = names[number] if 0 <= number < len(names) and names[number] else f"BUILTIN_{number}"
        version = table.number(2, "i", 1)
        if name == CUSTOM_CODE:
            yield OperatorCode(bounded(table.text(1)) or CUSTOM_CODE, CUSTOM, version)
        else:
            yield OperatorCode(name, DOMAIN, version)


def _attributes(table: FlatTable) -> Iterator[tuple[str, Attribute]]:
    for kind_slot, slot, union in ((3, 4, 0), (11, 12, 1)):
        stated = table.table(slot)
        kind = table.number(kind_slot, "B")
        if stated is not None and kind:
            yield from options(stated, kind, union).items()
    if table.place(5) is not None and (span := table.span(5)) is not None:
        yield "custom_options_size", span.length
    elif table.number(10, "Q"):
        yield "custom_options_size", table.number(10, "Q")


def _shape(table: FlatTable, shape: tuple[int, ...]) -> Shape:
    """Return the shape with open dims, which only the signature of a shape shows."""
    signature = table.numbers(7, "i")
    stated = signature if len(signature) == len(shape) else shape
    return tuple(None if dim < 0 else dim for dim in stated)


def _place(value: Value, node: Node) -> Mapping[str, object]:
    return {
        "value": value.name,
        "node": node.label,
        "op": node.op_type,
        "graph": node.graph.path,
    }
