"""Core ML: known by name only so far."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("coreml", "Core ML")
