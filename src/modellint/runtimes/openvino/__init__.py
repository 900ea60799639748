"""OpenVINO: only the name so far."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("openvino", "OpenVINO")
