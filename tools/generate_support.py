"""Makes docs/support.md from the tables of what runtimes take."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from generated import DOCS, Contents, bring_up_to_date
from supports.tables import forms_next_to, tables

from modellint.base.data import read_toml
from modellint.runtimes import find_runtime

ONNX, TFLITE, NCNN, TORCH = "onnx", "tflite", "ncnn", "torch"
PREFIX = f"{TFLITE}."
"""Prefix of operators of TFLite files in tables that name others without one."""


def contents() -> Contents:
    every = [json.loads(path.read_text(encoding="utf-8")) for path in tables()]
    return {DOCS / "support.md": "\n".join(_page(every)) + "\n"}


def _page(every: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "# Operator support"
    yield ""
    yield "Written by `tools/measure_support.py` from the tables in `src/modellint/runtimes/`,"
    yield "which the rules on unsupported operators and types read."
    yield ""
    for table in every:
        how = "measured" if table["confidence"] == "measured" else "from its published matrix"
        yield f"- **{table['runtime']} {table['version']}**: {how}, <{table['source']}>"
    yield ""
    yield "An empty cell: no test or list covers the operator. Types are those that were accepted"
    yield "for the input with the most choices."
    yield ""
    yield from _operators([_part(table, "") for table in every if _dialect(table) == ONNX])
    yield ""
    yield "## Operators of TFLite files"
    yield ""
    parts = [table if _dialect(table) == TFLITE else _part(table, PREFIX) for table in every]
    yield from _operators([table for table in parts if table["operators"]])
    yield ""
    yield "## Layers of ncnn that run with Vulkan"
    yield ""
    yield from _operators([table for table in every if _dialect(table) == NCNN])
    yield ""
    yield "## Operators of exported programs"
    yield ""
    yield from _operators([table for table in every if _dialect(table) == TORCH])
    yield from _differences(every)
    for table, path in zip(every, tables(), strict=True):
        forms = forms_next_to(path)
        if forms.exists():
            yield from _forms(table, read_toml(forms))


def _dialect(table: Mapping[str, Any]) -> str:
    """Return the dialect of the files whose operators a table names."""
    runtime = find_runtime(table["runtime"])
    placing = runtime.placing if runtime is not None else None
    stated = placing.dialects if placing is not None else (ONNX,)
    return next((each for each in (TFLITE, NCNN, TORCH) if each in stated), ONNX)


def _part(table: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return a table of the operators of TFLite files alone, or of all others."""
    operators = {
        op.removeprefix(prefix): entry
        for op, entry in table["operators"].items()
        if op.startswith(PREFIX) == bool(prefix)
    }
    return {**table, "operators": operators}


def _operators(every: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "| operator | " + " | ".join(table["runtime"] for table in every) + " |"
    yield "| --- |" + " --- |" * len(every)
    for op in sorted({op for table in every for op in table["operators"]}):
        cells = " | ".join(_cell(table["operators"].get(op)) for table in every)
        yield f"| {op} | {cells} |"


def _cell(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    if not entry["taken"]:
        return "**no**"
    words = " ".join(entry.get("types", ())) or "yes"
    later = entry.get("refused-from")
    return f"{words}; not from opset {later} on" if later else words


def _differences(every: Iterable[dict[str, Any]]) -> Iterator[str]:
    by_name = {table["runtime"]: table["operators"] for table in every}
    full, rtx = by_name.get("tensorrt", {}), by_name.get("tensorrt-rtx", {})
    both = sorted(full.keys() & rtx.keys())
    more = [op for op in both if rtx[op]["taken"] and not full[op]["taken"]]
    less = [op for op in both if full[op]["taken"] and not rtx[op]["taken"]]
    yield ""
    yield "## TensorRT and TensorRT for RTX"
    yield ""
    yield "The one is as published, the other as measured, so a difference may be one of the two"
    yield "runtimes or of paper and practice."
    yield ""
    yield f"- taken by TensorRT for RTX alone: {', '.join(more) or 'none'}"
    yield f"- taken by TensorRT alone: {', '.join(less) or 'none'}"


def _forms(table: Mapping[str, Any], forms: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## Forms that {table['runtime']} refuses"
    yield ""
    if _dialect(table) == TFLITE:
        yield "Forms in `tools/tflite_cases.py` that are refused, though others of the operator are"
    else:
        yield "Node tests of the ONNX project that are refused, though others of the operator are"
    yield "taken."
    yield ""
    yield "| operator | tests | reason |"
    yield "| --- | --- | --- |"
    for op, refused in forms.items():
        by_reason: dict[str, list[str]] = defaultdict(list)
        for test, reason in refused.items():
            by_reason[reason.replace("|", "\\|").replace("<", "&lt;")].append(test)
        for reason, names in by_reason.items():
            shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if names[2:] else "")
            yield f"| {op} | {shown} | {reason} |"


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
