"""Carrying out of edits on the messages of an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from modellint.formats.onnx.build import domain_of
from modellint.formats.onnx.edit import encode
from modellint.formats.onnx.edit.message import EditedMessage, Field, Piece, new_field
from modellint.formats.onnx.edit.resolution import (
    Inserted,
    New,
    Resolution,
)
from modellint.formats.onnx.facts import FIRST_WITH_DEFAULTS, onnx_facts
from modellint.formats.onnx.names import usual_name
from modellint.model import DType, Graph, Model, Node, Shape, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    GraphEdit,
    RemoveFunction,
    RemoveInput,
    RemoveOutput,
    Rename,
    Reorder,
    SetAttribute,
    SetMetadata,
    SetOperator,
    SetOpset,
    SetShape,
    SetTensor,
    SetType,
)
from modellint.native import messages

MODEL_GRAPH, MODEL_OPSETS, MODEL_METADATA, MODEL_FUNCTIONS = 7, 8, 14, 25
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP_TYPE, NODE_ATTRIBUTE = 1, 2, 3, 4, 5
NODE_DOMAIN, NODE_METADATA = 7, 9
ATTRIBUTE_NAME, ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS = 1, 6, 11
INFO_NAME = 1
ANNOTATION_TENSOR, ANNOTATION_PARAMETERS = 1, 2


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
        """Iterate over what states the type of a value: as an input, an output or inside."""
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
        return [each for each in sparse if _sparse_name(each) == name]


def _sparse_name(field: Field) -> str | None:
    values = field.open().all(1)
    return values[-1].open().text(encode.TENSOR_NAME) if values else None


class Editor:
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
            return _subgraph(self.node(graph.parent), graph.key)
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

    # Carrying out

    def carry_out(self, resolution: Resolution) -> None:
        other: dict[type, Callable[[Any], None]] = {
            SetAttribute: self._set_attribute,
            SetOperator: self._set_operator,
            SetTensor: self._set_tensor,
            SetShape: self._set_shape,
            SetType: self._set_type,
            RemoveInput: lambda edit: self._remove_info(edit.value, "input"),
            RemoveOutput: lambda edit: self._remove_info(edit.value, "output"),
            RemoveFunction: lambda edit: _drop([self.function(edit.body)]),
            SetMetadata: self._set_metadata,
            SetOpset: self._set_opset,
        }
        edits = [edit for fix in resolution.fixes for edit in fix.edits]
        for edit in edits:
            if type(edit) in other:
                other[type(edit)](edit)
        _Rewiring(self, resolution).apply()
        self._arrange(resolution, edits)
        for edit in edits:
            if isinstance(edit, Rename) and not isinstance(edit.place, Value):
                self._rename(edit.place, edit.name)

    def _set_attribute(self, edit: SetAttribute) -> None:
        message = self.node(edit.node)
        old = [
            each
            for each in message.all(NODE_ATTRIBUTE)
            if each.open().text(ATTRIBUTE_NAME) == edit.name
        ]
        new = encode.attribute(edit.name, edit.value) if edit.value is not None else None
        _put(message, NODE_ATTRIBUTE, old, new)

    def _set_operator(self, edit: SetOperator) -> None:
        message = self.node(edit.node)
        message.set_text(NODE_OP_TYPE, edit.op_type)
        message.set_text(NODE_DOMAIN, edit.domain)

    def _set_tensor(self, edit: SetTensor) -> None:
        value = edit.value
        if value.producer is not None:  # what a Constant node holds
            attribute = encode.value_attribute(edit.dtype, edit.shape, edit.elements)
            self.node(value.producer).set(NODE_ATTRIBUTE, [new_field(NODE_ATTRIBUTE, *attribute)])
            return
        content = encode.tensor_fields("", edit.dtype, edit.shape, edit.elements)
        found = self.graph(value.graph).named(5, encode.TENSOR_NAME, value.name)
        if len(found) != 1:
            raise EditError(f"{value.name!r} is not stored as usual")
        message = found[0].open()
        kept = [each for each in message.fields if each.number not in _CONTENT]
        message.fields = sorted([*content, *kept], key=lambda field: field.number)

    def _set_shape(self, edit: SetShape) -> None:
        self._state(edit.value, None, edit.shape, keeps_shape=False)

    def _set_type(self, edit: SetType) -> None:
        self._state(edit.value, edit.dtype, None, keeps_shape=True)

    def _state(
        self, value: Value, dtype: DType | None, shape: Shape | None, *, keeps_shape: bool
    ) -> None:
        graph = self.graph(value.graph)
        found = list(graph.infos(value.name))
        for number, field in found:
            if shape is None and not keeps_shape and number == graph.numbers.value_info:
                field.is_dropped = True
                continue
            info = messages().ValueInfoProto.FromString(field.open().encoded())
            if info.type.WhichOneof("value") not in (None, "tensor_type"):
                raise EditError(f"{value.name!r} is not a tensor")
            encode.set_type(info, dtype, shape, keeps_shape=keeps_shape)
            field.hold(info.SerializeToString())
        stated = dtype or value.dtype
        if not found and shape is not None and stated is not None:
            info = messages().ValueInfoProto(name=value.name)
            encode.set_type(info, stated, shape, keeps_shape=False)
            graph.message.add(new_field(graph.numbers.value_info, info.SerializeToString()))

    def _remove_info(self, value: Value, kind: str) -> None:
        graph = self.graph(value.graph)
        number = getattr(graph.numbers, kind)
        if graph.is_function:
            raise EditError("the inputs and outputs of functions stay")
        found = graph.named(number, INFO_NAME, value.name)
        if not found:
            raise EditError(f"{value.name!r} is not an {kind}")
        _drop(found)

    def _set_metadata(self, edit: SetMetadata) -> None:
        if isinstance(edit.place, Node):
            message, number = self.node(edit.place), NODE_METADATA
        elif isinstance(edit.place, Graph):
            graph = self.graph(edit.place)
            message, number = graph.message, graph.numbers.metadata
        else:
            message, number = self.message, MODEL_METADATA
        found = [each for each in message.all(number) if each.open().text(1) == edit.key]
        new = None
        if edit.value is not None:
            entry = messages().StringStringEntryProto(key=edit.key, value=edit.value)
            new = entry.SerializeToString()
        _put(message, number, found, new)

    def _set_opset(self, edit: SetOpset) -> None:
        message, number = self.message, MODEL_OPSETS
        if edit.body is not None:
            message, number = self.function(edit.body).open(), 9
        found = [
            each
            for each in message.all(number)
            if domain_of(each.open().text(1) or "") == edit.domain
        ]
        new = None
        if edit.version is not None:
            entry = messages().OperatorSetIdProto(domain=edit.domain, version=edit.version)
            new = entry.SerializeToString()
        _put(message, number, found, new)

    def _rename(self, place: Node | Graph, name: str) -> None:
        if isinstance(place, Node):
            self.node(place).set_text(NODE_NAME, name)
        else:
            graph = self.graph(place)
            if graph.is_function:
                raise EditError("the names of functions stay")
            graph.message.set_text(graph.numbers.name, name)

    # The nodes of a graph

    def _arrange(self, resolution: Resolution, edits: Iterable[GraphEdit]) -> None:
        """Take out nodes, put in new ones, and reorder them."""
        orders = {edit.graph: edit.nodes for edit in edits if isinstance(edit, Reorder)}
        inserted: dict[Graph, list[Inserted]] = {}
        for new in resolution.inserted:
            inserted.setdefault(new.graph, []).append(new)
        removed: dict[Graph, list[Node]] = {}
        for node in resolution.removed:
            removed.setdefault(node.graph, []).append(node)
        ends: dict[Graph, list[Field]] = {}
        for output, target in resolution.identities:
            names = ([resolution.name(target)], [output.name])
            identity = encode.node("Identity", "", resolution.unique("Identity"), *names, {})
            graph = self.graph(output.graph)
            ends.setdefault(output.graph, []).append(new_field(graph.numbers.node, identity))
        constants = self._add_tensors(resolution)
        changed = [*orders, *inserted, *removed, *ends, *constants]
        for each in dict.fromkeys(changed):
            if each.parent is not None and resolution.is_gone(each.parent):
                continue
            graph, number = self.graph(each), self.graph(each).numbers.node
            before: dict[Field | None, list[Field]] = {}
            for new in inserted.get(each, ()):
                place = self.field_of(new.before) if new.before is not None else None
                encoded = new_field(number, self._new_node(new, resolution))
                before.setdefault(place, []).append(encoded)
            before.setdefault(None, []).extend(ends.get(each, ()))
            if each in constants:
                first = graph.nodes[0] if graph.nodes else None
                before[first] = constants[each] + before.get(first, [])
            order = [graph.nodes[node.index] for node in orders.get(each, ())]
            _drop(graph.nodes[node.index] for node in removed.get(each, ()))
            graph.message.fields = list(_arranged(graph.message.fields, graph.nodes, order, before))

    def _add_tensors(self, resolution: Resolution) -> dict[Graph, list[Field]]:
        """Store new constants; functions and old files, which cannot, get Constant nodes."""
        is_old = (onnx_facts(self.model).ir_version or 0) < FIRST_WITH_DEFAULTS
        constants: dict[Graph, list[Field]] = {}
        stored: dict[Graph, list[Field]] = {}
        for new, edit in resolution.tensors.items():
            graph, name = self.graph(edit.graph), resolution.name(new)
            if not (graph.is_function or is_old):
                fields = encode.tensor_fields(name, edit.dtype, edit.shape, edit.elements)
                pieces = [piece for field in fields for piece in field.pieces()]
                stored.setdefault(edit.graph, []).append(new_field(5, *pieces))
            else:
                node = new_field(graph.numbers.node, *_constant_node(name, edit))
                constants.setdefault(edit.graph, []).append(node)
        for each, tensors in stored.items():
            self.graph(each).message.add(*tensors)
        return constants

    def _new_node(self, new: Inserted, resolution: Resolution) -> bytes:
        node, graph = new.node, new.graph
        inputs = [resolution.operand(operand, new.fix) for operand in node.inputs]
        for value in inputs:
            if value is not None and not resolution.is_visible(value, graph):
                raise EditError(f"{value.name!r} cannot be read there", resolution.fixes[new.fix])
        outputs = [
            New(new.fix, output) if isinstance(output, str) else output for output in node.outputs
        ]
        names = (list(map(resolution.name, inputs)), list(map(resolution.name, outputs)))
        name = resolution.unique(node.name) if node.name else ""
        if node.like is None:
            return encode.node(node.op_type, node.domain, name, *names, node.attributes)
        message = self._copy_of(node.like)
        for number, texts in zip((NODE_INPUT, NODE_OUTPUT), names, strict=True):
            message.set(number, [new_field(number, text.encode()) for text in texts])
        message.set_text(NODE_NAME, name)
        message.set_text(NODE_OP_TYPE, node.op_type)
        message.set_text(NODE_DOMAIN, node.domain)
        for key, given in node.attributes.items():
            stated = [each for each in message.all(NODE_ATTRIBUTE) if each.open().text(1) == key]
            _put(message, NODE_ATTRIBUTE, stated, encode.attribute(key, given))
        return message.encoded()

    def _copy_of(self, node: Node) -> EditedMessage:
        content = self.field_of(node).content
        return EditedMessage(content, 0, len(content))


_CONTENT = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14})
"""Fields of a TensorProto that are its content, rather than what it is called."""


class _Rewiring:
    """Changes what nodes read, and what values are called."""

    def __init__(self, editor: Editor, resolution: Resolution) -> None:
        self.editor = editor
        self.resolution = resolution

    def apply(self) -> None:
        resolution = self.resolution
        touched = [*resolution.replaced, *(v for v in resolution.names if isinstance(v, Value))]
        readers = {use.node for value in touched for use in value.consumers}
        readers.update(resolution.redirected)
        for node in readers:
            if not resolution.is_gone(node):
                self._rewire(node)
        for value in touched:
            self._rename_outputs(value)
        for renamed in resolution.names:
            if isinstance(renamed, Value):
                self._rename(renamed)
        for node in resolution.removed:
            self._forget(value for value in node.outputs if value is not None)
        for value in resolution.dropped:
            self._drop(value)

    def _rewire(self, node: Node) -> None:
        resolution, message = self.resolution, self.editor.node(node)
        inputs = resolution.inputs_of(node)
        for at, value in enumerate(inputs):
            is_other = value is not None and value is not node.input(at)
            if value is not None and is_other and not resolution.is_visible(value, node.graph):
                raise EditError(f"{resolution.name(value)!r} cannot be read in a subgraph")
        names = [resolution.name(value) for value in inputs]
        while names and not names[-1] and len(names) > len(node.inputs):
            names.pop()
        self._set_names(message, NODE_INPUT, names)

    def _set_names(self, message: EditedMessage, number: int, names: list[str]) -> None:
        old = message.all(number)
        if [each.content for each in old] != [name.encode() for name in names]:
            message.set(number, [new_field(number, name.encode()) for name in names])

    def _rename_outputs(self, value: Value) -> None:
        """Let inner graphs that return an outer value return what it has become."""
        resolution = self.resolution
        if not value.is_output:
            return
        for graph in self.editor.model.graphs(functions=True):
            if graph is value.graph or value not in graph.outputs:
                continue
            if graph.parent is not None and resolution.is_gone(graph.parent):
                continue
            target = resolution.final(value)
            if not resolution.is_visible(target, graph):
                raise EditError(f"{resolution.name(target)!r} cannot be returned by a subgraph")
            edited = self.editor.graph(graph)
            for field in edited.named(edited.numbers.output, INFO_NAME, value.name):
                field.open().set_text(INFO_NAME, resolution.name(target))

    def _rename(self, value: Value) -> None:
        """Use a value's new name where it is made and stated."""
        resolution, graph = self.resolution, self.editor.graph(value.graph)
        name = resolution.names[value]
        if value.producer is not None and value.producer not in resolution.removed:
            outputs = [resolution.name(each) for each in value.producer.outputs]
            self._set_names(self.editor.node(value.producer), NODE_OUTPUT, outputs)
        takes_over = value.graph.values.get(name) not in (None, value)
        for number, field in list(graph.infos(value.name)):
            if takes_over and number == graph.numbers.value_info:
                field.is_dropped = True
            else:
                field.open().set_text(INFO_NAME, name)
        if graph.is_function:
            self._rename_in_function(graph, value.name, name)
            return
        if value.is_initializer:
            for field in graph.initializers(value.name):
                tensor = field.open()
                if field.number == graph.numbers.sparse:
                    tensor = tensor.all(1)[-1].open()
                tensor.set_text(encode.TENSOR_NAME, name)
        for field in graph.named(graph.numbers.annotation, ANNOTATION_TENSOR, value.name):
            field.open().set_text(ANNOTATION_TENSOR, name)
        for field in graph.message.all(graph.numbers.annotation):
            for entry in field.open().all(ANNOTATION_PARAMETERS):
                if entry.open().text(2) == value.name:
                    entry.open().set_text(2, name)

    def _rename_in_function(self, graph: EditedGraph, old: str, new: str) -> None:
        for number in (graph.numbers.input, graph.numbers.output):
            for field in graph.message.all(number):
                if field.content == old.encode():
                    field.hold(new.encode())

    def _forget(self, values: Iterable[Value]) -> None:
        """Drop the stated types of values that are no longer there."""
        made = {
            value
            for new in self.resolution.inserted
            for value in new.node.outputs
            if isinstance(value, Value)
        }
        for value in values:
            parent = value.graph.parent
            if value in made or (parent is not None and self.resolution.is_gone(parent)):
                continue
            graph = self.editor.graph(value.graph)
            _drop(graph.named(graph.numbers.value_info, INFO_NAME, value.name))

    def _drop(self, value: Value) -> None:
        if value.producer is not None:
            raise EditError(f"{value.name!r} is not an initializer")
        graph = self.editor.graph(value.graph)
        found = graph.initializers(value.name)
        if len(found) != 1:
            raise EditError(f"{value.name!r} is stored {len(found)} times")
        _drop(found)
        _drop(graph.named(graph.numbers.value_info, INFO_NAME, value.name))
        if value.is_input:
            _drop(graph.named(graph.numbers.input, INFO_NAME, value.name))


