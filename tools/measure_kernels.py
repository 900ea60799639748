"""Writes what ONNX Runtime registers: its operators, and its CPU kernels with their types.

    python tools/measure_kernels.py     # kernels-<version>.json in its package

The package lists both itself. What it does not list is tried: which domains a model may use without
importing them, and which operators without a kernel are replaced by other operators.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import TensorProto, defs, helper
from onnxruntime.capi import onnxruntime_pybind11_state as native
from supports.cases import at_opset, cases, forms, types_of, with_type

FOLDER = Path(__file__).parent.parent / "src" / "modellint" / "runtimes" / "onnxruntime"
SOURCE = "https://onnxruntime.ai/docs/reference/operators/"
ABOUT = (
    "Written by tools/measure_kernels.py; do not edit. 'imported': domains known, with the version "
    "that a model which imports none gets; 'newest': the newest version that is loaded. Of each "
    "operator: the versions registered, those 'removed', its kernels: first and last version, and "
    "types by place; its 'body', other operators that replace it where no kernel fits: first and "
    "last operator set, and types by place ('0' is the first input, 'o0' the first output); for "
    "operators of its own also their signature: least and most inputs and outputs with their "
    "types, and attributes."
)
UNBOUNDED = 2**31 - 1
SPELT = {"float": "float32", "double": "float64"}
ByName = dict[tuple[str, str], list[Any]]
KINDS = {"seq": "sequence"}
GONE = ("Constant", "Identity")
"""Operators that are gone before kernels are looked for."""
DOMAINS = (
    "",
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview",
    "ai.onnx.preview.training",
    "com.microsoft",
    "com.microsoft.experimental",
    "com.microsoft.nchwc",
    "com.ms.internal.nhwc",
)
NO_IMPORT = "No opset import for domain"
FOR_WANT = (
    "Could not find an implementation",
    "Failed to find kernel",
    "of input parameter (_inlfunc_",
    "is not a registered function/op",
    "of Optype (Pow) bound to different types",
    "of Optype (Add) bound to different types",
)
"""Words about an operator in a body that has no kernel, or does not take the type. The constants in
the body of MeanVarianceNormalization are float32 whatever the input is."""
NO_KERNEL = "Could not find an implementation"
MOST_VERSIONS = 100
MOST_TRIED = 3
"""Tests of one operator that are tried."""


def main() -> int:
    write_kernels("kernels", ABOUT, operators())
    return 0


def write_kernels(kind: str, about: str, operators: dict[str, dict[str, Any]]) -> None:
    release = ".".join(onnxruntime.__version__.split(".")[:2])
    table = {
        "about": about,
        "runtime": "onnxruntime",
        "version": onnxruntime.__version__,
        "confidence": "measured",
        "source": SOURCE,
        "domains": {domain: newest for domain in DOMAINS if (newest := newest_version(domain))},
        "operators": operators,
    }
    path = FOLDER / f"{kind}-{release}.json"
    path.write_text("".join(lines(table)), encoding="utf-8")


def registered(provider: str) -> tuple[ByName, ByName]:
    """Return all schemas, and the kernels of one provider, by domain and name."""
    schemas: ByName = defaultdict(list)
    for schema in native.get_all_operator_schema():
        schemas[schema.domain, schema.name].append(schema)
    kernels: ByName = defaultdict(list)
    for kernel in native.get_all_opkernel_def():
        if kernel.provider == provider:
            kernels[kernel.domain, kernel.op_name].append(kernel)
    return schemas, kernels


def operators() -> dict[str, dict[str, Any]]:
    """By domain and name."""
    schemas, kernels = registered("CPUExecutionProvider")
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for (domain, name), mine in sorted(schemas.items()):
        found[domain][name] = _operator(mine, kernels[domain, name])
    return found


def _operator(schemas: Sequence[Any], kernels: Sequence[Any]) -> dict[str, Any]:
    removed = [each.since_version for each in schemas if each.deprecated]
    facts: dict[str, Any] = {
        "versions": sorted({each.since_version for each in schemas}),
        "removed": sorted(removed),
        "body": bodies(schemas, kernels),
        "kernels": merged(kernel_of(each, schemas) for each in kernels),
    }
    facts["signature"] = _signature(schemas[-1]) if not _is_standard(schemas[-1]) else None
    return {name: fact for name, fact in facts.items() if fact}


def _is_standard(schema: Any) -> bool:
    try:
        return bool(defs.get_schema(schema.name, domain=schema.domain))
    except defs.SchemaError:
        return False


def _signature(schema: Any) -> dict[str, Any]:
    """Return the form of a node, for operators that the onnx package does not contain."""
    return {
        "inputs": [schema.min_input, schema.max_input, *map(_formal, schema.inputs)],
        "outputs": [schema.min_output, schema.max_output, *map(_formal, schema.outputs)],
        "attributes": {
            name: [each.type.name, each.required] for name, each in schema.attributes.items()
        },
        "types": {
            each.type_param_str: sorted(set(_type_names(each.allowed_type_strs)))
            for each in schema.type_constraints
        },
    }


def _formal(formal: Any) -> list[str]:
    return [formal.typeStr, formal.option.name]


def kernel_of(kernel: Any, schemas: Sequence[Any]) -> list[Any]:
    first, last = kernel.version_range
    fitting = [each for each in schemas if each.since_version <= first] or schemas
    schema = max(fitting, key=lambda each: each.since_version)
    types = {
        place: names
        for name, allowed in kernel.type_constraints.items()
        if (place := _place(name, schema)) and (names := sorted(set(_type_names(allowed))))
    }
    return [first, None if last == UNBOUNDED else last, types]


def _place(name: str, schema: Any) -> str:
    """Find an input or output that shows a type that a kernel limits; required ones come first."""
    for prefix, formals in (("", schema.inputs), ("o", schema.outputs)):
        named = [at for at, each in enumerate(formals) if name in (each.typeStr, each.name)]
        required = [at for at in named if formals[at].option.name != "Optional"]
        if named:
            return f"{prefix}{(required or named)[0]}"
    return ""


def _type_names(allowed: Iterable[str]) -> Iterator[str]:
    """The element types of tensors; of everything else only that it is, such as ``sequence``."""
    for text in allowed:
        kind, _, rest = text.partition("(")
        element = rest.rstrip(")")
        yield SPELT.get(element, element) if kind == "tensor" else KINDS.get(kind, kind)


def merged(kernels: Iterable[list[Any]]) -> list[list[Any]]:
    """Kernels that differ in one type alone as one of several types."""
    alone: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    found = []
    for first, last, types in kernels:
        if len(types) == 1:
            ((place, names),) = types.items()
            alone[first, last, place].update(names)
        else:
            found.append([first, last, types])
    found += [
        [first, last, {place: sorted(names)}] for (first, last, place), names in alone.items()
    ]
    return sorted(found, key=lambda each: (each[0], json.dumps(each)))


def bodies(schemas: Sequence[Any], kernels: Sequence[Any]) -> list[list[Any]]:
    """Operator sets in which an operator is replaced by others, and types that are taken then."""
    found: list[list[Any]] = []
    versions = sorted({each.since_version for each in schemas})
    for schema in sorted(schemas, key=lambda each: each.since_version):
        first = schema.since_version
        after = next((each for each in versions if each > first), None)
        if schema.name in GONE:
            found.append([first, after - 1 if after else None, {}])
        elif _has_body(schema):
            found += _bodies(schema, range(first, after or newest_opset() + 1))
        elif schema.domain and not kernels and _is_replaced(schema):
            found.append([first, None, {}])
    return found


def _bodies(schema: Any, opsets: Sequence[int]) -> Iterator[list[Any]]:
    """Try the operator's node tests in each operator set, and its types in the first."""
    tests = cases().get(schema.name, []) if not schema.domain else []
    models = [model for test in tests[:MOST_TRIED] for model in forms(test)]
    types = _types_taken(schema, [at_opset(each, opsets[0]) for each in models])
    taken = [
        opset
        for opset in opsets
        if not models or not all(_fails_by_kernel(at_opset(each, opset)) for each in models)
    ]
    for first in taken:
        if first - 1 not in taken:
            last = next(
                each for each in range(first, first + MOST_VERSIONS) if each + 1 not in taken
            )
            yield [first, last, types]


