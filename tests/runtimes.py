"""The runtimes that tests ask, where they are installed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from modellint.probes.backends import known_backends
from tests.support import PATIENCE

ONNXRUNTIME = known_backends()["onnxruntime"]
TENSORRT = known_backends()["tensorrt"]
TENSORRT_RTX = known_backends()["tensorrt-rtx"]
PARSE = """
import json, sys
from importlib import import_module
trt = import_module(sys.argv[1])
class Logger(trt.ILogger):
    def __init__(self): trt.ILogger.__init__(self)
    def log(self, severity, message): pass
logger = Logger()
taken = {}
for path in sys.argv[2:]:
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    taken[path] = trt.OnnxParser(network, logger).parse_from_file(path)
print(json.dumps(taken))
"""


def parsed(files: Iterable[Path]) -> list[bool]:
    """Return for each model if the parser of TensorRT for RTX takes it."""
    if TENSORRT_RTX.module is None:
        pytest.skip(f"TensorRT for RTX is not installed: {TENSORRT_RTX.install}")
    paths = [str(file) for file in files]
    command = [sys.executable, "-c", PARSE, TENSORRT_RTX.module, *paths]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    taken = json.loads(said.stdout.splitlines()[-1])
    return [taken[path] for path in paths]
