"""vLLM."""

from pathlib import Path

from modellint.runtimes.runtime import LanguageMemory, Runtime

RUNTIME = Runtime(
    "vllm",
    "vLLM",
    tables=Path(__file__).parent,
    language=LanguageMemory(
        formats=("huggingface", "safetensors"),
        cache_types=("fp16", "bf16", "fp8"),
        even_heads=True,
        sources=(
            "https://docs.vllm.ai/en/latest/configuration/engine_args/",
            "https://docs.vllm.ai/en/latest/design/hybrid_kv_cache_manager/",
            "https://docs.vllm.ai/en/v0.26.0/api/vllm/config/cache/",
        ),
        block=16,
        step=2048,
        share=0.92,
        startup=f"{__name__}.startup",
    ),
)
