"""The graph of a signature: the operators that it runs, with called functions inlined.

A SavedModel's main graph only calls functions, which call others. The calls are followed, so that
the model's graph has the operators themselves. Branches and loops become subgraphs. Variables are
read at most once, constants and variables are stored values, and operators that return what they
are given are left out, as TensorFlow's own optimizer does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from modellint.base.text import bounded
from modellint.formats.problems import MalformedError, Problems
from modellint.formats.savedmodel.attributes import StatedAttributes
from modellint.formats.savedmodel.bodies import (
    Bodies,
    FunctionBody,
    ResultSource,
    StatedNode,
)
from modellint.formats.savedmodel.results import place_of, result_types
from modellint.formats.savedmodel.translate import translate
from modellint.formats.wiring import Wiring
from modellint.model import DType, Graph, Model, Node, Shape, Tensor, Value

MOST_PARTS = 200_000
"""Nodes, inputs and results that a small file can come to if its functions call each other."""
DEEPEST = 50
"""Maximum number of nested calls."""
CONSTANT, NOTHING = "Const", "NoOp"
FED = frozenset("Placeholder PlaceholderV2 PlaceholderWithDefault".split())
_HANDLES = frozenset("VarHandleOp VariableV2 Variable".split())
_READS = frozenset({"ReadVariableOp"})
_CARRIES = (
    "Identity IdentityN StopGradient PreventGradient Snapshot EnsureShape RefIdentity".split()
)
_COPY = _CARRIES[0], ""
_CALLS = frozenset("PartitionedCall StatefulPartitionedCall TPUPartitionedCall".split())
_BRANCHES = frozenset("If StatelessIf".split())
_CASES = frozenset("Case StatelessCase".split())
_LOOPS = frozenset("While StatelessWhile".split())
_JOINS, _GOES_BACK = "Merge RefMerge".split(), "NextIteration RefNextIteration".split()
"""Operators at which the old form of loops begins again, and those that lead back there."""
Slot = Value | None
"""A result of a node; a variable's handle is the variable."""


class CallFrame(NamedTuple):
    """One call of a function, or the main graph."""

    body: FunctionBody
    wiring: Wiring
    slots: dict[str, Sequence[Slot]]
    """Results so far, by the node's name."""
    callers: tuple[str, ...]
    """Functions that led here."""


class GraphInput(NamedTuple):
    """An input of the graph, and the node that stands for it."""

    name: str
    node: str
    dtype: DType | None
    shape: Shape | None


