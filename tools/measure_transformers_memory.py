"""Measures the tensors that Transformers keeps while it computes a prompt, and compares ours.

    python tools/measure_transformers_memory.py

Needs transformers and torch. Builds small models with random weights in bfloat16, computes prompts
on the CPU, and follows every storage that PyTorch creates until it is freed. Writes
tests/data/transformers_memory.json. The CPU has no fused attention for some shapes, where PyTorch
keeps the scores in memory: those are left out.
"""

from __future__ import annotations

import gc
import json
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

KEPT = Path(__file__).parents[1] / "tests/data/transformers_memory.json"
LENGTHS = (256, 1024)
COMMON: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 352}
LATENT = {
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "moe_intermediate_size": 352,
    "q_lora_rank": 192,
    "kv_lora_rank": 128,
    "qk_rope_head_dim": 32,
    "qk_nope_head_dim": 64,
    "v_head_dim": 64,
    "first_k_dense_replace": 1,
    "num_key_value_heads": 8,
}
GPT2 = {"n_embd": 512, "n_layer": 4, "n_head": 8, "n_positions": 4096, "vocab_size": 32000}
FORMULA: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 200},
    "qwen2": {},
    "qwen3": {"head_dim": 64},
    "gemma2": {"head_dim": 64, "sliding_window": 200, "vocab_size": 64000},
    "phi3": {},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": {**EXPERTS, "shared_expert_intermediate_size": 1408},
    "gpt2": GPT2,
    "falcon": {"ffn_hidden_size": 2048},
    "gpt_neox": {"num_key_value_heads": 8},
    "olmo2": {},
    "stablelm": {},
    "granite": {},
    "deepseek_v3": LATENT,
}
"""Architectures that the formula was made with."""
OTHERS: dict[str, dict[str, Any]] = {
    "cohere": {},
    "starcoder2": {},
    "olmo": {},
    "olmoe": {"num_experts": 8, "num_experts_per_tok": 2, "intermediate_size": 352},
    "exaone4": {"sliding_window": 200},
    "smollm3": {},
    "ernie4_5": {},
    "helium": {"head_dim": 64},
    "nemotron": {"head_dim": 64},
    "seed_oss": {"head_dim": 64},
    "qwen3_moe": {**EXPERTS, "head_dim": 64},
    "phimoe": {"num_local_experts": 4, "num_experts_per_tok": 2},
}
UNFUSED = ("falcon", "deepseek_v3")
"""Architectures whose scores the CPU keeps in memory anyway."""
NEVER_FUSED = ("gemma2",)


class Alive(TorchDispatchMode):  # type: ignore[misc]
    """Bytes of all tensors that are created and not yet freed."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.now = self.most = 0
        given = (*model.parameters(), *model.buffers())
        self._sizes = {each.untyped_storage()._cdata: 0 for each in given}

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = call(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor) and each.device.type == "cpu":
                self._count(each.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.now += self._sizes[key]
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._freed, key)

    def _freed(self, key: int) -> None:
        self.now -= self._sizes.pop(key, 0)


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    found = [
        measured
        for known, group in ((True, FORMULA), (False, OTHERS))
        for name, changes in group.items()
        for fused in (True, False)
        if not (fused and name in (*UNFUSED, *NEVER_FUSED))
        for measured in measure(name, changes, fused=fused, known=known)
    ]
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    configs = {each["name"]: each.pop("config") for each in found}
    document = {"versions": versions, "configs": configs, "measured": found}
    KEPT.write_text(json.dumps(document, indent=1) + "\n")


def measure(
    name: str, changes: dict[str, Any], *, fused: bool, known: bool
) -> Iterator[dict[str, Any]]:
    """Iterate over the bytes for prompts of each length."""
    stated = changes if changes is GPT2 else {**COMMON, **changes}
    config = transformers.AutoConfig.for_model(name, **stated)
    attention = "sdpa" if fused else "eager"
    model = transformers.AutoModelForCausalLM.from_config(
        config, dtype=torch.bfloat16, attn_implementation=attention
    ).eval()
    plain = {"architectures": [type(model).__name__], **config.to_diff_dict()}
    plain.pop("transformers_version", None)
    for length in LENGTHS:
        alive = Alive(model)
        with torch.no_grad(), alive:
            said = model(torch.zeros(1, length, dtype=torch.long), logits_to_keep=1)
        layers = said.past_key_values.layers
        cache = sum(t.untyped_storage().nbytes() for e in layers for t in (e.keys, e.values))
        sys.stderr.write(f"{name} {attention} {length}: {alive.most - cache}\n")
        yield {
            "name": name,
            "config": plain,
            "fused": fused,
            "known": known,
            "tokens": length,
            "cache": cache,
            "compute": alive.most - cache,
        }
        del said, layers
        gc.collect()


if __name__ == "__main__":
    main()
