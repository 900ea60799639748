"""TFLite files as LiteRT's own interpreter sees them."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import compare_tflite
import numpy as np
import pytest

from modellint.formats.tflite.notation import encode
from modellint.rules.registry import load_rules
from modellint.rules.rule import Example
from tests.formats.test_tflite import CONV

pytest.importorskip("ai_edge_litert")

MODELS = os.environ.get("MODELLINT_MODELS")
"""Folder of models that others have made."""
NOT_OPENED = ("TFL001", "TFL005", "TFL014")
"""Rules that do not predict what a runtime refuses, and with which it agrees."""


def examples(kind: str) -> list[tuple[str, Example]]:
    rules = [
        each
        for each in load_rules(plugins=False).values()
        if each.family == "tflite" and (each.refused or each.code in NOT_OPENED)
    ]
    return [
        (f"{rule.code}-{number}", example)
        for rule in rules
        for number, example in enumerate(getattr(rule.examples, kind))
        if example.runtime is None  # of an older release than the one that is installed
    ]


def verdict(example: Example) -> str:
    """Return LiteRT's error message; empty if it runs the model."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    (text,) = example.files.values()
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(
            model_content=encode(text.removeprefix("tflite:")),
            experimental_op_resolver_type=resolver,
        )
        interpreter.allocate_tensors()
        for details in interpreter.get_input_details():
            zeros = np.zeros(details["shape"], details["dtype"])
            interpreter.set_tensor(details["index"], zeros)
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("case", examples("invalid"), ids=lambda case: case[0])
def test_it_refuses_what_rules_call_refused(case: tuple[str, Example]) -> None:
    assert verdict(case[1])


@pytest.mark.parametrize("case", examples("valid"), ids=lambda case: case[0])
def test_it_runs_what_they_are_silent_on(case: tuple[str, Example]) -> None:
    assert verdict(case[1]) == ""


def test_it_reads_the_same_tensors_and_operators(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(encode(CONV))
    assert list(compare_tflite.compare(path, Counter())) == []


@pytest.mark.skipif(not MODELS, reason="MODELLINT_MODELS names no folder")
def test_it_reads_the_same_of_models_that_others_have_made() -> None:
    paths = sorted(Path(MODELS or "").rglob("*.tflite"))
    assert [each for path in paths for each in compare_tflite.compare(path, Counter())] == []
