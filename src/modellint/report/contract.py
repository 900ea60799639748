"""The JSON contract, which docs/output.md describes: a field may be added, none may change."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Set
from typing import Any

from modellint import __version__
from modellint.finding import Finding, ModelSummary, Result, Severity
from modellint.report.grouping import ordered

VERSION = 1

_SURROGATE = re.compile("[\ud800-\udfff]")


def document(result: Result) -> dict[str, Any]:
    return {
        "version": VERSION,
        "modellint": __version__,
        "models": [model_entry(model) for model in result.models],
        "findings": [finding_entry(finding) for finding in ordered(result)],
        "summary": {
            "error": result.count(Severity.ERROR),
            "warning": result.count(Severity.WARNING),
            "info": result.count(Severity.INFO),
            "models": len(result.models),
            "seconds": round(result.seconds, 3),
        },
    }


def model_entry(model: ModelSummary) -> dict[str, Any]:
    return {
        "path": model.path,
        "format": model.format,
        "capabilities": list(model.capabilities),
        "nodes": model.nodes,
        "parameters": model.parameters,
        "weight_bytes": model.weight_bytes,
    }


def finding_entry(finding: Finding) -> dict[str, Any]:
    place = finding.location
    return {
        "code": finding.code,
        "rule": finding.rule,
        "family": finding.family,
        "severity": str(finding.severity),
        "message": finding.message,
        "path": finding.path,
        "location": {
            "graph": place.graph,
            "node": place.node,
            "index": place.index,
            "op_type": place.op_type,
            "value": place.value,
        },
        "why": finding.why or None,
        "fix": finding.fix or None,
        "runtime": finding.runtime,
        "target": finding.target,
        "confidence": finding.confidence,
        "evidence": dict(finding.evidence),
        "count": finding.count,
        "fingerprint": finding.fingerprint,
        "suppressed": finding.suppressed,
    }


def dumps(content: object, indent: int | None = None) -> str:
    """Strict JSON in plain ASCII: whatever a name holds, it cannot act upon a terminal."""
    return json.dumps(plain(content), indent=indent, ensure_ascii=True, allow_nan=False)


def plain(content: object) -> Any:
    """Evidence comes as the rules made it: NumPy's numbers, tuples, dtypes, infinities."""
    if content is None or isinstance(content, bool | int):
        return content
    if isinstance(content, str):
        return _SURROGATE.sub("\ufffd", content)
    if isinstance(content, float):
        return content if math.isfinite(content) else str(content)
    if isinstance(content, Mapping):
        return {str(plain(str(key))): plain(value) for key, value in content.items()}
    if isinstance(content, Set):
        return sorted((plain(item) for item in content), key=str)
    if isinstance(content, list | tuple):
        return [plain(item) for item in content]
    if hasattr(content, "tolist"):  # NumPy's scalars and arrays
        return plain(content.tolist())
    return plain(str(content))
