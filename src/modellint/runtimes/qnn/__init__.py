"""Qualcomm's QNN: known by name only so far."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("qnn", "Qualcomm's QNN")
