"""The graph of an exported program: operators, the types of all tensors, and what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modellint.base.text import bounded
from modellint.formats.problems import MalformedError, Problems
from modellint.formats.torch.arguments import (
    Body,
    SymbolName,
    TensorName,
    argument,
    integer,
    rows,
    table,
    tensors_in,
)
from modellint.formats.torch.aten import DOMAIN, translate
from modellint.formats.torch.aten.arguments import AtenArguments
from modellint.formats.torch.facts import ExportFacts, SizeRange
from modellint.formats.torch.sizes import ExportedSizes, SizeFormula
from modellint.formats.torch.types import scalar_type
from modellint.formats.wiring import Wiring
from modellint.model import DTYPES, HIGHEST_RANK, Dim, Graph, Model, Node, Tensor, Value

_OPERATORS = "torch.ops."
_STORED = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}
"""Kinds of inputs that the file stores, and the key of their names."""
_VIEWS = frozenset(
    """
    alias as_strided chunk detach diagonal expand expand_as movedim narrow permute real select
    slice split split_with_sizes squeeze swapaxes t transpose unbind unflatten unfold unsqueeze
    view view_as flatten reshape reshape_as contiguous
    """.split()
)
"""Operators whose results may share the memory of their inputs."""


class ExportedGraphReader:
    """Reads the graph of one program, and those inside of it."""

    def __init__(self, model: Model, tensors: Mapping[str, Tensor], problems: Problems) -> None:
        self.model = model
        self.problems = problems
        self.formulas: dict[str, SizeFormula] = {}
        self._tensors = tensors
        self._parsed: dict[str, SizeFormula] = {}
        self._arithmetic = 0
        self._targets: dict[Node, str] = {}
        self._in_place: list[Node] = []
        self._kinds: dict[str, str] = {}

    def read(self, program: Mapping[str, Any]) -> ExportFacts:
        """Fill the model's graph, and return the program's other facts."""
        module = table(program.get("graph_module"), "the graph module")
        signature = table(module.get("signature"), "the signature")
        stored = dict(
            self._stored(rows(signature.get("input_specs"), "the inputs' specifications"))
        )
        self._graph(self.model.graph, table(module.get("graph"), "the graph"), stored)
        if self.formulas:
            self.model.infer_types = ExportedSizes(self.model, self.formulas)
        version = program.get("schema_version")
        version = version if isinstance(version, dict) else {}
        return ExportFacts(
            schema=(_whole(version.get("major")), _whole(version.get("minor"))),
            release=bounded(str(program.get("torch_version") or "")),
            dialects=tuple(_texts(program.get("verifiers"))),
            ranges=dict(self._ranges(program.get("range_constraints"))),
            kinds=self._kinds,
            mutated=tuple(_mutated(signature.get("output_specs"))),
            targets=self._targets,
            in_place=tuple(self._in_place),
            arithmetic=self._arithmetic,
        )

    def _stored(self, specs: list[Any]) -> Iterator[tuple[str, str]]:
        """Iterate over inputs that are stored: their names in the graph and in the file."""
        for spec in specs:
            for kind, key in _STORED.items():
                inner = spec.get(kind) if isinstance(spec, dict) else None
                name = inner.get(key) if isinstance(inner, dict) else None
                given = inner.get("arg") if isinstance(inner, dict) else None
                input = given.get("name") if isinstance(given, dict) else None
                if isinstance(name, str) and isinstance(input, str):
                    self._kinds[bounded(name)] = kind
                    yield input, bounded(name)

    def _graph(self, graph: Graph, stated: Mapping[str, Any], stored: Mapping[str, str]) -> None:
        types = table(stated.get("tensor_values") or {}, "the table of tensors")
        wiring, values = Wiring(graph), dict[str, Value]()
        for each in rows(stated.get("inputs"), "the inputs"):
            self._input(wiring, values, argument(each), types, stored)
        views: set[str] = set()
        for each in rows(stated.get("nodes"), "the nodes"):
            self._node(wiring, values, table(each, "a node"), types, views)
        for each in rows(stated.get("outputs"), "the outputs"):
            for name in tensors_in(argument(each)):
                if name is not None:
                    wiring.output(self._value(wiring, values, name.name, "", ""))

    def _input(
        self,
        wiring: Wiring,
        values: dict[str, Value],
        stated: Any,
        types: Mapping[str, Any],
        stored: Mapping[str, str],
    ) -> None:
        for name in _named(stated):
            kept = stored.get(name)
            value = values[name] = wiring.value(kept or name)
            if isinstance(stated, SymbolName):
                value.declare(DTYPES["int64"], ())
            else:
                self._declare(value, types.get(name))
            if kept is None:
                wiring.input(value)
            elif kept in self._tensors:
                value.store(self._tensors[kept])

    def _node(
        self,
        wiring: Wiring,
        values: dict[str, Value],
        stated: Mapping[str, Any],
        types: Mapping[str, Any],
        views: set[str],
    ) -> None:
        target = stated.get("target")
        if not isinstance(target, str):
            raise MalformedError("corrupt", "a node without an operator")
        arguments = [(name, each) for name, each in _arguments(stated.get("inputs"))]
        made = [
            name
            for each in rows(stated.get("outputs"), "a node's outputs")
            for name in tensors_in(argument(each))
            if name is not None
        ]
        if not made:  # arithmetic on sizes, or an assertion
            self._arithmetic += 1
            return
        library, operator = _operator(target)
        label = _label(stated, made)
        for _, each in arguments:
            for name in tensors_in(each):
                if name is not None:
                    self._value(wiring, values, name.name, label, operator)
        results = [self._result(wiring, each.name, types) for each in made]
        changed = _changed(library, operator, arguments)
        target_value = values[changed] if changed is not None and changed not in views else None
        is_result = target_value is not None and target_value.producer is not None
        base = operator.rstrip("_") if is_result else operator  # else it changes what others see
        given = AtenArguments(base, arguments, values, results, wiring)
        operation = translate(library, base, given)
        if base != operator and operation.domain:
            operation = operation._replace(op_type=operator)
        node = wiring.node(operation.op_type, operation.domain, label, operation.inputs, results)
        node.attributes = operation.attributes
        module = _module(stated.get("metadata"))
        node.metadata = {"module": module} if module else {}
        self._targets[node] = bounded(target)
        for name, value in zip(made, results, strict=True):
            values[name.name] = value
        if changed is not None:
            self._in_place.append(node)
            if target_value is not None:
                values[changed] = results[0]  # what is read under this name from now on
        elif operator in _VIEWS:
            views.update(name.name for name in made)
        self._bodies(node, arguments)

    def _bodies(self, node: Node, arguments: list[tuple[str, Any]]) -> None:
        bodies = [each for _, each in arguments if isinstance(each, Body)]
        if not bodies:
            return
        subgraphs = {each.name: Graph(self.model, "", node, each.name) for each in bodies}
        node.subgraphs = subgraphs
        for each in bodies:
            if not subgraphs[each.name].values:
                self._graph(subgraphs[each.name], each.graph, {})

    def _result(self, wiring: Wiring, name: str, types: Mapping[str, Any]) -> Value:
        value = wiring.value(name)
        self._declare(value, types.get(name))
        return value

    def _value(
        self, wiring: Wiring, values: dict[str, Value], name: str, label: str, operator: str
    ) -> Value:
        """Return the value of a name; an unknown one becomes a value without a producer."""
        value = values.get(name)
        if value is None:
            value = values[name] = wiring.value(name)
            where = {"node": label, "op": operator, "graph": wiring.graph.path}
            self.problems.note("undefined-value", at=value.name, value=value.name, **where)
        return value

    def _declare(self, value: Value, meta: Any) -> None:
        if not isinstance(meta, dict):
            return
        sizes = rows(meta.get("sizes"), "a shape")
        if len(sizes) > HIGHEST_RANK:
            detail = f"a shape of {len(sizes)} dims, where {HIGHEST_RANK} are possible"
            raise MalformedError("corrupt", detail)
        value.declare(scalar_type(meta.get("dtype")), tuple(map(self._dim, sizes)))

    def _dim(self, stated: Any) -> Dim:
        size = integer(stated.get("as_int")) if isinstance(stated, dict) else None
        if size is not None:
            return size if 0 <= size < 1 << 63 else None
        inner = stated.get("as_expr") if isinstance(stated, dict) else None
        text = inner.get("expr_str") if isinstance(inner, dict) else None
        if not isinstance(text, str):
            return None
        formula = self._formula(text)
        if not formula.symbols:
            size = formula.evaluate({})
            return size if size is None or size >= 0 else None
        self.formulas[formula.text] = formula
        return formula.text

    def _formula(self, text: str) -> SizeFormula:
        if text not in self._parsed:
            self._parsed[text] = SizeFormula(text)
        return self._parsed[text]

    def _ranges(self, stated: Any) -> Iterator[tuple[str, SizeRange]]:
        for text, each in stated.items() if isinstance(stated, dict) else ():
            if isinstance(each, dict):
                low, high = integer(each.get("min_val")), integer(each.get("max_val"))
                least = low if low is not None and low > 0 else 0
                most = high if high is not None and high < (1 << 62) else None
                yield self._formula(str(text)).text, SizeRange(least, most)


def _arguments(stated: Any) -> Iterator[tuple[str, Any]]:
    for each in rows(stated, "a node's inputs"):
        if isinstance(each, dict):
            name = each.get("name")
            yield name if isinstance(name, str) else "", argument(each.get("arg"))


def _named(stated: Any) -> Iterator[str]:
    """Iterate over names of tensors, and of numbers that go in or out."""
    if isinstance(stated, SymbolName):
        yield stated.name
    yield from (name.name for name in tensors_in(stated) if name is not None)


def _operator(target: str) -> tuple[str, str]:
    """Return library and name of an operator: ``torch.ops.aten.add.Tensor``."""
    library, _, rest = target.removeprefix(_OPERATORS).partition(".")
    return bounded(library), bounded(rest.partition(".")[0])


def _changed(library: str, operator: str, arguments: list[tuple[str, Any]]) -> str | None:
    """Return the name of the tensor that an operator writes to."""
    is_in_place = operator.endswith("_") and not operator.endswith("__")
    first = arguments[0][1] if arguments else None
    return (
        first.name if is_in_place and library == DOMAIN and isinstance(first, TensorName) else None
    )


def _label(stated: Mapping[str, Any], made: list[TensorName]) -> str:
    name = stated.get("name")
    return bounded(name if isinstance(name, str) else made[0].name)


def _module(metadata: Any) -> str:
    """Return the path of the module that a node comes from: ``layer1.0.conv1``."""
    stack = metadata.get("nn_module_stack") if isinstance(metadata, dict) else None
    if not isinstance(stack, str):
        return ""
    parts = stack.rsplit(";", 1)[-1].split(",")
    return bounded(parts[1]) if len(parts) > 2 else ""


def _mutated(specs: Any) -> Iterator[str]:
    """Iterate over the names of buffers, parameters and inputs that a run changes."""
    for spec in specs if isinstance(specs, list) else ():
        for kind, inner in spec.items() if isinstance(spec, dict) else ():
            if kind.endswith("_mutation") and isinstance(inner, dict):
                name = inner.get(f"{kind.removesuffix('_mutation')}_name")
                if isinstance(name, str):
                    yield bounded(name)


def _texts(stated: Any) -> Iterator[str]:
    for each in stated if isinstance(stated, list) else ():
        if isinstance(each, str):
            yield bounded(each)


def _whole(stated: Any) -> int:
    number = integer(stated)
    return number if number is not None and 0 <= number < 1 << 31 else 0
