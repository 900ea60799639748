"""Work of each operator, computed from shapes: multiply-accumulates and other operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import log2
from typing import cast

from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.model import Node, Value, is_static, product
from modellint.operators import Operator, of

MOST_WORK = 10**30
"""No count goes further: beyond any model, and far below what a float can represent."""
_MISFITS = (LookupError, ValueError, ArithmeticError)
"""Exceptions of formulas for shapes that an operator does not take."""


class UnknownCostError(Exception):
    """Unknown shape or attribute that a formula needs."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work of a node; `flops` includes two for each MAC."""

    macs: int | None
    flops: int | None


@dataclass(frozen=True, slots=True)
class Operands:
    """Static shapes of a node's inputs and outputs; access raises if unknown."""

    node: Node
    types: DeployedTypes
    row: Operator

    def input(self, index: int) -> tuple[int, ...]:
        return self._static(self.node.input(index))

    def output(self, index: int = 0) -> tuple[int, ...]:
        return self._static(self.node.output(index))

    def has(self, index: int) -> bool:
        return self.node.input(index) is not None

    def place(self, role: str) -> int:
        """Return the index of the input with a role; raise if there is none."""
        place = self.row.place(role)
        if place is None:
            raise UnknownCostError
        return place

    @property
    def is_biased(self) -> bool:
        place = self.row.place("bias")
        return place is not None and self.has(place)

    def attribute(self, name: str) -> int:
        value = self.node.get_int(name)
        if value is None:
            raise UnknownCostError
        return value

    def elements(self) -> int:
        """Return the number of elements of the first output that is used."""
        for index, value in enumerate(self.node.outputs):
            if value is not None:
                return product(self.output(index))
        raise UnknownCostError

    def _static(self, value: Value | None) -> tuple[int, ...]:
        shape = self.types.shape(value) if value is not None else None
        if not is_static(shape):
            raise UnknownCostError
        return cast("tuple[int, ...]", shape)


Formula = Callable[[Operands], tuple[int, int]]
"""Returns MACs and other operations."""


def node_work(node: Node, types: DeployedTypes, *, is_function: bool = False) -> Work:
    """Return the work of a node.

    Raises `UnknownCostError` for open shapes, shapes that the op does not take, and undefined ops.
    """
    if is_function:
        raise UnknownCostError
    row = of(node)
    if not row.cost:
        raise UnknownCostError
    try:
        macs, others = formula_named(row.cost)(Operands(node, types, row))
    except _MISFITS:
        raise UnknownCostError from None
    if min(macs, others) < 0:
        raise UnknownCostError
    return Work(min(macs, MOST_WORK), min(2 * macs + others, MOST_WORK))


@cache
def formula_named(cost: str) -> Formula:
    """Return the formula named by a row of the catalogue."""
    count, _, each = cost.partition("/")
    if each == "output":
        return _per_output(int(count))
    if each == "input":
        return _per_input(int(count))
    return FORMULAS[cost]


# Layers whose work is multiply-accumulates


def _conv(of: Operands) -> tuple[int, int]:
    out = product(of.output())
    # The weight is out_channels x in_channels/group x kernel, whatever the rank.
    return out * product(of.input(of.place("weight"))[1:]), out if of.is_biased else 0


def _group_conv(of: Operands) -> tuple[int, int]:
    """Count a convolution whose weight has a dim of groups ahead of all others."""
    return product(of.output()) * product(of.input(of.place("weight"))[2:]), 0


def _group_conv_transpose(of: Operands) -> tuple[int, int]:
    return product(of.input(0)) * product(of.input(of.place("weight"))[2:]), 0


def _conv_transpose(of: Operands) -> tuple[int, int]:
    bias = product(of.output()) if of.is_biased else 0
    return product(of.input(0)) * product(of.input(1)[1:]), bias


def _conv_channels_last(of: Operands) -> tuple[int, int]:
    """Count a convolution whose weight is kernel x in_channels x out_channels."""
    out = product(of.output())
    return out * product(of.input(of.place("weight"))[:-1]), out if of.is_biased else 0


def _depthwise(of: Operands) -> tuple[int, int]:
    """Count a depthwise convolution whose weight is 1 x kernel x out_channels."""
    out = product(of.output())
    return out * product(of.input(of.place("weight"))[1:-1]), out if of.is_biased else 0


def _depthwise_split(of: Operands) -> tuple[int, int]:
    """Count a depthwise convolution whose weight is kernel x in_channels x multiplier."""
    return product(of.output()) * product(of.input(of.place("weight"))[:-2]), 0


