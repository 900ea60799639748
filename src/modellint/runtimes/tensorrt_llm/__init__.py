"""TensorRT-LLM."""

from pathlib import Path

from modellint.runtimes.runtime import LanguageMemory, Runtime

RUNTIME = Runtime(
    "tensorrt-llm",
    "TensorRT-LLM",
    tables=Path(__file__).parent,
    language=LanguageMemory(
        formats=(),
        cache_types=("fp16", "bf16", "fp8", "int8"),
        even_heads=True,
        serves_for=("tensorrt", "tensorrt-rtx"),
        sources=(
            "https://nvidia.github.io/TensorRT-LLM/reference/memory.html",
            "https://nvidia.github.io/TensorRT-LLM/advanced/gpt-attention.html",
        ),
        also_loads=("huggingface", "safetensors"),
        block=32,
        windows=False,
        step=8192,
        share=0.9,
    ),
)
