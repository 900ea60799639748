"""OpenVINO models: forms that the runtime rejects, or that plugins compute differently."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.formats.openvino.compression import LEVELS, SHIFT, of_kind, quantizers
from modellint.formats.openvino.facts import openvino_facts
from modellint.formats.openvino.opsets import number_of, operator_sets
from modellint.model import Node, Tensor, Value, is_static
from modellint.operators import Trait, having
from modellint.results.finding import Severity

NEWEST_IR, OLD_IR = 11, 10
INTEGER_LEVELS = frozenset({2, 16, 255, 256})
"""Levels of FakeQuantize that the CPU plugin computes on integers, or on bits."""
STATE = "variable_id"
_LOCAL = re.compile(r"^(/(home|Users|root|mnt|data|workspace|tmp|opt)/|~/|[A-Za-z]:[\\/])")


def ir_version(context: Context) -> Iterator[Hit]:
    """Versions of the format that OpenVINO does not read, or reads as older releases did."""
    version = openvino_facts(context.model).ir_version or 0
    if version > NEWEST_IR:
        yield Hit(facts={"version": version, "newest": NEWEST_IR})
    elif version == OLD_IR:
        yield Hit(facts={"version": version}, variant="old", severity=Severity.INFO)


def unknown_operation(context: Context) -> Iterator[Hit]:
    """Operations that the stated operator set does not have."""
    types, sets = openvino_facts(context.model).types, operator_sets()
    reported: set[tuple[str, str]] = set()
    counts = Counter(types.values())
    for node, kind in types.items():
        number, first = number_of(kind.opset), sets.first.get(kind.name)
        is_known = number is not None and first is not None and first <= number <= sets.newest
        if is_known or kind in reported:
            continue
        facts = {"op": kind.name, "opset": kind.opset or "no operator set", "first": first}
        count = counts[kind]
        if number is None or number > sets.newest:
            if first is not None and kind.opset.startswith("opset"):
                facts["newest"] = sets.newest
                yield Hit(node, facts, variant="newer", count=count)
            else:
                yield Hit(node, facts, variant="extension", severity=Severity.WARNING, count=count)
        else:
            yield Hit(node, facts, variant="" if first is not None else "unknown", count=count)
        reported.add(kind)


def lone_state(context: Context) -> Iterator[Hit]:
    """States that are written, but never read."""
    for graph in context.graphs():
        users = [node for node in graph.nodes if STATE in node.attributes]
        writers = [node for node in users if node.op_type in having(Trait.WRITES_STATE)]
        read = {node.attributes[STATE] for node in users if node not in writers}
        for node in writers:
            if node.attributes[STATE] not in read:
                yield Hit(node, {"state": str(node.attributes[STATE])})


def float32_weights(context: Context) -> Iterator[Hit]:
    """Weights that were not compressed to half precision when the model was saved."""
    size = Counter[str]()
    largest: Tensor | None = None
    for tensor in context.model.tensors:
        size[tensor.dtype.name] += tensor.nbytes
        if tensor.dtype.name == "float32" and (largest is None or tensor.nbytes > largest.nbytes):
            largest = tensor
    wide, total = size["float32"], sum(size.values())
    if largest is None or wide < context.options["min-bytes"]:
        return
    facts = {"size": wide, "share": wide / total, "saved": wide // 2, "half": size["float16"]}
    mixed = size["float16"] > total * context.options["min-share"]
    if mixed:
        yield Hit(largest, facts, variant="mixed")
    elif wide > total * context.options["min-share"]:
        yield Hit(largest, facts)


def _quantizers(context: Context) -> Iterator[Node]:
    return quantizers(openvino_facts(context.model).types)


def quantizer_levels(context: Context) -> Iterator[Hit]:
    """FakeQuantize with levels that leave the layer after it in floating point."""
    found: dict[int, list[Node]] = {}
    for node in _quantizers(context):
        levels = node.get_int(LEVELS)
        if levels is not None and levels not in INTEGER_LEVELS:
            found.setdefault(levels, []).append(node)
    for levels, nodes in found.items():
        yield Hit(nodes[0], {"levels": levels, "nodes": len(nodes)}, count=len(nodes))


def quantized_float_weights(context: Context) -> Iterator[Hit]:
    """Weights that a FakeQuantize rounds at load, but that are stored in floating point."""
    size, saved = 0, 0
    nodes: list[Node] = []
    for node in _quantizers(context):
        weight = _stored(node.input(0))
        levels = node.get_int(LEVELS) or 0
        if weight is None or not weight.dtype.is_float or not 2 <= levels <= 256:
            continue
        nodes.append(node)
        size += weight.nbytes
        saved += weight.nbytes - weight.elements
    if nodes and size >= context.options["min-bytes"]:
        yield Hit(nodes[0], {"size": size, "saved": saved, "nodes": len(nodes)}, count=len(nodes))


def _stored(value: Value | None) -> Tensor | None:
    """Return the constant that a value is, or is converted from."""
    if (
        value is not None
        and value.producer is not None
        and value.producer.op_type in having(Trait.CAST)
    ):
        value = value.producer.input(0)
    return value.tensor if value is not None else None


def dynamic_on_npu(context: Context) -> Iterator[Hit]:
    """Inputs with open dims, for a device whose plugin compiles static shapes only."""
    if not _is_npu(context):
        return
    stated = openvino_facts(context.model).input_shapes
    for value in context.model.inputs:
        shape = context.shape(value)
        if shape is None or any(not isinstance(dim, int) for dim in shape):
            yield Hit(value, {"shape": stated.get(value.name, "?"), "input": value.name})


def open_onnx_on_npu(context: Context) -> Iterator[Hit]:
    """Inputs of ONNX models with open dims, for the same device, which may batch by itself."""
    if not _is_npu(context):
        return
    for value in context.model.fed:
        shape = context.shape(value)
        if shape is not None and not is_static(shape[1:]):
            dims = ", ".join("?" if dim is None else str(dim) for dim in shape)
            yield Hit(value, {"shape": dims, "input": value.name})


def asymmetric_on_npu(context: Context) -> Iterator[Hit]:
    """4-bit weights with zero points, for a device that prefers symmetric ones."""
    if not _is_npu(context):
        return
    nodes = [
        node
        for node in of_kind(openvino_facts(context.model).types, SHIFT)
        if (weight := _stored(node.input(0))) is not None and weight.dtype.name == "uint4"
    ]
    if nodes:
        yield Hit(nodes[0], {"nodes": len(nodes)}, count=len(nodes))


def _is_npu(context: Context) -> bool:
    target = context.deployment.target
    architecture = target.architecture or "" if target is not None else ""
    return target is not None and target.vendor == "intel" and architecture.startswith("npu")


def open_rank(context: Context) -> Iterator[Hit]:
    """Inputs of open rank, which the CPU plugin does not compile."""
    for value in context.model.inputs:
        if value.declared_shape is None and value.type_name == "tensor":
            yield Hit(value, {"input": value.name})


def value_not_taken(context: Context) -> Iterator[Hit]:
    """Inputs and outputs of ONNX models that are not dense tensors, and inputs of open rank."""
    model = context.model
    for side, values in (("input", model.inputs), ("output", model.outputs)):
        for value in values:
            facts = {"side": side, "value": value.name, "type": value.type_name.replace("_", " ")}
            if value.type_name in ("sequence", "map", "sparse_tensor"):
                yield Hit(value, facts)
    for value in model.fed:
        if value.declared_shape is None and value.consumers:
            yield Hit(value, {"value": value.name}, variant="open-rank")


def local_path(context: Context) -> Iterator[Hit]:
    """Paths of the machine that a model was converted on."""
    found = {
        key: text
        for key, text in openvino_facts(context.model).info.items()
        if _LOCAL.match(text.strip())
    }
    if found:
        key, text = next(iter(found.items()))
        yield Hit(facts={"key": key, "path": text, "count": len(found)}, count=len(found))