def _conv_transpose_nhwc(of: Operands) -> tuple[int, int]:
    """Count a transposed convolution whose weight ends with the input's channels."""
    bias = product(of.output()) if of.is_biased else 0
    weight = of.input(of.place("weight"))
    return product(of.input(of.place("data"))) * product(weight[:-1]), bias


def _deform_conv(of: Operands) -> tuple[int, int]:
    out, weight = of.output(), of.input(1)
    samples = out[0] * product(out[2:]) * of.input(0)[1] * product(weight[2:])
    bilinear = 8 * samples  # four products, three sums, and the mask
    return product(out) * product(weight[1:]), bilinear + (product(out) if of.is_biased else 0)


def _matmul(of: Operands) -> tuple[int, int]:
    left = of.input(0)
    if not left:
        raise UnknownCostError
    transposed = bool(of.node.get_int("transA", 0)) and len(left) > 1
    reduced = left[-2] if transposed else left[-1]
    out = product(of.output())  # knows rows, columns and broadcast batches
    return out * reduced, out if of.is_biased else 0


def _fully_connected(of: Operands) -> tuple[int, int]:
    """Count a product with a weight of out x in, of rows that may still have to be flattened."""
    out = product(of.output())
    return out * of.input(1)[-1], out if of.is_biased else 0


def _batch_matmul(of: Operands) -> tuple[int, int]:
    left = of.input(0)
    return product(of.output()) * left[-2 if of.node.get_int("adj_x") else -1], 0


def _matmul_blocks(of: Operands) -> tuple[int, int]:
    """Count a product with packed weights, whose shape is in the attributes."""
    depth, columns = of.attribute("K"), of.attribute("N")
    rows = product(of.input(0)[:-1])
    return rows * depth * columns, depth * columns  # each weight is dequantized once


_ELLIPSIS = "0123456789"
"""Labels for the dims that an ellipsis covers, the last of which are the last of any operand."""


