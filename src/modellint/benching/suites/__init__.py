"""Models that are made by rule: single operators in many sizes, and networks of known families.

Nothing is downloaded, and equal versions make equal files: weights come from a seeded generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modellint.benching.suites.builder import Builder
from modellint.benching.suites.micro import MICRO
from modellint.benching.suites.workloads import WORKLOADS


def write_suite(suite: str, folder: Path) -> list[Path]:
    """Write all models of a suite, and return their paths in order."""
    import onnx

    makers: Mapping[str, Callable[[], Any]] = MICRO if suite == "micro" else WORKLOADS
    paths = []
    for name, make in makers.items():
        path = folder / f"{suite}-{name}.onnx"
        onnx.save(make(), path)
        paths.append(path)
    return paths


__all__ = ["MICRO", "WORKLOADS", "Builder", "write_suite"]
