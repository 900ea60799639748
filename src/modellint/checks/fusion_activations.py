"""Activations written out op by op."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sqrt

from modellint.analysis.fusion import (
    Blocker,
    is_number,
    made_by,
    operands,
    other_input,
    shared,
    takers,
)
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, unfused
from modellint.model import Node, Value


def fast_gelu(context: Context) -> Iterator[Hit]:
    """GELU by the hyperbolic tangent."""
    for tanh in context.nodes("Tanh"):
        found = _tanh_argument(tanh)
        plus = _taker(tanh.output(), "Add")
        if found is None or plus is None or not is_number(other_input(plus, tanh.output()), 1.0):
            continue
        x, nodes, blockers = found
        tail = _halved_product(plus, x)
        if tail is None:
            continue
        form, rest = tail
        nodes = [*nodes, tanh, plus, *rest]
        blockers += _tail_blockers(form, nodes)
        blocker = blockers[0] if blockers else None
        yield from unfused(
            context,
            blocker.node if blocker else tanh,
            nodes,
            {
                "nodes": len(nodes),
                "breaker": blocker.node.label if blocker else None,
                "reason": blocker.reason if blocker else None,
            },
            variant=blocker.reason if blocker else "",
            stopped=(ORT,) if blocker else (),
            witness=tanh,
        )


def _tail_blockers(form: str, nodes: list[Node]) -> Iterator[Blocker]:
    """What ONNX Runtime's FastGeluFusion stumbles over from the Tanh on."""
    last = nodes[-1]
    if form != "first":
        half = next(n for n in nodes[-2:] if any(is_number(v, 0.5) for v in n.inputs))
        yield Blocker("half", half)
    taken = shared(nodes, last)
    if taken is not None:
        yield Blocker("shared", taken[0])
    output = last.output()
    if output is not None and output.is_output:
        yield Blocker("output", last)


def _halved_product(plus: Node, x: Value) -> tuple[str, list[Node]] | None:
    """The two Muls by x and by a half that end a GELU, and in which order they stand."""
    first = _taker(plus.output(), "Mul")
    if first is None:
        return None
    factor = other_input(first, plus.output())
    halved = made_by(factor, "Mul")
    if halved is not None and any(v is x and is_number(c, 0.5) for v, c in operands(halved)):
        return "first", [halved, first]
    second = _taker(first.output(), "Mul")
    if second is None:
        return None
    other = other_input(second, first.output())
    if factor is x and is_number(other, 0.5):
        return "last", [first, second]
    if is_number(factor, 0.5) and other is x:
        return "inner", [first, second]
    return None


def _tanh_argument(tanh: Node) -> tuple[Value, list[Node], list[Blocker]] | None:
    """x of sqrt(2/pi) (x + 0.044715 x^3), in the ways it is written."""
    outer = made_by(tanh.input(0), "Mul")
    if outer is None:
        return None
    for inner, factor in operands(outer):
        if is_number(factor, sqrt(2 / pi)):
            total = made_by(inner, "Add")
            for x, cubic in operands(total) if total is not None else ():
                found = _cubic(x, cubic)
                if found is not None and total is not None:
                    nodes, blockers = found
                    return x, [*nodes, total, outer], blockers
        product = made_by(factor, "Mul")
        for x, scale in operands(product) if product is not None else ():
            total = made_by(inner, "Add")
            if is_number(scale, sqrt(2 / pi)) and total is not None and product is not None:
                square = _one_plus_square(x, total)
                if square is not None:
                    return x, [*square, product, total, outer], []
    return None


def _cubic(x: Value, cubic: Value) -> tuple[list[Node], list[Blocker]] | None:
    """0.044715 x^3 by Pow, or by multiplying."""
    scaled = made_by(cubic, "Mul")
    for power, factor in operands(scaled) if scaled is not None else ():
        if scaled is None or not is_number(factor, 0.044715):
            continue
        cube = made_by(power, "Pow", "Mul")
        if cube is None:
            continue
        if cube.op_type == "Pow":
            if cube.input(0) is x and is_number(cube.input(1), 3.0):
                return [cube, scaled], []
            continue
        square = next((made_by(s, "Mul") for v, s in operands(cube) if v is x), None)
        if square is not None and square.input(0) is x and square.input(1) is x:
            return [square, cube, scaled], [Blocker("cube", cube)]
    return None


def _one_plus_square(x: Value, total: Node) -> list[Node] | None:
    """1 + x (0.044715 x)."""
    for product, one in operands(total):
        square = made_by(product, "Mul") if is_number(one, 1.0) else None
        for base, scaled in operands(square) if square is not None else ():
            inner = made_by(scaled, "Mul")
            if base is x and inner is not None and square is not None:
                factor = other_input(inner, x)
                if is_number(factor, 0.044715):
                    return [inner, square]
    return None


def _taker(value: Value | None, op: str) -> Node | None:
    """The first node of an op that takes the value."""
    return next((node for node in takers(value) if node.qualified_op == op), None)
