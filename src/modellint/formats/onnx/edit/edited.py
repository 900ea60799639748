"""An ONNX file while it is edited: the messages of its parts, and where their fields are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.formats.onnx.build import domain_of
from modellint.formats.onnx.edit import encode
from modellint.formats.onnx.edit.message import EditedMessage, Field, new_field
from modellint.formats.onnx.names import usual_name
from modellint.model import Graph, Model, Node
from modellint.model.edits import EditError

MODEL_GRAPH, MODEL_OPSETS, MODEL_METADATA, MODEL_FUNCTIONS = 7, 8, 14, 25
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP_TYPE, NODE_ATTRIBUTE = 1, 2, 3, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS = 1, 6, 11
INFO_NAME = 1


class _Fields:
    """Numbers of the fields that graphs and functions both have."""

    def __init__(self, *, is_function: bool) -> None:
        self.node = 7 if is_function else 1
        self.name = 1 if is_function else 2
        self.input = 4 if is_function else 11
        self.output = 5 if is_function else 12
        self.value_info = 12 if is_function else 13
        self.metadata = 14 if is_function else 16
        self.initializer, self.sparse, self.annotation = 5, 15, 14
        """Those of graphs alone."""


class EditedGraph:
    """A graph of the view, and its message."""

    def __init__(self, graph: Graph, message: EditedMessage) -> None:
        self.graph = graph
        self.message = message
        self.is_function = bool(graph.called) and graph.parent is None
        self.numbers = _Fields(is_function=self.is_function)
        self.nodes = message.all(self.numbers.node)
        self._by_name: dict[int, dict[str, list[Field]]] = {}
        if len(self.nodes) != len(graph.nodes):
            raise EditError("the file repeats a field that it should have once")

    def named(self, number: int, name_field: int, name: str) -> list[Field]:
        """Return the fields of a number whose messages had a name."""
        if number not in self._by_name:
            found = self._by_name[number] = {}
            for field in self.message.all(number):
                stated = field.open().text(name_field) or ""
                found.setdefault(stated, []).append(field)
        return [each for each in self._by_name[number].get(name, ()) if not each.is_dropped]

    def infos(self, name: str) -> Iterator[tuple[int, Field]]:
        """Iterate over the declarations of a value's type: as an input, an output or inside."""
        numbers = self.numbers
        fields = [numbers.value_info]
        fields += [] if self.is_function else [numbers.input, numbers.output]
        for number in fields:
            yield from ((number, each) for each in self.named(number, INFO_NAME, name))

    def initializers(self, name: str) -> list[Field]:
        if self.is_function:
            return []
        found = self.named(self.numbers.initializer, encode.TENSOR_NAME, name)
        if found:
            return found
        sparse = self.message.all(self.numbers.sparse)
        return [each for each in sparse if sparse_name(each) == name]


def sparse_name(field: Field) -> str | None:
    values = field.open().all(1)
    return values[-1].open().text(encode.TENSOR_NAME) if values else None


class EditedModel:
    """The message of a file, opened where edits need it."""

    def __init__(self, model: Model, message: EditedMessage) -> None:
        self.model = model
        self.message = message
        self._graphs: dict[Graph, EditedGraph] = {}

    def graph(self, graph: Graph) -> EditedGraph:
        if graph not in self._graphs:
            self._graphs[graph] = EditedGraph(graph, self._message_of(graph))
        return self._graphs[graph]

    def node(self, node: Node) -> EditedMessage:
        return self.field_of(node).open()

    def field_of(self, node: Node) -> Field:
        return self.graph(node.graph).nodes[node.index]

    def _message_of(self, graph: Graph) -> EditedMessage:
        if graph.parent is not None:
            return subgraph(self.node(graph.parent), graph.key)
        if graph is self.model.graph:
            graphs = self.message.all(MODEL_GRAPH)
            if len(graphs) != 1:
                raise EditError("the file repeats a field that it should have once")
            return graphs[0].open()
        return self.function(graph).open()

    def function(self, body: Graph) -> Field:
        key = next((key for key, each in self.model.functions.items() if each is body), None)
        if key is None:
            raise EditError("a graph that is not in the file")
        for field in reversed(self.message.all(MODEL_FUNCTIONS)):
            proto = field.open()
            stated = (domain_of(proto.text(10) or ""), proto.text(1) or "", proto.text(13) or "")
            if stated == key:
                return field
        raise EditError(f"function {key[1]!r} is not in the file")


def put(message: EditedMessage, number: int, old: list[Field], new: bytes | None) -> None:
    """Let one field hold the new content, where the old ones are, or none."""
    if old and new is not None:
        old[0].hold(new)
        drop(old[1:])
    elif new is not None:
        message.add(new_field(number, new))
    else:
        drop(old)


def drop(fields: Iterable[Field]) -> None:
    for field in fields:
        field.is_dropped = True


def subgraph(node: EditedMessage, key: str) -> EditedMessage:
    """Find the graph among a node's attributes that the view calls by a key."""
    taken: dict[str, EditedMessage] = {}
    for field in node.all(NODE_ATTRIBUTE):
        attribute = field.open()
        name = usual_name(attribute.text(ATTRIBUTE_NAME) or "")
        found = [(name, each) for each in attribute.all(ATTRIBUTE_GRAPH)]
        graphs = attribute.all(ATTRIBUTE_GRAPHS)
        found += [(f"{name}[{place}]", each) for place, each in enumerate(graphs)]
        for label, each in found:
            unique = label if label not in taken else f"{label}#{len(taken)}"
            taken[unique] = each.open()
    if key not in taken:
        raise EditError(f"subgraph {key!r} is not in the file")
    return taken[key]
