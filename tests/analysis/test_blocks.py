"""Blocks of real architectures, counted as their papers do."""

from __future__ import annotations

import pytest

from modellint.analysis.assume import settle
from modellint.analysis.blocks import Blocks, blocks
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export


def found_in(name: str) -> Blocks:
    model = export(name)
    return blocks(model, settle(model, Deployment()).deployment)


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("resnet18", "residual", 8),
        ("resnet50", "residual", 16),
        ("convnext_tiny", "residual", 18),
        ("mobilenet_v2", "inverted residual", 16),  # the first of 17 expands nothing
        ("mnasnet1_0", "inverted residual", 16),
        ("efficientnet_b0", "squeeze and excitation", 16),
        ("mobilenet_v3_large", "squeeze and excitation", 8),
        ("regnet_y_400mf", "squeeze and excitation", 16),
        ("bert_base_uncased", "transformer", 12),
        ("distilbert_base", "transformer", 6),
        ("gpt2", "transformer", 12),
        ("vit_b_16", "transformer", 12),
        ("swin_t", "transformer", 12),
        ("t5_small_encoder", "transformer", 6),
        ("wav2vec2_base", "transformer", 12),
        ("whisper_tiny_encoder", "transformer", 4),
        ("segformer_b0", "transformer", 8),
        ("llama", "transformer", 4),
    ],
)
def test_blocks_are_counted(name: str, kind: str, count: int) -> None:
    assert (kind, count) in [(found.kind, found.count) for found in found_in(name).summary]


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "squeezenet1_0", "unet", "lstm_tagger"])
def test_plain_models_have_none(name: str) -> None:
    found = found_in(name)
    assert found.summary == ()
    assert found.attention is None


@pytest.mark.parametrize(
    ("name", "layers", "variant", "heads", "size"),
    [
        ("bert_base_uncased", 12, "MHA", 12, 64),
        ("gpt2", 12, "MHA", 12, 64),
        ("t5_small_encoder", 6, "MHA", 8, 64),
        ("vit_b_16", 12, "MHA", 12, 64),
        ("llama", 4, "GQA", 8, 32),
    ],
)
def test_attention(name: str, layers: int, variant: str, heads: int, size: int) -> None:
    found = found_in(name)
    assert found.attention is not None
    assert len(found.attention_layers) == layers
    assert (found.attention.variant, found.attention.query_heads) == (variant, heads)
    assert found.attention.head_size == size
