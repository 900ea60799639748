"""Recurrent layers."""

from __future__ import annotations

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, handles
from modellint.webnn.graphs import MLOperand
from modellint.webnn.operators.movement import sliced

_ACTIVATIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}
_DIRECTIONS = {"forward": "forward", "reverse": "backward", "bidirectional": "both"}


@handles("LSTM", "GRU")
def _recurrent(c: WebConverter, node: Node) -> None:
    is_lstm = node.op_type == "LSTM"
    if node.get_float("clip") is not None or node.get_int("input_forget", 0):
        raise CannotError("WebNN has no clip and no input_forget")
    if node.get_int("layout", 0):
        raise CannotError("WebNN has no layout with batches first")
    x, weight, recurrent = (c.input(node, at) for at in range(3))
    steps = x.shape[0]
    hidden = recurrent.shape[2]
    lengths = node.input(4)
    if lengths is not None and {*(c.ints(lengths, "the lengths") or [])} != {steps}:
        raise CannotError("its sequences have different lengths")
    direction = node.get_str("direction", "forward") or "forward"
    gates = 4 if is_lstm else 3
    bias, recurrent_bias = _biases(c, node, gates * hidden)
    state = c.optional(node, 5)
    cell = c.optional(node, 6) if is_lstm else None
    if is_lstm and (state is None) != (cell is None):
        zero = c.with_number("mul", state or cell, 0.0)  # type: ignore[arg-type]
        state, cell = state or zero, cell or zero
    sequence = c.is_used(node, 0)
    extra: dict[str, object] = {}
    if is_lstm:
        peephole = c.optional(node, 7)
        extra = {"peepholeWeight": peephole, "initialCellState": cell, "layout": "iofg"}
    else:
        extra = {"resetAfter": bool(node.get_int("linear_before_reset", 0)), "layout": "zrn"}
    outputs = c.calls(
        "lstm" if is_lstm else "gru",
        input=x,
        weight=weight,
        recurrentWeight=recurrent,
        steps=steps,
        hiddenSize=hidden,
        bias=bias,
        recurrentBias=recurrent_bias,
        initialHiddenState=state,
        returnSequence=sequence,
        direction=_DIRECTIONS[direction],
        activations=_activations(node, 3 if is_lstm else 2),
        **extra,
    )
    if sequence:
        c.set(node.output(0), outputs[-1])
    c.set(node.output(1), outputs[0])
    if is_lstm:
        c.set(node.output(2), outputs[1])


def _biases(c: WebConverter, node: Node, size: int) -> tuple[MLOperand | None, MLOperand | None]:
    both = c.optional(node, 3)
    if both is None:
        return None, None
    return sliced(c, both, [0], [size], [1]), sliced(c, both, [size], [2 * size], [1])


def _activations(node: Node, count: int) -> list[str] | None:
    stated = node.attributes.get("activations")
    if not isinstance(stated, tuple) or not stated:
        return None
    names = [each for each in stated if isinstance(each, str)]
    first = names[:count]
    if any(name not in _ACTIVATIONS for name in first) or names != first * (len(names) // count):
        raise CannotError(f"WebNN does not have the activations {', '.join(names)}")
    return [_ACTIVATIONS[name] for name in first]
