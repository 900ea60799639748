"""Conversion of a ModelProto to a Model: resolves names and records contradictions."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any

from modellint.base.memo import Kept
from modellint.formats.onnx import ONNX
from modellint.formats.onnx.facts import Function, OnnxFacts
from modellint.formats.onnx.infer import Inferrer, call_cycle
from modellint.formats.onnx.names import (
    UnusualNameError,
    escaped,
    named_graphs,
    prose,
    rename,
    text,
    usual_name,
)
from modellint.formats.onnx.tensors import TensorReader
from modellint.formats.onnx.types import type_of
from modellint.formats.onnx.wire import Payloads
from modellint.formats.problems import Problems
from modellint.model import (
    DTYPES,
    Attribute,
    AttributeRef,
    Graph,
    Model,
    Node,
    Tensor,
    Use,
    Value,
)

if TYPE_CHECKING:
    from onnx import (
        AttributeProto,
        FunctionProto,
        GraphProto,
        ModelProto,
        NodeProto,
        TrainingInfoProto,
    )

FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS, TENSORS, GRAPHS = range(1, 11)
SPARSE_TENSOR, SPARSE_TENSORS, TYPE_PROTO, TYPE_PROTOS = 11, 12, 13, 14
UNSTATED = 0

EAGER = frozenset({UNSTATED, TENSOR, GRAPH, TENSORS, GRAPHS, SPARSE_TENSOR, SPARSE_TENSORS})
"""Attributes that hold graphs or tensors, which the model has to know of from the start."""
STANDARD_DOMAIN = "ai.onnx"
_use: Callable[[tuple[Node, int]], Use] = partial(tuple.__new__, Use)
"""Makes one faster than its class does, of which a model has more than nodes."""


def build(
    proto: ModelProto,
    path: Path = Path("model.onnx"),
    *,
    payloads: Payloads | None = None,
    stripped: bytes | None = None,
    format: str = "onnx",
) -> Model:
    """Build the view of a model whose large payloads may have been removed."""
    try:
        return _Builder(proto, path, payloads, stripped, format).build()
    except UnusualNameError:
        rename(proto)
        return _Builder(proto, path, payloads, None, format).build()


class _Builder:
    def __init__(
        self,
        proto: ModelProto,
        path: Path,
        payloads: Payloads | None,
        stripped: bytes | None,
        format: str,
    ) -> None:
        self.proto = proto
        self.stripped = stripped
        self.problems = Problems()
        self.model = Model(path, format)
        self.model.problems = self.problems
        self.reader = TensorReader(path, payloads, self.problems)
        self._read_deferred = self._attributes  # bound once, not for every node
        self.spelled: list[Node] = []
        self._op_types = Kept(_shared)
        self._domains = Kept(domain_of)

    def build(self) -> Model:
        model, proto = self.model, self.proto
        model.capabilities = ONNX.tells
        model.producer_name = text(proto.producer_name)
        model.producer_version = text(proto.producer_version)
        model.metadata = metadata(proto.metadata_props)
        model.graph = self.graph(proto.graph)
        model.format_facts = OnnxFacts(
            proto.ir_version if proto.HasField("ir_version") else None,
            opsets(proto.opset_import),
            {each.graph: each for each in map(self.function, proto.functions)},
            tuple(self.training(proto.training_info)),
            spelled=tuple(self.spelled),
        )
        model.tensors = self.reader.tensors
        self.reader.external.report(self.problems)
        model.external_files = self.reader.external.paths
        cycle = call_cycle(model)
        if cycle is not None:
            self.problems.note(
                "recursive-function", function=cycle, detail="it calls itself, at once or in turn"
            )
        model.infer_types = Inferrer(model, proto, self.stripped)
        return model

    def graph(self, proto: GraphProto) -> Graph:
        graph = Graph(self.model, text(proto.name))
        self._fill(graph, proto)
        return graph

    def _fill(self, graph: Graph, proto: GraphProto) -> None:
        graph.metadata = metadata(proto.metadata_props)
        for info in proto.input:
            value = Value(text(info.name), graph)
            value.is_input = True
            _declare(value, info.type)
            if value.name in graph.values:
                self.problems.note(
                    "duplicate-value",
                    at=value.name,
                    value=value.name,
                    node=value.name,
                    op="input",
                    graph=graph.path,
                )
            graph.values[value.name] = value
            graph.inputs.append(value)
        for initializer in proto.initializer:
            name = text(initializer.name)
            self._initializer(graph, name, self.reader.tensor(initializer, name))
        if proto.sparse_initializer:
            sparse = [(text(item.values.name), item) for item in proto.sparse_initializer]
            for name, item in sparse:
                self._initializer(graph, name, self.reader.sparse(item, name))
            graph.sparse = frozenset(name for name, _ in sparse)
        self._nodes(graph, proto.node)
        for info in proto.value_info:
            known = graph.values.get(text(info.name))
            if known is not None:
                _declare(known, info.type)
        for info in proto.output:
            self._output(graph, text(info.name), info.type)

    def training(self, infos: Iterable[TrainingInfoProto]) -> Iterator[Graph]:
        for info in infos:
            for field in ("initialization", "algorithm"):
                if info.HasField(field):
                    yield self.graph(getattr(info, field))

    def function(self, proto: FunctionProto) -> Function:
        graph = Graph(self.model, text(proto.name))
        domain, overload = domain_of(proto.domain), text(proto.overload)
        graph.called = ".".join(filter(None, (domain, graph.name)))
        graph.called += f":{overload}" if overload else ""
        graph.metadata = metadata(proto.metadata_props)
        function = Function(
            graph,
            opsets(proto.opset_import),
            tuple(map(text, proto.attribute)),
            self._attributes(proto.attribute_proto),
        )
        for name in map(text, proto.input):
            value = graph.values[name] = Value(name, graph)
            value.is_input = True
            graph.inputs.append(value)
        self._nodes(graph, proto.node)
        for info in proto.value_info:
            known = graph.values.get(text(info.name))
            if known is not None:
                _declare(known, info.type)
        for name in map(text, proto.output):
            self._output(graph, name, None)
        self.model.functions[domain, graph.name, overload] = graph
        return function

    def _initializer(self, graph: Graph, name: str, tensor: Tensor) -> None:
        value = graph.values.get(name)
        if value is None:
            value = graph.values[name] = Value(name, graph)
        elif value.tensor is not None:
            self.problems.note("duplicate-initializer", at=name, tensor=name)
            return
        value.store(tensor)

    def _output(self, graph: Graph, name: str, proto: Any) -> None:
        value = graph.values.get(name)
        if value is None and graph.parent is not None:
            value = graph.parent.graph.resolve(name)
        if value is None:
            value = graph.values[name] = Value(name, graph)
            self.problems.note(
                "undefined-value", at=name, value=name, node=None, op=None, graph=graph.path
            )
        elif proto is not None and value.graph is graph and not value.is_output:  # the first counts
            _declare(value, proto)
        value.is_output = True
        graph.outputs.append(value)

    def _nodes(self, graph: Graph, protos: Sequence[NodeProto]) -> None:
        """Create the values of all outputs first, then resolve all inputs."""
        values, nodes = graph.values, graph.nodes
        op_types, domains = self._op_types, self._domains
        repeated: set[tuple[str, str]] = set()
        for index, proto in enumerate(protos):
            named = proto.domain
            domain = domains[named]
            node = Node(graph, index, op_types[proto.op_type], domain, text(proto.name))
            nodes.append(node)
            if named and not domain:
                self.spelled.append(node)
            outputs: list[Value | None] = []
            for place, name in enumerate(proto.output):
                if not name:
                    outputs.append(None)
                    continue
                name = text(name)
                value = Value(name, graph)
                value.producer = node
                value.index = place
                outputs.append(value)
                if name not in values:
                    values[name] = value
                    continue
                kind = _kind_of_duplicate(values[name], node)
                if (name, kind) not in repeated:
                    repeated.add((name, kind))
                    self.problems.note(kind, at=name, **_place(node, name))
            node.outputs = tuple(outputs)
        unsorted: list[tuple[Node, str]] = []
        for node, proto in zip(nodes, protos, strict=True):
            self._connect(graph, node, proto, unsorted)
            if proto.attribute:
                self._read_attributes(node, proto)
            if proto.metadata_props:
                node.metadata = metadata(proto.metadata_props)
            if proto.overload:
                node.overload = text(proto.overload)
        if unsorted:
            node, name = unsorted[0]
            self.problems.note(
                "unsorted-graph",
                at=name,
                **_place(node, name),
                nodes=len({id(n) for n, _ in unsorted}),
            )

    def _connect(
        self, graph: Graph, node: Node, proto: NodeProto, unsorted: list[tuple[Node, str]]
    ) -> None:
        values, index = graph.values, node.index
        inputs: list[Value | None] = []
        for place, name in enumerate(proto.input):
            if not name:
                inputs.append(None)
                continue
            value = values.get(name)
            if value is None or (value.producer is not None and value.producer.index >= index):
                value = self._look_further(graph, node, name, value, unsorted)
            inputs.append(value)
            value.consumers.append(_use((node, place)))
        node.inputs = tuple(inputs)

    def _look_further(
        self,
        graph: Graph,
        node: Node,
        name: str,
        later: Value | None,
        unsorted: list[tuple[Node, str]],
    ) -> Value:
        """Resolve a name that no earlier node of the same graph produces."""
        name = text(name)
        inner = node
        while inner.graph.parent is not None:
            inner = inner.graph.parent
            value = inner.graph.values.get(name)
            if value is not None:
                if value.producer is not None and value.producer.index >= inner.index:
                    unsorted.append((node, name))
                return value
        if later is not None:
            unsorted.append((node, name))
            return later
        value = graph.values[name] = Value(name, graph)
        self.problems.note("undefined-value", at=name, **_place(node, name))
        return value

    def _read_attributes(self, node: Node, proto: NodeProto) -> None:
        """Read attributes immediately if they contain graphs or tensors, otherwise on demand."""
        is_constant = _is_constant(node)
        if not is_constant and not any(map(self._is_eager, proto.attribute)):
            node.defer_attributes(self._read_deferred, proto.attribute)
            return
        output = node.output()
        tensor_name = output.name if is_constant and output is not None else ""
        node.attributes = self._attributes(proto.attribute, tensor_name)
        subgraphs: dict[str, Graph] = {}
        for name, inner in named_graphs(proto):
            key = name if name not in subgraphs else f"{name}#{len(subgraphs)}"
            subgraphs[key] = graph = Graph(self.model, text(inner.name), node, key)
            node.subgraphs = subgraphs
            self._fill(graph, inner)
        tensor = constant(node.attributes, tensor_name) if is_constant else None
        if tensor is not None and output is not None:
            output.store(tensor)

    def _is_eager(self, attribute: AttributeProto) -> bool:
        kind = attribute.type
        return kind in EAGER or (kind == STRING and self.reader.is_mark(attribute.s))

    def _attributes(
        self, protos: Iterable[AttributeProto], tensor_name: str = ""
    ) -> dict[str, Attribute]:
        attributes: dict[str, Attribute] = {}
        for proto in protos:
            name = usual_name(proto.name)
            if proto.ref_attr_name:
                attributes[name] = AttributeRef(usual_name(proto.ref_attr_name))
                continue
            value = self._attribute(proto, tensor_name or name)
            if value is not None:
                attributes[name] = value
        return attributes

    def _attribute(self, proto: AttributeProto, name: str) -> Attribute | None:
        kind = proto.type or _unstated_kind(proto)
        if kind == STRING:
            return self.reader.blob(proto.s, name) or string(proto.s)
        if kind == TENSOR:
            return self.reader.tensor(proto.t, name)
        if kind == TENSORS:
            return tuple(self.reader.tensor(tensor, name) for tensor in proto.tensors)
        if kind == SPARSE_TENSOR:
            return self.reader.sparse(proto.sparse_tensor, name)
        if kind == SPARSE_TENSORS:
            return tuple(self.reader.sparse(tensor, name) for tensor in proto.sparse_tensors)
        convert = _CONVERSIONS.get(kind)
        return convert(proto) if convert is not None else None


def string(raw: bytes) -> str | bytes:
    """Decode a string attribute if it is valid text."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def shortest(number: float) -> float:
    """Return the shortest equal float32: 1e-05 rather than 9.99999974e-06."""
    if not math.isfinite(number) or (number.is_integer() and abs(number) < 1e6):
        return number
    for digits in range(6, 10):
        candidate = float(f"{number:.{digits}g}")
        try:
            if struct.unpack("<f", struct.pack("<f", candidate))[0] == number:
                return candidate
        except OverflowError:  # rounded up past the largest float32
            continue
    return number


