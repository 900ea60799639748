"""Parameters and MACs of real architectures are those that their authors publish.

Figures of torchvision are `num_params` and `_ops` of the weights in its source
(https://github.com/pytorch/vision/tree/main/torchvision/models, shown at
https://docs.pytorch.org/vision/stable/models.html), where `_ops` counts 10^9 multiply-accumulates.
"""

from __future__ import annotations

from math import prod

import pytest

from modellint.analysis.cost import cost
from modellint.inspector.formula import macs_formula
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export

TORCHVISION = [
    ("alexnet", 61_100_840, 0.714),
    ("vgg16", 138_357_544, 15.47),
    ("resnet18", 11_689_512, 1.814),
    ("resnet50", 25_557_032, 4.089),
    ("mobilenet_v2", 3_504_872, 0.301),
    ("mobilenet_v3_large", 5_483_032, 0.217),
    ("efficientnet_b0", 5_288_548, 0.386),
    ("densenet121", 7_978_856, 2.834),
    ("squeezenet1_0", 1_248_424, 0.819),
    ("shufflenet_v2_x1_0", 2_278_604, 0.145),
    ("mnasnet1_0", 4_383_312, 0.314),
    ("regnet_y_400mf", 4_344_144, 0.402),
    ("convnext_tiny", 28_589_128, 4.456),
    ("vit_b_16", 86_567_656, 17.564),
    ("googlenet", 6_624_904, 1.498),
]
MACS_ONLY = [
    ("swin_t", 4.491),  # its exporter stores the bias tables as they are used, and masks
    ("inception_v3", 5.713),  # exported without the auxiliary classifier, which has parameters
]
LANGUAGE = [
    # https://huggingface.co/transformers/v3.3.1/pretrained_models.html: 110M, 66M
    ("bert_base_uncased", 110),
    ("distilbert_base", 66),
    # https://huggingface.co/openai-community/gpt2: 124M
    ("gpt2", 124),
    # https://huggingface.co/facebook/wav2vec2-base: 95M; the export is without what trains it
    ("wav2vec2_base", 94),
]
SEGFORMER_B0 = 3.75
"""Million parameters: https://huggingface.co/nvidia/segformer-b0-finetuned-ade-512-512 (3.8M), and
Table 1 of https://arxiv.org/abs/2105.15203."""


@pytest.mark.parametrize(("name", "parameters", "gmacs"), TORCHVISION)
def test_torchvision(name: str, parameters: int, gmacs: float) -> None:
    counted = cost(export(name), Deployment(batch=1))
    assert counted.parameters == parameters
    assert counted.total.macs is not None
    digits = len(str(gmacs).partition(".")[2])
    assert round(counted.total.macs / 1e9, digits) == gmacs


@pytest.mark.parametrize(("name", "gmacs"), MACS_ONLY)
def test_torchvision_macs(name: str, gmacs: float) -> None:
    macs = cost(export(name), Deployment(batch=1)).total.macs
    assert macs is not None
    assert round(macs / 1e9, 3) == gmacs


@pytest.mark.parametrize(("name", "millions"), LANGUAGE)
def test_language_models(name: str, millions: int) -> None:
    counted = cost(export(name), Deployment()).parameters
    assert abs(counted / 1e6 - millions) < 1


def test_segformer() -> None:
    counted = cost(export("segformer_b0"), Deployment()).parameters
    assert round(counted / 1e6, 2) == SEGFORMER_B0


def test_a_batch_multiplies_macs_and_leaves_parameters_alone() -> None:
    one, eight = (cost(export("resnet50"), Deployment(batch=size)) for size in (1, 8))
    assert one.total.macs is not None
    assert eight.total.macs == 8 * one.total.macs
    assert one.parameters == eight.parameters


def test_a_formula_in_the_batch() -> None:
    terms = macs_formula(export("resnet50"), Deployment())
    assert terms is not None
    assert [(term.coefficient, dict(term.powers)) for term in terms] == [
        (4_089_184_256, {"batch": 1})
    ]


@pytest.mark.parametrize("name", ["bert_base_uncased", "t5_small_encoder", "llama_prompt"])
def test_a_formula_gives_what_counting_gives(name: str) -> None:
    terms = macs_formula(export(name), Deployment())
    assert terms is not None
    sizes = {"batch": 5, "sequence": 77}
    powers = [prod(sizes[dim] ** power for dim, power in term.powers.items()) for term in terms]
    total = sum(term.coefficient * each for term, each in zip(terms, powers, strict=True))
    assert total == cost(export(name), Deployment(symbols=sizes)).total.macs


def test_no_formula_where_every_dim_is_stated() -> None:
    assert macs_formula(export("detr"), Deployment()) is None
