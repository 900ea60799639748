"""Pairs of Q and DQ that a network would do without: at its outputs, read in float alone, one after
another, and on the way to those that compute in float."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from modellint.analysis.chains import LONGEST
from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.onnxruntime import CARRIES, CLIPPING
from modellint.analysis.quantization.ops import MOVING, SHAPE_READERS, rides_along
from modellint.analysis.quantization.parts import Converter
from modellint.model import Node, Use, Value
from modellint.operators import Trait, having


class SharedPair(NamedTuple):
    """A DQ that integer kernels read, and others in float."""

    dequantizer: Converter
    fusing: Node
    floating: list[Use]


def pairs_at_outputs(quantization: QuantizationMap) -> Iterator[Converter]:
    """Iterate over the DQs of pairs whose result is only returned."""
    for dq in quantization.activation_dequantizers:
        q = dq.undoes
        if q is None or not _only_returned(dq.output):
            continue
        if not _makes_integer(quantization, q):
            yield dq


def pairs_read_in_float(quantization: QuantizationMap) -> Iterator[tuple[Converter, list[Use]]]:
    """Iterate over the Qs of pairs that are read in float alone, with these readers."""
    for q in quantization.activation_quantizers:
        if q.feeds_layer:
            continue
        outputs = quantization.dequantizers_after(q)
        uses = [use for output in outputs for use in output.consumers]
        is_kept = any(output.is_output for output in outputs) or q.output.is_output
        if not uses or is_kept or len(q.output.consumers) != len(outputs):
            continue
        if any(takes_quantized(quantization, use.node) for use in uses):
            continue
        if all(_only_returned(output) for output in outputs):
            continue  # the end of the network, which is another rule's finding
        if not _makes_integer(quantization, q):
            yield q, uses


def shared_pairs(quantization: QuantizationMap) -> Iterator[SharedPair]:
    """Iterate over DQs that feed both integer kernels and ops that run in float.

    Where a kernel needs the Q after it, no float exists that the others could read instead.
    """
    for dq in quantization.activation_dequantizers:
        uses = dq.output.consumers
        if len(uses) < 2:
            continue
        ops = (quantization.op(use.node) for use in uses)
        fusing = next((op.node for op in ops if op is not None and op.is_quantized), None)
        floating = [
            use
            for use in uses
            if use.node.op_type not in SHAPE_READERS and not takes_quantized(quantization, use.node)
        ]
        kept = dq.undoes is not None and _makes_integer(quantization, dq.undoes)
        if fusing is not None and floating and not kept:
            yield SharedPair(dq, fusing, floating)


def requantizations(
    quantization: QuantizationMap,
) -> Iterator[tuple[Converter, Converter, bool]]:
    """Iterate over Qs right after a DQ of the same type, and say whether the numbers stay."""
    for q in quantization.quantizers:
        dq = q.before
        if dq is None or dq.kind != "dequantize" or dq.scheme.dtype is not q.scheme.dtype:
            continue
        same = dq.scheme.same_as(q.scheme)
        if same is not None:
            yield q, dq, same


def _only_returned(value: Value) -> bool:
    """Return True if a value is only returned, possibly after being moved."""
    for _ in range(LONGEST):
        if not value.consumers:
            break
        after = value.sole_consumer
        result = after.output() if after is not None and after.op_type in MOVING else None
        if result is None:
            return False
        value = result
    return value.is_output


def _makes_integer(quantization: QuantizationMap, q: Converter) -> bool:
    """Return True if the op before a pair needs it to be integer.

    TensorRT's integer kernels can return floats. ONNX Runtime's can do so only for matrix
    products; all others need a Q after them.
    """
    if quantization.deployment.builder == "tensorrt":
        return False
    return comes_from_integer(quantization, q)


def comes_from_integer(quantization: QuantizationMap, q: Converter) -> bool:
    """Return True if what a pair quantizes is computed from quantized numbers, in an integer kernel
    that needs a Q after it in ONNX Runtime."""
    producer = q.source.producer
    for _ in range(LONGEST):
        if producer is None or producer.op_type not in (*CLIPPING, *CARRIES):
            break
        source = producer.input(0)
        producer = source.producer if source is not None else None
    if producer is None:
        return False
    op = quantization.op(producer)
    if op is not None:
        return op.is_quantized and op.node.op_type not in having(Trait.MATMUL)
    return any(v is not None and quantization.operand(v).is_quantized for v in producer.inputs)


def takes_quantized(quantization: QuantizationMap, node: Node) -> bool:
    """Return True if a node, or one that rides along after it, runs on quantized numbers."""
    if quantization.op(node) is not None:
        return True
    pending, seen = [node], {id(node)}
    while pending and len(seen) < 64:
        node = pending.pop()
        if quantization.converter(node) is not None or quantization.op(node) is not None:
            return True
        outputs = [value for value in node.outputs if value is not None]
        if any(quantization.quantizers_after(value) for value in outputs):
            return True
        if rides_along(node) or node.subgraphs:
            for after in node.successors:
                if id(after) not in seen:
                    seen.add(id(after))
                    pending.append(after)
    return bool(pending)
