"""The matches of patterns, near misses, and the cost of the search."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellint.model import Graph, Model, Node, Use, Value
from modellint.rules.pattern import PatternError, compile_match, required_ops
from modellint.rules.pattern.functions import FUNCTIONS
from modellint.rules.rule import Match
from tests.growth import is_linear
from tests.rules.pattern_support import Light, find, graph_of, labels

CONV_BN = """
    y = Conv(x, w, b?)
    z = BatchNormalization(y, scale, shift, mean, var)
"""
WEIGHTS = "float[4,4,1,1] w, float[4] b, float[4] s, float[4] t, float[4] m, float[4] v"


def test_found_names_nodes_values_and_facts() -> None:
    graph = graph_of("y = Conv(x, w, b) out = BatchNormalization(y, s, t, m, v)", stored=WEIGHTS)
    (found,) = find(graph, CONV_BN, facts={"conv": "name(y)", "count": "consumers(y) + 1"})
    conv, norm = graph.nodes
    assert found.place is norm
    assert found.nodes == {"y": conv, "z": norm}
    assert found.matched == (conv, norm)
    assert found.values["w"] is graph.values["w"]
    assert found.values["scale"] is graph.values["s"]
    assert found.facts == {"conv": "y", "count": 2}


def test_optional_input_may_be_missing_and_is_then_no_value() -> None:
    graph = graph_of("y = Conv(x, w) out = BatchNormalization(y, s, t, m, v)", stored=WEIGHTS)
    (found,) = find(graph, CONV_BN)
    assert "b" not in found.values


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("y = Clip(x)", False),
        ("y = Clip(x, lo)", False),
        ("y = Clip(x, _, hi)", False),
        ("y = Clip(x, !, hi)", True),
        ("y = Clip(x, _?, hi)", True),
        ("y = Clip(x, lo?, hi?)", True),
        ("y = Clip(x, ...)", True),
        ("y = Clip(...)", True),
        ("y = Clip(x, !, hi, more?)", True),
        ("y = Clip(x, !, hi, more)", False),
    ],
)
def test_inputs_left_out(pattern: str, matches: bool) -> None:
    graph = graph_of("out = Clip(x, , h)", stored="float h = {6}")
    assert bool(find(graph, pattern)) is matches


@pytest.mark.parametrize("op", ["Add", "Mul", "Max", "Equal"])
def test_inputs_of_commutative_ops_match_in_any_order(op: str) -> None:
    pattern = f"r = Relu(x)\ny = {op}(r, c)"
    for order in ("r, c", "c, r"):
        graph = graph_of(f"r = Relu(x) out = {op}({order})", "float[4] x, float[4] c")
        assert labels(graph, pattern) == ["out"]


@pytest.mark.parametrize(
    ("inputs", "matches"),
    [
        ("..., 2, ...", True),
        ("..., 1, 2, ...", True),
        ("..., 2, 1, ...", False),
        ("..., 3", True),
        ("..., 2", False),
        ("1, ..., 3", True),
        ("1, ..., 2, ...", True),
        ("1, ..., 1, ...", False),
        ("1, 2, ..., 2, ...", False),
        ("1, 2, ..., 2, 3", False),
    ],
)
def test_inputs_at_any_place(inputs: str, matches: bool) -> None:
    stored = "float[1] a = {1}, float[1] b = {2}, float[1] c = {3}"
    graph = graph_of("out = Concat <axis = 0> (a, b, c)", stored=stored)
    assert bool(find(graph, f"y = Concat({inputs})")) is matches


def test_each_place_binds_its_input_once() -> None:
    graph = graph_of("t = Tanh(x) out = Concat <axis = 1> (x, t, x, t)")
    (found,) = find(graph, "t = Tanh(x)\ny = Concat(..., t, p, ...)", "op(p) == ''")
    assert found.values["p"].name == "x"


def test_inputs_of_other_ops_match_in_their_order_only() -> None:
    graph = graph_of("r = Relu(x) out = Sub(c, r)", "float[4] x, float[4] c")
    assert labels(graph, "r = Relu(x)\ny = Sub(c, r)") == ["out"]
    assert labels(graph, "r = Relu(x)\ny = Sub(r, c)") == []


def test_alternatives_keep_each_op_to_its_own_order() -> None:
    pattern = "r = Relu(x)\ny = Add|Sub(c, r)"
    assert labels(graph_of("r = Relu(x) out = Add(r, x)"), pattern) == ["out"]
    assert labels(graph_of("r = Relu(x) out = Sub(r, x)"), pattern) == []


def test_an_op_of_another_domain_is_not_commutative_by_its_name() -> None:
    graph = graph_of("r = Relu(x) out = com.microsoft.Add(x, r)")
    assert labels(graph, "r = Relu(x)\ny = com.microsoft.Add(r, _)") == []
    assert labels(graph, "r = Relu(x)\ny = com.microsoft.Add(_, r)") == ["out"]


def test_commutative_op_of_many_inputs() -> None:
    graph = graph_of("a = Relu(x) b = Tanh(x) out = Sum(x, b, a)")
    assert labels(graph, "a = Relu(x)\nb = Tanh(x)\ny = Sum(a, b, x)") == ["out"]
    assert labels(graph, "a = Relu(x)\ny = Sum(a, ...)") == ["out"]
    assert labels(graph, "a = Relu(x)\ny = Sum(a, _)") == []


def test_repeated_variable_is_the_same_value() -> None:
    pattern = "y = Mul(x, x)"
    assert labels(graph_of("out = Mul(x, x)"), pattern) == ["out"]
    assert labels(graph_of("out = Mul(x, c)", "float[4] x, float[4] c"), pattern) == []


def test_symmetric_matches_are_one() -> None:
    graph = graph_of("a = Relu(x) b = Relu(x) out = Add(a, b)")
    pattern = "a = Relu(x)\nb = Relu(x)\ny = Add(a, b)"
    for report in ("a", "b", "y"):
        assert len(labels(graph, pattern, report=report)) == 1


def test_different_lines_are_different_nodes() -> None:
    assert labels(graph_of("out = Relu(x)"), "a = Relu(x)\nb = Relu(x)") == []


def test_fan_out_finds_every_consumer_and_each_place_once() -> None:
    graph = graph_of("y = Conv(x, w) a = Relu(y) b = Relu(y) out = Tanh(y)", stored=WEIGHTS)
    pattern = "y = Conv(x, w)\nz = Relu(y)"
    assert labels(graph, pattern) == ["a", "b"]
    assert labels(graph, pattern, report="y") == ["y"]
    assert labels(graph, pattern, report="w") == ["w"]


def test_alternative_ops_and_any_op() -> None:
    graph = graph_of("y = Conv(x, w) a = Relu(y) b = Tanh(a) out = Sigmoid(b)", stored=WEIGHTS)
    assert labels(graph, "y = Relu|Tanh|Gelu(x)") == ["a", "b"]
    assert labels(graph, "a = Relu(x)\nb = _(a)\ny = Sigmoid(b)") == ["out"]


def test_ops_by_trait() -> None:
    graph = graph_of("a = Softmax(x) b = Tanh(a) out = com.microsoft.QuickGelu(b)")
    assert labels(graph, "y = <softmax>(x)") == ["a"]
    assert labels(graph, "y = <softmax>|Tanh(x)") == ["a", "b"]
    assert labels(graph, "a = <softmax>(x)\nb = <activation>(a)\ny = <curved>(b)") == ["out"]
    (choice,) = required_ops("y = <convolution>(x, ...)")
    assert {"Conv", "com.microsoft.FusedConv", "tflite.CONV_2D"} <= choice


def test_domains() -> None:
    graph = graph_of("a = com.microsoft.Gelu(x) out = Relu(a)")
    assert labels(graph, "y = com.microsoft.Gelu(x)") == ["a"]
    assert labels(graph, "y = Gelu(x)") == []
    assert labels(graph, "y = ai.onnx.Relu(x)") == ["out"]


@pytest.mark.parametrize(
    ("stored", "literal", "matches"),
    [
        ("float c = {0.5}", "0.5", True),
        ("float[1,1] c = {0.5}", "0.5", True),
        ("float[3] c = {0.5, 0.5, 0.5}", "0.5", True),
        ("float[3] c = {0.5, 0.5, 0.4}", "0.5", False),
        ("float c = {0.044715}", "0.044715", True),
        ("float c = {0.7978846}", "0.7979", True),
        ("float c = {0.79}", "0.7979", False),
        ("float c = {-1e9}", "-1e9", True),
        ("float c = {0}", "0", True),
        ("float c = {1e-30}", "0", False),
        ("int64 c = {2}", "2", True),
        ("int64 c = {3}", "2", False),
        ("float16 c = {14746}", "0.7", True),
        ("float[0] c = {}", "0", False),
    ],
)
def test_literals_match_constants_as_far_as_their_type_can_tell(
    stored: str, literal: str, matches: bool
) -> None:
    graph = graph_of("out = Pow(x, c)", stored=stored)
    assert bool(find(graph, f"y = Pow(x, {literal})")) is matches


def test_literals_match_constant_nodes_but_not_computed_values() -> None:
    graph = graph_of("c = Constant<value_float=2.0>() d = Relu(c) a = Pow(x, c) out = Pow(a, d)")
    assert labels(graph, "y = Pow(x, 2)") == ["a"]


def test_literal_in_any_order_of_a_commutative_op() -> None:
    graph = graph_of("a = Mul(x, c) out = Mul(c, a)", stored="float c = {0.5}")
    assert labels(graph, "y = Mul(x, 0.5)") == ["a", "out"]


def test_outputs() -> None:
    two = graph_of("a, b = Split(x) out = Add(a, b)")
    assert labels(two, "a, b = Split(x)\ny = Sub(a, b)") == []
    assert labels(two, "a, b = Split(x)\ny = Add(a, b)") == ["out"]
    assert labels(two, "a, b, c = Split(x)") == []
    assert labels(two, "a, b, c? = Split(x)") == ["a"]
    assert labels(two, "a = Split(x)", report="a") == [], "b is used and not named"
    assert labels(two, "a, _ = Split(x)") == ["a"]
    assert labels(two, "a, ... = Split(x)") == ["a"]


def test_unnamed_outputs_must_be_unused() -> None:
    pattern = "y = Dropout(x)"
    assert labels(graph_of("out, mask = Dropout(x)"), pattern) == ["out"]
    assert labels(graph_of("out, mask = Dropout(x) n = Not(mask)"), pattern) == []


SUBGRAPH = """
    c = Constant<value_float=2.0>()
    r = Relu(x)
    out = If(cond) <
        then_branch = g1 () => (float[] t) { p = Pow(r, c) t = Relu(p) },
        else_branch = g2 () => (float[] e) { e = Pow(r, c) }
    >
