"""Layers and edges of one network, or of the body of a loop or branch, as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple
from xml.etree.ElementTree import Element

from modellint.base.records import dataclass
from modellint.base.text import bounded
from modellint.formats.openvino.constants import WeightsFile
from modellint.formats.openvino.facts import LayerType
from modellint.formats.openvino.translate import translate
from modellint.formats.openvino.types import (
    OPEN_TYPES,
    element_type,
    integer,
    partial_shape,
    require_rank,
    static_shape,
)
from modellint.formats.problems import MalformedError, Problems
from modellint.formats.wiring import Wiring
from modellint.model import UNDEFINED, DType, Graph, Model, Node, Shape, Value

BODIES = {"body": "body", "then_body": "then", "else_body": "else"}
"""Elements with a network inside, and the names of the subgraphs."""
SOURCES, SINK = frozenset({"Parameter", "Input"}), "Result"
CONSTANT, CONVERSION = "Const", "Convert"
Port = tuple[str, str]
"""Ids of a layer and of one of its ports."""


class SourcePort(NamedTuple):
    """The output that an input reads."""

    layer: str
    port: str


@dataclass(slots=True)
class IrLayer:
    """A layer and its connections, by id."""

    element: Element
    id: str
    kind: str
    opset: str
    name: str
    data: Mapping[str, str]
    inputs: list[Element]
    outputs: list[Element]
    edges: dict[str, SourcePort] = field(default_factory=dict)
    """Sources of the inputs by port."""


class NetworkReader:
    """Reads the networks of one model."""

    def __init__(self, model: Model, weights: WeightsFile, problems: Problems) -> None:
        self.model = model
        self.weights = weights
        self.problems = problems
        self.types: dict[Node, LayerType] = {}
        self.input_shapes: dict[str, str] = {}
        self.decompressions = 0
        """Number of weights that were compressed to half precision."""
        self._known_types: dict[LayerType, LayerType] = {}

    def read(self, network: Element, graph: Graph) -> None:
        """Fill a graph with a network's layers."""
        layers = {layer.id: layer for layer in self._layers(network)}
        self._edges(network, layers)
        wiring = Wiring(graph)
        produced: dict[Port, Value] = {}
        for layer in _in_order(layers):
            self._add(wiring, layer, produced)
        for value in graph.initializers:
            if not value.consumers and not value.is_output:  # it became an attribute of its reader
                del graph.values[value.name]

    def _layers(self, network: Element) -> Iterator[IrLayer]:
        seen: set[str] = set()
        for element in network.iterfind("layers/layer"):
            id = _attribute(element, "id")
            if id in seen:
                raise MalformedError("corrupt", f"two layers with the id {bounded(id)}")
            seen.add(id)
            data = element.find("data")
            yield IrLayer(
                element,
                id,
                _attribute(element, "type"),
                element.get("version", ""),
                bounded(_attribute(element, "name")),
                data.attrib if data is not None else {},
                element.findall("input/port"),
                element.findall("output/port"),
            )

    def _edges(self, network: Element, layers: Mapping[str, IrLayer]) -> None:
        for edge in network.iterfind("edges/edge"):
            source, target = _attribute(edge, "from-layer"), _attribute(edge, "to-layer")
            for id in (source, target):
                if id not in layers:
                    raise MalformedError(
                        "corrupt", f"an edge of layer {bounded(id)}, which is not there"
                    )
            ports = _attribute(edge, "from-port"), _attribute(edge, "to-port")
            layers[target].edges[ports[1]] = SourcePort(source, ports[0])

    def _add(self, wiring: Wiring, layer: IrLayer, produced: dict[Port, Value]) -> None:
        if layer.kind == CONSTANT:
            self._constant(wiring, layer, produced)
        elif layer.kind in SOURCES:
            for value in self._outputs(wiring, layer, produced):
                self._declare_input(value, layer)
                wiring.input(value)
        elif layer.kind == SINK:
            for value in self._inputs(wiring, layer, produced):
                wiring.output(value)
        else:
            self._operation(wiring, layer, produced)

    def _constant(self, wiring: Wiring, layer: IrLayer, produced: dict[Port, Value]) -> None:
        data = layer.data
        values = list(self._outputs(wiring, layer, produced))
        if not values or "offset" not in data:
            return
        value = values[0]
        dtype = element_type(data.get("element_type"))
        shape = static_shape(data.get("shape", ""))
        offset, size = integer(data["offset"]), integer(data.get("size"))
        if dtype is None:
            stated = bounded(str(data.get("element_type")))
            self.weights.invalid(value.name, UNDEFINED, shape, detail=f"element type {stated}")
            return
        value.store(self.weights.constant(value.name, dtype, shape, offset, size))

    def _declare_input(self, value: Value, layer: IrLayer) -> None:
        stated = layer.data.get("shape")
        if stated is not None:
            shape = partial_shape(stated)
            value.declared_shape = value.known_shape = shape
            if shape is None or None in shape:
                self.input_shapes.setdefault(value.name, bounded(stated.replace(" ", "")))
        value.declare(element_type(layer.data.get("element_type")), None)

    def _operation(self, wiring: Wiring, layer: IrLayer, produced: dict[Port, Value]) -> None:
        inputs = tuple(self._inputs(wiring, layer, produced))
        operation = translate(layer.kind, layer.data, inputs)
        outputs = tuple(self._outputs(wiring, layer, produced, inputs))
        node = wiring.node(
            operation.op_type, operation.domain, layer.name, operation.inputs, outputs
        )
        node.attributes = operation.attributes
        kind = LayerType(layer.kind, layer.opset)
        self.types[node] = self._known_types.setdefault(kind, kind)
        if layer.element.find("rt_info/attribute[@name='decompression']") is not None:
            self.decompressions += 1
        bodies = [each for each in layer.element if each.tag in BODIES]
        if bodies:
            subgraphs = {BODIES[body.tag]: body for body in bodies}
            node.subgraphs = {key: Graph(self.model, "", node, key) for key in subgraphs}
            for key, body in subgraphs.items():
                self.read(body, node.subgraphs[key])

    def _inputs(
        self, wiring: Wiring, layer: IrLayer, produced: dict[Port, Value]
    ) -> Iterator[Value]:
        for port in layer.inputs:
            id = _attribute(port, "id")
            edge = layer.edges.get(id)
            value = produced.get(edge) if edge is not None else None
            if value is None:
                value = wiring.value(f"{layer.name}:{id}")
                self.problems.note(
                    "undefined-value",
                    at=value.name,
                    value=value.name,
                    node=layer.name,
                    op=layer.kind,
                    graph=wiring.graph.path,
                )
            yield value

    def _outputs(
        self,
        wiring: Wiring,
        layer: IrLayer,
        produced: dict[Port, Value],
        inputs: Sequence[Value | None] = (),
    ) -> Iterator[Value]:
        for place, port in enumerate(layer.outputs):
            names = port.get("names", "").replace("\\,", "\0").split(",")
            name = names[0].replace("\0", ",") or (f"{layer.name}:{place}" if place else layer.name)
            value = wiring.value(name)
            if layer.kind == CONVERSION:  # OpenVINO saves the input's type for some of them
                value.declare(element_type(layer.data.get("destination_type")), None)
            value.declare(_precision(port), _shape_of(port, inputs))
            produced[layer.id, _attribute(port, "id")] = value
            yield value


