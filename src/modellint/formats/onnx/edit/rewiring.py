"""Inputs and names of values after an edit of a graph."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.formats.onnx.edit import encode
from modellint.formats.onnx.edit.edited import (
    INFO_NAME,
    NODE_INPUT,
    NODE_OUTPUT,
    EditedGraph,
    EditedModel,
    drop,
)
from modellint.formats.onnx.edit.message import EditedMessage, new_field
from modellint.formats.onnx.edit.resolution import Resolution
from modellint.model import Node, Value
from modellint.model.edits import EditError

ANNOTATION_TENSOR, ANNOTATION_PARAMETERS = 1, 2


class Rewiring:
    """Changes what nodes read, and what values are called."""

    def __init__(self, edited: EditedModel, resolution: Resolution) -> None:
        self.edited = edited
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
        resolution, message = self.resolution, self.edited.node(node)
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
        """Let inner graphs that return an outer value return its replacement."""
        resolution = self.resolution
        if not value.is_output:
            return
        for graph in self.edited.model.graphs(functions=True):
            if graph is value.graph or value not in graph.outputs:
                continue
            if graph.parent is not None and resolution.is_gone(graph.parent):
                continue
            target = resolution.final(value)
            if not resolution.is_visible(target, graph):
                raise EditError(f"{resolution.name(target)!r} cannot be returned by a subgraph")
            edited = self.edited.graph(graph)
            for field in edited.named(edited.numbers.output, INFO_NAME, value.name):
                field.open().set_text(INFO_NAME, resolution.name(target))

    def _rename(self, value: Value) -> None:
        """Use a value's new name where it is made and stated."""
        resolution, graph = self.resolution, self.edited.graph(value.graph)
        name = resolution.names[value]
        if value.producer is not None and value.producer not in resolution.removed:
            outputs = [resolution.name(each) for each in value.producer.outputs]
            self._set_names(self.edited.node(value.producer), NODE_OUTPUT, outputs)
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
            graph = self.edited.graph(value.graph)
            drop(graph.named(graph.numbers.value_info, INFO_NAME, value.name))

    def _drop(self, value: Value) -> None:
        if value.producer is not None:
            raise EditError(f"{value.name!r} is not an initializer")
        graph = self.edited.graph(value.graph)
        found = graph.initializers(value.name)
        if len(found) != 1:
            raise EditError(f"{value.name!r} is stored {len(found)} times")
        drop(found)
        drop(graph.named(graph.numbers.value_info, INFO_NAME, value.name))
        if value.is_input:
            drop(graph.named(graph.numbers.input, INFO_NAME, value.name))
