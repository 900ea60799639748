"""Findings in real exports that have no defect, and the reasons why each is right.

`golden/<name>.txt` holds a line for each rule that has something to say, in two deployments:

    [tensorrt on a10, fp16]
    warning  NUM007   16   # why this is right, although the model is fine

Run this file to write them again; reasons are kept, and those of DEFENCES are filled in:

    python -m tests.clean.goldens [NAME ...]
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.exports import exports, materialise

GOLDEN = Path(__file__).parent / "golden"

DEPLOYMENTS = {
    "tensorrt on a10, fp16": Deployment(
        find_target("a10"), "tensorrt", precision="fp16", origins={"precision": "assumed"}
    ),
    "onnxruntime": Deployment(runtime="onnxruntime"),
}

DEFENCES = {
    "FUS005": "the exporter's form of RMSNorm is not the one ONNX Runtime looks for",
    "FUS015": "ONNX Runtime leaves attention in pieces; only its offline tool joins them",
    "FUS016": "PyTorch's guard against NaN stays: no pass of ONNX Runtime removes it",
    "FUS018": "the heads are copied for each group: nothing in ONNX Runtime undoes that",
    "FUS019": "ONNX Runtime runs a rotary embedding in pieces; only its offline tool joins them",
    "FUS023": "the scale of the queries is one multiplication that the weights could hold",
    "FUS029": "a copy of one tensor to itself, which the export need not have made",
    "NUM002": "the mask becomes -inf in fp16, and a row masked throughout gives NaN",
    "NUM007": "written-out normalizations overflow in fp16 from 256 on, as known of T5 and Llama",
}
"""Reasons why a warning is right on a model without defects, where they are the same for all."""


class Line(NamedTuple):
    severity: str
    code: str
    places: int


def rules() -> tuple[Rule, ...]:
    """Return all rules that run by default, but not those that read weights: there are none."""
    return tuple(rule for rule in load_rules(plugins=False).values() if rule.default)


def findings(name: str, folder: Path) -> dict[str, list[Line]]:
    """Count the findings in an export by severity and code, in each deployment."""
    path = materialise(name, folder)
    found = {}
    for title, deployment in DEPLOYMENTS.items():
        plan = Plan(rules=rules(), deployments=(deployment,), read_weights=False)
        counts = Counter(
            (str(finding.severity), finding.code)
            for finding in lint_file(path, path.name, plan).findings
        )
        found[title] = [Line(*key, count) for key, count in sorted(counts.items())]
    return found


def read_golden(name: str) -> tuple[dict[str, list[Line]], dict[tuple[str, str], str]]:
    """The expected lines of an export, and the reasons by deployment and code."""
    lines: dict[str, list[Line]] = {}
    reasons = {}
    title = ""
    path = GOLDEN / f"{name}.txt"
    for row in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if row.startswith("["):
            title = row.strip("[]")
            lines[title] = []
        elif row.strip():
            stated, _, reason = row.partition("#")
            severity, code, count = stated.split()
            lines[title].append(Line(severity, code, int(count)))
            reasons[title, code] = reason.strip()
    return lines, reasons


def write_golden(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = findings(name, Path(folder))
    reasons = read_golden(name)[1]
    rows = []
    for title, lines in found.items():
        rows.append(f"[{title}]")
        for line in lines:
            reason = reasons.get((title, line.code)) or DEFENCES.get(line.code, "")
            row = f"{line.severity:<8} {line.code} {line.places:>4}"
            rows.append(f"{row}   # {reason}" if reason and line.severity != "info" else row)
        rows.append("")
    (GOLDEN / f"{name}.txt").write_text("\n".join(rows), encoding="utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:] or exports():
        write_golden(each)
