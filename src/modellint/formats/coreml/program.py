"""ML programs: operations of the model intermediate language (MIL), as a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from modellint.base.records import dataclass
from modellint.base.text import bounded
from modellint.formats.coreml.translate import Argument, translate
from modellint.formats.coreml.values import Constant, ValueReader, ValueType, value_type
from modellint.formats.problems import MalformedError, Problems
from modellint.formats.protobuf import Message
from modellint.formats.wiring import Wiring
from modellint.model import Dim, Graph, Model, Node, Value

CONST = "const"
MAIN = "main"
FUNCTIONS = 2
MOST_DEPTH = 16
"""Limit on blocks in blocks. Real programs have a condition in a loop, at most."""
NAME = "name"


@dataclass(slots=True)
class _Scope:
    """Names that the operations of a block may refer to."""

    wiring: Wiring
    outer: _Scope | None = None
    values: dict[str, Value] = field(default_factory=dict)
    parameters: dict[str, Constant] = field(default_factory=dict)
    depth: int = 0

    def value(self, name: str) -> Value | None:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.outer
        return None

    def parameter(self, name: str) -> Constant | None:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.parameters:
                return scope.parameters[name]
            if name in scope.values:
                return None
            scope = scope.outer
        return None


class ProgramReader:
    """Reads the functions of one program."""

    def __init__(self, model: Model, values: ValueReader, problems: Problems) -> None:
        self.model = model
        self.values = values
        self.problems = problems
        self.types: dict[Node, str] = {}
        self.opset = ""
        self._parameters: list[Value] = []
        """Constants that became attributes."""

    def read(self, program: Message, main: str = MAIN) -> dict[str, Graph]:
        """Return the graphs of all functions by name; the main one is the model's."""
        functions = dict(program.entries(FUNCTIONS))
        if not functions:
            raise MalformedError("corrupt", "an ML program without functions")
        chosen = next((name for name in (main, MAIN) if name in functions), next(iter(functions)))
        graphs = {}
        for name in sorted(functions, key=lambda name: name != chosen):
            graph = Graph(self.model, bounded(name))
            self._function(functions[name], graph)
            graphs[graph.name] = graph
        self.model.graph = graphs[bounded(chosen)]
        for value in self._parameters:
            del value.graph.values[value.name]
        self.values.forget(self._parameters)
        return graphs

    def _function(self, function: Message, graph: Graph) -> None:
        scope = _Scope(Wiring(graph))
        for described in function.messages(1):
            value = self._value(scope, described)
            scope.wiring.input(value)
        blocks = dict(function.entries(3))
        opset = function.text(2)
        self.opset = self.opset or bounded(opset)
        block = blocks.get(opset) or next(iter(blocks.values()), None)
        if block is None:
            raise MalformedError("corrupt", "a function without operations")
        self._block(block, scope)

    def _block(self, block: Message, scope: _Scope) -> None:
        for described in block.messages(1):
            scope.wiring.input(self._value(scope, described))
        for operation in block.messages(3):
            self._operation(operation, scope)
        for name in block.texts(2):
            value = scope.value(bounded(name))
            if value is None:
                value = self._undefined(scope, bounded(name), None)
            scope.wiring.output(value)
        graph = scope.wiring.graph
        self._parameters += [
            value
            for value in graph.initializers
            if not value.consumers and not value.is_output  # an attribute by now
        ]

    def _value(self, scope: _Scope, described: Message, by: str = "input") -> Value:
        """Add a value by its name and type, produced by `by`."""
        name = bounded(described.text(1))
        value = scope.wiring.value(name)
        _declare(value, value_type(described.message(2)))
        if name in scope.values:
            self.problems.note(
                "duplicate-value",
                at=value.name,
                value=name,
                node=name,
                op=by,
                graph=scope.wiring.graph.path,
            )
        scope.values[name] = value
        return value

    def _operation(self, operation: Message, scope: _Scope) -> None:
        kind = bounded(operation.text(1))
        attributes = dict(operation.entries(5))
        if kind == CONST:
            self._constant(operation, attributes, scope)
            return
        arguments = self._arguments(operation, scope, kind)
        label = attributes.get(NAME)
        name = self.values.parameter(label) if label is not None else None
        for key, stated in attributes.items():
            if key != NAME:
                arguments.setdefault(key, []).append(self._attribute(scope, key, stated, name))
        outputs = [self._value(scope, each, kind) for each in operation.messages(3)]
        common = translate(kind, arguments, outputs)
        label_text = name if isinstance(name, str) else ""
        node = scope.wiring.node(common.op_type, common.domain, label_text, common.inputs, outputs)
        node.attributes = common.attributes
        self.types[node] = kind
        blocks = operation.messages(4)
        if blocks:
            self._bodies(node, blocks, scope)

    def _bodies(self, node: Node, blocks: list[Message], scope: _Scope) -> None:
        if scope.depth >= MOST_DEPTH:
            detail = f"more than {MOST_DEPTH} nested blocks"
            raise MalformedError("too-deep", detail, limit=MOST_DEPTH)
        subgraphs: dict[str, Graph] = {}
        for at, block in enumerate(blocks):
            key = f"block{at}"
            subgraphs[key] = graph = Graph(self.model, "", node, key)
            node.subgraphs = subgraphs
            self._block(block, _Scope(Wiring(graph), scope, depth=scope.depth + 1))

    def _constant(
        self, operation: Message, attributes: Mapping[str, Message], scope: _Scope
    ) -> None:
        for described in operation.messages(3)[:1]:
            value = self._value(scope, described, CONST)
            content = attributes.get("val")
            if content is None:
                continue
            parameter = self.values.parameter(content)
            if parameter is not None:
                scope.parameters[bounded(described.text(1))] = parameter
            tensor = self.values.tensor(value.name, content)
            if tensor is not None:
                value.store(tensor)

    def _arguments(self, operation: Message, scope: _Scope, kind: str) -> dict[str, list[Argument]]:
        return {
            bounded(key): [self._binding(scope, each, key, kind) for each in argument.messages(1)]
            for key, argument in operation.entries(2)
        }

    def _binding(self, scope: _Scope, binding: Message, key: str, kind: str) -> Argument:
        inline = binding.message(2)
        if inline is not None:
            return self._attribute(scope, key, inline, kind)
        name = bounded(binding.text(1))
        value = scope.value(name)
        if value is None:
            value = self._undefined(scope, name, kind)
        return Argument(value, scope.parameter(name))

    def _attribute(
        self, scope: _Scope, key: str, stated: Message, owner: Constant | None
    ) -> Argument:
        """Return a value that an operation has of its own, without a name."""
        parameter = self.values.parameter(stated)
        tensor = self.values.tensor(f"{owner}.{key}", stated)
        if tensor is None:
            return Argument(None, parameter)
        value = scope.wiring.value(tensor.name)
        value.store(tensor)
        return Argument(value, parameter)

    def _undefined(self, scope: _Scope, name: str, kind: str | None) -> Value:
        value = scope.values[name] = scope.wiring.value(name)
        facts = {"value": name, "node": kind, "op": kind, "graph": scope.wiring.graph.path}
        self.problems.note("undefined-value", at=value.name, **facts)
        return value


def _declare(value: Value, type: ValueType) -> None:
    if type.kind == "list":
        value.type_name = "sequence"
    value.declare(type.dtype, type.shape and tuple(map(_possible, type.shape)))


def _possible(dim: Dim) -> Dim:
    """Return a size, or an open dim if the size exceeds what other readers can count."""
    return None if isinstance(dim, int) and dim < 0 else dim
