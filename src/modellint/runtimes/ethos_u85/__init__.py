"""Arm's Ethos-U85, which takes more operators than its predecessors."""

from pathlib import Path

from modellint.runtimes.ethos_u import PLACING
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.tflite import INTEGERS

RUNTIME = Runtime(
    "ethos-u85",
    "Arm Ethos-U85",
    input=INTEGERS,
    tables=Path(__file__).parent,
    placing=PLACING,
)
