"""LiteRT: only the name so far."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("tflite", "LiteRT")
