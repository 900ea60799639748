"""Fates of nodes and values when several fixes are carried out together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from modellint.formats.onnx.facts import FIRST_WITH_DEFAULTS, onnx_facts
from modellint.model import Graph, Model, Node, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    Operand,
    RemoveNodes,
    RemoveOutput,
    RemoveTensor,
    Rename,
    Replace,
    SetInput,
)
from modellint.operators import Trait, having


class New(NamedTuple):
    """A value that a fix makes, under the name that it has in that fix."""

    fix: int
    name: str


Resolved = Value | New | None


class Inserted(NamedTuple):
    """A node that a fix inserts."""

    fix: int
    graph: Graph
    before: Node | None
    node: NewNode


class Resolution:
    """The fixes of one round, seen together."""

    def __init__(self, model: Model, fixes: Sequence[Fix]) -> None:
        self.model = model
        self.fixes = fixes
        self.removed: set[Node] = set()
        self.dropped: set[Value] = set()
        """Initializers that go."""
        self.inserted: list[Inserted] = []
        self.tensors: dict[New, AddTensor] = {}
        self.names: dict[Value | New, str] = {}
        """New names of values."""
        self.identities: list[tuple[Value, Resolved]] = []
        """Graph outputs that need an Identity to keep their name, and its input."""
        self._replaced: dict[Value, tuple[int, Value | New]] = {}
        self._redirected: dict[Node, dict[int, tuple[int, Resolved]]] = {}
        self._made: dict[New, Graph] = {}
        self._returned_less: set[Value] = set()
        self._taken = {name for graph in model.graphs(functions=True) for name in graph.values}
        self._taken |= {node.name for node in model.nodes(functions=True)}
        for at, fix in enumerate(fixes):
            for edit in fix.edits:
                try:
                    self._note(at, edit)
                except EditError as error:
                    raise EditError(str(error), fix) from error
        self._stands_for = self._found_to_stand_for()
        self._read_by_new = {
            value
            for new in self.inserted
            for operand in new.node.inputs
            if isinstance(value := self.operand(operand, new.fix), Value)
        }
        self._sweep()
        self._keep_output_names()
        self._name_the_new()
        self._require_complete()

    def _note(self, at: int, edit: GraphEdit) -> None:
        if isinstance(edit, RemoveNodes):
            self.removed.update(edit.nodes)
        elif isinstance(edit, Replace):
            by = self._own(at, edit.by)
            assert by is not None
            if edit.uses is None:
                self._replaced[edit.value] = (at, by)
            for use in edit.uses or ():
                self._redirected.setdefault(use.node, {})[use.index] = (at, by)
        elif isinstance(edit, SetInput):
            target = self._own(at, edit.value)
            self._redirected.setdefault(edit.node, {})[edit.index] = (at, target)
        elif isinstance(edit, InsertNodes):
            for node in edit.nodes:
                self.inserted.append(Inserted(at, edit.graph, edit.before, node))
                for output in node.outputs:
                    if isinstance(output, str):
                        self._made[New(at, output)] = edit.graph
        elif isinstance(edit, AddTensor):
            new = New(at, edit.name)
            self.tensors[new] = edit
            self._made[new] = edit.graph
        elif isinstance(edit, RemoveTensor):
            self.dropped.add(edit.value)
        elif isinstance(edit, RemoveOutput):
            self._returned_less.add(edit.value)
        elif isinstance(edit, Rename) and isinstance(edit.place, Value):
            self.names[edit.place] = edit.name

    def _own(self, at: int, operand: Operand) -> Resolved:
        return New(at, operand) if isinstance(operand, str) else operand

    # What is read in the end

    def operand(self, operand: Operand, by: int) -> Resolved:
        """Return the inputs of a fix's new node, after the replacements of other fixes."""
        own = self._own(by, operand)
        return self.final(own, by) if isinstance(own, Value) else own

    def read(self, node: Node, index: int) -> Resolved:
        """Return the final inputs of a node of the model."""
        redirected = self._redirected.get(node, {}).get(index)
        if redirected is not None:
            by, target = redirected
            return self.final(target, by) if isinstance(target, Value) else target
        value = node.input(index)
        return self.final(value) if value is not None else None

    def inputs_of(self, node: Node) -> list[Resolved]:
        places = (len(node.inputs), *(index + 1 for index in self._redirected.get(node, ())))
        return [self.read(node, at) for at in range(max(places))]

    def final(self, value: Value, besides: int | None = None) -> Value | New:
        """Follow replacements, except those of the fix that the reader belongs to."""
        seen: set[Value] = set()
        found: Value | New = value
        while isinstance(found, Value) and found in self._replaced:
            by, target = self._replaced[found]
            if by == besides:
                break
            if found in seen:
                raise EditError(f"{value.name!r} would replace itself", self.fixes[by])
            seen.add(found)
            found = target
        return found

    @property
    def replaced(self) -> Iterable[Value]:
        return self._replaced

    @property
    def redirected(self) -> Iterator[Node]:
        return iter(self._redirected)

    # What goes with it

    def is_gone(self, node: Node) -> bool:
        """Return True if a node is removed, or is inside one that is."""
        inner: Node | None = node
        while inner is not None:
            if inner in self.removed:
                return True
            inner = inner.graph.parent
        return False

    def _sweep(self) -> None:
        """Remove what nothing reads any longer, but something did before."""
        pending = [value for node in self.removed for value in _read_by(node)]
        pending += [value for value in self._replaced if value.consumers]
        for reader, places in self._redirected.items():
            before = (reader.input(index) for index in places)
            pending += [value for value in before if value is not None]
        while pending:
            value = pending.pop()
            if self.is_read(value):
                continue
            if value.is_initializer:
                if self._may_be_dropped(value):
                    self.dropped.add(value)
                continue
            node = value.producer
            if node is None or node in self.removed or not self._is_pure(node):
                continue
            if not any(each is not None and self.is_read(each) for each in node.outputs):
                self.removed.add(node)
                pending += _read_by(node)

    def is_read(self, value: Value) -> bool:
        if value in self._read_by_new:
            return True
        if value.is_output and value not in self._returned_less and not self._is_taken_over(value):
            return True
        places = [(use.node, use.index) for use in value.consumers]
        for other in self._stands_for.get(value, ()):
            if isinstance(other, Value):
                if other.is_output and self._is_taken_over(other):
                    return True
                places += other.consumers
            else:
                places.append(other)
        return any(
            self.read(node, index) is value for node, index in places if not self.is_gone(node)
        )

    def _found_to_stand_for(self) -> dict[Value, list[Value | tuple[Node, int]]]:
        """Return what is read instead of other values, and where instead of any."""
        found: dict[Value, list[Value | tuple[Node, int]]] = {}
        for value in self._replaced:
            target = self.final(value)
            if isinstance(target, Value):
                found.setdefault(target, []).append(value)
        for node, inputs in self._redirected.items():
            for index in inputs:
                read = self.read(node, index)
                if isinstance(read, Value):
                    found.setdefault(read, []).append((node, index))
        return found

    def _is_taken_over(self, output: Value) -> bool:
        """Return True if something else is returned under an output's name."""
        return output in self._replaced and output.producer in self.removed

    def _may_be_dropped(self, value: Value) -> bool:
        facts = onnx_facts(self.model)
        if facts.training:
            return False
        return not value.is_input or (facts.ir_version or 0) < FIRST_WITH_DEFAULTS

    def _is_pure(self, node: Node) -> bool:
        return not node.subgraphs and node.op_type not in having(Trait.WRITES_STATE)

    # Names

    def _keep_output_names(self) -> None:
        """Give an output's name to its replacement, or insert an Identity."""
        for output in list(self._replaced):
            if not (output.is_output and self._is_taken_over(output)):
                continue
            target = self.final(output)
            if target not in self.names and self._may_be_renamed(target, output.graph):
                self.names[target] = self.names.get(output, output.name)
            else:
                self.identities.append((output, target))

    def _may_be_renamed(self, target: Value | New, graph: Graph) -> bool:
        if isinstance(target, New):
            return self._made.get(target) is graph and target not in self.tensors
        is_made = target.producer is not None and not self.is_gone(target.producer)
        return is_made and target.graph is graph and not target.is_output and not target.is_input

    def _name_the_new(self) -> None:
        for new in self._made:
            if new not in self.names:
                self.names[new] = self.unique(new.name)

    def unique(self, name: str) -> str:
        """Return a name that nothing in the model has yet, and take it."""
        base, number = name or "new", 1
        while name in self._taken or not name:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name

    def name(self, value: Resolved) -> str:
        if value is None:
            return ""
        if isinstance(value, New) and value not in self.names:
            raise EditError(f"{value.name!r} is not made", self.fixes[value.fix])
        return self.names.get(value, value.name)

    # Whether it holds together

    def _require_complete(self) -> None:
        made = {
            value for new in self.inserted for value in new.node.outputs if isinstance(value, Value)
        }
        gone = [value for node in self.removed for value in node.outputs if value is not None]
        for value in (*gone, *self.dropped):
            if value not in made and self.is_read(value):
                raise EditError(f"{value.name!r} would be missing", self._cause(value))
        for value in made:
            if value.producer is not None and value.producer not in self.removed:
                raise EditError(f"{value.name!r} would be made twice")

    def _cause(self, value: Value) -> Fix | None:
        """Return the fix that removes a value, if it is the only one to touch it."""
        for fix in self.fixes:
            for edit in fix.edits:
                if isinstance(edit, RemoveNodes) and value.producer in edit.nodes:
                    return fix
                if isinstance(edit, RemoveTensor) and value is edit.value:
                    return fix
        return None

    def is_visible(self, value: Value | New, graph: Graph) -> bool:
        """Return True if a value can be read in a graph under its name."""
        home = self._made.get(value) if isinstance(value, New) else value.graph
        name = self.name(value)
        inner: Graph | None = graph
        while inner is not None and inner is not home:
            if name in inner.values:
                return False  # it means something else there
            inner = inner.parent.graph if inner.parent is not None else None
        return inner is home


def _read_by(node: Node) -> list[Value]:
    """Return the values that a node and its subgraphs read from outside."""
    read = [value for value in node.inputs if value is not None]
    inside = [inner for graph in node.subgraphs.values() for inner in graph.walk()]
    for inner in inside:
        for each in inner.nodes:
            read += [value for value in each.inputs if value is not None]
        read += inner.outputs
    return [value for value in read if value.graph not in inside] if inside else read
