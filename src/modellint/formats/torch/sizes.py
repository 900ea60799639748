"""Sizes of an exported program: numbers, symbols and formulas, and what they are once inputs are.

A formula is written as SymPy writes it, ``Mul(Integer(2), Symbol('s0'))`` or ``2*s0``. Both are
expressions of Python, which are parsed and evaluated here, but never run.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any

from modellint.base.text import bounded
from modellint.model import MOST, Dim, DType, Inference, Model, Shape, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 1000
MOST_POWER = 64

Numbers = Mapping[str, int]
_Fold = Callable[[Fraction, Fraction], Fraction]


def _floor(left: Fraction, right: Fraction) -> Fraction:
    return Fraction(left // right)


def _ceiling(left: Fraction, right: Fraction) -> Fraction:
    return Fraction(-(-left // right))


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > MOST_POWER:
        raise ValueError("a size with an impossible power")
    return Fraction(base**exponent.numerator)


_NAMES = """
Add Mul Max Min Pow PowByNatural Mod PythonMod FloorDiv CleanDiv CeilDiv IntTrueDiv Rational
""".split()
"""SymPy's functions, and those that PyTorch adds."""
_FOLDS: tuple[_Fold, ...] = (
    operator.add,
    operator.mul,
    max,
    min,
    _power,
    _power,
    operator.mod,
    operator.mod,
    _floor,
    _floor,
    _ceiling,
    operator.truediv,
    operator.truediv,
)
_FUNCTIONS: Mapping[str, _Fold] = dict(zip(_NAMES, _FOLDS, strict=True))
_OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_ARITHMETIC: Mapping[str, _Fold] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": _floor,
    "%": operator.mod,
    "**": _power,
}
_SIGNS = dict(
    zip("Add Mul Pow FloorDiv Mod".split(), (" + ", "*", "**", " // ", " % "), strict=True)
)
_MISTAKES = (ValueError, TypeError, ArithmeticError, RecursionError, MemoryError)


class SizeFormula:
    """A size as a function of symbols."""

    def __init__(self, stated: str) -> None:
        self._tree: ast.expr | None = None
        self.text, self.symbols = bounded(stated), frozenset[str]()
        try:
            if len(stated) <= LONGEST:
                tree = ast.parse(stated.strip(), mode="eval").body
                self.text, self.symbols = bounded(_text(tree)), frozenset(_symbols(tree))
                self._tree = tree
        except (SyntaxError, *_MISTAKES):
            pass

    def evaluate(self, numbers: Numbers) -> int | None:
        """Return the size; None if a symbol is not among the numbers, or it is not one."""
        if self._tree is None or not self.symbols <= numbers.keys():
            return None
        try:
            found = _evaluate(self._tree, numbers)
        except _MISTAKES:
            return None
        return int(found) if found.denominator == 1 and abs(found) <= MOST else None

    def solve(self, size: int) -> Mapping[str, int]:
        """Return its symbol for a given size, if it has one and is in proportion to it."""
        if len(self.symbols) != 1:
            return {}
        (symbol,) = self.symbols
        first, second = self.evaluate({symbol: 1}), self.evaluate({symbol: 2})
        if first is None or second is None or first == second:
            return {}
        found = 1 + (size - first) // (second - first)
        return {symbol: found} if self.evaluate({symbol: found}) == size else {}


def _function(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _literal(call: ast.Call) -> Any:
    """Return the first argument: a symbol's name, or a number."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.UnaryOp) and isinstance(first.op, ast.USub):
        first = first.operand
        return -first.value if isinstance(first, ast.Constant) else None  # type: ignore[operator]
    return first.value if isinstance(first, ast.Constant) else None


def _evaluate(tree: ast.expr, numbers: Numbers) -> Fraction:
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int):
        return Fraction(tree.value)
    if isinstance(tree, ast.Name):
        return Fraction(numbers[tree.id])
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return -_evaluate(tree.operand, numbers)
    if isinstance(tree, ast.BinOp):
        sides = _evaluate(tree.left, numbers), _evaluate(tree.right, numbers)
        return _limited(_ARITHMETIC[_OPERATORS[type(tree.op)]](*sides))
    if isinstance(tree, ast.Call):
        name = _function(tree)
        if name == "Symbol":
            return Fraction(numbers[str(_literal(tree))])
        if name == "Integer":
            return Fraction(int(_literal(tree)))
        if name in _FUNCTIONS and tree.args:
            parts = [_evaluate(each, numbers) for each in tree.args]
            return reduce(lambda left, right: _limited(_FUNCTIONS[name](left, right)), parts)
    raise ValueError("no size")


def _limited(number: Fraction) -> Fraction:
    if abs(number.numerator) > MOST * MOST or number.denominator > MOST:
        raise ValueError("more than any size")
    return number


def _symbols(tree: ast.expr) -> Iterator[str]:
    for each in ast.walk(tree):
        if isinstance(each, ast.Call) and _function(each) == "Symbol":
            yield str(_literal(each))
        elif isinstance(each, ast.Name) and each.id not in _NOT_SYMBOLS:
            yield each.id


_NOT_SYMBOLS = frozenset(_FUNCTIONS) | {"Symbol", "Integer"}


def _text(tree: ast.expr, inside: str = "") -> str:
    """Return a formula as it is usually written."""
    if isinstance(tree, ast.Call):
        name = _function(tree)
        if name in ("Symbol", "Integer"):
            return str(_literal(tree))
        parts = [_text(each, name) for each in tree.args]
        if name in _SIGNS and len(parts) > 1:
            joined = _SIGNS[name].join(parts)
            is_whole = inside not in _SIGNS or (_SIGNS[inside], _SIGNS[name]) == (" + ", "*")
            return joined if is_whole else f"({joined})"
        return f"{name}({', '.join(parts)})"
    return ast.unparse(tree)


class ExportedSizes:
    """Shape inference for other sizes of inputs, from the formulas that a program states."""

    def __init__(self, model: Model, formulas: Mapping[str, SizeFormula]) -> None:
        self._model = model
        self._formulas = formulas

    def __call__(
        self,
        inputs: Mapping[str, Shape],
        constants: Mapping[str, NDArray[Any]] | None = None,
        *,
        strict: bool = False,
        unrecorded: bool = False,
    ) -> Inference:
        numbers = self._solve(inputs)
        types: dict[tuple[str, str], tuple[DType | None, Shape | None]] = {}
        for graph in self._model.graphs() if numbers else ():
            path = graph.path
            for value in graph.values.values():
                shape = value.declared_shape
                if shape is not None and any(isinstance(dim, str) for dim in shape):
                    sizes = tuple(self._dim(dim, numbers) for dim in shape)
                    types[path, value.name] = (value.declared_dtype, sizes)
        return Inference(types)

    def _solve(self, inputs: Mapping[str, Shape]) -> Numbers:
        """Return the symbols for given shapes of inputs."""
        numbers: dict[str, int] = {}
        for name, given in inputs.items():
            value: Value | None = self._model.graph.values.get(name)
            for dim, size in zip(value.declared_shape or () if value else (), given, strict=False):
                if isinstance(dim, str) and isinstance(size, int) and dim in self._formulas:
                    numbers |= self._formulas[dim].solve(size)
        return numbers

    def _dim(self, dim: Dim, numbers: Numbers) -> Dim:
        formula = self._formulas.get(dim) if isinstance(dim, str) else None
        size = formula.evaluate(numbers) if formula is not None else None
        return dim if size is None or size < 0 else size