_CONVERSIONS: Mapping[int, Callable[[AttributeProto], Attribute]] = {
    FLOAT: lambda proto: shortest(proto.f),
    INT: lambda proto: proto.i,
    FLOATS: lambda proto: tuple(map(shortest, proto.floats)),
    INTS: lambda proto: tuple(proto.ints),
    STRINGS: lambda proto: tuple(map(escaped, proto.strings)),
    TYPE_PROTO: lambda proto: type_of(proto.tp).text,
    TYPE_PROTOS: lambda proto: tuple(type_of(item).text for item in proto.type_protos),
}


def _unstated_kind(proto: AttributeProto) -> int:
    """Infer the kind of an attribute, which files of the first IR versions do not state."""
    for kind, field in ((FLOAT, "f"), (INT, "i"), (STRING, "s"), (TENSOR, "t")):
        if proto.HasField(field):
            return kind
    for kind, entries in ((FLOATS, proto.floats), (INTS, proto.ints), (STRINGS, proto.strings)):
        if len(entries):
            return kind
    return UNSTATED


def constant(attributes: Mapping[str, Attribute], name: str) -> Tensor | None:
    """Return the value of a Constant node, in any of its forms."""
    for key, value in attributes.items():
        if isinstance(value, Tensor):
            return value
        if key in _CONSTANT_FORMS:
            return _small_constant(name, *_CONSTANT_FORMS[key], value)
    return None


