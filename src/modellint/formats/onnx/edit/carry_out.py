"""Carrying out of edits on the messages of an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from modellint.formats.onnx.build import domain_of
from modellint.formats.onnx.edit import encode
from modellint.formats.onnx.edit.edited import (
    ATTRIBUTE_NAME,
    INFO_NAME,
    MODEL_METADATA,
    MODEL_OPSETS,
    NODE_ATTRIBUTE,
    NODE_INPUT,
    NODE_NAME,
    NODE_OP_TYPE,
    NODE_OUTPUT,
    EditedModel,
    drop,
    put,
)
from modellint.formats.onnx.edit.message import EditedMessage, Field, Piece, new_field
from modellint.formats.onnx.edit.resolution import Inserted, New, Resolution
from modellint.formats.onnx.edit.rewiring import Rewiring
from modellint.formats.onnx.facts import FIRST_WITH_DEFAULTS, onnx_facts
from modellint.model import DType, Graph, Node, Shape, Value
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

NODE_DOMAIN, NODE_METADATA = 7, 9


class Editor(EditedModel):
    """Carries out resolved edits."""

    def carry_out(self, resolution: Resolution) -> None:
        other: dict[type, Callable[[Any], None]] = {
            SetAttribute: self._set_attribute,
            SetOperator: self._set_operator,
            SetTensor: self._set_tensor,
            SetShape: self._set_shape,
            SetType: self._set_type,
            RemoveInput: lambda edit: self._remove_info(edit.value, "input"),
            RemoveOutput: lambda edit: self._remove_info(edit.value, "output"),
            RemoveFunction: lambda edit: drop([self.function(edit.body)]),
            SetMetadata: self._set_metadata,
            SetOpset: self._set_opset,
        }
        edits = [edit for fix in resolution.fixes for edit in fix.edits]
        for edit in edits:
            if type(edit) in other:
                other[type(edit)](edit)
        Rewiring(self, resolution).apply()
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
        put(message, NODE_ATTRIBUTE, old, new)

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
        drop(found)

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
        put(message, number, found, new)

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
        put(message, number, found, new)

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
            drop(graph.nodes[node.index] for node in removed.get(each, ()))
            graph.message.fields = list(arranged(graph.message.fields, graph.nodes, order, before))

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
                node = new_field(graph.numbers.node, *constant_node(name, edit))
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
            put(message, NODE_ATTRIBUTE, stated, encode.attribute(key, given))
        return message.encoded()

    def _copy_of(self, node: Node) -> EditedMessage:
        content = self.field_of(node).content
        return EditedMessage(content, 0, len(content))


_CONTENT = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14})
"""Fields of a TensorProto that are its content, rather than its name."""


def arranged(
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


def constant_node(name: str, edit: AddTensor) -> Iterator[Piece]:
    value = encode.value_attribute(edit.dtype, edit.shape, edit.elements)
    yield from new_field(NODE_OUTPUT, name.encode()).pieces()
    yield from new_field(NODE_OP_TYPE, b"Constant").pieces()
    yield from new_field(NODE_ATTRIBUTE, *value).pieces()
