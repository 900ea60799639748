"""docs/output.md tells the truth."""

from __future__ import annotations

import json
import re

import jsonschema

from modellint.report import FORMATS
from tests.support import EXAMPLES, ROOT, run_cli

DOCS = (ROOT / "docs" / "output.md").read_text(encoding="utf-8")
MODEL = "examples/encoder_fp16_mask.onnx"


def sample(language: str, holding: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    (block,) = (block for block in blocks if holding in block)
    return str(block)


def test_every_format_is_described() -> None:
    assert re.findall(r"^\| \[`(\w+)`\]", DOCS, re.MULTILINE) == list(FORMATS)


def test_the_json_sample_is_what_a_run_gives() -> None:
    shown = json.loads(sample("json", '"version"'))
    schema = (ROOT / "docs" / "schemas" / "report.schema.json").read_text(encoding="utf-8")
    jsonschema.validate(shown, json.loads(schema))
    run = run_cli(MODEL, "-t", "a10", "--select", "NUM002", "-o", "json", cwd=EXAMPLES.parent)
    given = json.loads(run.stdout)
    assert shown["models"] == given["models"]
    (said,), (found,) = shown["findings"], given["findings"]
    for field in ("why", "fix"):
        assert found[field].startswith(said.pop(field).removesuffix(" ..."))
        del found[field]
    assert said == found


def test_the_terminal_s_sample_is_what_a_run_gives() -> None:
    shown = sample("text", "╭─ main_graph, node 10")
    run = run_cli(MODEL, "-t", "a10", "--select", "NUM002", "--color", "never", cwd=EXAMPLES.parent)
    assert run.stdout.startswith(shown)