"""


def test_values_cross_into_subgraphs_but_a_match_stays_in_one_graph() -> None:
    main = graph_of(SUBGRAPH, "float[4] x, bool cond")
    then, other = main.nodes[-1].subgraphs.values()
    assert labels(then, "p = Pow(x, 2)\ny = Relu(p)") == ["t"]
    assert labels(other, "p = Pow(x, 2)\ny = Relu(p)") == []
    assert labels(other, "p = Pow(x, 2)") == ["e"]
    for graph in (main, then, other):
        assert labels(graph, "r = Relu(x)\np = Pow(r, c)") == []


def test_a_pattern_whose_ops_are_absent_is_not_searched_for() -> None:
    graph = graph_of("out = Relu(x)")
    match = compile_match(Match("y = Relu(x)\nz = Conv(y, w)", "z", ("rank(y) == 4",)))
    assert list(match.find(graph, None)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("a = Relu(x)  # b = Conv(a)", True),
        ("a = Conv|Relu(x)\nb = _(a)", True),
        ("a = Relu(x)\nb = ai.onnx.Tanh(a)", True),
        ("a = Relu(x)\nb = Conv(a, w)", False),
        ("a = Relu(x)\nb = <activation>(a)", True),
        ("a = Relu(x)\nb = <convolution>(a, w)", False),
        ("a = Relu(x)\nb = com.microsoft.Tanh(a)", False),
    ],
)
def test_absent_ops_are_seen_without_compiling(pattern: str, matches: bool) -> None:
    graph = graph_of("a = Relu(x) out = Tanh(a)")
    assert all(choice & graph.by_op.keys() for choice in required_ops(pattern)) is matches


@pytest.mark.parametrize(
    ("pattern", "report", "message"),
    [
        ("", "y", "pattern, line 1, column 1: the pattern is empty"),
        ("y Relu(x)", "y", "line 1, column 3: expected ',' between names, found 'Relu'"),
        ("y = (x)", "y", "line 1, column 5: expected an op type"),
        ("y = Relu x", "y", "line 1, column 10: expected '(' after the op type, found 'x'"),
        ("y = Relu(x", "y", "line 1, column 11: expected ',' between names, found 'the end"),
        ("y = Relu(x) z", "y", "line 1, column 13: only one node per line"),
        ("y = Relu(x; z)", "y", "line 1, column 11: unexpected ';'"),
        ("= Relu(x)", "y", "line 1, column 1: a node needs an output"),
        ("y = Relu(in)", "y", "line 1, column 10: 'in' cannot name a value"),
        ("y = Conv(x, w)\ny = Relu(x)", "y", "line 2, column 1: 'y' is already made on line 1"),
        ("a = Relu(b)\nb = Tanh(x)", "a", "line 2, column 1: 'b' is used before it is made"),
        ("b = Tanh(x)\ny = Conv(x, w, b?)", "y", "line 2, column 16: 'b' is made by another"),
        ("a, m? = Dropout(x)\ny = Not(m)", "y", "line 1, column 4: 'm' is used, so it cannot"),
        ("a = Relu(x)\nb = Tanh(y)", "a", "line 2, column 1: shares no value"),
        ("a = _(x)", "a", "line 1, column 1: at least one node needs an op type"),
        ("a = Relu(x)", "b", "report, line 1, column 1: the pattern has no variable 'b'"),
        ("a = Conv(x, w, b?)", "b", "report, line 1, column 1: 'b' may be left out"),
        ("y = Concat(a, ..., )", "y", "line 1, column 20: expected a name, a number"),
        ("y = Concat(..., a, ..., b)", "y", "line 1, column 23: expected ')' after the inputs"),
        ("y = <softmx>(x)", "y", "line 1, column 6: no operators have the trait 'softmx' (did you"),
        ("y = <softmax(x)", "y", "line 1, column 13: expected '>' after the trait, found '('"),
        ("a, ..., b = Split(x)", "a", "line 1, column 7: expected '=' after the outputs"),
    ],
)
def test_mistakes_are_named_with_their_place(pattern: str, report: str, message: str) -> None:
    with pytest.raises(PatternError) as error:
        compile_match(Match(pattern, report))
    assert message in str(error.value)


def test_the_caret_stands_under_the_mistake() -> None:
    with pytest.raises(PatternError) as error:
        compile_match(Match("\n    y = Conv(x, w)\n    z = Relu(y; x)\n", "z"))
    lines = str(error.value).splitlines()
    assert lines[1:] == ["    z = Relu(y; x)", "              ^"]
    assert (error.value.line, error.value.column) == (3, 15)


# --- Sizes that hurt -----------------------------------------------------------------------


def test_a_hub_does_not_hang_the_search() -> None:
    @cache
    def hub(size: int) -> Graph:
        made = _Maker()
        for index in range(size):
            made.node("Mul", ["x", "x"], [f"m{index}"])
            made.node("Sigmoid", ["x"], [f"s{index}"])
        return made.graph

    def search(size: int) -> None:
        pattern = "a = Sigmoid(x)\nb = Sigmoid(x)\nc = Sigmoid(x)\nm = Mul(x, o)\ny = Mul(m, c)"
        assert find(hub(size), pattern) == []

    assert is_linear(search, 100)


def test_a_sum_of_many_inputs_does_not_hang_the_search() -> None:
    def search(size: int) -> None:
        made = _Maker()
        made.node("Sum", [f"x{index}" for index in range(size)], ["y"])
        names = ", ".join(f"v{index}" for index in range(size - 1))
        find(made.graph, f"y = Sum({names}, y0, ...)")
        assert find(made.graph, f"y = Sum({names}, 0.5)") == []

    assert is_linear(search, 12)


def test_a_long_chain_is_searched_quickly() -> None:
    @cache
    def chain(size: int) -> Graph:
        made = _Maker()
        for index in range(size):
            made.node("Conv", [f"x{index}", "w"], [f"y{index}"])
            made.node("Mul", ["c", f"y{index}"], [f"z{index}"])
            made.node("Relu", [f"z{index}"], [f"x{index + 1}"])
        return made.graph

    def search(size: int) -> None:
        pattern = "y = Conv(x, w, b?)\nz = Mul(y, c)\nr = Relu(z)"
        assert len(find(chain(size), pattern, "sole_consumer(y)")) == size

    assert is_linear(search, 100)


# --- A graph made from a pattern matches it ------------------------------------------------

OPS = ("Relu", "Add", "Mul", "Conv", "Sub", "Split")


class _Maker:
    """Makes graphs node by node, faster than text would."""

    def __init__(self) -> None:
        model = Model(Path("model.onnx"), "onnx")
        self.graph = model.graph = Graph(model, "main")

    def value(self, name: str) -> Value:
        return self.graph.values.setdefault(name, Value(name, self.graph))

    def node(self, op: str, inputs: list[str], outputs: list[str]) -> Node:
        node = Node(self.graph, len(self.graph.nodes), op, "", "")
        node.inputs = tuple(map(self.value, inputs))
        node.outputs = tuple(map(self.value, outputs))
        for index, value in enumerate(node.inputs):
            assert value is not None
            value.consumers.append(Use(node, index))
        for index, value in enumerate(node.outputs):
            assert value is not None
            value.producer, value.index = node, index
        self.graph.nodes.append(node)
        return node


@st.composite
def patterns(draw: st.DrawFn) -> list[tuple[str, list[str], list[str]]]:
    """Connected nodes: op, inputs, outputs."""
    known = ["x"]
    nodes = []
    for index in range(draw(st.integers(1, 6))):
        others = [
            draw(st.sampled_from([*known, f"i{index}"])) for _ in range(draw(st.integers(0, 2)))
        ]
        inputs = draw(st.permutations([draw(st.sampled_from(known)), *others]))
        outputs = [f"o{index}_{n}" for n in range(draw(st.integers(1, 2)))]
        nodes.append((draw(st.sampled_from(OPS)), list(inputs), outputs))
        known += [*inputs, *outputs]
    return nodes


@settings(max_examples=200, deadline=None)
@given(patterns(), st.randoms(use_true_random=False))
def test_a_graph_made_from_a_pattern_matches_it_once(
    nodes: list[tuple[str, list[str], list[str]]], random: object
) -> None:
    text = "\n".join(f"{', '.join(outs)} = {op}({', '.join(ins)})" for op, ins, outs in nodes)
    maker = _Maker()
    maker.node("Tanh", ["before"], ["x"])
    for op, inputs, outputs in nodes:
        shuffled = list(inputs)
        if op in ("Add", "Mul"):
            random.shuffle(shuffled)  # type: ignore[attr-defined]
        maker.node(op, shuffled, outputs)
    found = find(maker.graph, text, report=nodes[-1][2][0])
    everything = [one for one in found if set(one.matched) == set(maker.graph.nodes[1:])]
    assert len(everything) == 1
    assert len({frozenset(map(id, one.matched)) for one in found}) == len(found)

    # One node fewer, and it is gone.
    maker = _Maker()
    for op, inputs, outputs in nodes[:-1]:
        maker.node(op, inputs, outputs)
    assert find(maker.graph, text, report=nodes[-1][2][0]) == []


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abRelu_.,=()<>?!|0123456789-#\n \t[", max_size=60))
def test_any_text_compiles_or_is_refused_with_a_place(text: str) -> None:
    refused = ""
    try:
        compile_match(Match(text, "a"))
    except PatternError as error:
        refused = str(error)
    assert not refused or re.match(r"(pattern|report), line \d+, column \d+: ", refused)


def test_the_reference_describes_every_function() -> None:
    reference = (Path(__file__).parents[2] / "docs" / "patterns.md").read_text(encoding="utf-8")
    assert [name for name in FUNCTIONS if f"`{name}(" not in reference] == []


def test_an_unknown_option_is_a_mistake_of_the_rule() -> None:
    graph = graph_of("out = Relu(x)")
    light = Light(options={"limit": 3})
    assert find(graph, "y = Relu(x)", 'option("limit") == 3', light=light)
    with pytest.raises(PatternError, match="KeyError"):
        find(graph, "y = Relu(x)", 'option("limits") == 3', light=light)
    assert not find(graph, "y = Relu(x)", 'option("limits") == 3', light=light, strict=False)
