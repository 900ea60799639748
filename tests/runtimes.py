"""The runtimes that tests ask, where they are installed."""

from __future__ import annotations

from modellint.probes.backends import known_backends

ONNXRUNTIME = known_backends()["onnxruntime"]
TENSORRT = known_backends()["tensorrt"]
TENSORRT_RTX = known_backends()["tensorrt-rtx"]