def _attribute(element: Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise MalformedError("corrupt", f"a {bounded(element.tag)} without {name}")
    return value


def _precision(port: Element) -> DType | None:
    stated = port.get("precision")
    dtype = element_type(stated)
    if dtype is None and stated is not None and stated.lower() not in OPEN_TYPES:
        raise MalformedError("corrupt", f"element type {bounded(stated)}")
    return dtype


def _shape_of(port: Element, inputs: Sequence[Value | None]) -> Shape | None:
    """Return the shape of an output. One without dims may have any rank, or be a scalar."""
    if len(port) == 0 and not _gives_known_rank(inputs):
        return None
    require_rank(len(port))
    dims = [integer(dim.text) for dim in port if dim.tag == "dim"]
    return tuple(None if dim < 0 else dim for dim in dims)


def _gives_known_rank(inputs: Sequence[Value | None]) -> bool:
    """Return True if a layer with these inputs cannot have an output of open rank."""
    shapes = [value.declared_shape if value is not None else None for value in inputs]
    if not shapes or None in shapes:
        return False
    if not any(shapes):
        return True
    _, *rest = inputs
    is_static = len(inputs) > 1 or None not in (shapes[0] or ())
    return is_static and all(value is not None and value.is_constant for value in rest)


def _in_order(layers: Mapping[str, IrLayer]) -> Iterator[IrLayer]:
    """Iterate over layers after those that they read from; files need not be in this order."""
    placed: set[str] = set()
    begun: set[str] = set()
    for id in layers:
        pending = [id]
        while pending:
            layer = layers[pending[-1]]
            if layer.id in placed:
                pending.pop()
                continue
            ahead = [edge.layer for edge in layer.edges.values() if edge.layer not in placed]
            if not ahead:
                placed.add(layer.id)
                pending.pop()
                yield layer
            elif layer.id in begun:
                raise MalformedError("corrupt", f"layer {bounded(layer.id)} reads from itself")
            else:
                begun.add(layer.id)
                pending += ahead
