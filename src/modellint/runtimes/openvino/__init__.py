"""OpenVINO: known by name only so far."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("openvino", "OpenVINO")
