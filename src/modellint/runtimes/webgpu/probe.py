"""In the child process: makes a session of ONNX Runtime Web in a browser, with WebGPU."""

from __future__ import annotations

from typing import Any

from modellint.runtimes.probe import Tell
from modellint.runtimes.webgpu.log import PROVIDER
from modellint.runtimes.webgpu.ort_webgpu import WEBGPU
from modellint.runtimes.webnn.probe import answer_of


def answer(request: dict[str, Any], tell: Tell) -> None:
    answer_of(WEBGPU, PROVIDER, request, tell)
