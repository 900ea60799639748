"""Compilers of TFLite files that say which nodes they take, all in the same form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modellint.runtimes.delegated import Delegated
from placements import MOST_TEXT, Compile


def compiler(ask: Callable[[Path], Delegated]) -> Compile:
    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        found = ask(file)
        return {
            "starts": not found.error,
            "partitions": [[node.label for node in part] for part in found.partitions],
            "left": [node.label for node in found.left],
            "error": found.error[:MOST_TEXT],
        }

    return compile_model
