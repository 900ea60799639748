"""Recognition of files that are reports of ours, and may be replaced by newer ones."""

from __future__ import annotations

import re

from modellint.base.expressions import late

HEAD = 8192
"""Length of the beginning that is looked at."""

_CODE = r"[A-Z]{2,5}\d{3}"
_BEGINS = {
    "full, or a model's page": r"── |No findings\.",
    "concise": rf"[^\n]*: (error|warning|info) {_CODE} ",
    "json": r'\{\s*"version": 1,\s*"(modellint|probes|targets)": ',
    "rules as json": rf'(\[\s*)?\{{\s*"code": "{_CODE}",\s*"name": "',
    "rules": rf"[a-z_]+\n  {_CODE}  ",
    "rule": rf"{_CODE} [a-z0-9-]+\n(error|warning|info) · |# [a-z0-9-]+ \({_CODE}\)\n",
    "targets": r"[A-Z ]+\n  target  |[^\n]+  [a-z0-9-]+\n  is  ",
    "doctor": r'modellint \S+ in |\{\s*"modellint": "',
    "measured run": r'\{\s*"kind": "modellint-run"',
    "survey of a fleet": r'\{\s*"version": 1,\s*"kind": "modellint-survey"',
    "jsonl": rf'\{{"code": "{_CODE}", "rule": "',
    "sarif": r'\{\s*"runs": \[\s*\{\s*"tool": \{\s*"driver": \{\s*"name": "modellint"',
    "github": r"::(error|warning|notice) (file|title)=",
    "github, without annotations": r"(No findings|\d[\d,]* (error|warning|info)[^\n]*) in \d",
    "gitlab": rf'\[\]\s*\Z|\[\s*\{{\s*"type": "issue",\s*"check_name": "{_CODE}"',
    "junit": r'<\?xml [^>]*\?>\s*<testsuites name="modellint"',
    "html": r"<!doctype html>\n<!-- modellint report -->\n",
    "svg": r'<svg xmlns="http://www.w3.org/2000/svg" class="mlc" ',
    "png": r"[^\n]*\n[^\n]*\n[^\n]*IHDR[\s\S]{8,25}tEXtSoftware\x00modellint",
    "layers as csv": r"model,index,name,op,",
    "layers as jsonl": r'\{"model": "[^"]*", "index": ',
    "markdown": r"<!-- modellint( diff)? -->",
    "concise difference": r"[^\n]+ -> [^\n]+: (no differences|unreadable|\d)",
    "WebNN graph": r'// WebNN graph of |\{\s*"kind": "webnn-graph"',
    "probes": r"  target  runtime ",
    "agreement of probes and rules": r"# Rules and runtimes\n",
}
_REPORT = "|".join(f"(?:{begins})" for begins in _BEGINS.values())
"""Compiled on first use: few runs write over a report."""

_CARD = late(r"<!-- model card by modellint -->|\bto be written by a person\b", re.IGNORECASE)


def is_card(head: bytes) -> bool:
    """Return True if a file with this beginning is a model card of ours."""
    return _CARD.search(head.decode(errors="replace")) is not None


def is_report(head: bytes) -> bool:
    """Return True if a file with this beginning is a report in any format; an empty one is."""
    text = head.decode(errors="replace").replace("\r\n", "\n")
    return not text or re.match(_REPORT, text) is not None
