"""Read-only view of a model's graph, used by all rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from modellint.model.dims import Shape
from modellint.model.dtypes import UNDEFINED, DType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from modellint.model.model import Model
    from modellint.model.tensor import Tensor


class AttributeRef(NamedTuple):
    """Reference in a function to an attribute of the call with this name."""

    name: str


Attribute = Union[
    int,
    float,
    str,
    bytes,
    tuple[int, ...],
    tuple[float, ...],
    tuple[str, ...],
    "Tensor",
    tuple["Tensor", ...],
    AttributeRef,
]
"""Large opaque strings, such as embedded engines, are uint8 tensors that stay in the file."""

_NOTHING: Mapping[str, Any] = {}
"""Shared by all nodes without subgraphs, metadata or attributes: a model can have a million."""


class Use(NamedTuple):
    """Use of a value: the node and the index of its input."""

    node: Node
    index: int  # type: ignore[assignment]  # hides an unused method of tuple


class Value:
    """A value of the graph: its producer, its consumers, and its type as far as known."""

    __slots__ = (
        "consumers",
        "declared_dtype",
        "declared_shape",
        "graph",
        "index",
        "is_input",
        "is_output",
        "known_dtype",
        "known_shape",
        "name",
        "producer",
        "tensor",
        "type_name",
    )

    def __init__(self, name: str, graph: Graph) -> None:
        self.name = name
        self.graph = graph
        self.producer: Node | None = None
        self.index = 0
        self.consumers: list[Use] = []
        self.tensor: Tensor | None = None
        """The stored constant: an initializer, or what a Constant node holds."""
        self.is_input = False
        self.is_output = False
        self.type_name = "tensor"
        """``tensor``, or ``sequence``, ``optional``, ``map``, ``sparse_tensor``."""
        self.declared_dtype: DType | None = None
        self.declared_shape: Shape | None = None
        """As the file states it; inference does not change it."""
        self.known_dtype: DType | None = None
        self.known_shape: Shape | None = None
        """The same, with what inference has found out if it has run."""

    def store(self, tensor: Tensor) -> None:
        """Make it a stored constant, whose type is the tensor's, whatever else the file says."""
        self.tensor = tensor
        if tensor.dtype is not UNDEFINED:
            self.declared_dtype = tensor.dtype
        self.declared_shape = tensor.shape
        self.known_dtype, self.known_shape = self.declared_dtype, self.declared_shape

    def declare(self, dtype: DType | None, shape: Shape | None) -> None:
        """Record the file's type; an earlier one stays."""
        if self.tensor is not None:
            return
        self.declared_dtype = self.declared_dtype or dtype
        self.declared_shape = _refined(self.declared_shape, shape)
        self.known_dtype, self.known_shape = self.declared_dtype, self.declared_shape

    def refine(self, dtype: DType | None, shape: Shape | None) -> None:
        """Add what inference says."""
        if self.tensor is not None:
            return
        self.known_dtype = self.known_dtype or dtype
        self.known_shape = _refined(self.known_shape, shape)

    def correct(self, dtype: DType | None, shape: Shape | None) -> None:
        """Use the inferred type, and the file's only where that is open."""
        if self.tensor is not None:
            return
        self.known_dtype = self.known_dtype or dtype
        same_rank = shape is None or len(shape) == len(self.known_shape or ())
        self.known_shape = _refined(shape, self.known_shape) if same_rank else shape

    @property
    def dtype(self) -> DType | None:
        """Return the element type, inferred on first use."""
        if self.known_dtype is None:
            self.graph.model.infer()
        return self.known_dtype

    @property
    def shape(self) -> Shape | None:
        """Return the shape, inferred on first use; None if even the rank is unknown."""
        if self.tensor is None:
            self.graph.model.infer()  # also if the file states all dims: it may be wrong
        return self.known_shape

    @property
    def is_constant(self) -> bool:
        return self.tensor is not None

    @property
    def is_initializer(self) -> bool:
        return self.tensor is not None and self.producer is None

    @property
    def sole_consumer(self) -> Node | None:
        """Return the only consumer of this value, unless the graph also returns it."""
        if len(self.consumers) != 1 or self.is_output:
            return None
        return self.consumers[0].node

    def __repr__(self) -> str:
        return f"Value({self.name!r})"


def _refined(known: Shape | None, shape: Shape | None) -> Shape | None:
    """Both in one: numbers outweigh names, and names outweigh unknown dims."""
    if shape is None or known is None or known == shape:
        return shape if known is None else known
    if len(known) != len(shape):
        return shape
    return tuple(
        new if old is None or (isinstance(old, str) and isinstance(new, int)) else old
        for old, new in zip(known, shape, strict=True)
    )


