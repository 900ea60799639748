"""Tables of what llama.cpp assumes of architectures by their names, which no metadata state.

Defaults and exceptions are those of llama.cpp, in ``load_hparams`` and ``load_arch_hparams``:
https://github.com/ggml-org/llama.cpp/tree/master/src/models (October 2026).
"""

from __future__ import annotations

from collections.abc import Mapping

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class WindowedLayers:
    """Layers that attend to a window, unless the file says which do."""

    every: int = 0
    """One of so many layers attends to all tokens; 0 if none does."""
    dense_first: bool = False
    """True if that is the first of them, not the last."""
    size: int = 0
    """Size if the file states none."""
    always: int = 0
    """Size whatever the file states."""


WINDOWS: Mapping[str, WindowedLayers] = {
    "afmoe": WindowedLayers(4),
    "cohere2": WindowedLayers(4),
    "cohere2moe": WindowedLayers(4, dense_first=True),
    "deepseek4": WindowedLayers(),
    "exaone-moe": WindowedLayers(4, size=128),
    "exaone4": WindowedLayers(4, size=4096),
    "gemma-embedding": WindowedLayers(6),
    "gemma2": WindowedLayers(2, size=4096),
    "gemma3": WindowedLayers(6),
    "gemma3n": WindowedLayers(5),
    "gpt-oss": WindowedLayers(2),
    "laguna": WindowedLayers(4, dense_first=True),
    "llama4": WindowedLayers(4, always=8192),
    "mellum": WindowedLayers(4),
    "modern-bert": WindowedLayers(3, dense_first=True),
    "muse-glimmer": WindowedLayers(4),
    "olmo2": WindowedLayers(4),
    "plamo3": WindowedLayers(8),
    "smallthinker": WindowedLayers(4, dense_first=True, always=4096),
}
STATED_WINDOWS = frozenset(
    "dots3note gemma4 gemma4-assistant granite_swa maple mimo2 spark2_5 step35".split()
)
"""Architectures whose files list the layers with a window."""
ALL_WINDOWS = frozenset({"lfm2", "lfm2moe"})
"""Architectures with a window in each layer that attends, if the file states a size."""
NEEDS_SIZE = frozenset(
    "afmoe gemma3 laguna lfm2 lfm2moe mellum modern-bert olmo2 plamo3 smallthinker".split()
)
"""Architectures without windows if the file states no size."""
EXAONE4_LAYERS = 64
"""Layers of the only exaone4 model with windows."""

RECURRENT_WITHOUT_HEADS = frozenset(
    """bailingmoe3 glm5-next granitehybrid jamba kimi-k3 kimi-linear lfm2 lfm2moe nemotron_h
    nemotron_h_moe plamo2""".split()
)
"""Architectures whose layers without key-value heads keep a state."""
INTERVALS = {
    "minimax-01": 8,
    "qwen35": 4,
    "qwen35moe": 4,
    "qwen3next": 4,
    "qwen4exp": 4,
}
"""Architectures where one of so many layers attends, and the others keep a state."""
BOTH = frozenset({"falcon-h1"})
"""Architectures whose layers attend and also keep a state."""
FUSED_GATES = frozenset("chatglm glm4 internlm3 neo-bert phi3 phimoe plamo2 plamo3".split())
"""Architectures that store the gate in one tensor with the gated projection."""
INDEXED = {"deepseek32": 1, "glm-dsa": 1, "minimax-m3": 2}
"""Architectures whose layers choose what they attend to by an index, and the rows that llama.cpp
caches of it for each token: a key, or as many elements again as if it had values."""
UNKNOWN_CACHES = frozenset("deepseek4 dflash dots3note glm5-next hy_v4 qwen4exp".split())
"""Architectures whose layers compress or share what they cache in ways that are not known here."""
ALIBI = frozenset("bloom jais jina-bert-v2 mpt refact".split())
LEARNED = frozenset("bert gpt2 starcoder".split())
ENCODERS = frozenset(
    """bert eurobert gemma-embedding jina-bert-v2 jina-bert-v3 modern-bert neo-bert nomic-bert
    nomic-bert-moe t5encoder""".split()
)
