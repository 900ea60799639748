"""Rules of several ``[[match]]`` blocks: who claims a place, and what a case changes."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from modellint.base.data import read_toml
from modellint.engine import lint_file
from modellint.examples import cases_of, run_example
from modellint.plan import Plan
from modellint.rules.pattern import CompiledMatch, PatternError, compile_match
from modellint.rules.registry import load_rules, read_rule
from modellint.rules.rule import Example, Match, MatchCase, Rule
from modellint.targets.deployment import Deployment
from tests.rules.pattern_support import Light, find, graph_of
from tests.support import ROOT

HEADER = """
summary  = "Summary."
severity = "warning"
message  = "Plain {node}."
why      = "Why."
fix      = "Fix."

[messages]
other  = "Other {node}."
shared = "Shared {node}."

[fused_by]
onnxruntime = { by = "SomePass" }
"""
ONE = """
[[match]]
pattern = '''
    a = Relu(x)
    b = Tanh(a)
    c = Neg(b)
'''
report = "c"
"""
OTHER = """
[[match]]
pattern = '''
    a = Relu(x)
    b = Tanh(a)
'''
report  = "b"
variant = "other"
"""
MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[4] x) => (float[4] y, float[4] z)
{
    a = Relu (x)
    b = Tanh (a)
    y = Neg (b)
    a2 = Relu (x)
    z = Tanh (a2)
}
"""


def rule_of(folder: Path, text: str) -> Rule:
    path = folder / "own" / "OWN001-some-rule.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER + text, encoding="utf-8")
    return read_rule(path)


def messages(rule: Rule, model: str = MODEL, runtime: str | None = None) -> list[str]:
    """Return the rule's findings in a model, in a folder of its own."""
    assert rule.path is not None
    with tempfile.TemporaryDirectory(dir=rule.path.parent) as folder:
        findings = run_example(rule, Example(model=model, runtime=runtime), Path(folder))
    return [finding.message for finding in findings]


def test_a_single_table_is_one_block(tmp_path: Path) -> None:
    single = rule_of(tmp_path, ONE.replace("[[match]]", "[match]"))
    assert single.match == rule_of(tmp_path, ONE).match
    assert len(single.match) == 1


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        (ONE + OTHER, ["Plain y.", "Other z."]),
        (OTHER + ONE, ["Other b.", "Plain y.", "Other z."]),
        (OTHER + OTHER, ["Other b.", "Other z."]),
    ],
)
def test_the_first_block_to_find_a_place_keeps_it(
    tmp_path: Path, blocks: str, said: list[str]
) -> None:
    assert sorted(messages(rule_of(tmp_path, blocks))) == sorted(said)


def test_a_block_is_compiled_once_and_only_for_models_with_its_ops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def compile_and_note(match: Match) -> CompiledMatch:
        compiled.append(match)
        return compile_match(match)

    monkeypatch.setattr("modellint.checks.patterns.compile_match", compile_and_note)
    rule = rule_of(tmp_path, ONE + OTHER.replace("Tanh", "Erf"))
    plan = Plan(rules=(rule,), deployments=(Deployment(),))
    path = tmp_path / "model.onnxtxt"
    path.write_text(MODEL, encoding="utf-8")
    for _ in range(2):
        lint_file(path, path.name, plan)
    assert compiled == [rule.match[0]]


def with_cases(*cases: MatchCase) -> Match:
    return Match("a = Relu(x)\nb = Tanh(a)\nc = Neg(b)", "c", facts={"n": "1"}, cases=cases)


SHARED = "a = Relu(x) b = Tanh(a) out = Neg(b) k = Abs(b)"


def test_the_first_case_that_holds_decides() -> None:
    match = with_cases(
        MatchCase("op(c) == 'Abs'", variant="never"),
        MatchCase("not inside(it)", "shared", ("a", "b"), ("onnxruntime",), {"it": "name(it)"}),
        MatchCase("true", variant="late"),
    )
    (found,) = compile_match(match).find(graph_of(SHARED), Light(), strict=True)
    assert found.place is found.nodes["b"]
    assert (found.variant, found.stopped) == ("shared", ("onnxruntime",))
    assert found.facts == {"n": 1, "it": "b"}


