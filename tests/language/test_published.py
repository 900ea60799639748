"""Parameters and caches of well-known models, against what is published of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modellint.analysis.language import cached_per_token, weight_parts
from modellint.model.architecture import Architecture, LayerShape
from tests.language.models import language_model, shapes_of
from tests.support import ROOT

MODELS: dict[str, Any] = json.loads((ROOT / "tests/data/language_models.json").read_text())[
    "models"
]


def architecture(name: str, facts: dict[str, Any]) -> Architecture:
    latent = facts.get("latent")
    size = facts.get("head_size", facts["hidden"] // facts["heads"])
    layer = LayerShape(
        mixer="latent" if latent else "attention",
        heads=facts["heads"],
        kv_heads=1 if latent else facts["kv_heads"],
        key_size=latent["rank"] + latent["rope"] if latent else size,
        value_size=0 if latent else size,
        experts=facts.get("experts", 0),
        active_experts=facts.get("active", 0),
    )
    layers = (layer,) * facts["layers"]
    return Architecture(name.replace("/", "-"), layers, hidden=facts["hidden"])


def test_there_are_models_of_every_kind() -> None:
    assert len(MODELS) >= 25
    assert any(facts.get("latent") for facts in MODELS.values())
    assert sum("experts" in facts for facts in MODELS.values()) >= 5


@pytest.mark.parametrize("name", MODELS)
def test_figures_are_those_that_are_published(name: str) -> None:
    facts = MODELS[name]
    shape = architecture(name, facts)
    parts = weight_parts(language_model(shape, shapes_of(facts)), shape)
    assert parts.parameters == facts["parameters"]
    active = facts.get("active_billions", parts.active_parameters / 1e9)
    assert parts.active_parameters / 1e9 == pytest.approx(active, rel=0.02)
    assert cached_per_token(shape, "fp16") == facts["cache"]
    assert sum(part.parameters for part in parts.sizes) == parts.parameters


@pytest.mark.parametrize("name", ["mistralai/Mixtral-8x7B-v0.1", "Qwen/Qwen3-30B-A3B"])
def test_experts_are_most_of_a_mixture(name: str) -> None:
    facts = MODELS[name]
    shape = architecture(name, facts)
    parts = weight_parts(language_model(shape, shapes_of(facts)), shape)
    width = facts["layers"] * facts["experts"] * 3 * facts["hidden"] * facts["expert_width"]
    assert parts.of("experts").parameters == width
    assert parts.of("embeddings").parameters == facts["vocabulary"] * facts["hidden"]