def small_constant(value: Value | None) -> NDArray[np.generic] | None:
    """Return the elements of a constant that is already in memory; None for anything else."""
    return value.tensor.if_small() if value is not None and value.tensor is not None else None


def small_integers(value: Value | None) -> tuple[int, ...] | None:
    """Return the integers of a constant that is already in memory, such as axes; else None.

    Whatever is made of stored integers comes from here: in a file, text or NaN may be in their
    place.
    """
    tensor = value.tensor if value is not None else None
    return tensor.small_integers() if tensor is not None else None


def small_number(value: Value | None) -> float | None:
    """Return the only element of a constant that is already in memory, if it is a real number."""
    stored = small_constant(value)
    if stored is None or stored.size != 1 or stored.dtype.kind not in "fiu":
        return None
    return float(stored.reshape(-1)[0])


class Node:
    """An operation. Omitted optional inputs and outputs are None."""

    __slots__ = (
        "_attributes",
        "_deferred",
        "domain",
        "graph",
        "index",
        "inputs",
        "metadata",
        "name",
        "op_type",
        "outputs",
        "overload",
        "subgraphs",
    )

    def __init__(self, graph: Graph, index: int, op_type: str, domain: str, name: str) -> None:
        self.graph = graph
        self.index = index
        self.op_type = op_type
        self.domain = domain
        self.name = name
        self.inputs: tuple[Value | None, ...] = ()
        self.outputs: tuple[Value | None, ...] = ()
        self.overload = ""
        self._attributes: Mapping[str, Attribute] = _NOTHING
        self._deferred: tuple[Callable[[Any], Mapping[str, Attribute]], Any] | None = None
        self.subgraphs: Mapping[str, Graph] = _NOTHING
        self.metadata: Mapping[str, str] = _NOTHING

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """Return all attributes except subgraphs, converted on first use."""
        if self._deferred is not None:
            read, stated = self._deferred
            self._attributes, self._deferred = read(stated), None
        return self._attributes

    @attributes.setter
    def attributes(self, attributes: Mapping[str, Attribute]) -> None:
        self._attributes, self._deferred = attributes, None

    def defer_attributes(self, read: Callable[[Any], Mapping[str, Attribute]], stated: Any) -> None:
        """Set `read` to be called with `stated` on first access to the attributes."""
        self._deferred = (read, stated)

    def input(self, index: int) -> Value | None:
        """Return the input at `index`, or None if omitted."""
        return self.inputs[index] if index < len(self.inputs) else None

    def output(self, index: int = 0) -> Value | None:
        """Return the output at `index`, or None if omitted."""
        return self.outputs[index] if index < len(self.outputs) else None

    @property
    def qualified_op(self) -> str:
        """Return ``Conv``, or ``com.microsoft.FusedConv`` outside the default domain."""
        return f"{self.domain}.{self.op_type}" if self.domain else self.op_type

    @property
    def label(self) -> str:
        """Return the name, else the first output, else the position."""
        if self.name:
            return self.name
        for value in self.outputs:
            if value is not None:
                return value.name
        return f"{self.op_type} at position {self.index}"

    def get_int(self, name: str, default: int | None = None) -> int | None:
        """Return the attribute; `default` if absent, None if only known to the function's call."""
        value = self.attributes.get(name, default)
        if isinstance(value, AttributeRef):
            return None
        return value if isinstance(value, int) else default

    def get_float(self, name: str, default: float | None = None) -> float | None:
        value = self.attributes.get(name, default)
        if isinstance(value, AttributeRef):
            return None
        return float(value) if isinstance(value, (int, float)) else default

    def get_str(self, name: str, default: str | None = None) -> str | None:
        value = self.attributes.get(name, default)
        if isinstance(value, AttributeRef):
            return None
        return value if isinstance(value, str) else default

    def get_ints(self, name: str) -> tuple[int, ...] | None:
        value = self.attributes.get(name)
        if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
            return tuple(item for item in value if isinstance(item, int))
        return None

    @property
    def predecessors(self) -> Iterator[Node]:
        return (v.producer for v in self.inputs if v is not None and v.producer is not None)

    @property
    def sources(self) -> list[Node]:
        """Return nodes of the same graph that this one, or one of its subgraphs, reads from."""
        producers = [value.producer for value in self.read]
        return [each for each in producers if each is not None and each.graph is self.graph]

    @property
    def read(self) -> list[Value]:
        """Return the values that this node, or one of its subgraphs, reads."""
        values = (*self.inputs, *self._read_inside()) if self.subgraphs else self.inputs
        return [value for value in values if value is not None]

    def _read_inside(self) -> Iterator[Value | None]:
        """Iterate over the values that the subgraphs read."""
        for graph in self.subgraphs.values():
            for inner in graph.walk():
                for node in inner.nodes:
                    yield from node.inputs
                yield from inner.outputs

    @property
    def successors(self) -> Iterator[Node]:
        return (use.node for v in self.outputs if v is not None for use in v.consumers)

    def __repr__(self) -> str:
        return f"Node({self.qualified_op} {self.label!r})"


