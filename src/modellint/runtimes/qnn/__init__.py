"""Qualcomm's QNN: only the name so far."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("qnn", "Qualcomm's QNN")
