"""Leftovers of training and of other toolchains in the graph."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.base.expressions import late
from modellint.checks.api import Context, Hit
from modellint.checks.compat import is_of_training
from modellint.checks.repeats import together
from modellint.model import Node, Value
from modellint.model.features import FOREIGN_DOMAIN, STORED
from modellint.operators import Trait, names
from modellint.results.finding import Severity


def fake_quantize_left(context: Context) -> Iterator[Hit]:
    """Fake quantization of training, as an op that no runtime supports."""
    found = [
        node
        for graph in context.graphs()
        for nodes in graph.by_op.values()
        if "fakequant" in nodes[0].op_type.replace("_", "").lower()
        and not nodes[0].domain.startswith("org.openvinotoolkit")
        and context.model.function_of(nodes[0]) is None
        for node in nodes
    ]
    yield from together(found, {})


def qat_domain_left(context: Context) -> Iterator[Hit]:
    """Quantizers of Brevitas, QONNX and FINN."""
    if context.lacks([FOREIGN_DOMAIN]):
        return
    by_domain: dict[str, list[Node]] = {}
    for graph in context.graphs():
        for nodes in graph.by_op.values():
            node = nodes[0]
            if is_of_training(node) and context.model.function_of(node) is None:
                by_domain.setdefault(node.domain, []).extend(nodes)
    for domain, nodes in by_domain.items():
        kinds = sorted({node.op_type for node in nodes})
        yield from together(nodes, {"domain": domain, "kinds": kinds})


def tensorrt_op_left(context: Context) -> Iterator[Hit]:
    """Q and DQ as TensorRT's custom operators, for another runtime."""
    runtime = context.deployment.runtime
    is_tensorrt = context.for_tensorrt
    found = [
        node
        for graph in context.graphs()
        for nodes in graph.by_op.values()
        if _is_tensorrt_converter(nodes[0])
        and not (is_tensorrt and not nodes[0].op_type.startswith("TRT_INT8"))
        for node in nodes
    ]
    severity = None if runtime else Severity.WARNING
    variant = "int8" if is_tensorrt else ""
    yield from together(found, {}, severity=severity, variant=variant)


def _is_tensorrt_converter(node: Node) -> bool:
    return node.op_type.startswith("TRT_") and "uantize" in node.op_type


def arithmetic_fake_quantize(context: Context) -> Iterator[Hit]:
    """Decomposed fake quantization: scale, round, clip, scale back."""
    found = []
    for node in context.nodes("Round"):
        before = _producer(node.input(0), names(Trait.SCALING), past=("Add",))
        after = _consumer(
            node.output(), names(Trait.SCALING), past=("Add", "Clip", "Max", "Min", "Sub")
        )
        if before is None or after is None or before.op_type == after.op_type:
            continue
        if _constant_operand(before) is not None and _constant_operand(after) is not None:
            found.append(node)
    yield from together(found, {})


def _producer(value: Value | None, wanted: tuple[str, ...], past: tuple[str, ...]) -> Node | None:
    for _ in range(3):
        node = value.producer if value is not None else None
        if node is None or node.op_type in wanted:
            return node
        if node.op_type not in past:
            return None
        value = node.input(0)
    return None


def _consumer(value: Value | None, wanted: tuple[str, ...], past: tuple[str, ...]) -> Node | None:
    is_bounded = False
    for _ in range(5):
        node = value.sole_consumer if value is not None else None
        if node is None:
            return None
        if node.op_type in wanted:
            return node if is_bounded else None
        if node.op_type not in past:
            return None
        is_bounded |= node.op_type in ("Clip", "Max", "Min")
        value = node.output()
    return None


def _constant_operand(node: Node) -> Value | None:
    return next((value for value in node.inputs if value is not None and value.is_constant), None)


_OBSERVERS = late("activation_post_process|fake_quant_enabled|observer_enabled|weight_fake_quant")


def observers_left(context: Context) -> Iterator[Hit]:
    """Buffers of training's observers among the stored tensors."""
    if context.lacks([STORED]):
        return
    found = [
        value
        for graph in context.graphs()
        for value in graph.initializers
        if _OBSERVERS.search(value.name) and not _is_parameter(value)
    ]
    if found:
        yield Hit(found[0], {"tensors": len(found), "names": [value.name for value in found]})


def _is_parameter(value: Value) -> bool:
    """Return True if a tensor is the scale or zero point of a Q or DQ."""
    return any(
        use.index in (1, 2) and "uantizeLinear" in use.node.op_type for use in value.consumers
    )