def test_a_match_without_a_case_is_as_the_block_says() -> None:
    match = with_cases(MatchCase("not inside(it)", "shared", ("a", "b")))
    graph = graph_of("a = Relu(x) b = Tanh(a) out = Neg(b)")
    (found,) = compile_match(match).find(graph, Light(), strict=True)
    assert (found.place, found.variant, found.facts) == (found.nodes["c"], "", {"n": 1})


STOPPED = 'cases = [{ when = "not inside(a)", variant = "shared", stopped = ["onnxruntime"] }]\n'


def test_a_runtime_is_silent_but_where_its_pass_stumbles(tmp_path: Path) -> None:
    fused, shared = MODEL, MODEL.replace("y = Neg (b)", "y = Sub (b, a)").replace("Neg", "Abs")
    rule = rule_of(tmp_path, OTHER + STOPPED)
    assert messages(rule, fused, "onnxruntime") == []
    assert messages(rule, shared, "onnxruntime") == ["Shared b."]
    assert sorted(messages(rule, shared)) == ["Other z.", "Shared b."]


@pytest.mark.parametrize(
    ("match", "message"),
    [
        (with_cases(MatchCase("op(q) == ''")), "cases[0].when, line 1, column 4: the pattern has"),
        (with_cases(MatchCase("true", report=("q",))), "cases[0].report, line 1"),
        (with_cases(MatchCase("true", facts={"n": "x +"})), "cases[0].facts.n, line 1"),
        (Match("a = Relu(x)", "a", witness="x"), "witness, line 1, column 1: no node of the"),
        (Match("a = Relu(x)", "a", nodes=("a", "b")), "nodes, line 1, column 1: no node of the"),
    ],
)
def test_mistakes_are_named_with_their_place(match: Match, message: str) -> None:
    with pytest.raises(PatternError) as error:
        compile_match(match)
    assert message in str(error.value)


def test_functions_about_a_node_and_its_inputs() -> None:
    graph = graph_of("a = Relu(x) c = Cast<to=1>(a) out = Mul(k, c)", stored="float k = {2}")
    facts = {
        "first": "position(k, y)",
        "second": "position(c, y)",
        "neither": "position(x, y)",
        "outputs": "outputs(a)",
        "source": "source_op(c)",
        "stored": "frozen(k)",
        "computed": "frozen(c, k)",
        "label": "name(a)",
        "value": "value_name(a)",
        "fixed": "fixed(k)",
        "open": "fixed(x)",
    }
    (found,) = find(graph, "a = Relu(x)\nc = Cast(a)\ny = Mul(c, k)", facts=facts)
    assert found.facts == {
        "first": 0,
        "second": 1,
        "neither": None,
        "outputs": 1,
        "source": "Relu",
        "stored": True,
        "computed": False,
        "label": "a",
        "value": "a",
        "fixed": True,
        "open": False,
    }


def documented_rules() -> list[str]:
    """The whole rule files that the documentation shows."""
    text = (ROOT / "docs" / "writing-rules.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(summary.*?)```", text, re.DOTALL)
    return [block for block in blocks if 'model = """..."""' not in block]


@pytest.mark.parametrize("text", documented_rules())
def test_rules_of_the_documentation_pass_their_own_examples(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own" / "OWN001-documented.toml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    failures = [case.failure() for case in cases_of(read_rule(path))]
    assert failures
    assert set(failures) == {""}


IN_PATTERNS = [rule for rule in load_rules(plugins=False).values() if rule.match]


@pytest.mark.parametrize("rule", IN_PATTERNS, ids=lambda rule: rule.code)
def test_expressions_make_sense_for_what_the_examples_hold(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CompiledMatch.find, "__kwdefaults__", {"strict": True})
    assert {case.failure() for case in cases_of(rule)} == {""}


def test_patterns_of_the_documentation_compile(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "patterns.md").read_text(encoding="utf-8")
    tables = re.findall(r"```toml\n(\[match\].*?)```", text, re.DOTALL)
    assert tables
    for table in tables:
        path = tmp_path / "table.toml"
        path.write_text(table, encoding="utf-8")
        compile_match(Match(**read_toml(path)["match"]))
