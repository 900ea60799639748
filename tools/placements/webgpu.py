"""Placements on WebGPU, by ONNX Runtime Web in a real browser, which emulates the GPU.

The provider forms no parts of nodes. The copies that it adds are counted instead.
"""

from modellint.runtimes.webgpu.ort_webgpu import WEBGPU
from placements import Compile
from placements.webnn import compiler_for


def compiler(chip: str) -> Compile:
    return compiler_for(WEBGPU)
