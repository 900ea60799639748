"""Whatever an architecture states, its needs are numbers."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from modellint.analysis.language import context_speed, language_needs
from modellint.model.architecture import Architecture, LayerShape, Mixer
from modellint.targets import find_target
from modellint.targets.deployment import Deployment, Parallel, Serving
from tests.language.models import language_model

SIZES = (0, 1, 3, 8, 128, 4096, 1 << 20, 1 << 40)
MIXERS: tuple[Mixer, ...] = ("attention", "latent", "recurrent", "none")
SPLITS: tuple[Parallel, ...] = ("tensor", "pipeline", "expert")
RUNTIMES = ("llama.cpp", "vllm", "tensorrt-llm", "transformers", "onnxruntime-genai")
COUNTS = (
    "heads kv_heads key_size value_size state feed_forward experts active_experts shared_experts "
    "query_rank rotated own_key_size own_value_size inner "
    "index_size index_heads chosen"
).split()


def layer(chance: random.Random) -> LayerShape:
    sizes = {name: chance.choice(SIZES) for name in COUNTS}
    window = chance.choice((None, *SIZES))
    plain = LayerShape(mixer=chance.choice(MIXERS), window=window)
    return replace(plain, **sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(40))
def test_absurd_sizes_have_needs(seed: int) -> None:
    chance = random.Random(seed)
    layers = tuple(layer(chance) for _ in range(3)) * chance.choice((1, 20))
    shape = Architecture("absurd", layers, hidden=chance.choice(SIZES))
    serving = Serving(
        (1, 1 << 30), devices=chance.choice((1, 3, 1 << 20)), parallel=chance.choice(SPLITS)
    )
    deployment = Deployment(find_target("a10"), chance.choice(RUNTIMES), serving=serving)
    needs = language_needs(language_model(shape), deployment)
    assert needs is not None
    assert needs.longest is not None
    for tokens in needs.contexts:
        need, requests = needs.at(tokens), needs.requests(tokens)
        assert min(need.weights, need.cache, need.compute) >= 0
        assert requests is not None
        context_speed(needs, tokens, max(requests, 1))
