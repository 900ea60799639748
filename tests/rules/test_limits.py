"""A rule of a repository cannot hold up the lint: its work is limited, and it is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modellint.rules.pattern import PatternError, WorkLimitError, compile_match
from modellint.rules.rule import Match
from tests.cli.test_verbs import OWN_RULE
from tests.growth import is_linear
from tests.rules.pattern_support import find, graph_of
from tests.samples import GOOD, lint_json, project

MANY = "attr(y, 'list')"
GRAPH = graph_of(f"out = acm.Op<list = {[*range(180)]}> (x)")
NESTED = f"all([all([all([a + b + c >= 0 for a in {MANY}]) for b in {MANY}]) for c in {MANY}])"
POWERS = "((((9**64)**64)**64)**64)**64 > 0"
SQUARES = "[d*d for d in [c*c for c in [b*b for b in [a*a for a in [9**64 * 9**64, 8]]]]]"
ROWS = "[[t for a in t] for b in t]"


@pytest.mark.parametrize(
    ("expression", "limit"),
    [
        (NESTED, "steps"),
        (f"all([all([a in {MANY} for a in {MANY}]) for b in {MANY}])", "steps"),
        (f"all([{ROWS} == {ROWS} for t in [{MANY}]])", "steps"),
        (f"len([[len(t + t + t) for a in t] for t in [{MANY} for b in {MANY}]]) < 0", "steps"),
        (POWERS, "4,096 bits"),
        (f"{SQUARES} == [0]", "4,096 bits"),
    ],
)
def test_work_is_limited(expression: str, limit: str) -> None:
    with pytest.raises(WorkLimitError, match=limit):
        find(GRAPH, "y = acm.Op(x)", expression)


@pytest.mark.parametrize("expression", [NESTED, POWERS])
def test_the_rule_is_reported_and_the_others_go_on(expression: str, tmp_path: Path) -> None:
    hostile = OWN_RULE.replace("Relu(x)", "acm.Op(x)") + f'where = ["{expression}"]\n'
    model = GOOD.replace('"" : 21', '"" : 21, "acm" : 1')
    model = model.replace("[act] y", f"b = acm.Op<list = {[*range(180)]}> (x)\n  [act] y")
    project(
        tmp_path,
        {
            "modellint.toml": 'rules = ["lint"]\nselect = ["OWN"]',
            "lint/own/OWN001-hostile.toml": hostile,
            "lint/own/OWN002-relu.toml": OWN_RULE,
            "a.onnx": model,
        },
    )
    run = lint_json("a.onnx", cwd=tmp_path)
    stopped, relu = sorted(run["findings"], key=lambda each: str(each["code"]))
    assert (stopped["code"], relu["code"], run["exit"]) == ("INT001", "OWN002", 3)
    assert stopped["message"].startswith("Rule OWN001 (hostile) was stopped: ")


def twice(expression: str, levels: int) -> str:
    """Give an expression two lists, `a` and `b`, that hold one number 2**levels times."""
    for level in range(levels, 0, -1):
        for name in "ab":
            inner = f"{name}{level - 1}" if level > 1 else "[1]"
            expression = f"all([{expression} for {name}{level} in [[{inner}, {inner}]]])"
    return expression


@pytest.mark.parametrize(
    "expression",
    [
        f"all([all([not (t < t) for a in t]) for t in [{MANY}]])",
        twice("known(a23 * b23)", 23),
        twice("known(a23 < b23)", 23),
        twice("max(a23, b23) == a23", 23),
        "divisible('%999999999d', 5)",
        "known((0 - 1) ** 0.5)",
    ],
    ids=["lists", "multiplied", "compared", "maximum", "formatted", "complex"],
)
def test_what_makes_no_sense_costs_nothing(expression: str) -> None:
    assert find(GRAPH, "y = acm.Op(x)", expression, strict=False) == []


def test_facts_have_a_limited_length() -> None:
    with pytest.raises(WorkLimitError, match="steps"):
        find(
            GRAPH,
            "y = acm.Op(x)",
            facts={"list": f"[[[t for b in t] for a in t] for t in [{MANY}]]"},
        )


def test_facts_are_abbreviated() -> None:
    graph = graph_of(
        f"out = acm.Op<list = {[*range(5000)]}, text = '{'a' * 99_999}'> (x)".replace("'", '"')
    )
    facts = {"text": "attr(y, 'text')", "list": MANY, "more": MANY, "few": "[1, 2]"}
    (found,) = find(graph, "y = acm.Op(x)", facts=facts)
    assert len(json.dumps(found.facts)) < 8000
    assert str(found.facts["list"]).startswith("(0, 1, 2,")


def test_rules_of_users_share_their_steps(tmp_path: Path) -> None:
    model = GOOD.replace('"" : 21', '"" : 21, "acm" : 1')
    model = model.replace("[act] y", f"b = acm.Op<list = {[*range(180)]}> (x)\n  [act] y")
    few = f"{MANY}[:6]"
    half = f"all([all([all([a + b >= 0 for a in {MANY}]) for b in {MANY}]) for c in {few}])"
    rule = OWN_RULE.replace("Relu(x)", "acm.Op(x)") + f'where = ["{half}"]\n'
    names = [f"OWN{number:03}" for number in range(1, 16)]
    files = {f"lint/own/{name}-hostile.toml": rule for name in names}
    files |= {"modellint.toml": 'rules = ["lint"]\nselect = ["OWN", "HYG"]'}
    files |= {"a.onnx": model.replace("[act] y", "c = Dropout (x)\n  [act] y")}
    found = lint_json("a.onnx", cwd=project(tmp_path, files))["findings"]
    stopped = [each for each in found if each["code"] == "INT001"]
    done = [each for each in found if each["code"] in names]
    assert len(done) + len(stopped) == 15
    assert 5 <= len(done) <= 10
    assert "all such rules" in stopped[-1]["message"]
    assert any(each["code"].startswith("HYG") for each in found)


def test_consumers_are_counted_once() -> None:
    def count(size: int) -> None:
        graph = graph_of(f"v = Neg (x) out = Sum ({', '.join(['v'] * size)})")
        many = f"[{'0, ' * 300}]"
        found = find(
            graph,
            "v = Neg(x)\ny = Sum(v, ...)",
            f"all([inside(v) and consumers(v) == 1 for a in {many}])",
        )
        assert len(found) == 1

    assert is_linear(count, 200, 8)


def test_nothing_odd_in_an_expression_is_told_on_standard_error(
    recwarn: pytest.WarningsRecorder,
) -> None:
    assert find(GRAPH, "y = acm.Op(x)", "1if 1else 0")
    assert not recwarn.list


def test_equal_inputs_are_not_permuted() -> None:
    def search(size: int) -> None:
        graph = graph_of(f"out = Sum ({', '.join(['x'] * size)})")
        assert len(find(graph, "y = Sum(a, b, c, d, e, f, ...)")) == 1
        assert find(graph, "y = Sum(a, b, c, d, 0.5, f, ...)") == []

    assert is_linear(search, 200, 8)


def test_a_cycle_of_casts_is_left() -> None:
    graph = graph_of("a = Cast<to = 1> (b) b = Cast<to = 1> (a) out = Relu (a)")
    assert find(graph, "y = Relu(x)", "source_op(x) == 'Cast'")


def test_patterns_have_a_limited_number_of_nodes() -> None:
    lines = [f"v{index + 1} = Relu(v{index})" for index in range(101)]
    with pytest.raises(PatternError, match="more than 100 nodes"):
        compile_match(Match("\n".join(lines), "v1"))
