"""A program that uses what `import modellint` offers: mypy checks it, and a test runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx

import modellint


def main(folder: Path, to: Path) -> None:
    path = folder / "detector_baked_batch.onnx"
    content = path.read_bytes()
    model = onnx.load(path)

    report: modellint.Report = modellint.check([path, content, model], targets="a10", isolated=True)
    codes: list[str] = [finding.code for finding in report if finding.severity.name == "ERROR"]
    counts: modellint.Summary = report.summary
    assert counts.errors == len(codes) > 0
    assert not report.ok
    assert [each.path for each in report.models][1:] == ["<memory>", "<memory> 2"]
    assert len({frozenset(f.code for f in report if f.path == m.path) for m in report.models}) == 1
    assert report.to_json()["summary"]["error"] == counts.errors

    look: modellint.Inspection = modellint.inspect(content, targets=["a10"], isolated=True)
    assert look.nodes
    assert look.memory is not None
    assert look.memory["a10"].target == "a10"

    difference: modellint.Difference = modellint.diff(path, model, isolated=True)
    assert difference.is_same

    fixed: modellint.Fixed = modellint.fix(path, to=to, isolated=True)
    assert fixed.content is None
    assert sum(fixed.counts.values()) > 0
    assert path.read_bytes() == content
    assert onnx.load(to).graph.node

    for shown in (report, look, difference, fixed):
        assert "<table" in shown._repr_html_()

    print(len(report), "findings")  # noqa: T201 - a program's output


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
