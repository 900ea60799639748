"""Activations written out op by op."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sqrt

from modellint.analysis.fusion import (
    Blocker,
    is_number,
    made_by,
    number,
    onward,
    operands,
    other_input,
    shared,
    takers,
    through,
)
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, TENSORRT, is_moot, unfused
from modellint.model import Node, Value


def gelu(context: Context) -> Iterator[Hit]:
    """GELU by the error function."""
    for erf in context.nodes("Erf"):
        scaled = made_by(erf.input(0), "Div", "Mul")
        if scaled is None:
            continue
        x = scaled.input(0)
        blockers = []
        if scaled.op_type == "Mul":
            x = next((v for v, c in operands(scaled) if is_number(c, 1 / sqrt(2))), None)
            blockers.append(Blocker("scale", scaled))
        elif not is_number(scaled.input(1), sqrt(2)):
            continue
        yield from _gelu(context, x, [scaled, erf], blockers, ("first", "last"))


def fast_gelu(context: Context) -> Iterator[Hit]:
    """GELU by the hyperbolic tangent."""
    for tanh in context.nodes("Tanh"):
        found = _tanh_argument(tanh)
        if found is None:
            continue
        x, nodes, blockers = found
        yield from _gelu(context, x, [*nodes, tanh], blockers, ("first",))


def _gelu(
    context: Context,
    x: Value | None,
    nodes: list[Node],
    blockers: list[Blocker],
    known_forms: tuple[str, ...],
) -> Iterator[Hit]:
    curve = nodes[-1]
    plus = _taker(curve.output(), "Add")
    if x is None or plus is None or not is_number(other_input(plus, curve.output()), 1.0):
        return
    tail = _halved_product(plus, x)
    if tail is None:
        return
    form, rest = tail
    nodes = [*nodes, plus, *rest]
    if form not in known_forms:
        half = next(node for node in rest if any(is_number(v, 0.5) for v in node.inputs))
        blockers.append(Blocker("half", half))
    last = nodes[-1]
    taken = shared(nodes, last)
    if taken is not None:
        blockers.append(Blocker("shared", taken[0]))
    output = last.output()
    if known_forms == ("first",) and output is not None and output.is_output:
        blockers.append(Blocker("output", last))
    yield from _report(context, curve, nodes, blockers)


def _report(
    context: Context, curve: Node, nodes: list[Node], blockers: list[Blocker]
) -> Iterator[Hit]:
    blocker = blockers[0] if blockers else None
    yield from unfused(
        context,
        blocker.node if blocker else curve,
        nodes,
        {
            "nodes": len(nodes),
            "breaker": blocker.node.label if blocker else None,
            "reason": blocker.reason if blocker else None,
        },
        variant=blocker.reason if blocker else "",
        stopped=(ORT,) if blocker else (),
        witness=curve,
    )


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


def sigmoid(context: Context) -> Iterator[Hit]:
    """Sigmoid or SiLU by the exponential function."""
    if is_moot(context):
        return
    for exp in context.nodes("Exp"):
        negated, plus = made_by(exp.input(0), "Neg", "Mul"), _taker(exp.output(), "Add")
        if negated is None or plus is None or not is_number(other_input(plus, exp.output()), 1.0):
            continue
        x = negated.input(0)
        if negated.op_type == "Mul":
            x = next((v for v, c in operands(negated) if is_number(c, -1.0)), None)
        last = next((n for n in takers(plus.output()) if n.op_type in ("Div", "Reciprocal")), None)
        if x is None or last is None or (last.op_type == "Div" and last.input(1) is x):
            continue
        nodes = [negated, exp, plus, last]
        if shared(nodes, last) is not None:
            continue
        silu = last.op_type == "Div" and last.input(0) is x
        if not silu and last.op_type == "Div" and not is_number(last.input(0), 1.0):
            continue
        facts = {"nodes": len(nodes), "what": "SiLU" if silu else "Sigmoid"}
        yield from unfused(context, last, nodes, facts, witness=exp)


def silu(context: Context) -> Iterator[Hit]:
    """x times Sigmoid(x), where the Sigmoid is wanted elsewhere too."""
    for sig in context.nodes("Sigmoid"):
        output = sig.output()
        products = [n for n in takers(output) if n.op_type == "Mul"]
        product = next((n for n in products if other_input(n, output) is sig.input(0)), None)
        if product is None:
            continue
        nodes = [sig, product]
        taken = shared(nodes, product)
        blockers = [Blocker("shared", sig)] if taken is not None else []
        yield from _report(context, sig, nodes, blockers)


def hard_swish(context: Context) -> Iterator[Hit]:
    """x times a clipped x + 3, over 6."""
    if is_moot(context):
        return
    for plus in context.nodes("Add"):
        x = next((v for v, c in operands(plus) if is_number(c, 3.0)), None)
        clip = _taker(plus.output(), "Clip")
        if x is None or clip is None or _bounds(clip) != (0.0, 6.0):
            continue
        found = _over_six(clip, x)
        if found is None or shared([plus, clip, *found[0]], found[0][-1]) is not None:
            continue
        rest, what = found
        nodes = [plus, clip, *rest]
        facts = {"nodes": len(nodes), "what": what}
        yield from unfused(context, nodes[-1], nodes, facts, witness=clip)


def _over_six(clip: Node, x: Value) -> tuple[list[Node], str] | None:
    """The division by 6, and the product with x before or after it."""
    for first in takers(clip.output()):
        if _divides_by_six(first, clip.output()):
            product = _taker(first.output(), "Mul")
            if product is not None and other_input(product, first.output()) is x:
                return [first, product], "HardSwish"
            return [first], "HardSigmoid"
        if first.op_type == "Mul" and other_input(first, clip.output()) is x:
            for second in takers(first.output()):
                if _divides_by_six(second, first.output()):
                    return [first, second], "HardSwish"
    return None


def _divides_by_six(node: Node, value: Value | None) -> bool:
    if node.op_type == "Div":
        return node.input(0) is value and is_number(node.input(1), 6.0)
    return node.op_type == "Mul" and is_number(other_input(node, value), 1 / 6)


def _bounds(clip: Node) -> tuple[float | None, float | None]:
    low, high = number(clip.input(1)), number(clip.input(2))
    return (
        low if clip.input(1) is not None else clip.get_float("min"),
        high if clip.input(2) is not None else clip.get_float("max"),
    )


def softplus(context: Context) -> Iterator[Hit]:
    """Log(1 + Exp(x)), alone or within Mish."""
    for log in context.nodes("Log"):
        plus = made_by(log.input(0), "Add")
        exp = next(
            (made_by(e, "Exp") for e, one in operands(plus) if is_number(one, 1.0)), None
        ) if plus is not None else None  # fmt: skip
        if plus is None or exp is None or shared([exp, plus, log], log) is not None:
            continue
        nodes, what = [exp, plus, log], "Softplus"
        tanh = _taker(log.output(), "Tanh")
        product = _taker(tanh.output(), "Mul") if tanh is not None else None
        if (
            tanh is not None
            and product is not None
            and other_input(product, tanh.output()) is exp.input(0)
        ):
            nodes, what = [*nodes, tanh, product], "Mish"
        value = exp.input(0)
        facts = {
            "nodes": len(nodes),
            "what": what,
            "limit": 11 if value is not None and _is_half(context, value) else 88,
        }
        variant = "numeric" if context.for_tensorrt else ""
        yield from unfused(context, nodes[-1], nodes, facts, variant=variant, witness=log)


def _is_half(context: Context, value: Value) -> bool:
    return context.deployment.precision == "fp16" or str(context.dtype(value)) == "float16"


def softmax(context: Context) -> Iterator[Hit]:
    """Exp over its own sum, with or without the maximum taken off first."""
    for exp in context.nodes("Exp"):
        output = exp.output()
        total = next((n for n in takers(output) if n.op_type == "ReduceSum"), None)
        if total is None:
            continue
        quotient = next(
            (n for n in takers(total.output()) if n.op_type == "Div" and n.input(0) is output),
            None,
        )
        if quotient is None or shared([exp, total, quotient], quotient) is not None:
            continue
        nodes, variant = [exp, total, quotient], "unstable"
        less = made_by(exp.input(0), "Sub")
        peak = made_by(less.input(1), "ReduceMax") if less is not None else None
        if less is not None and peak is not None and peak.input(0) is less.input(0):
            nodes, variant = [peak, less, *nodes], ""
        value = exp.input(0)
        limit = 11 if value is not None and _is_half(context, value) else 88
        facts = {"nodes": len(nodes), "limit": limit}
        attention = _weighs_values(nodes[0], quotient)
        yield from unfused(
            context,
            quotient,
            nodes,
            facts,
            variant="attention" if attention and context.for_tensorrt else variant,
            witness=exp,
            stopped=(TENSORRT,) if attention else (),
        )


def _weighs_values(first: Node, last: Node) -> bool:
    """Whether a product comes before, and another after: attention."""
    scores = through(first.input(0))
    return made_by(scores, "MatMul", "Add", "Mul", "Div") is not None and any(
        node.op_type == "MatMul" for node in takers(last.output())
    )


def log_of_softmax(context: Context) -> Iterator[Hit]:
    """Log of a Softmax, which is minus infinity where the Softmax underflows."""
    for log in context.nodes("Log"):
        value = through(log.input(0))
        node = made_by(value, "Softmax")
        if node is not None and value is not None and onward(value) is log.input(0):
            variant = "numeric" if context.for_tensorrt else ""
            yield from unfused(context, log, [node, log], {"softmax": node.label}, variant=variant)


def _taker(value: Value | None, op: str) -> Node | None:
    """The first node of an op that takes the value."""
    return next((node for node in takers(value) if node.qualified_op == op), None)