_CONSTANT_FORMS: dict[str, tuple[str, tuple[type, ...], bool]] = {
    "value_float": ("float32", (float,), False),
    "value_floats": ("float32", (float,), True),
    "value_int": ("int64", (int,), False),
    "value_ints": ("int64", (int,), True),
    "value_string": ("string", (str, bytes), False),
    "value_strings": ("string", (str,), True),
}
"""The element type, the types of attributes' elements, and whether the attribute is a list."""


def _small_constant(
    name: str, dtype_name: str, types: tuple[type, ...], is_list: bool, value: Any
) -> Tensor | None:
    entries = value if is_list else (value,)
    if not isinstance(entries, tuple) or not all(isinstance(each, types) for each in entries):
        return None
    dtype = DTYPES[dtype_name]
    shape = (len(entries),) if is_list else ()
    nbytes = dtype.nbytes(len(entries))

    def read() -> Any:
        import numpy as np

        return np.array(value, dtype=dtype.numpy)

    return Tensor(name, dtype, shape, nbytes, small=True, read=read)


def metadata(entries: Iterable[Any]) -> dict[str, str]:
    return {text(entry.key): prose(entry.value) for entry in entries}


def opsets(imports: Iterable[Any]) -> dict[str, int]:
    return {domain_of(entry.domain): entry.version for entry in imports}


def domain_of(domain: str | bytes) -> str:
    """Normalize a domain: the standard domain has two names and is always empty here."""
    return "" if domain == STANDARD_DOMAIN else _shared(domain)


def _shared(name: str | bytes) -> str:
    return intern(text(name))


def _declare(value: Value, proto: Any) -> None:
    kind = type_of(proto)
    value.type_name = kind.name
    value.declare(kind.dtype, kind.shape)


def _kind_of_duplicate(known: Value, node: Node) -> str:
    first = known.producer
    constants = first is not None and _is_constant(first) and _is_constant(node)
    return "duplicate-constant" if constants else "duplicate-value"


def _is_constant(node: Node) -> bool:
    return node.op_type == "Constant" and not node.domain


def _place(node: Node, value: str) -> dict[str, object]:
    return {
        "value": value,
        "node": node.label,
        "op": node.qualified_op,
        "graph": node.graph.path,
    }
