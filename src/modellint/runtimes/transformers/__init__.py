"""Hugging Face Transformers."""

from modellint.runtimes.runtime import LanguageMemory, Runtime

RUNTIME = Runtime(
    "transformers",
    "Transformers",
    language=LanguageMemory(
        formats=(),
        cache_types=("fp16", "bf16", "fp32", "int8", "int4"),
        sources=("https://huggingface.co/docs/transformers/kv_cache",),
        chooses_attention=True,
        split="pipeline",
        graph=f"{__name__}.compute",
    ),
)
