"""XLA: known by name only so far."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("xla", "XLA")
