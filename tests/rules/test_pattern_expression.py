"""Values of expressions, with unknown operands, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellint.rules.pattern import PatternError, compile_match
from modellint.rules.rule import Match
from modellint.targets.deployment import Deployment
from tests.rules.pattern_support import Light, find, graph_of

UNKNOWN = None

BODY = """
    c = Cast<to=1>(h)
    y = Conv<kernel_shape=[1,1], strides=[2,2]>(x, w)
    t = Transpose<perm=[0,2,3,1]>(y)
    u = Transpose(r)
    k = Constant<value_floats=[1.0, 2.0]>()
    m = Mul(t, half)
    out = com.microsoft.Magic<mode="fast", scale=0.5>(m, unk, k, c, ids, u, many)
"""
INPUTS = "float[N,4,8,8] x, float unk, float16[2,3] h, int64[2] ids, float[2,3,4] r"
STORED = (
    f"float[6,4,1,1] w = {{{', '.join('1' * 24)}}}, float half = {{0.5}}, float[3] many = {{1,1,1}}"
)
PATTERN = """
    c = Cast(h)
    y = Conv(x, w, b?)
    t = Transpose(y)
    m = Mul(t, half)
    out = com.microsoft.Magic(m, unk, k, c, ids, u, many)
"""
DEPLOYMENT = Deployment(runtime="tensorrt", precision="fp16")


def evaluate(expression: str, *, strict: bool = True) -> object:
    """The value of an expression at the one match in a graph with something of everything."""
    graph = graph_of(BODY, INPUTS, "float[] out", STORED)
    graph.values["unk"].declared_shape = None
    light = Light({"limit": 3, "names": ["a", "b"]}, DEPLOYMENT)
    (found,) = find(
        graph, PATTERN, report="out", facts={"it": expression}, light=light, strict=strict
    )
    return found.facts["it"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3 - 4 / 2", 5),
        ("7 // 2 + 7 % 2 + 2 ** 3", 12),
        ("-3 < -2 < 1", True),
        ("1 < 3 < 2", False),
        ("1 == 1.0 and 'a' != 'b'", True),
        ("2 in [1, 2] and 3 not in [1, 2] and 'b' in 'abc'", True),
        ("[1, 2] == [1, 2] and [1, 2] != [2, 1] and [1] != [1, 2]", True),
        ("[1, 2] + [3]", (1, 2, 3)),
        ("'yes' if 1 < 2 else 'no'", "yes"),
        ("true and not false", True),
        ("-inf < 0 < inf", True),
        ("[5, 6, 7][-1] + [5, 6, 7][0]", 12),
        ("[5, 6, 7][1:]", (6, 7)),
        ("[5, 6, 7][5]", UNKNOWN),
        ("any(d == 2 for d in [1, 2]) and all(d > 0 for d in [1, 2])", True),
        ("[d * 2 for d in [1, 2, 3] if d > 1]", (4, 6)),
        ("sum([1, 2]) + len([1, 2]) + min(4, 5) + max([6, 7]) + abs(-8)", 24),
        ("(1 +\n 1)", 2),
        ("1 +\n 1", 2),
        ("divisible(64, 8) and not divisible(63, 8)", True),
        ("divisible(64, 0)", UNKNOWN),
        ("close(1, 1.0005) and not close(1, 1.01) and close(1, 1.05, 0.1)", True),
        ("compose([0, 2, 3, 1], [0, 3, 1, 2])", (0, 1, 2, 3)),
        ("compose([1, 2, 0], [1, 2, 0])", (2, 0, 1)),
        ("compose([0, 1], [0, 1, 2])", UNKNOWN),
        ("compose([0, 0], [0, 1])", UNKNOWN),
        ("is_identity([0, 1, 2]) and not is_identity([0, 2, 1])", True),
    ],
)
def test_arithmetic(expression: str, value: object) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("constant(w, half, k, many)", True),
        ("constant(w, b)", True),
        ("constant(w, x)", False),
        ("initializer(w, half)", True),
        ("initializer(k)", False),
        ("sole_consumer(y, t, m)", True),
        ("sole_consumer(out)", False),
        ("inside(y, t, m)", True),
        ("inside(out)", False),
        ("is_input(x, ids)", True),
        ("is_input(w)", False),
        ("is_output(out)", True),
        ("is_output(y)", False),
        ("present(w)", True),
        ("present(b)", False),
        ("consumers(y) + consumers(out)", 1),
        ("consumer_ops(m)", ("com.microsoft.Magic",)),
        ("op(y)", "Conv"),
        ("op(x)", ""),
        ("producer_op(out)", "com.microsoft.Magic"),
        ("domain(out)", "com.microsoft"),
        ("domain(y)", ""),
        ("attr(y, 'strides')", (2, 2)),
        ("attr(y, 'group', 1)", 1),
        ("attr(y, 'group')", UNKNOWN),
        ("attr(x, 'group', 1)", UNKNOWN),
        ("attr(out, 'mode') == 'fast' and attr(out, 'scale') == 0.5", True),
        ("has_attr(y, 'strides') and not has_attr(y, 'group')", True),
        ("perm(t)", (0, 2, 3, 1)),
        ("perm(u)", (2, 1, 0)),
        ("perm(x)", UNKNOWN),
        ("name(y)", "y"),
        ("name(x)", "x"),
        ("number(half)", 0.5),
        ("number(many)", 1),
        ("number(k)", UNKNOWN),
        ("number(x)", UNKNOWN),
        ("const(half)", 0.5),
        ("const(k)", (1.0, 2.0)),
        ("const(x)", UNKNOWN),
        ("scalar(half)", True),
        ("scalar(w)", False),
        ("scalar(unk)", UNKNOWN),
        ("shape(w)", (6, 4, 1, 1)),
        ("shape(x)", ("N", 4, 8, 8)),
        ("shape(unk)", UNKNOWN),
        ("rank(x)", 4),
        ("rank(b)", UNKNOWN),
        ("dim(x, -1)", 8),
        ("dim(x, 4)", UNKNOWN),
        ("static(w, h)", True),
        ("static(w, x)", False),
        ("static(unk)", UNKNOWN),
        ("elements(w)", 24),
        ("elements(x)", UNKNOWN),
        ("nbytes(h)", 12),
        ("nbytes(x)", UNKNOWN),
        ("dtype(h)", "float16"),
        ("bits(h)", 16),
        ("floating(x, h)", True),
        ("floating(ids)", False),
        ("integer(ids)", True),
        ("shape_text(x)", "N×4×8×8"),
        ("opset()", 17),
        ("opset('com.microsoft')", 1),
        ("opset('com.example')", UNKNOWN),
        ("precision() == 'fp16' and runtime() in ['tensorrt']", True),
        ("target()", UNKNOWN),
        ("option('limit') + 1", 4),
        ("'a' in option('names')", True),
    ],
)
def test_functions(expression: str, value: object) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("rank(unk) == 4", UNKNOWN),
        ("rank(unk) != 4", UNKNOWN),
        ("not (rank(unk) == 4)", UNKNOWN),
        ("rank(unk) < 4", UNKNOWN),
        ("rank(unk) in [1, 2]", UNKNOWN),
        ("1 in shape(unk)", UNKNOWN),
        ("rank(unk) + 1", UNKNOWN),
        ("-rank(unk)", UNKNOWN),
        ("shape(unk)[0]", UNKNOWN),
        ("1 if rank(unk) == 4 else 2", UNKNOWN),
        ("rank(unk) == 4 and true", UNKNOWN),
        ("rank(unk) == 4 and false", False),
        ("rank(unk) == 4 or true", True),
        ("rank(unk) == 4 or false", UNKNOWN),
        ("3 < rank(unk) < 5", UNKNOWN),
        ("5 < 3 < rank(unk)", False),
        ("any(d == 1 for d in shape(unk))", UNKNOWN),
        ("any([null, true])", True),
        ("any([null, false])", UNKNOWN),
        ("all([null, true])", UNKNOWN),
        ("all([null, false])", False),
        ("max(rank(unk), 2)", UNKNOWN),
        ("[null] == [1]", UNKNOWN),
        ("[null, 1] == [1, 2]", False),
        ("known(rank(unk))", False),
        ("known(rank(x))", True),
        ("null == null", UNKNOWN),
    ],
)
def test_the_unknown_spreads(expression: str, value: object) -> None:
    assert evaluate(expression) is value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("dim(x, 0) == dim(x, 0)", True),
        ("dim(x, 0) == 4", UNKNOWN),
        ("dim(x, 0) != 4", UNKNOWN),
        ("dim(x, 0) > 1", UNKNOWN),
        ("dim(x, 0) * 2", UNKNOWN),
        ("dim(x, 0) == 'N'", True),
        ("dim(x, 0) == 'M'", False),
        ("known(dim(x, 0))", False),
        ("divisible(dim(x, 0), 8)", UNKNOWN),
        ("shape(x) == shape(x)", True),
        ("shape(x) == [1, 4, 8, 8]", UNKNOWN),
        ("shape(x) == [1, 4, 8, 9]", False),
        ("shape(x)[1:] == [4, 8, 8]", True),
        ("1 in shape(x)", UNKNOWN),
        ("8 in shape(x)", True),
    ],
)
def test_symbols_are_unknown_numbers(expression: str, value: object) -> None:
    assert evaluate(expression) is value


@pytest.mark.parametrize(
    "expression",
    [
        "'a' < 3",
        "'a' * 1000000",
        "1 / 0",
        "len(3)",
        "option('missing')",
        "shape_text(x)[0]",
        "2.0 ** 64 ** 64",
    ],
)
def test_nonsense_is_unknown_and_an_error_in_tests(expression: str) -> None:
    assert evaluate(expression, strict=False) is UNKNOWN
    if "**" not in expression:
        with pytest.raises(PatternError, match=r"facts\.it"):
            evaluate(expression)


def test_a_large_power_is_not_computed() -> None:
    assert evaluate("9 ** 9 ** 9 ** 9") is UNKNOWN


@pytest.mark.parametrize(
    ("condition", "holds"),
    [("rank(unk) == 4", False), ("not (rank(unk) == 4)", False), ("rank(x) == 4", True)],
)
def test_a_condition_holds_only_when_it_is_known_to(condition: str, holds: bool) -> None:
    graph = graph_of(BODY, INPUTS, "float[] out", STORED)
    graph.values["unk"].declared_shape = None
    assert bool(find(graph, PATTERN, condition, report="out")) is holds


def test_conditions_are_asked_in_the_light_of_the_deployment() -> None:
    graph = graph_of("out = Relu(x)")
    fp16 = Light(deployment=Deployment(precision="fp16"))
    assert find(graph, "y = Relu(x)", "precision() == 'fp16'", light=fp16)
    assert not find(graph, "y = Relu(x)", "precision() == 'fp16'")


@pytest.mark.parametrize(
    ("expression", "column", "message"),
    [
        ("", 1, "invalid syntax"),
        ("rank(x) ==", 11, "invalid syntax"),
        ("rnk(x) == 4", 1, "unknown function 'rnk' (did you mean 'rank'?)"),
        ("rank(xx) == 4", 6, "the pattern has no variable 'xx' (did you mean 'x'?)"),
        ("rank == 4", 1, "'rank' is a function: call it, as in rank(...)"),
        ("rank() == 4", 1, "rank() takes 1 argument, not 0"),
        ("1 == dim(x)", 6, "dim() takes 2 arguments, not 1"),
        ("attr(x, 'a', 1, 2)", 1, "attr() takes 2 to 3 arguments, not 4"),
        ("constant()", 1, "constant() takes at least 1"),
        ("rank(3)", 6, "rank() needs a variable of the pattern"),
        ("rank(true)", 6, "rank() needs a variable of the pattern"),
        ("x.shape", 1, "a dot cannot be used here"),
        ("x.producer.graph.model", 1, "a dot cannot be used here"),
        ("().__class__", 1, "a dot cannot be used here"),
        ("(lambda: 1)()", 1, "only the functions of the language can be called"),
        ("[].append(1)", 1, "only the functions of the language can be called"),
        ("__import__('os')", 1, "unknown function '__import__'"),
        ("lambda: 1", 1, "lambda cannot be used here"),
        ("f'{x}'", 1, "an f-string cannot be used here"),
        ("{1: 2}", 1, "a dictionary cannot be used here"),
        ("(z := 3)", 2, "':=' cannot be used here"),
        ("[d for d in [1] for e in [2]]", 1, "only one 'for' over one variable"),
        ("[x for x in [1]]", 8, "'x' is already in use; choose another name"),
        ("rank(x) is null", 1, "'is' is not part of the language"),
        ("1 << 3", 1, "only + - * / // % and ** can be calculated"),
        ("~1", 1, "only 'not' and '-' can stand before a value"),
        ("[1, 2][::2]", 8, "a slice has no step"),
        ("1j", 1, "1j cannot be used here"),
        ("min(*[1])", 1, "min() takes plain arguments only"),
        ("1 +\n rnk(x)", 2, "line 2, column 2: unknown function 'rnk'"),
        ("(" * 300 + ")" * 300, 1, ""),
        ("-" * 1000 + "1", 1, ""),
        ("1" + " + 1" * 400, 1, "too deeply nested"),
        ("1" + " + 1" * 1000, 1, "longer than 2000 characters"),
    ],
)
def test_mistakes_are_named_with_their_place(expression: str, column: int, message: str) -> None:
    with pytest.raises(PatternError) as error:
        compile_match(Match("y = Relu(x)", "y", (expression,)))
    assert message in str(error.value)
    assert str(error.value).startswith("where[0], line ")
    if message:
        assert error.value.column == column, str(error.value)


def test_the_caret_stands_under_the_mistake() -> None:
    with pytest.raises(PatternError) as error:
        compile_match(Match("y = Relu(x)", "y", (), {"size": "  1 + rnk(x)"}))
    assert str(error.value).splitlines() == [
        "facts.size, line 1, column 5: unknown function 'rnk' (did you mean 'rank'?)",
        "    1 + rnk(x)",
        "        ^",
    ]


OPERATORS = ("+", "-", "*", "/", "%", "**", "==", "!=", "<", "in", "and", "or")
RELU = graph_of("out = Relu(x)")


@settings(max_examples=400, deadline=None)
@given(
    st.recursive(
        st.sampled_from(
            ["x", "1", "0", "null", "'a'", "rank(x)", "dim(x, 0)", "shape(x)", "[1, 2]"]
        ),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(OPERATORS), inner).map(
                lambda parts: f"({' '.join(parts)})"
            ),
            inner.map(lambda it: f"(not {it})"),
            inner.map(lambda it: f"len({it})"),
            inner.map(lambda it: f"max({it}, 2)"),
            inner.map(lambda it: f"{it}[0]"),
        ),
        max_leaves=8,
    )
)
def test_no_expression_escapes(expression: str) -> None:
    assert len(find(RELU, "y = Relu(x)", facts={"it": expression}, strict=False)) == 1
