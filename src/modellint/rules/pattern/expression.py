"""Expressions of rule files, compiled to closures. Only whitelisted syntax is accepted."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from modellint.base.records import dataclass
from modellint.rules.pattern.errors import PatternError, WorkLimitError, hint
from modellint.rules.pattern.functions import FUNCTIONS, PatternFunction
from modellint.rules.pattern.scope import Scope, Symbol, equal, every, some, truth

Run = Callable[[Scope], Any]
Test = Callable[[Scope, Any, Any], "bool | None"]

LONGEST = 2_000
DEEPEST = 100
LARGEST_EXPONENT = 64
LARGEST_BITS = 4096
"""Limit on the length of a number."""
CHARACTERS_PER_STEP = 64
CONSTANTS: Mapping[str, object] = {
    "true": True,
    "false": False,
    "null": None,
    "inf": float("inf"),
}

_UNANSWERABLE = (ArithmeticError, LookupError, TypeError, ValueError)


class EvaluationError(PatternError):
    """An expression that is invalid for its values, for example ``"a" < 3``."""


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression of a rule file."""

    part: str
    text: str
    run: Run
    variables: frozenset[str]
    infers: bool
    """True if it may need shape inference."""
    whole: bool
    """True if it depends on all nodes of the match."""

    @property
    def about_deployment(self) -> bool:
        """Return True if the result is the same for all matches in a graph."""
        return not (self.variables or self.whole)

    def value(self, scope: Scope) -> Any:
        """Return the result; None if unknown."""
        try:
            return self.run(scope)
        except _UNANSWERABLE as error:
            if scope.strict:
                reason = f"{type(error).__name__}: {error}"
                raise EvaluationError(reason, self.part, self.text, 1, 1) from error
            return None

    def fact(self, scope: Scope) -> Any:
        """Return the result for a report, whose length counts as work."""
        value = self.value(scope)
        _charge_written(scope, value)
        return value

    def holds(self, scope: Scope) -> bool:
        """Return True if the result is known to be true."""
        return bool(self.value(scope))


def compile_expression(text: str, part: str, variables: frozenset[str]) -> Expression:
    """Compile an expression over the variables of a pattern; raise PatternError if invalid."""
    return _ExpressionCompiler(text, part, variables).compile()


