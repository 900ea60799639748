"""The files that fitted coefficients are written into, and the sources that these name."""

from __future__ import annotations

import re
from pathlib import Path

from modellint.analysis.latency.coefficients import FILE

ROOT = Path(__file__).parents[1]
GENERATIONS_BEGIN = "# Generations of an NPU."
ETHOS_BEGIN = "# What tools/fit_ethos.py wrote.\n\n"
OWN_TABLES = re.compile(
    r"\n\[latency\.(?:tensorrt|qnn|rknn|hailort|edgetpu|ethos-u|ethos-u85)\].*?(?=\n\[(?!latency)|\Z)",
    re.DOTALL,
)
QUALCOMM = "https://github.com/qualcomm/ai-hub-models/tree/b61a009028de/qai_hub_models/models"
SOURCES = {
    "t4": "https://github.com/NVIDIA/TensorRT/blob/1d6bf36034/demo/BERT/README.md",
    "l4": "https://github.com/NVIDIA/TensorRT/blob/37c01d419f/demo/BERT/README.md",
    "a100": "https://github.com/NVIDIA/TensorRT/blob/9973b2f4ab/demo/BERT/README.md",
    "v100": "https://github.com/PaddlePaddle/PaddleClas/tree/d178931fca43/docs/zh_CN/models/ImageNet1k",
    "jetson-agx-xavier": "https://github.com/NVIDIA-AI-IOT/torch2trt/blob/4e820ae31b4e/docs/benchmarks/jetson_xavier.md",
    "jetson-nano": "https://github.com/NVIDIA-AI-IOT/torch2trt/blob/4e820ae31b4e/docs/benchmarks/jetson_nano.md",
    "jetson-xavier-nx": "https://github.com/Deci-AI/super-gradients/blob/e0ccacf8868f/documentation/source/model_zoo.md",
}
"""Publication of most measurements of a chip."""


def write_prior(common: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    head, _, rest = text.partition('runtime = "tensorrt"')
    end = rest.index(GENERATIONS_BEGIN)
    FILE.write_text(head + common + "\n" + rest[end:], encoding="utf-8")


def write_generations(tables: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    head, _, rest = text.partition(GENERATIONS_BEGIN)
    FILE.write_text(head + tables + "\n" + rest[rest.index("[npu]") :], encoding="utf-8")


def write_device(target_id: str, table: str) -> None:
    (path,) = (ROOT / "hardware_targets").glob(f"*/{target_id}.toml")
    text = OWN_TABLES.sub("", path.read_text())
    path.write_text(text.rstrip("\n") + "\n\n" + table, encoding="utf-8")


def write_resident(tables: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    head, _, rest = text.partition(ETHOS_BEGIN)
    FILE.write_text(head + ETHOS_BEGIN + tables + "\n" + rest[rest.index("[cpu]") :], "utf-8")
