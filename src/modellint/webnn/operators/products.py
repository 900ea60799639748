"""Matrix products."""

from __future__ import annotations

import math

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, handles
from modellint.webnn.graphs import MLOperand


@handles("MatMul")
def _matmul(c: WebConverter, node: Node) -> None:
    c.set(node.output(), matmul(c, c.input(node, 0), c.input(node, 1)))


def matmul(c: WebConverter, a: MLOperand, b: MLOperand) -> MLOperand:
    """Add a product, also of vectors."""
    left = c.reshape(a, (1, *a.shape)) if a.rank == 1 else a
    right = c.reshape(b, (*b.shape, 1)) if b.rank == 1 else b
    found = c.call("matmul", a=left, b=right)
    shape = list(found.shape)
    if b.rank == 1:
        del shape[-1]
    if a.rank == 1:
        del shape[-1 if b.rank == 1 else -2]
    return c.reshape(found, shape)


@handles("com.microsoft.FusedMatMul")
def _fused(c: WebConverter, node: Node) -> None:
    a, b = c.input(node, 0), c.input(node, 1)
    if node.get_int("transBatchA", 0) or node.get_int("transBatchB", 0):
        raise CannotError("it transposes batches")
    a = c.transpose(a, last_two_swapped(a.rank)) if node.get_int("transA", 0) else a
    b = c.transpose(b, last_two_swapped(b.rank)) if node.get_int("transB", 0) else b
    alpha = node.get_float("alpha", 1.0)
    found = matmul(c, a, b)
    c.set(node.output(), found if alpha == 1.0 else c.with_number("mul", found, alpha or 0.0))


def last_two_swapped(rank: int) -> list[int]:
    return [*range(rank - 2), rank - 1, rank - 2]


@handles("Gemm")
def _gemm(c: WebConverter, node: Node) -> None:
    found = c.call(
        "gemm",
        a=c.input(node, 0),
        b=c.input(node, 1),
        c=c.optional(node, 2),
        alpha=node.get_float("alpha", 1.0),
        beta=node.get_float("beta", 1.0),
        aTranspose=bool(node.get_int("transA", 0)),
        bTranspose=bool(node.get_int("transB", 0)),
    )
    c.set(node.output(), found)


@handles("Einsum")
def _einsum(c: WebConverter, node: Node) -> None:
    equation = (node.get_str("equation") or "").replace(" ", "")
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if not arrow or "." in equation or len(terms) not in (1, 2):
        raise CannotError(f"the equation {equation} is not one of one or two tensors")
    given = [c.input(node, at) for at in range(len(terms))]
    if any(len(set(term)) < len(term) for term in terms):
        raise CannotError(f"the equation {equation} takes a diagonal")
    sizes = {
        name: dim
        for term, x in zip(terms, given, strict=True)
        for name, dim in zip(term, x.shape, strict=True)
    }
    given, terms = _summed(c, given, terms, result)
    if len(terms) == 1:
        order = [terms[0].index(name) for name in result]
        c.set(node.output(), c.transpose(given[0], order))
        return
    (a, b), (first, second) = given, terms
    both = [n for n in first if n in second and n in result]
    inner = [n for n in first if n in second and n not in result]
    rows = [n for n in first if n not in second]
    columns = [n for n in second if n not in first]
    batch = (both,) if both else ()
    a = _grouped(c, a, first, (*batch, rows, inner), sizes)
    b = _grouped(c, b, second, (*batch, inner, columns), sizes)
    product = c.call("matmul", a=a, b=b)
    names = [*both, *rows, *columns]
    shaped = c.reshape(product, [sizes[name] for name in names])
    c.set(node.output(), c.transpose(shaped, [names.index(name) for name in result]))


def _summed(
    c: WebConverter, given: list[MLOperand], terms: list[str], result: str
) -> tuple[list[MLOperand], list[str]]:
    """Add sums over the dims that only one tensor has, and the result has not."""
    operands, names = [], []
    for at, (operand, term) in enumerate(zip(given, terms, strict=True)):
        elsewhere = result + "".join(other for n, other in enumerate(terms) if n != at)
        axes = [place for place, name in enumerate(term) if name not in elsewhere]
        operands.append(c.call("reduceSum", input=operand, axes=axes) if axes else operand)
        names.append("".join(name for name in term if name in elsewhere))
    return operands, names


def _grouped(
    c: WebConverter, x: MLOperand, term: str, groups: tuple[list[str], ...], sizes: dict[str, int]
) -> MLOperand:
    """Return a tensor with one dim for each group of its dims."""
    order = [term.index(name) for group in groups for name in group]
    shape = [math.prod(sizes[name] for name in group) for group in groups]
    return c.reshape(c.transpose(x, order), shape)