def _types_taken(schema: Any, models: Sequence[onnx.ModelProto]) -> dict[str, list[str]]:
    """Types of each input that are taken; an input is left out if it takes one type, or none."""
    known: Any = defs.get_schema(schema.name, schema.since_version, schema.domain)
    found = {}
    for at, formal in enumerate(known.inputs if models else ()):
        types = types_of(known, formal.type_str)
        taken = [name for name in types if _takes_type(known, models, at, name)]
        untried = set(_type_names(formal.types)) - set(types)
        if len(types) > 1 and taken:
            found[str(at)] = sorted({*taken, *untried})
    return found


def _takes_type(known: Any, models: Iterable[onnx.ModelProto], at: int, name: str) -> bool:
    """False if every variant of the models with this type is refused for want of a kernel."""
    variants = [each for model in models for each in with_type(model, known, at, name)]
    return not variants or not all(map(_fails_by_kernel, variants))


def _fails_by_kernel(model: onnx.ModelProto) -> bool:
    """Return True if a model is refused for want of a kernel; any other reason is the test's."""
    error = refusal_of(model)
    return error is not None and any(words in error for words in FOR_WANT)


@cache
def newest_opset() -> int:
    newest = newest_version("")
    assert newest is not None
    return newest


def _has_body(schema: Any) -> bool:
    try:
        known: Any = defs.get_schema(schema.name, schema.since_version, schema.domain)
    except defs.SchemaError:
        return False
    return bool(known.has_function or known.has_context_dependent_function)


