"""Writes the kernels that ONNX Runtime Web's provider for WebGPU has, as a real browser tells.

    python tools/measure_webgpu.py     # gpukernels-<version>.json in its package

The browser is the one of `modellint probe --setup webnn`. Whole batches of the onnx package's node
tests, at all versions of their operators and with all types, are joined to one model, of which the
provider's log says which nodes have no kernel. Which inputs and outputs of a kernel are in the
computer's memory is seen from the copies between it and an operator that has one for the CPU only.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import onnx
import onnxruntime
from measure_cuda import ON_CPU, REPEATED, given_to_cpu
from measure_kernels import FOR_WANT, lines, registered
from onnx import defs, helper, version_converter
from supports.apart import in_a_fork
from supports.cases import (
    IR_VERSION,
    TYPES,
    at_opset,
    cases,
    forms,
    joined,
    since,
    types_of,
    with_types,
)

from modellint.runtimes.webgpu import RUNTIME
from modellint.runtimes.webgpu.log import without_kernel
from modellint.runtimes.webgpu.ort_webgpu import WEBGPU
from modellint.runtimes.webnn.installed import installed
from modellint.runtimes.webnn.ort_web import OrtWeb

ABOUT = (
    "Written by tools/measure_webgpu.py; do not edit. Of each operator with a kernel for WebGPU: "
    "the versions of it, its kernels: first and last version, and types by place ('0' is the "
    "first input, 'o0' the first output); also the places that are in the computer's memory "
    "('host'), with the first and last version."
)
SOURCE = "https://onnxruntime.ai/docs/tutorials/web/ep-webgpu.html"
NEWEST = 26
"""The newest operator set that the package loads."""
TO = "to"
"""An attribute that states the type of the first output."""
BATCH = 1000
MOST_BASES = 3
"""Tests of one version of an operator that are varied in their types."""
MOST_TESTS = 6
OWN_DOMAINS = ("", "com.microsoft")
EXAMPLES: Mapping[str, Any] = {"INT": 1, "FLOAT": 1.0, "STRING": "a", "INTS": [1]}
USUAL = ("float32", "int32", "int64", "uint8", "bool")
"""Types in the order in which they are tried first."""
AFTERWARDS = "Exception during initialization"
"""Words about a kernel that cannot be made, which is tried when all nodes are placed."""
Model = onnx.ModelProto
BY_HAND: Mapping[str, Sequence[tuple[int, int, str]]] = {
    "Clip": [(7, 10, "m (float[2,3] x) => (float[2,3] y) {y = Clip <min = 0.0, max = 1.0> (x)}")],
    "DepthToSpace": [
        (7, 10, "m (float[1,4,2,2] x) => (float[1,1,4,4] y) {y = DepthToSpace <blocksize = 2> (x)}")
    ],
    "Resize": [
        (10, 10, "m (float[1,1,2,2] x, float[4] s) => (float[a,b,c,d] y) {y = Resize (x, s)}"),
        (11, NEWEST, "m (float[1,1,2,2] x, int64[4] s) => (float[a,b,c,d] y) {y = Resize (x,,,s)}"),
    ],
}
"""Forms that the node tests lack, by operator, with the first and last operator set."""


class Asked:
    """Answers of the browser about models of one node."""

    def __init__(self, web: OrtWeb) -> None:
        self._web = web
        self.taken: dict[bytes, bool] = {}
        """By model, whether its node has a kernel; without those that are invalid."""
        self.copied: dict[bytes, frozenset[str]] = {}

    def ask(self, models: Iterable[Model], *, counts_copies: bool = False) -> None:
        groups: dict[tuple[Any, ...], dict[bytes, Model]] = defaultdict(dict)
        for model in models:
            if key_of(model) not in self.taken:
                imports = sorted((each.domain, each.version) for each in model.opset_import)
                groups[(model.ir_version, *imports)][key_of(model)] = model
        for group in groups.values():
            every = valid(list(group.values()))
            for start in range(0, len(every), BATCH):
                self._ask(every[start : start + BATCH], counts_copies=counts_copies)

    def _ask(self, models: Sequence[Model], *, counts_copies: bool) -> None:
        made = self._web.create(joined(models).SerializeToString(), optimizes=False, seconds=60.0)
        without = without_kernel(made.messages)
        sys.stderr.write(f"{len(models)}, {len(without)} without: {made.error[60:400] or 'ok'}\n")
        if made.placed is None and (counts_copies or not without):
            for part in without_culprit(models, made.error):
                self._ask(part, counts_copies=counts_copies)
            return
        copied = made.placed.copied if made.placed is not None else ()
        for index, model in enumerate(models):
            prefix = f"m{index}/"
            self.taken[key_of(model)] = f"{prefix}0" not in without
            self.copied[key_of(model)] = frozenset(
                name.removeprefix(prefix).removesuffix(REPEATED)
                for name in copied
                if name.startswith(prefix)
            )


def without_culprit(models: Sequence[Model], error: str) -> list[Sequence[Model]]:
    """Return what is left to ask after an error: all but what it names, or two halves."""
    named = {int(each) for each in re.findall(r"\bm(\d+)/", error)}
    unknown = re.search(r":(\w+)\(-?\d+\) is not a registered", error)
    foreign = re.search(r"tensor\((\w+)\) is not currently registered", error)
    rest = [
        model
        for index, model in enumerate(models)
        if index not in named
        and not (unknown and model.graph.node[0].op_type == unknown[1])
        and not (foreign and TYPES.get(foreign[1]) in types_in(model))
    ]
    if len(rest) < len(models):
        return [rest] if rest else []
    middle = len(models) // 2
    return [models[:middle], models[middle:]] if middle else []


def types_in(model: Model) -> set[int]:
    values = {each.type.tensor_type.elem_type for each in (*model.graph.input, *model.graph.output)}
    return values | {each.data_type for each in model.graph.initializer}


def key_of(model: Model) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))


def valid(models: Sequence[Model]) -> list[Model]:
    """Leave out models that are refused whatever the provider, which would spoil a batch.

    ONNX Runtime may crash on models of its own operators, so those are tried in a fork.
    """
    if not any(node.domain for model in models for node in model.graph.node[:1]):
        return [model for model in models if refusal_of(model) is None]
    told = in_a_fork(lambda every: "".join("01"[refusal_of(m) is None] for m in every), models)
    return [model for model, each in zip(models, told or "", strict=False) if each == "1"]


def refusal_of(model: Model) -> str | None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # of no common base class
        placed = any(words in str(error) for words in (*FOR_WANT, AFTERWARDS))
        return None if placed else str(error)
    return None


# The operators of ONNX.


def versions_of(op: str) -> dict[int, int]:
    """Return the operator set to ask about each version of an operator: the last that has it."""
    found = {}
    for opset in range(1, NEWEST + 1):
        version = since(op, opset)
        if version is not None:
            found[version] = opset
    return {version: opset for version, opset in found.items() if opset >= 7}


def bases(op: str, opset: int) -> Iterator[Model]:
    """Iterate over node tests of an operator as they are in an operator set."""
    for first, last, text in BY_HAND.get(op, ()):
        if first <= opset <= last:
            header = f'<ir_version: {IR_VERSION}, opset_import: ["" : {opset}]>'
            yield onnx.parser.parse_model(f"{header} {text}")
    for case in cases()[op][:MOST_TESTS]:
        for model in forms(case):
            yield at_opset(model, opset)
            older = converted(model, opset) if model.opset_import[0].version > opset else None
            if older is not None:
                yield older


def converted(model: Model, opset: int) -> Model | None:
    try:
        older = version_converter.convert_version(model, opset)
    except Exception:  # of no common base class
        return None
    older.ir_version = min(older.ir_version, IR_VERSION)
    return older if len(older.graph.node) == 1 else None


def variants(model: Model) -> Iterator[tuple[str, str, Model]]:
    """Iterate over a model with other types: the place and the type, and the model."""
    node, opset = model.graph.node[0], model.opset_import[0].version
    schema = defs.get_schema(node.op_type, max_inclusive_version=opset)
    for place, variable in places_of(schema, node).items():
        for name in types_of(schema, variable):
            changed = with_types(model, schema, {variable: name})
            if changed is not None:
                for attribute in changed.graph.node[0].attribute:
                    if attribute.name == TO and place == "o0":
                        attribute.i = TYPES[name]
                yield place, name, changed


def places_of(schema: Any, node: Any) -> dict[str, str]:
    """Return the variables of types that have a choice, by the first place that shows them."""
    found: dict[str, str] = {}
    for prefix, formals, given in (
        ("", schema.inputs, node.input),
        ("o", schema.outputs, node.output),
    ):
        for at, formal in enumerate(formals[: len(given)]):
            variable = formal.type_str
            is_new = given[at] and variable not in found.values()
            if is_new and len(types_of(schema, variable)) > 1:
                found[f"{prefix}{at}"] = variable
    return found


def types_taken(asked: Asked, models: Sequence[Model]) -> dict[str, list[str]]:
    """Return by place the types that a kernel takes."""
    found: dict[str, set[str]] = defaultdict(set)
    for model in models:
        for place, name, changed in variants(model):
            if asked.taken.get(key_of(changed)):
                found[place].add(name)
    return {place: sorted(names) for place, names in sorted(found.items())}


def standard(asked: Asked) -> dict[str, dict[str, Any]]:
    every = {
        (op, version): list({key_of(each): each for each in bases(op, opset)}.values())
        for op in cases()
        for version, opset in versions_of(op).items()
    }
    asked.ask(model for models in every.values() for model in models)
    usable = {place: chosen(asked, models) for place, models in every.items()}
    asked.ask(each for models in usable.values() for m in models for _, _, each in variants(m))
    hosts = in_ram(asked, usable)
    found: dict[str, dict[str, Any]] = {}
    for op in cases():
        facts = operator(op, asked, usable, hosts)
        if facts["kernels"]:
            found[op] = facts
    return found


def chosen(asked: Asked, models: Sequence[Model]) -> list[Model]:
    """Return those that are taken, or else some that are valid."""
    valid = [model for model in models if key_of(model) in asked.taken]
    taken = [model for model in valid if asked.taken[key_of(model)]]
    return (taken or valid)[:MOST_BASES]


def operator(
    op: str,
    asked: Asked,
    usable: Mapping[tuple[str, int], Sequence[Model]],
    hosts: Mapping[tuple[str, int], list[str]],
) -> dict[str, Any]:
    """Return the facts about an operator; a version without a valid test is as the next one."""
    rows: list[list[Any]] = []
    in_memory: list[list[Any]] = []
    versions = sorted(versions_of(op))
    last, measured = None, 0
    for version in reversed(versions):
        measured = version if usable[op, version] or not measured else measured
        models = usable[op, measured]
        types = types_taken(asked, models)
        if types or any(asked.taken[key_of(model)] for model in models):
            rows.insert(0, [version, last, types])
            places = hosts.get((op, measured), [])
            if places and not is_renamed(places, types):
                in_memory.insert(0, [version, last, places])
        last = version - 1
    facts = {"versions": versions, "kernels": merged(rows)}
    return {**facts, **({"host": merged(in_memory)} if in_memory else {})}


def is_renamed(places: Sequence[str], types: Mapping[str, Sequence[str]]) -> bool:
    """Return True if half floats seem to be read on the CPU, which no kernel does.

    Changes of layout give values other names, so that their copies are not recognized.
    """
    return "0" in places and "float16" in types.get("0", ())


def merged(rows: Sequence[list[Any]]) -> list[list[Any]]:
    """Return neighbors that say the same as one row; one without an end is for one version."""
    found: list[list[Any]] = []
    for first, last, said in rows:
        is_same = found and found[-1][2] == said and found[-1][1] == first - 1
        if is_same and last is not None:
            found[-1][1] = last
        else:
            found.append([first, last, said])
    return found


def in_ram(
    asked: Asked, usable: Mapping[tuple[str, int], Sequence[Model]]
) -> dict[tuple[str, int], list[str]]:
    """Return the places in the computer's memory: what the CPU uses, too, without a copy."""
    tried: dict[tuple[str, int], list[tuple[Model, dict[str, str]]]] = {}
    for where, models in usable.items():
        tried[where] = [beside_cpu(model) for model in models if asked.taken[key_of(model)]]
    asked.ask((model for pairs in tried.values() for model, _ in pairs), counts_copies=True)
    found = {}
    for where, pairs in tried.items():
        given: set[str] = set()
        copied: set[str] = set()
        for model, used in pairs:
            if asked.taken.get(key_of(model)):
                given |= set(used.values())
                copied |= {used[name] for name in asked.copied[key_of(model)] & used.keys()}
        found[where] = sorted(given - copied)
    return found


