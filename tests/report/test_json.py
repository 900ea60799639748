"""The JSON contract: its schema, and documents compared with it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from modellint import __version__
from modellint.report import render
from modellint.report.strict import dumps
from modellint.results.finding import Result
from tests.report.samples import CLEAN, HOSTILE_NAMES, OVERFLOW, SAMPLE, SUPPRESSED, hostile
from tests.support import EXAMPLES, ROOT, run_cli

SCHEMA = ROOT / "docs" / "schemas" / "report.schema.json"


@cache
def schema() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return content


def strict(table: dict[str, Any]) -> dict[str, Any]:
    """The schema without room for other fields: today's documents have none."""
    tables = {name: strict(part) for name, part in table.get("$defs", {}).items()}
    return {**table, "additionalProperties": False, **({"$defs": tables} if tables else {})}


def valid(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(strict(schema())).validate(document)
    return document


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("field", ["version", "models", "findings", "summary"])
def test_a_document_without_a_field_is_refused(field: str) -> None:
    document = json.loads(render("json", SAMPLE))
    del document[field]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())


@pytest.mark.parametrize(
    "result", [SAMPLE, CLEAN, SUPPRESSED], ids=["sample", "clean", "suppressed"]
)
def test_documents_are_valid(result: Result) -> None:
    valid(render("json", result))


def test_a_real_run_is_valid() -> None:
    document = valid(run_cli(EXAMPLES, "--target", "a10", "--no-cache", "-o", "json").stdout)
    assert document["modellint"] == __version__
    assert len(document["models"]) == len(list(EXAMPLES.glob("*.onnx")))
    severities = [finding["severity"] for finding in document["findings"]]
    assert severities.count("error") == document["summary"]["error"] > 0


def test_a_finding_is_written_whole() -> None:
    entry = valid(render("json", SAMPLE))["findings"][0]
    assert entry["location"] == {
        "graph": "main_graph",
        "node": "/encoder/layer.0/attention/self/Add_2",
        "index": 214,
        "op_type": "Add",
        "value": "/encoder/layer.0/attention/self/Add_2_output_0",
    }
    assert entry["evidence"] == {"value": -3.4028234663852886e38, "limit": 65504, "elements": 16384}
    assert entry["fingerprint"] == OVERFLOW.fingerprint
    assert entry["suppressed"] is None


def test_suppressed_findings_are_there_and_not_counted() -> None:
    document = valid(render("json", SUPPRESSED))
    assert document["findings"][0]["suppressed"] == "known"
    assert document["summary"] == {
        "error": 0,
        "warning": 0,
        "info": 0,
        "models": 1,
        "seconds": 0.08,
    }


def test_the_worst_of_each_file_comes_first() -> None:
    document = valid(render("json", SAMPLE))
    order = [(entry["path"], entry["severity"]) for entry in document["findings"]]
    assert list(dict.fromkeys(order)) == [
        ("models/bert-base.onnx", "error"),
        ("models/not fetched.onnx", "error"),
        ("models/resnet50.onnx", "warning"),
        ("models/resnet50.onnx", "info"),
    ]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_come_through_as_they_are(name: str) -> None:
    text = render("json", hostile(name))
    assert text.isascii()
    assert "##" not in text
    entry = valid(text)["findings"][0]
    assert entry["location"]["node"] == name.replace("\udce9", "\ufffd").replace("\ud800", "\ufffd")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.array([1, 2]), [1, 2]),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        ({"b", "a"}, ["a", "b"]),
        ((1, None, True), [1, None, True]),
        ({1: Path("x")}, {"1": "x"}),
        (np.dtype("float32"), "float32"),
    ],
    ids=lambda value: type(value).__name__,  # the repr of a set differs between workers
)
def test_evidence_may_be_anything(value: object, expected: object) -> None:
    assert json.loads(dumps(value)) == expected
    finding = replace(OVERFLOW, evidence={"x": value})
    valid(render("json", replace(CLEAN, findings=(finding,))))


def test_a_line_of_jsonl_is_a_finding_of_the_document() -> None:
    lines = [json.loads(line) for line in render("jsonl", SAMPLE).splitlines()]
    assert lines == json.loads(render("json", SAMPLE))["findings"]


def test_no_findings_are_no_lines_of_jsonl() -> None:
    assert render("jsonl", CLEAN) == ""
