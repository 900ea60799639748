"""Reports of a difference for pull requests and code scanning."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from modellint.base.links import page_url
from modellint.report.earlier import is_report
from tests.diff.test_sources import diff, network
from tests.support import CliResult, model_from_text, run_cli, save

HOSTILE = "<img src=x onerror=y> @team #1 [a](http://b) | </pre></details> `c` ::error::"
TEXT = """<ir_version: 9, opset_import: ["" : 18]>
main (float[1,2] x) => (float[1,2] y) <float[2,2] w = {1,2,3,4}> {
   a = MatMul (x, w)
   b = Identity (a)
   y = OP (b) }"""


NETWORK_WITHOUT_IDENTITY = TEXT.replace("b = Identity (a)", "").replace("OP (b)", "Relu (a)")


def hostile(path: Path, op: str, width: int = 2) -> Path:
    model = model_from_text(TEXT.replace("OP", op))
    model.graph.node[-1].name = HOSTILE
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = HOSTILE
    if width != 2:
        model.graph.input[0].name = model.graph.node[0].input[0] = HOSTILE
    return save(model, path)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> CliResult:
    folder = tmp_path_factory.mktemp("reports")
    old, new = hostile(folder / "old.onnx", "Relu"), hostile(folder / "new.onnx", "Tanh", 3)
    return diff(old.name, new.name, "-o", "markdown", "--budget", "nodes=-1", cwd=folder)


def test_markdown_is_short_first(shown: CliResult) -> None:
    head, _, folded = shown.stdout.partition("<details>")
    assert head.startswith("<!-- modellint diff -->\n## modellint diff\n")
    assert "**breaks**" in head
    assert "**budget exceeded**: nodes" in head
    assert folded.count("<pre>") == folded.count("</pre>") == 1
    assert folded.endswith("</pre>\n\n</details>\n")
    assert is_report(shown.stdout.encode())


def test_hostile_names_cannot_become_markup(shown: CliResult) -> None:
    text = shown.stdout
    assert "onerror" in text
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inside = [child for token in tokens for child in token.children or ()]
    links = [str(token.attrGet("href")) for token in inside if token.type == "link_open"]
    assert all(link.startswith(page_url("rules/")) for link in links)
    assert not any(token.type in ("image", "code_inline") for token in inside)
    html = [token.content for token in (*tokens, *inside) if token.type.startswith("html")]
    tags = {tag for each in html for tag in re.findall(r"</?[a-z]+", each)}
    assert {tag.strip("</") for tag in tags} <= {"code", "details", "summary", "pre"}
    assert "@team" not in text
    rows = [line for line in text.partition("<pre>")[0].splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_sarif_tells_what_is_new(tmp_path: Path) -> None:
    old = save(NETWORK_WITHOUT_IDENTITY, tmp_path / "old.onnx")
    new = hostile(tmp_path / "new.onnx", "Relu")
    text = run_cli("diff", old, new, "-o", "sarif", "--isolated", "--fail-on", "never").stdout
    (run,) = json.loads(text)["runs"]
    states = [result["baselineState"] for result in run["results"]]
    assert set(states) <= {"new", "unchanged", "absent"}
    assert "new" in states
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert place.endswith("new.onnx")
    assert is_report(text.encode())
    back = run_cli("diff", new, old, "-o", "sarif", "--isolated", "--fail-on", "never").stdout
    (reverse,) = json.loads(back)["runs"]
    opposite = {"new": "absent", "absent": "new", "unchanged": "unchanged"}
    turned = sorted(opposite[result["baselineState"]] for result in reverse["results"])
    assert turned == sorted(states)


def test_several_models_are_one_document(tmp_path: Path) -> None:
    for side, op in (("old", "Relu"), ("new", "Tanh")):
        network(tmp_path / side / "a.onnx", 2, op)
        network(tmp_path / side / "b.onnx", 3, "Relu")
    text = diff("old", "new", "-o", "markdown", cwd=tmp_path).stdout
    assert text.count("## modellint diff\n") == 1
    assert "| changed | <code>a.onnx</code> |" in text
    assert "| same | <code>b.onnx</code> |" in text
    assert text.count("<details>") == 1


def test_a_share_that_rounds_to_nothing_is_not_shown_as_nothing(tmp_path: Path) -> None:
    text = """<ir_version: 9, opset_import: ["" : 18]>
    m (float[1,1] x) => (float[1,200] y) <float[1,200] w = {NUMBERS}> { y = MatMul (x, w) }"""
    for name, last in (("old", "1"), ("new", "2")):
        model = model_from_text(text.replace("NUMBERS", "1," * 199 + last))
        save(model, tmp_path / f"{name}.onnx")
    shown = diff("old.onnx", "new.onnx", cwd=tmp_path).stdout
    assert "<1%" in shown
