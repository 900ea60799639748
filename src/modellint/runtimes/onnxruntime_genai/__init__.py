"""ONNX Runtime GenAI."""

from pathlib import Path

from modellint.runtimes.runtime import LanguageMemory, Runtime

RUNTIME = Runtime(
    "onnxruntime-genai",
    "ONNX Runtime GenAI",
    builder="onnxruntime",
    loaded_by="onnxruntime",
    tables=Path(__file__).parent,
    language=LanguageMemory(
        formats=("onnx", "onnx-text"),
        cache_types=("fp16", "fp32", "bf16", "int8", "int4"),
        sources=("https://onnxruntime.ai/docs/genai/reference/config.html",),
        windows=False,
        serves_for=("onnxruntime",),
    ),
)
