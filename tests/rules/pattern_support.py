"""Helpers for tests of the pattern language: a graph from text, and the matches in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modellint.formats.onnx.build import build
from modellint.model import DType, Graph, Shape, Value
from modellint.rules.pattern import PatternMatch, compile_match
from modellint.rules.rule import Match
from modellint.targets.deployment import Deployment
from tests.support import model_from_text

HEADER = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>'


@dataclass(frozen=True)
class Light:
    """An environment in which nothing is known but what the model says."""

    options: Mapping[str, Any] = field(default_factory=dict)
    deployment: Deployment = field(default_factory=Deployment)

    def shape(self, value: Value) -> Shape | None:
        return value.declared_shape

    def dtype(self, value: Value) -> DType | None:
        return value.declared_dtype

    def is_frozen(self, value: Value) -> bool:
        return value.is_constant


def graph_of(
    body: str,
    inputs: str = "float[N,4,8,8] x",
    outputs: str = "float[] out",
    stored: str = "",
) -> Graph:
    """The main graph of a model in ONNX text."""
    stored = f"<{stored}>" if stored else ""
    text = f"{HEADER} main ({inputs}) => ({outputs}) {stored} {{ {body} }}"
    return build(model_from_text(text), Path("model.onnx")).graph


def find(
    graph: Graph,
    pattern: str,
    *where: str,
    report: str = "",
    facts: Mapping[str, str] | None = None,
    light: Light = Light(),
    strict: bool = True,
) -> list[PatternMatch]:
    """Return the matches of a pattern, which reports its last output by default."""
    report = report or pattern.strip().splitlines()[-1].split("=")[0].split(",")[0].strip()
    match = compile_match(Match(pattern, report, where, facts or {}))
    return list(match.find(graph, light, strict=strict))


def labels(graph: Graph, pattern: str, *where: str, report: str = "") -> list[str]:
    """The labels of the places found, in order."""
    return [
        found.place.name if isinstance(found.place, Value) else found.place.label
        for found in find(graph, pattern, *where, report=report)
    ]
