"""Computes what `modellint inspect` compares the efficiency of models with.

    python tools/measure_efficiency.py FOLDER

FOLDER has exports of named architectures by `tools/export_benchmarked.py` (image classifiers) or
`tools/export_references.py` (all others), whose weights are random: only shapes are read. Image
classifiers of `tests/data/exports` are added to those of FOLDER. What has the same figures counts
once. Writes `src/modellint/inspector/efficiency.json`; tasks that FOLDER has none of stay.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import modellint
from modellint.inspector import efficiency
from modellint.results.inspection import Task

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "src" / "modellint" / "inspector" / efficiency.TABLE
OWN = ROOT / "tests" / "data" / "exports"
CLASSIFIERS: Task = "image classification"
COMPUTED = "Computed, not measured; accuracy is not compared."
REFERENCES = (
    "as modellint counts them, of exports of architectures of transformers 5.24.0 with random "
    "weights, by tools/export_references.py with torch 2.13.0, opset 17, November 2026."
)
SOURCES: Mapping[Task, str] = {
    CLASSIFIERS: "MACs of one image and parameters, as modellint counts them, of exports of "
    "architectures of timm and torchvision with random weights, by tools/export_benchmarked.py "
    f"and tests/data/exports/generate.py, opset 17, November 2026. {COMPUTED}",
    "object detection": "MACs of one image of the architecture's own size (640 x 640 or "
    f"800 x 800) and parameters, {REFERENCES} {COMPUTED}",
    "text feature extraction": "MACs of one token, what each token of the text adds to them, and "
    f"parameters, {REFERENCES} {COMPUTED}",
    "language modeling": "MACs of one token, what each token of the text adds to them, and "
    f"parameters, {REFERENCES} {COMPUTED} A causal mask saves no MACs.",
}
Figures = tuple[int, int, int | None]
"""Parameters, MACs of the whole run, and tokens."""


def main(folder: Path) -> None:
    found: dict[Task, dict[str, list[Figures]]] = defaultdict(lambda: defaultdict(list))
    for path in [*sorted(folder.glob("*.onnx")), *sorted(OWN.glob("*.onnx"))]:
        told = modellint.inspect(path, batch=1, isolated=True)
        use = efficiency.use_of(told)
        if use is None or not told.macs or not told.parameters:
            continue
        if path.parent != OWN or (use.task == CLASSIFIERS and CLASSIFIERS in found):
            found[use.task][_name(path, use.tokens)].append(
                (told.parameters, told.macs, use.tokens)
            )
    table = json.loads(FILE.read_text(encoding="utf-8"))
    for task, models in found.items():
        rows = list(_rows(models))
        made = {"source": SOURCES[task], "modellint": modellint.__version__}
        table["tasks"][task] = {**made, "architectures": rows}
    FILE.write_text(_written(table["tasks"]), encoding="utf-8")


def _name(path: Path, tokens: int | None) -> str:
    """Return an architecture's name: that of its file, without its group and length."""
    name = path.stem.removeprefix("detector-").removeprefix("encoder-").removeprefix("decoder-")
    return name.removesuffix(f"-{tokens}")


def _rows(models: Mapping[str, list[Figures]]) -> Iterable[dict[str, Any]]:
    seen = set()
    for name, runs in sorted(models.items()):
        row = _of_text(runs) if runs[0][2] is not None else {"macs": runs[0][1]}
        if row is None or (runs[0][0], *row.values()) in seen:
            continue
        seen.add((runs[0][0], *row.values()))
        yield {"name": name, "parameters": runs[0][0], **row}


def _of_text(runs: list[Figures]) -> dict[str, int] | None:
    """Return the MACs of a token as a line through those of two lengths; None for one length."""
    if len(runs) != 2:
        return None
    (_, less, short), (_, more, long) = sorted(runs, key=lambda run: run[2] or 0)
    assert short
    assert long
    by_pair = (more / long - less / short) / (long - short)
    return {"macs": round(less / short - by_pair * short), "macs_per_pair": round(by_pair)}


def _written(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table with a line for each architecture."""
    parts = []
    for task, each in tasks.items():
        head = "".join(
            f"   {json.dumps(key)}: {json.dumps(value)},\n"
            for key, value in each.items()
            if key != "architectures"
        )
        rows = ",\n    ".join(json.dumps(row) for row in each["architectures"])
        rows = f'   "architectures": [\n    {rows}\n   ]'
        parts.append(f"  {json.dumps(task)}: {{\n{head}{rows}\n  }}")
    return '{\n "tasks": {\n' + ",\n".join(parts) + "\n }\n}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
