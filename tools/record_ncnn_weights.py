"""Records how many bytes of weights ncnn's layers need: the least with which a model loads.

    PYTHON_WITH_NCNN tools/record_ncnn_weights.py

Writes `tests/formats/ncnn_weights.json`. ncnn ends the process for some files that are too short,
so each is tried in a process of its own.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import ncnn

RECORD = Path(__file__).parents[1] / "tests" / "formats" / "ncnn_weights.json"
LAYERS = """
Convolution 0=4 1=3 5=1 6=108
Convolution1D 0=4 1=3 5=1 6=24
Convolution3D 0=2 1=3 5=1 6=54
ConvolutionDepthWise 0=4 1=3 5=1 6=36 7=4 8=1
ConvolutionDepthWise 0=4 1=3 5=1 6=36 7=4 8=102
Deconvolution 0=4 1=2 5=1 6=48
DeconvolutionDepthWise 0=4 1=2 5=1 6=16 7=4
InnerProduct 0=5 1=1 2=20
Embed 0=6 1=7 2=1 3=42
BatchNorm 0=5
Scale 0=5 1=1
PReLU 0=3
Bias 0=3
LSTM 0=4 1=96 2=0
LSTM 0=4 1=192 2=2
LSTM 0=3 1=96 2=0 3=4
GRU 0=4 1=72 2=0
RNN 0=4 1=24 2=2
LayerNorm 0=6
LayerNorm 0=6 2=0
GroupNorm 0=2 1=4
InstanceNorm 0=4
RMSNorm 0=6
Normalize 3=4
MemoryData 0=3 1=2 2=4
MemoryData 0=3 21=0
MultiHeadAttention 0=8 1=2 2=64
MultiHeadAttention 0=8 1=2 2=64 3=4 4=6
Gemm 4=0 5=1 6=1 7=0 8=6 9=5 10=4 3=1
Quantize 0=3
Dequantize 0=3 1=3
Requantize 0=2 1=2 2=2
"""
MOST = 1 << 14


def param(layer: str) -> str:
    kind, _, parameters = layer.partition(" ")
    inputs = "0 1" if kind == "MemoryData" else "1 1 x"
    return f"7767517\n2 2\nInput in 0 1 x\n{kind} l {inputs} y {parameters}\n"


def loads(layer: str, size: int, folder: Path) -> bool:
    (folder / "m.param").write_text(param(layer))
    (folder / "m.bin").write_bytes(bytes(size))
    child = os.fork()
    if not child:
        net = ncnn.Net()
        result = net.load_param(str(folder / "m.param")) or net.load_model(str(folder / "m.bin"))
        os._exit(1 if result else 0)
    return os.waitpid(child, 0)[1] == 0


def least(layer: str, folder: Path) -> int:
    low, high = -4, MOST
    while high - low > 4:
        middle = (low + high) // 8 * 4
        low, high = (low, middle) if loads(layer, middle, folder) else (middle, high)
    return high


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sizes = {layer: least(layer, Path(folder)) for layer in LAYERS.strip().splitlines()}
    RECORD.write_text(f"{json.dumps(sizes, indent=1)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