def beside_cpu(model: Model) -> tuple[Model, dict[str, str]]:
    """Return a model whose inputs and outputs the CPU reads, too, and their places."""
    new = Model()
    new.CopyFrom(model)
    return new, given_to_cpu(new)


# The operators of ONNX Runtime.


def own(asked: Asked) -> dict[str, dict[str, dict[str, Any]]]:
    schemas, _ = registered("CPUExecutionProvider")
    known = {
        (schema.domain, schema.name): schema
        for mine in schemas.values()
        for schema in mine
        if schema.domain in OWN_DOMAINS and is_own(schema)
    }
    tried = {place: list(own_models(schema)) for place, schema in known.items()}
    for models in tried.values():
        usable = {key_of(model) for model in valid([model for _, _, model in models])}
        models[:] = [each for each in models if key_of(each[2]) in usable]
    asked.ask(model for models in tried.values() for _, _, model in models)
    found: dict[str, dict[str, dict[str, Any]]] = {domain: {} for domain in OWN_DOMAINS}
    for (domain, name), models in sorted(tried.items()):
        types: dict[str, set[str]] = defaultdict(set)
        for place, kind, model in models:
            if asked.taken.get(key_of(model)):
                types[place].add(kind)
        if not any(key_of(model) in asked.taken for _, _, model in models):
            sys.stderr.write(f"unknown: {domain}.{name}\n")
        if types:
            shown = {place: sorted(kinds) for place, kinds in sorted(types.items()) if place}
            facts = {"versions": [1], "kernels": [[1, None, shown]]}
            found[domain][name] = facts
    return found


