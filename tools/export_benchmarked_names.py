"""Names of the files that `tools/export_benchmarked.py` writes, for tools without PyTorch."""

from __future__ import annotations

import re


def file_name(name: str, size: str) -> str:
    """Return the name of the export of an architecture at an input size."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", f"{name}@{size}").strip("-") + ".onnx"