class GraphReader:
    """Reads into a model what certain results of a file's main graph need."""

    def __init__(
        self,
        model: Model,
        bodies: Bodies,
        problems: Problems,
        constants: Mapping[tuple[str, str], Tensor],
        variables: Mapping[str, Tensor],
    ) -> None:
        self.model = model
        self.bodies = bodies
        self.problems = problems
        self._constants = constants
        """Tensors by the names of their function and node."""
        self._variables = variables
        """Tensors of the checkpoint by the node of their variable."""
        self._main = Wiring(model.graph)
        self._shared: dict[str, Value] = {}
        self._handles: set[Value | None] = set()
        nodes = (node for body in bodies.all() for node in body.nodes.values())
        self._left = MOST_PARTS + sum(1 + len(node.sources) for node in nodes)
        self._reported: set[str] = set()

    def read(self, inputs: Iterable[GraphInput], results: Mapping[str, ResultSource]) -> None:
        """Fill the model's graph with the nodes that compute the results, its outputs."""
        frame = CallFrame(self.bodies.main, self._main, {}, ())
        for each in inputs:
            value = self._main.value(each.name)
            value.declare(each.dtype, each.shape)
            self._main.input(value)
            frame.slots.setdefault(each.node, (value,))
        self._run(frame, results.values())
        for key, at in results.items():
            value = self._output(self._main, self._slot(frame, at))
            self._rename(value, key)
        for graph in self.model.graph.walk():
            for value in graph.initializers:
                if not value.consumers and not value.is_output:  # it became an attribute
                    del graph.values[value.name]

    def _rename(self, value: Value, key: str) -> None:
        """Give a result the name that the signature has for it."""
        values, name = value.graph.values, bounded(key)
        if name not in values:
            del values[value.name]
            value.name = name
            values[name] = value

    def _run(self, frame: CallFrame, roots: Iterable[ResultSource]) -> None:
        """Add all nodes that the roots wait for, each after its sources."""
        waiting = [each.node for each in reversed([*roots, *frame.body.effects])]
        while waiting:
            pending, begun = [waiting.pop()], set[str]()
            while pending:
                name = pending[-1]
                node = frame.body.nodes.get(name)
                if name in frame.slots or node is None:
                    if name not in frame.slots:
                        self._missing(frame, name)
                    pending.pop()
                    continue
                ahead = [at.node for at in node.sources if at.node not in frame.slots]
                joins = ahead if node.op in _JOINS else []
                later = dict.fromkeys(each for each in joins if _goes_back(frame, each))
                ahead = [each for each in ahead if each not in later]
                if not ahead:
                    waiting += later
                    frame.slots[name] = self._add(frame, node)
                    pending.pop()
                elif name in begun:
                    raise MalformedError("corrupt", f"node '{node.label}' reads from itself")
                else:
                    begun.add(name)
                    pending += reversed(ahead)

    def _missing(self, frame: CallFrame, name: str) -> None:
        frame.slots[name] = ()
        path = frame.wiring.graph.path
        where = bounded(frame.body.name) or path
        self._report(f"node '{bounded(name)}' of '{where}' does not exist")

    def _report(self, detail: str) -> None:
        if detail not in self._reported:
            self._reported.add(detail)
            self.problems.note("graph-broken", detail=detail)

    def _slot(self, frame: CallFrame, at: ResultSource) -> Slot:
        slots = frame.slots.get(at.node, ())
        place, node = at.place, frame.body.nodes.get(at.node)
        if node is not None and at.port and place < len(slots):
            place = place_of(node.op, at.port, place, node.attributes)
        return slots[place] if place < len(slots) else None

    def _inputs(self, frame: CallFrame, node: StatedNode) -> list[Slot]:
        return [self._slot(frame, each) for each in node.sources if not each.is_control]

    def _add(self, frame: CallFrame, node: StatedNode) -> Sequence[Slot]:
        """Add the operators that a node stands for, and return its results."""
        self._count(1 + len(node.sources))
        op = node.op
        if op == NOTHING:
            return ()
        if op == CONSTANT:
            return (self._constant(frame, node),)
        if op in FED:
            return (self._fed(frame, node),)
        if op in _HANDLES:
            return (self._variable(node),)
        inputs = self._inputs(frame, node)
        if op in _CARRIES or op in _READS:
            return inputs
        called = node.attributes.function("f") if op in _CALLS else op
        if op in _CALLS or called in self.bodies.functions:
            return self._call(frame, node, called, inputs)
        if op in _BRANCHES:
            attributes = node.attributes
            branches = {key: attributes.function(key) for key in ("then_branch", "else_branch")}
            return self._branches(frame, node, branches, inputs)
        if op in _CASES:
            listed = node.attributes.functions("branches")
            named = {f"branch_{at}": each for at, each in enumerate(listed)}
            return self._branches(frame, node, named, inputs)
        if op in _LOOPS:
            return self._loop(frame, node, inputs)
        return self._operation(frame, node, inputs).outputs

    def _count(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            detail = "functions call each other so often that it has more than"
            raise MalformedError("corrupt", f"{detail} {MOST_PARTS:,} nodes and edges")

    def _constant(self, frame: CallFrame, node: StatedNode) -> Slot:
        tensor = self._constants.get((frame.body.name, node.name))
        if tensor is None:
            return None
        value = frame.wiring.value(node.name)
        value.store(tensor)
        return value

    def _fed(self, frame: CallFrame, node: StatedNode) -> Slot:
        """Return the value fed besides the signature's inputs: a default, or an input."""
        given = self._inputs(frame, node)
        if given and given[0] is not None:
            return given[0]
        value = frame.wiring.value(node.name)
        value.declare(node.attributes.dtype("dtype"), node.attributes.shape("shape"))
        frame.wiring.input(value)
        return value

    def _variable(self, node: StatedNode) -> Slot:
        value = self._shared.get(node.name)
        if value is None:
            value = self._shared[node.name] = self._main.value(node.name)
            tensor, attributes = self._variables.get(node.name), node.attributes
            if tensor is not None:
                value.store(tensor)
            value.declare(attributes.dtype("dtype"), attributes.shape("shape"))
            self._handles.add(value)
        return value

    def _operation(
        self,
        frame: CallFrame,
        node: StatedNode,
        inputs: Sequence[Slot],
        kept: Collection[int] | None = None,
    ) -> Node:
        """Add a node with all results, or those at some places."""
        attributes = node.attributes
        operation = translate(node.op, attributes, inputs)
        added = frame.wiring.node(
            operation.op_type,
            operation.domain,
            node.name,
            operation.inputs,
            self._results(frame, node, attributes, kept),
        )
        added.attributes = operation.attributes
        return added

    def _results(
        self,
        frame: CallFrame,
        node: StatedNode,
        attributes: StatedAttributes,
        kept: Collection[int] | None,
    ) -> list[Value]:
        shapes, types = attributes.result_shapes, result_types(node.op, attributes)
        self._count(len(types))
        values = []
        for place, dtype in enumerate(types):
            if kept is not None and place not in kept:
                continue
            value = frame.wiring.value(f"{node.name}:{place}" if place else node.name)
            value.declare(dtype, shapes[place] if place < len(shapes) else None)
            values.append(value)
        return values

    # Functions

    def _entered(self, frame: CallFrame, node: StatedNode, name: str) -> FunctionBody | None:
        """Return a function to go into; None if that is not possible."""
        body = self.bodies.functions.get(name)
        if body is None:
            self._report(f"function '{bounded(name)}', which '{node.label}' calls, does not exist")
        elif name in frame.callers:
            self._report(f"function '{bounded(name)}' calls itself")
            body = None
        elif len(frame.callers) >= DEEPEST:
            raise MalformedError("corrupt", f"it nests more than {DEEPEST} calls of functions")
        return body

    def _call(
        self, frame: CallFrame, node: StatedNode, name: str, inputs: Sequence[Slot]
    ) -> Sequence[Slot]:
        body = self._entered(frame, node, name)
        if body is None:
            return self._operation(frame, node, inputs).outputs
        return self._follow(frame, body, frame.wiring, inputs)

    def _follow(
        self, frame: CallFrame, body: FunctionBody, wiring: Wiring, inputs: Sequence[Slot]
    ) -> Sequence[Slot]:
        """Add a function's nodes, and return its results."""
        self._count(len(body.arguments) + len(body.results) + len(body.effects))
        names = [each.name for each in body.arguments]
        slots = {name: (slot,) for name, slot in zip(names, inputs, strict=False)}
        inner = CallFrame(body, wiring, dict(slots), (*frame.callers, body.name))
        self._run(inner, body.results)
        return [self._slot(inner, each) for each in body.results]

    def _branches(
        self,
        frame: CallFrame,
        node: StatedNode,
        branches: Mapping[str, str],
        inputs: Sequence[Slot],
    ) -> Sequence[Slot]:
        """Add a choice: its branches read what they are given from the graph around them."""
        added = self._operation(frame, node, inputs[:1])
        subgraphs: dict[str, Graph] = {}
        for key, name in branches.items():
            body = self._entered(frame, node, name)
            if body is None:
                continue
            graph = subgraphs[key] = Graph(self.model, "", added, key)
            wiring = Wiring(graph)
            for result in self._follow(frame, body, wiring, inputs[1:]):
                self._output(wiring, result)
        added.subgraphs = subgraphs
        return added.outputs

    def _loop(self, frame: CallFrame, node: StatedNode, inputs: Sequence[Slot]) -> Sequence[Slot]:
        """Add a loop, whose body is given what it has returned before; variables stay outside."""
        kept = [place for place, slot in enumerate(inputs) if slot not in self._handles]
        added = self._operation(frame, node, [inputs[place] for place in kept], kept)
        subgraphs: dict[str, Graph] = {}
        for key in ("body", "cond"):
            body = self._entered(frame, node, node.attributes.function(key))
            if body is None:
                continue
            graph = subgraphs[key] = Graph(self.model, "", added, key)
            wiring = Wiring(graph)
            given = self._loop_inputs(wiring, body, inputs)
            results = self._follow(frame, body, wiring, given)
            for place, result in enumerate(results):
                if key == "cond" or place in kept:
                    self._output(wiring, result)
        added.subgraphs = subgraphs
        made = dict(zip(kept, added.outputs, strict=False))
        return [made.get(place, slot) for place, slot in enumerate(inputs)]

    def _loop_inputs(self, wiring: Wiring, body: FunctionBody, given: Sequence[Slot]) -> list[Slot]:
        stated = body.argument_attributes
        slots: list[Slot] = []
        for place, argument in enumerate(body.arguments):
            outer = given[place] if place < len(given) else None
            if outer in self._handles:
                slots.append(outer)
                continue
            value = wiring.value(argument.name)
            shapes = stated[place].result_shapes if place in stated else ()
            value.declare(argument.dtype, shapes[0] if shapes else None)
            wiring.input(value)
            slots.append(value)
        return slots

    def _output(self, wiring: Wiring, slot: Slot) -> Value:
        """Make a result an output of its graph; one that is something else already is copied."""
        is_free = slot is not None and slot.graph is wiring.graph and slot.producer is not None
        if slot is None or not is_free or slot.is_output:
            value = wiring.value(slot.name if slot is not None else "result")
            if slot is not None:
                value.declare(slot.declared_dtype, slot.declared_shape)
                wiring.node(*_COPY, "", (slot,), (value,))
            slot = value
        wiring.output(slot)
        return slot


def _goes_back(frame: CallFrame, name: str) -> bool:
    node = frame.body.nodes.get(name)
    return node is not None and node.op in _GOES_BACK