def is_own(schema: Any) -> bool:
    """Return True for what the standard lacks, at least at this version."""
    if not defs.has(schema.name, schema.domain):
        return True
    first = min(
        each.since_version
        for each in defs.get_all_schemas_with_history()
        if (each.domain, each.name) == (schema.domain, schema.name)
    )
    return bool(schema.since_version < first)


def own_models(schema: Any) -> Iterator[tuple[str, str, Model]]:
    """Iterate over models of one node with the required inputs, in all types of each place."""
    kinds = {each.type_param_str: tensor_types(each) for each in schema.type_constraints}
    usual = {name: usual_of(types) for name, types in kinds.items()}
    yield "", "", own_model(schema, usual)
    for at, formal in enumerate(schema.inputs[: schema.min_input]):
        first = next(i for i, each in enumerate(schema.inputs) if each.typeStr == formal.typeStr)
        for kind in kinds.get(formal.typeStr, []) if at == first else []:
            yield str(at), kind, own_model(schema, {**usual, formal.typeStr: kind})


def tensor_types(constraint: Any) -> list[str]:
    spelt = {"float": "float32", "double": "float64"}
    names = [re.fullmatch(r"tensor\((\w+)\)", each) for each in constraint.allowed_type_strs]
    found = [spelt.get(name[1], name[1]) for name in names if name]
    return [name for name in found if name in TYPES]


