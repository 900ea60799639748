"""llama.cpp, and what is built on it: Ollama, LM Studio and others."""

from pathlib import Path

from modellint.runtimes.runtime import LanguageMemory, Loading, Runtime

RUNTIME = Runtime(
    "llama.cpp",
    "llama.cpp",
    loading=Loading(refuses=frozenset({"outdated"})),
    tables=Path(__file__).parent,
    language=LanguageMemory(
        formats=("gguf",),
        cache_types=(
            "fp16",
            "fp32",
            "bf16",
            "q8_0",
            "q5_1",
            "q5_0",
            "q4_1",
            "q4_0",
            "iq4_nl",
        ),
        sources=(
            "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-kv-cache-iswa.cpp",
            "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-context.cpp",
        ),
        block=256,
        step=512,
        state_bytes=4,
        chooses_attention=True,
        pads_values=True,
        split="pipeline",
        offloads=True,
        repacks=("Q4_0", "Q4_K", "IQ4_NL", "MXFP4"),
        graph=f"{__name__}.graph",
    ),
)
