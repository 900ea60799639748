"""What Google's compiler for the Edge TPU did, of which only results can be had.

Next to each file has to be the compiled one, as in https://github.com/google-coral/test_data.
"""

from __future__ import annotations

from pathlib import Path

from modellint.formats import read_model
from modellint.runtimes.delegated import Delegated, compiled_parts
from placements import Compile, _delegated

COMPILED = "edgetpu-custom-op"


def compiler(chip: str) -> Compile:
    return _delegated.compiler(_compiled)


def _compiled(file: Path) -> Delegated:
    done = read_model(file.with_name(f"{file.stem}_edgetpu.tflite"))
    parts, left = compiled_parts(read_model(file).graph, done.graph, COMPILED)
    return Delegated(parts, left)
