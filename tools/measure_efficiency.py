"""Computes what `modellint inspect` compares the efficiency of models with.

    python tools/measure_efficiency.py FOLDER

FOLDER has exports of named architectures by `tools/export_benchmarked.py`, whose weights are
random: only shapes are read. Those of `tests/data/exports` are added. What has the same figures
counts once. Writes `src/modellint/inspector/efficiency.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import modellint
from modellint.inspector import efficiency

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "src" / "modellint" / "inspector" / efficiency.TABLE
SOURCE = (
    "MACs of one image and parameters, as modellint counts them, of exports of architectures of "
    "timm and torchvision with random weights, by tools/export_benchmarked.py and "
    "tests/data/exports/generate.py, opset 17, November 2026. Computed, not measured; accuracy is "
    "not compared."
)


def main(folder: Path) -> None:
    found: dict[tuple[int, int], str] = {}
    own = ROOT / "tests" / "data" / "exports"
    for path in [*sorted(folder.glob("*.onnx")), *sorted(own.glob("*.onnx"))]:
        told = modellint.inspect(path, batch=1, isolated=True)
        if efficiency.use_of_image(told) is not None and told.macs and told.parameters:
            found.setdefault((told.parameters, told.macs), path.stem)
    rows = [
        json.dumps({"name": name, "parameters": parameters, "macs": macs})
        for (parameters, macs), name in sorted(found.items(), key=lambda each: each[1])
    ]
    head = {"source": SOURCE, "modellint": modellint.__version__}
    start = json.dumps(head, indent=1).removesuffix("\n}")
    listed = ",\n  ".join(rows)
    FILE.write_text(f'{start},\n "image classification": [\n  {listed}\n ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
