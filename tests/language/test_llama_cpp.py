"""Memory under llama.cpp, against its own breakdown of it.

tools/measure_llama_memory.py measures it, and writes the data.
"""

from __future__ import annotations

import json
from statistics import median
from typing import Any

import pytest

from modellint.analysis.language.needs import LanguageNeeds
from modellint.model.architecture import Architecture, LayerShape
from modellint.targets.deployment import Deployment, Serving
from tests.language.models import language_model
from tests.support import ROOT

MODELS: dict[str, Any] = json.loads((ROOT / "tests/data/llama_cpp_memory.json").read_text())[
    "models"
]
MIB = 1 << 20
ROUNDED = 0.02
"""MiB by which the sum of sizes that llama.cpp prints may be off."""


def architecture(facts: dict[str, Any]) -> Architecture:
    layers = tuple(LayerShape(**layer) for count, layer in facts["layers"] for _ in range(count))
    return Architecture(
        facts["architecture"], layers, hidden=facts["hidden"], vocabulary=facts["vocabulary"]
    )


def compared(name: str) -> list[tuple[float, float]]:
    """Return how much the cache is off in MiB, and the compute buffer as a share."""
    shape = architecture(MODELS[name])
    model = language_model(shape, format="gguf")
    found = []
    for tokens, kind, flash, cache, compute in MODELS[name]["measured"]:
        serving = Serving(kv_precision=kind, flash_attention=flash)
        need = LanguageNeeds(model, Deployment(runtime="llama.cpp", serving=serving), shape).at(
            tokens
        )
        found.append((abs(need.cache / MIB - cache), abs(need.compute / MIB / compute - 1)))
    return found


@pytest.mark.parametrize("name", MODELS)
def test_the_cache_is_exact_and_buffers_are_close(name: str) -> None:
    found = compared(name)
    assert max(cache for cache, _ in found) <= ROUNDED
    assert max(compute for _, compute in found) < 0.25


def test_buffers_are_off_by_little_for_most_models() -> None:
    assert len(MODELS) >= 12
    off = [compute for name in MODELS for _, compute in compared(name)]
    assert median(off) < 0.01
    assert sum(each > 0.1 for each in off) <= len(off) / 20


def test_sequences_that_are_computed_together_have_a_cache_each() -> None:
    """Measured with 4 sequences of 8,192 tokens (`--parallel 4`)."""
    shape = architecture(MODELS["gemma3-4b"])
    needs = LanguageNeeds(
        language_model(shape, format="gguf"), Deployment(runtime="llama.cpp"), shape
    )
    need = needs.at(8192, 4)
    assert need.cache / MIB == pytest.approx(640 + 696, abs=ROUNDED)
    assert need.compute / MIB == pytest.approx(94.53, abs=ROUNDED)