class _ExpressionCompiler:
    def __init__(self, text: str, part: str, variables: frozenset[str]) -> None:
        self.text = text
        self.part = part
        self.variables = variables
        self.used: set[str] = set()
        self.items: set[str] = set()
        self.infers = False
        self.whole = False
        self.depth = 0

    def compile(self) -> Expression:
        run = self._compile(self._parse())
        return Expression(self.part, self.text, run, frozenset(self.used), self.infers, self.whole)

    def _parse(self) -> ast.expr:
        if len(self.text) > LONGEST:
            raise self._error(f"longer than {LONGEST} characters")
        # Parentheses allow expressions to span several lines.
        opened = "\n" in self.text
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Python, about what is written oddly
                text = f"({self.text}\n)" if opened else self.text.strip()
                return ast.parse(text, mode="eval").body
        except SyntaxError as error:
            line = min(error.lineno or 1, len(self.text.splitlines()) or 1)
            column = (error.offset or len(self.text) + 1) - (opened and error.lineno == 1)
            raise self._error(error.msg, line=line, column=max(column, 1)) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise self._error(str(error) or "too deeply nested") from None

    def _error(
        self, message: str, node: ast.AST | None = None, *, line: int = 1, column: int = 1
    ) -> PatternError:
        text = self.text if "\n" in self.text else self.text.strip()
        if node is not None:
            line = getattr(node, "lineno", 1)
            column = getattr(node, "col_offset", 0) + 1
            column -= line == 1 and "\n" in text
        return PatternError(message, self.part, text, line, column)

    def _compile(self, node: ast.AST) -> Run:
        compile_node = _NODES.get(type(node))
        if compile_node is None:
            raise self._error(
                f"{_WORDS.get(type(node), type(node).__name__)} cannot be used here", node
            )
        if self.depth == DEEPEST:
            raise self._error("too deeply nested", node)
        self.depth += 1
        run = compile_node(self, node)
        self.depth -= 1
        return run

    def constant(self, node: ast.Constant) -> Run:
        if not isinstance(node.value, (bool, int, float, str, type(None))):
            raise self._error(f"{node.value!r} cannot be used here", node)
        return _always(node.value)

    def name(self, node: ast.Name) -> Run:
        name = node.id
        if name in self.items:
            return lambda scope: scope.items[name]
        if name in self.variables:
            self.used.add(name)
            return lambda scope: scope.values[name]
        if name in CONSTANTS:
            return _always(CONSTANTS[name])
        if name in FUNCTIONS:
            raise self._error(f"{name!r} is a function: call it, as in {name}(...)", node)
        guess = hint(name, [*self.variables, *self.items, *CONSTANTS])
        raise self._error(f"the pattern has no variable {name!r}{guess}", node)

    def sequence(self, node: ast.List | ast.Tuple) -> Run:
        items = [self._compile(item) for item in node.elts]
        return lambda scope: tuple(item(scope) for item in items)

    def logic(self, node: ast.BoolOp) -> Run:
        parts = [self._compile(part) for part in node.values]
        combine = every if isinstance(node.op, ast.And) else some
        return lambda scope: combine(part(scope) for part in parts)

    def unary(self, node: ast.UnaryOp) -> Run:
        inner = self._compile(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda scope: None if (known := truth(inner(scope))) is None else not known
        if isinstance(node.op, ast.USub):
            return lambda scope: _calculate(scope, operator.mul, -1, inner(scope))
        raise self._error("only 'not' and '-' can stand before a value", node)

    def arithmetic(self, node: ast.BinOp) -> Run:
        left, right = self._compile(node.left), self._compile(node.right)
        calculate = _ARITHMETIC.get(type(node.op))
        if calculate is None:
            raise self._error("only + - * / // % and ** can be calculated", node)
        return lambda scope: _calculate(scope, calculate, left(scope), right(scope))

    def comparison(self, node: ast.Compare) -> Run:
        terms = [self._compile(term) for term in (node.left, *node.comparators)]
        tests = [test for op in node.ops if (test := _COMPARISONS.get(type(op)))]
        if len(tests) < len(node.ops):
            raise self._error(
                "'is' is not part of the language: use ==, known(...) or present(...)", node
            )
        if len(tests) == 1:
            (left, right), test = terms, tests[0]
            return lambda scope: test(scope, left(scope), right(scope))

        def chain(scope: Scope) -> bool | None:
            values = [term(scope) for term in terms]
            pairs = pairwise(values)
            return every(test(scope, *pair) for test, pair in zip(tests, pairs, strict=True))

        return chain

    def choice(self, node: ast.IfExp) -> Run:
        test, yes, no = map(self._compile, (node.test, node.body, node.orelse))

        def choose(scope: Scope) -> Any:
            known = truth(test(scope))
            return None if known is None else yes(scope) if known else no(scope)

        return choose

    def subscript(self, node: ast.Subscript) -> Run:
        whole = self._compile(node.value)
        index = self._slice(node.slice) if isinstance(node.slice, ast.Slice) else None
        at = index or self._compile(node.slice)

        def pick(scope: Scope) -> Any:
            items, key = whole(scope), at(scope)
            if items is None or key is None:
                return None
            if not isinstance(items, tuple):
                raise TypeError("only lists have items")
            if isinstance(key, int) and not -len(items) <= key < len(items):
                return None
            picked = items[key]
            _charge(scope, picked)
            return picked

        return pick

    def _slice(self, node: ast.Slice) -> Run:
        ends = [
            self._compile(e) if e is not None else _always(None) for e in (node.lower, node.upper)
        ]
        if node.step is not None:
            raise self._error("a slice has no step", node)
        return lambda scope: slice(*(end(scope) for end in ends))

    def comprehension(self, node: ast.GeneratorExp | ast.ListComp) -> Run:
        loop = node.generators[0]
        if len(node.generators) > 1 or not isinstance(loop.target, ast.Name):
            raise self._error("only one 'for' over one variable can be used here", node)
        name = loop.target.id
        if name in self.items | self.variables or name in CONSTANTS:
            raise self._error(f"{name!r} is already in use; choose another name", loop.target)
        whole = self._compile(loop.iter)
        self.items.add(name)
        item = self._compile(node.elt)
        tests = [self._compile(test) for test in loop.ifs]
        self.items.discard(name)

        def run(scope: Scope) -> tuple[Any, ...] | None:
            values = whole(scope)
            if values is None:
                return None
            results = []
            for scope.items[name] in values:
                scope.spend(1)
                wanted = every(test(scope) for test in tests)
                if wanted is None:
                    return None
                if wanted:
                    results.append(item(scope))
            return tuple(results)

        return run

    def call(self, node: ast.Call) -> Run:
        if not isinstance(node.func, ast.Name):
            raise self._error("only the functions of the language can be called", node)
        name = node.func.id
        function = FUNCTIONS.get(name)
        if function is None:
            raise self._error(f"unknown function {name!r}{hint(name, FUNCTIONS)}", node.func)
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise self._error(f"{name}() takes plain arguments only", node)
        if not function.least <= len(node.args) <= function.most:
            raise self._error(f"{name}() takes {_count(function)}, not {len(node.args)}", node)
        self.infers |= function.infers
        self.whole |= function.whole
        if function.kind == "values":
            return _over_values(function, [self._variable(name, arg) for arg in node.args])
        if function.kind == "value":
            variable = self._variable(name, node.args[0])
            return _of_value(function, variable, [self._compile(arg) for arg in node.args[1:]])
        arguments = [self._compile(arg) for arg in node.args]
        return _of_arguments(function, arguments)

    def _variable(self, function: str, node: ast.expr) -> str:
        if not isinstance(node, ast.Name) or node.id in self.items:
            raise self._error(f"{function}() needs a variable of the pattern", node)
        self.name(node)
        if node.id not in self.variables:
            raise self._error(f"{function}() needs a variable of the pattern", node)
        return node.id


def _always(value: object) -> Run:
    return lambda scope: value


def _over_values(function: PatternFunction, variables: list[str]) -> Run:
    run = function.run

    def call(scope: Scope) -> Any:
        values = [scope.values[name] for name in variables]
        return run(scope, *(value for value in values if value is not None))

    return call


def _of_value(function: PatternFunction, variable: str, arguments: list[Run]) -> Run:
    run = function.run

    def call(scope: Scope) -> Any:
        value = scope.values[variable]
        if value is None and not function.takes_unknown:
            return None
        scope.spend(1)
        result = run(scope, value, *(argument(scope) for argument in arguments))
        _charge(scope, result)
        return result

    return call


def _of_arguments(function: PatternFunction, arguments: list[Run]) -> Run:
    run = function.run
    first = (lambda scope: (scope,)) if function.kind == "surroundings" else (lambda scope: ())

    def call(scope: Scope) -> Any:
        given = [argument(scope) for argument in arguments]
        if None in given and not function.takes_unknown:
            return None
        for each in given:
            _charge(scope, each)
        result = run(*first(scope), *given)
        _charge(scope, result)
        return result

    return call


def _count(function: PatternFunction) -> str:
    if function.most == float("inf"):
        return f"at least {function.least}"
    if function.least == function.most:
        return f"{function.least} argument{'s' * (function.least != 1)}"
    return f"{function.least} to {function.most} arguments"


def _charge(scope: Scope, result: object) -> None:
    if isinstance(result, tuple):
        scope.spend(len(result))
    elif isinstance(result, str):
        scope.spend(len(result) // CHARACTERS_PER_STEP)


def _charge_written(scope: Scope, thing: object) -> None:
    """Count what is written of it: lists may hold one list many times."""
    if isinstance(thing, tuple):
        for each in thing:
            _charge_written(scope, each)
    scope.spend(1 + thing.bit_length() // 32 if isinstance(thing, int) else 1)
    _charge(scope, thing)


def _calculate(scope: Scope, calculate: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    if left is None or right is None or isinstance(left, Symbol) or isinstance(right, Symbol):
        return None
    lists = isinstance(left, tuple) and isinstance(right, tuple) and calculate is operator.add
    if not lists and not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
        raise TypeError(f"cannot calculate with {type(left).__name__} and {type(right).__name__}")
    if calculate is operator.pow:
        if abs(right) > LARGEST_EXPONENT:
            return None
        _check_bits(left, right)
    result = calculate(left, right)
    _charge(scope, result)
    _check_bits(result)
    return None if isinstance(result, complex) else result


def _check_bits(number: Any, exponent: Any = 1) -> None:
    if isinstance(number, int) and number.bit_length() * exponent > LARGEST_BITS:
        raise WorkLimitError(f"its numbers have more than {LARGEST_BITS:,} bits")


def _ordered(test: Callable[[Any, Any], bool]) -> Test:
    def compare(scope: Scope, left: Any, right: Any) -> bool | None:
        if left is None or right is None or isinstance(left, Symbol) or isinstance(right, Symbol):
            return None
        if isinstance(left, tuple) or isinstance(right, tuple):
            raise TypeError("lists have no order")
        return test(left, right)

    return compare


def _unequal(scope: Scope, left: object, right: object) -> bool | None:
    same = equal(scope, left, right)
    return None if same is None else not same


def _contained(scope: Scope, item: Any, whole: Any) -> bool | None:
    if item is None or whole is None:
        return None
    if isinstance(whole, str):
        _charge(scope, whole)
        return item in whole
    scope.spend(len(whole))
    return some(equal(scope, item, other) for other in whole)


def _missing(scope: Scope, item: object, whole: Any) -> bool | None:
    found = _contained(scope, item, whole)
    return None if found is None else not found


_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}

_COMPARISONS: dict[type[ast.cmpop], Test] = {
    ast.Eq: equal,
    ast.NotEq: _unequal,
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: _contained,
    ast.NotIn: _missing,
}

_NODES: dict[type[ast.AST], Callable[[_ExpressionCompiler, Any], Run]] = {
    ast.Constant: _ExpressionCompiler.constant,
    ast.Name: _ExpressionCompiler.name,
    ast.List: _ExpressionCompiler.sequence,
    ast.Tuple: _ExpressionCompiler.sequence,
    ast.BoolOp: _ExpressionCompiler.logic,
    ast.UnaryOp: _ExpressionCompiler.unary,
    ast.BinOp: _ExpressionCompiler.arithmetic,
    ast.Compare: _ExpressionCompiler.comparison,
    ast.IfExp: _ExpressionCompiler.choice,
    ast.Subscript: _ExpressionCompiler.subscript,
    ast.GeneratorExp: _ExpressionCompiler.comprehension,
    ast.ListComp: _ExpressionCompiler.comprehension,
    ast.Call: _ExpressionCompiler.call,
}

_WORDS: dict[type[ast.AST], str] = {
    ast.Attribute: "a dot",
    ast.Lambda: "lambda",
    ast.JoinedStr: "an f-string",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.NamedExpr: "':='",
    ast.Starred: "'*'",
    ast.Slice: "a slice",
}