def _is_replaced(schema: Any) -> bool:
    """Return True if a node of the operator is taken although no kernel fits it."""
    inputs = [f"i{at}" for at in range(schema.min_input)]
    outputs = [f"o{at}" for at in range(max(schema.min_output, 1))]
    node = helper.make_node(schema.name, inputs, outputs, domain=schema.domain)
    for name, attribute in schema.attributes.items():
        if attribute.required:
            example: Any = {"INT": 1, "FLOAT": 1.0, "STRING": "a", "INTS": [1]}.get(
                attribute.type.name, 1
            )
            node.attribute.append(helper.make_attribute(name, example))
    error = refusal([node], {"": 17, schema.domain: schema.since_version}, inputs)
    return error is not None and NO_KERNEL in error and f" {schema.name}(" not in error


def newest_version(domain: str) -> int | None:
    """The newest version of a domain that is loaded; None if it has to be imported."""
    unknown = helper.make_node("Unknown", ["x"], ["y"], domain=domain)
    if domain and NO_IMPORT in (refusal([unknown], {"": 17}, ["x"]) or ""):
        return None
    identity = helper.make_node("Identity", ["x"], ["y"])
    versions = range(1, MOST_VERSIONS)
    return max(
        each for each in versions if refusal([identity], {"": 17} | {domain: each}, ["x"]) is None
    )


def refusal(nodes: Sequence[Any], opsets: dict[str, int], inputs: Sequence[str]) -> str | None:
    """Return ONNX Runtime's message about a model of these nodes; None if it loads it."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs]
    outputs = [onnx.ValueInfoProto(name=name) for name in nodes[-1].output]
    graph = helper.make_graph(nodes, "graph", values, outputs)
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return refusal_of(helper.make_model(graph, opset_imports=imports, ir_version=8))


def refusal_of(model: onnx.ModelProto) -> str | None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        return str(error)
    return None


def lines(table: dict[str, Any]) -> Iterator[str]:
    """JSON with a line for each operator, so that changes can be read."""
    head = {name: value for name, value in table.items() if name != "operators"}
    yield json.dumps(head)[:-1] + ', "operators": {\n'
    domains = []
    for domain, mine in table["operators"].items():
        rows = ",\n".join(f" {json.dumps(op)}: {json.dumps(facts)}" for op, facts in mine.items())
        domains.append(f"{json.dumps(domain)}: {{\n{rows}}}")
    yield ",\n".join(domains) + "}}\n"


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(4)
    sys.exit(main())