class Graph:
    """Nodes in file order, and the values between them. A subgraph has a parent node."""

    __slots__ = (
        "_by_op",
        "_labels",
        "_ordered",
        "_path",
        "_subgraphs",
        "called",
        "inputs",
        "key",
        "metadata",
        "model",
        "name",
        "nodes",
        "outputs",
        "parent",
        "sparse",
        "values",
    )

    def __init__(
        self, model: Model, name: str, parent: Node | None = None, key: str = "body"
    ) -> None:
        self.model = model
        self.name = name
        self.parent = parent
        self.key = key
        """Name among the subgraphs of its parent node."""
        self.called = ""
        """Qualified name ``ns.Name`` if it is the body of a function."""
        self.nodes: list[Node] = []
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.values: dict[str, Value] = {}
        self.sparse: frozenset[str] = frozenset()
        """Names of initializers that are stored sparse."""
        self.metadata: Mapping[str, str] = {}
        self._by_op: dict[str, list[Node]] | None = None
        self._ordered: list[Node] | None = None
        self._path: str | None = None
        self._labels: Counter[str] | None = None
        self._subgraphs: list[Graph] | None = None

    @property
    def outermost(self) -> Graph:
        """Return the graph that this one is nested in, at any depth; itself if in none."""
        graph = self
        while graph.parent is not None:
            graph = graph.parent.graph
        return graph

    @property
    def initializers(self) -> list[Value]:
        return [value for value in self.values.values() if value.is_initializer]

    @property
    def by_op(self) -> Mapping[str, list[Node]]:
        """Nodes by qualified op type, in file order."""
        if self._by_op is None:
            self._by_op = {}
            for node in self.nodes:
                self._by_op.setdefault(node.qualified_op, []).append(node)
        return self._by_op

    @property
    def ordered(self) -> list[Node]:
        """Return the nodes in topological order, which the file may not have."""
        if self._ordered is None:
            self._ordered = _in_order(self)
        return self._ordered

    def resolve(self, name: str) -> Value | None:
        """Resolve a name to a value of this graph or an outer one."""
        graph: Graph | None = self
        while graph is not None:
            value = graph.values.get(name)
            if value is not None:
                return value
            graph = graph.parent.graph if graph.parent is not None else None
        return None

    @property
    def path(self) -> str:
        """Return the path of this graph, unique in the model: its name, or ``main``; below it
        ``main/loop_1.body``; for a function ``function:ns.Name``."""
        if self._path is None:
            self._path = self._find_path()
        return self._path

    def _find_path(self) -> str:
        if self.parent is None:
            return f"function:{self.called}" if self.called else self.name or "main"
        node, outer = self.parent, self.parent.graph
        if outer._labels is None:
            outer._labels = Counter(other.label for other in outer.nodes)
        is_alone = outer._labels[node.label] == 1
        label = node.label if is_alone else f"{node.label}#{node.index}"
        return f"{outer.path}/{label}.{self.key}"

    def walk(self) -> Iterator[Graph]:
        """Iterate over this graph and all of its subgraphs, outer before inner."""
        pending = [self]
        while pending:
            graph = pending.pop()
            yield graph
            pending.extend(reversed(graph.subgraphs))

    @property
    def subgraphs(self) -> list[Graph]:
        """Return the subgraphs of this graph's nodes."""
        if self._subgraphs is None:
            self._subgraphs = [sub for node in self.nodes for sub in node.subgraphs.values()]
        return self._subgraphs

    def __repr__(self) -> str:
        return f"Graph({self.path!r}, {len(self.nodes)} nodes)"


def _in_order(graph: Graph) -> list[Node]:
    """Return file order with nodes moved up to where they are first needed; cycles are kept."""
    ordered: list[Node] = []
    placed: set[Node] = set()
    for first in graph.nodes:
        if first not in placed and placed.issuperset(first.sources):
            placed.add(first)  # as nearly always
            ordered.append(first)
            continue
        pending = [first]
        begun: set[Node] = set()
        while pending:
            node = pending[-1]
            if node in placed:
                pending.pop()
            elif node in begun:
                placed.add(node)
                ordered.append(pending.pop())
            else:
                begun.add(node)
                pending += [
                    near for near in node.sources if near not in placed and near not in begun
                ]
    return ordered