def usual_of(types: Sequence[str]) -> str:
    return next((each for each in (*USUAL, *types) if each in types), "float32")


def own_model(schema: Any, types: Mapping[str, str]) -> Model:
    def value(at: int, formal: Any) -> Any:
        stated = re.fullmatch(r"tensor\((\w+)\)", formal.typeStr)
        kind = stated[1] if stated else types.get(formal.typeStr, "float32")
        number = TYPES[{"float": "float32", "double": "float64"}.get(kind, kind)]
        return helper.make_tensor_value_info(f"i{at}", number, None)

    inputs = [value(at, each) for at, each in enumerate(schema.inputs[: schema.min_input])]
    outputs = [onnx.ValueInfoProto(name=f"o{at}") for at in range(max(schema.min_output, 1))]
    names = [each.name for each in inputs], [each.name for each in outputs]
    node = helper.make_node(schema.name, *names, domain=schema.domain)
    for name, attribute in schema.attributes.items():
        if attribute.required:
            example = EXAMPLES.get(attribute.type.name, 1)
            node.attribute.append(helper.make_attribute(name, example))
    graph = helper.make_graph([node], "m", inputs, outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def earlier_too(facts: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what holds of an operator that ONNX Runtime had before the standard."""
    ((first, _, types),) = before["kernels"]
    row = [first, facts["versions"][0] - 1, types]
    return {
        **facts,
        "versions": [first, *facts["versions"]],
        "kernels": [row, *facts["kernels"]],
    }


def main() -> int:
    found = installed()
    with ExitStack() as stack:
        web = stack.enter_context(OrtWeb.start(found.package, found.program, WEBGPU))
        asked = Asked(web)
        domains = own(asked)
        assert ON_CPU not in domains["com.microsoft"]
        for op, facts in standard(asked).items():
            before = domains[""].get(op)
            domains[""][op] = earlier_too(facts, before) if before else facts
    table = {
        "about": ABOUT,
        "runtime": RUNTIME.name,
        "version": found.version,
        "confidence": "measured",
        "source": SOURCE,
        "domains": {"": NEWEST, "com.microsoft": 1},
        "operators": domains,
    }
    assert RUNTIME.tables is not None
    release = ".".join(found.version.split(".")[:2])
    path = RUNTIME.tables / f"gpukernels-{release}.json"
    path.write_text("".join(lines(table)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