def _einsum(of: Operands) -> tuple[int, int]:
    equation = (of.node.get_str("equation") or "").replace(" ", "")
    terms, _, result = equation.partition("->")
    operands = terms.split(",")
    if not equation or len(operands) != len(of.node.inputs):
        raise UnknownCostError
    sizes: dict[str, int] = {}
    for index, written in enumerate(operands):
        shape = of.input(index)
        covered = _ELLIPSIS[len(_ELLIPSIS) + len(written) - len("...") - len(shape) :]
        labels = written.replace("...", covered)
        if len(shape) != len(labels):
            raise UnknownCostError
        for label, size in zip(labels, shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    result = result.replace("...", _ELLIPSIS)
    if "->" not in equation:
        result = _ELLIPSIS + "".join(label for label in sizes if terms.count(label) == 1)
    combinations = product(sizes.values())
    if len(operands) == 1:
        return 0, combinations if set(sizes) - set(result) else 0
    contracts = bool(set(sizes) - set(result))
    work = combinations * (len(operands) - 1)
    return (work, 0) if contracts else (0, work)


def _recurrent(of: Operands) -> tuple[int, int]:
    """Count RNN, GRU or LSTM; the weights' shapes include gates and directions."""
    sequence, batch = of.input(0)[:2]  # or batch, sequence: only their product matters
    directions, hidden = of.input(1)[0], of.attribute("hidden_size")
    gates = product(of.input(1)[1:]) // (of.input(0)[2] * hidden)
    steps = sequence * batch
    per_gate = 3  # two additions and the activation
    return steps * (product(of.input(1)) + product(of.input(2))), (
        steps * directions * hidden * gates * per_gate
    )


def _recurrent_step(of: Operands) -> tuple[int, int]:
    """Count an RNN, GRU or LSTM whose state comes in: over a sequence, or for one step of it."""
    steps = product(of.input(0)[:-1])
    places = of.row.places("weight", "recurrence")
    weights = [of.input(place) for place in places if of.has(place)]  # maybe of both directions
    rows = sum(product(weight[:-1]) for weight in weights) // 2
    per_row = 3  # two additions and the activation
    return steps * sum(map(product, weights)), steps * rows * per_row


def _cells(of: Operands) -> tuple[int, int]:
    """Count a cell whose weights are all inputs: the matrices among them, at every step."""
    steps = product(of.input(0)[:-1])
    stored = [at for at, value in enumerate(of.node.inputs) if value is not None and value.tensor]
    sizes = [of.input(at) for at in stored]
    per_step = sum(product(size) for size in sizes if len(size) > 1)
    return steps * per_step, steps * sum(product(size) for size in sizes if len(size) == 1)


# Attention


_SOFTMAX = 5
"""Operations per element: the maximum, a difference, an exponential, the sum, a division."""


def _attention_work(
    batch: int, heads: int, queries: int, keys: int, qk_size: int, v_size: int
) -> tuple[int, int]:
    scores = batch * heads * queries * keys
    return scores * (qk_size + v_size), scores * (_SOFTMAX + 1)


def _attention(of: Operands) -> tuple[int, int]:
    """Count ai.onnx.Attention: 4-D with heads, or 3-D with head counts as attributes."""
    query, key, value = of.input(0), of.input(1), of.input(2)
    past = of.input(4)[2] if of.has(4) else 0
    if len(query) == 4:
        batch, heads, queries, qk_size = query
        return _attention_work(batch, heads, queries, key[2] + past, qk_size, value[3])
    heads, kv_heads = of.attribute("q_num_heads"), of.attribute("kv_num_heads")
    batch, queries, hidden = query
    return _attention_work(
        batch, heads, queries, key[1] + past, hidden // heads, value[2] // kv_heads
    )


def _scaled_attention(of: Operands) -> tuple[int, int]:
    """Count attention over any number of batch dims, where the heads are one of them."""
    query, key, value = of.input(0), of.input(1), of.input(2)
    batch = product(query[:-2])
    return _attention_work(batch, 1, query[-2], key[-2], query[-1], value[-1])


def _linear_attention(of: Operands) -> tuple[int, int]:
    """Count LinearAttention: each token is written to a state per head, which is then read."""
    query, key, value = of.input(0), of.input(1), of.input(2)
    heads, kv_heads = of.attribute("q_num_heads"), of.attribute("kv_num_heads")
    (batch, tokens, width), key_size = query, key[2] // kv_heads
    rule = of.node.get_str("update_rule", "gated_delta") or ""
    written = batch * tokens * key_size * value[2]
    read = batch * tokens * width * (value[2] // kv_heads)
    if width != heads * key_size:
        raise UnknownCostError
    corrections = written if "delta" in rule else 0  # what the state already tells of the key
    decays = written if "gated" in rule else 0
    changes = 2 * batch * tokens * value[2] if "delta" in rule else 0
    return written + corrections + read, decays + changes


_EXPERT_ACTIVATIONS = {"relu": 1, "gelu": 5, "silu": 4, "swiglu": 5, "geglu": 6, "identity": 0}
"""Operations per element."""


def _experts(of: Operands) -> tuple[int, int]:
    """Count a mixture of experts: each token passes through `k` of them."""
    up, down, *gate = (of.input(at) for at in of.row.places("weight") if of.has(at))
    data = of.input(0)
    width, tokens = data[-1], product(data[:-1])
    hidden = down[2] * (8 // _bits_of_experts(of) if of.row.place("weight-scale") else 1)
    each = (up[1] + sum(rows for _, rows, _ in gate)) * width + down[1] * hidden
    activation = _EXPERT_ACTIVATIONS[of.node.get_str("activation_type", "relu") or "relu"]
    routed = tokens * (of.node.get_int("k", 1) or 1)
    return routed * each, routed * activation * hidden


def _bits_of_experts(of: Operands) -> int:
    given = of.node.get_int("fc2_expert_weight_bits") or of.node.get_int("expert_weight_bits", 4)
    if given not in (2, 4, 8):
        raise UnknownCostError
    return given


def _multi_head_attention(of: Operands) -> tuple[int, int]:
    heads, query = of.attribute("num_heads"), of.input(0)
    past = of.input(6)[2] if of.has(6) else 0
    if len(query) == 5:  # queries, keys and values packed: batch, sequence, heads, 3, head size
        batch, queries, _, _, size = query
        return _attention_work(batch, heads, queries, queries + past, size, size)
    batch, queries, hidden = query
    size = hidden // heads
    if not of.has(1):
        raise UnknownCostError
    key = of.input(1)
    if len(key) == 5:  # keys and values packed
        return _attention_work(batch, heads, queries, key[1] + past, size, size)
    if len(key) == 4:  # heads already split: the cross attention of a cached encoder
        return _attention_work(batch, heads, queries, key[2], size, of.input(2)[3])
    v_size = of.input(2)[2] // heads if of.has(2) else size
    return _attention_work(batch, heads, queries, key[1] + past, size, v_size)


def _grouped_query_attention(of: Operands) -> tuple[int, int]:
    heads, kv_heads = of.attribute("num_heads"), of.attribute("kv_num_heads")
    batch, queries, hidden = of.input(0)
    size = hidden // heads if of.has(1) else hidden // (heads + 2 * kv_heads)
    try:
        keys = of.output(1)[2]  # a present buffer may be as long as the longest sequence
    except UnknownCostError:
        keys = queries + (of.input(3)[2] if of.has(3) else 0)
    return _attention_work(batch, heads, queries, keys, size, size)


def _projected_attention(of: Operands) -> tuple[int, int]:
    """Count com.microsoft.Attention and QAttention, which include the projections to Q, K, V."""
    (batch, queries, depth), weights = of.input(0), of.input(of.place("weight"))
    heads = of.attribute("num_heads")
    sizes = of.node.get_ints("qkv_hidden_sizes") or (weights[1] // 3,) * 3
    past_at = of.place("past>1")
    past = of.input(past_at)[3] if of.has(past_at) else 0
    macs, others = _attention_work(
        batch, heads, queries, queries + past, sizes[0] // heads, sizes[2] // heads
    )
    projections = batch * queries * depth * weights[1]
    return macs + projections, others + batch * queries * weights[1]


# Everything else


def _per_output(count: int) -> Formula:
    return lambda of: (0, count * of.elements())


def _per_input(count: int) -> Formula:
    return lambda of: (0, count * product(of.input(0)))


def _free(of: Operands) -> tuple[int, int]:
    """Count no operations: the op moves or describes data."""
    return 0, 0


def _variadic(of: Operands) -> tuple[int, int]:
    return 0, (len(of.node.inputs) - 1) * of.elements()


def _pool(of: Operands) -> tuple[int, int]:
    return 0, of.elements() * product(of.node.get_ints("kernel_shape") or (1,))


def _window(of: Operands) -> tuple[int, int]:
    return 0, of.elements() * of.attribute("filter_height") * of.attribute("filter_width")


def _resize(of: Operands) -> tuple[int, int]:
    mode, out = of.node.get_str("mode", "nearest"), of.output()
    if mode == "nearest":
        return 0, 0
    source = of.input(0)
    resized = sum(a != b for a, b in zip(source, out, strict=True)) or len(out)
    taps = 4 if mode == "cubic" else 2
    return 0, product(out) * 2 * taps**resized


def _grid_sample(of: Operands) -> tuple[int, int]:
    mode, out = of.node.get_str("mode", "linear"), of.output()
    taps = {"nearest": 1, "cubic": 4, "bicubic": 4}.get(mode or "", 2)
    return 0, product(out) * 2 * taps ** len(out[2:])


def _local_response(of: Operands) -> tuple[int, int]:
    size = of.node.get_int("size") or 2 * of.attribute("radius") + 1
    return 0, of.elements() * (2 * size + 3)


def _clip(of: Operands) -> tuple[int, int]:
    return 0, 2 * of.elements()


def _sort(of: Operands) -> tuple[int, int]:
    count = product(of.input(0))
    return 0, int(count * max(1.0, log2(max(2, count))))


def _fourier(of: Operands) -> tuple[int, int]:
    count = of.elements()
    return 0, int(5 * count * log2(max(2, count)))


def _roi(of: Operands) -> tuple[int, int]:
    ratio = max(1, of.node.get_int("sampling_ratio", 1) or 1)
    return 0, of.elements() * 8 * ratio * ratio


FORMULAS: Mapping[str, Formula] = {
    "attention": _attention,
    "batch_matmul": _batch_matmul,
    "cells": _cells,
    "clip": _clip,
    "conv": _conv,
    "conv_channels_last": _conv_channels_last,
    "conv_transpose": _conv_transpose,
    "conv_transpose_nhwc": _conv_transpose_nhwc,
    "deform_conv": _deform_conv,
    "depthwise": _depthwise,
    "depthwise_split": _depthwise_split,
    "einsum": _einsum,
    "experts": _experts,
    "fourier": _fourier,
    "fully_connected": _fully_connected,
    "free": _free,
    "grid_sample": _grid_sample,
    "grouped_query_attention": _grouped_query_attention,
    "linear_attention": _linear_attention,
    "group_conv": _group_conv,
    "group_conv_transpose": _group_conv_transpose,
    "local_response": _local_response,
    "matmul": _matmul,
    "matmul_blocks": _matmul_blocks,
    "multi_head_attention": _multi_head_attention,
    "pool": _pool,
    "projected_attention": _projected_attention,
    "recurrent": _recurrent,
    "recurrent_step": _recurrent_step,
    "resize": _resize,
    "roi": _roi,
    "scaled_attention": _scaled_attention,
    "sort": _sort,
    "variadic": _variadic,
    "window": _window,
}
"""Formulas by their names in the catalogue."""