def _put(message: EditedMessage, number: int, old: list[Field], new: bytes | None) -> None:
    """Let one field hold the new content, where the old ones are, or none."""
    if old and new is not None:
        old[0].hold(new)
        _drop(old[1:])
    elif new is not None:
        message.add(new_field(number, new))
    else:
        _drop(old)


def _drop(fields: Iterable[Field]) -> None:
    for field in fields:
        field.is_dropped = True


def _arranged(
    fields: list[Field],
    nodes: list[Field],
    order: list[Field],
    before: dict[Field | None, list[Field]],
) -> Iterator[Field]:
    """Reorder a graph's nodes among their places, and put new ones before them and at the end."""
    ordered = iter(order)
    places = {id(field) for field in nodes}
    left = len(nodes)
    if not left:
        yield from before.get(None, ())
    for field in fields:
        if id(field) not in places:
            yield field
            continue
        node = next(ordered, field)
        yield from before.get(node, ())
        yield node
        left -= 1
        if not left:
            yield from before.get(None, ())


def _subgraph(node: EditedMessage, key: str) -> EditedMessage:
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


def _constant_node(name: str, edit: AddTensor) -> Iterator[Piece]:
    value = encode.value_attribute(edit.dtype, edit.shape, edit.elements)
    yield from new_field(NODE_OUTPUT, name.encode()).pieces()
    yield from new_field(NODE_OP_TYPE, b"Constant").pieces()
    yield from new_field(NODE_ATTRIBUTE, *value).pieces()
