"""The roofline: a lower bound on time, and which roof each node stands under."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modellint.analysis.roofline import peak_rate, roofline
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export, graph

A10 = find_target("a10")


def test_a_product_by_hand() -> None:
    model = graph("y = MatMul(x, w)", "float[64,512] x, float[512,256] w", "float[64,256] y")
    bound = roofline(model, Deployment(target=A10, precision="fp16"))
    assert bound is not None
    (node,) = bound.nodes
    assert node.flops == 2 * 64 * 512 * 256
    assert node.nbytes == 2 * (64 * 512 + 512 * 256 + 64 * 256)
    assert node.compute_seconds == pytest.approx(node.flops / 125e12)
    assert node.memory_seconds == pytest.approx(node.nbytes / 600e9)
    assert node.bound == "memory"
    assert bound.seconds == node.memory_seconds
    assert bound.ridge == pytest.approx(125e12 / 600e9)


def test_a_larger_batch_leaves_the_memory_roof() -> None:
    def share(batch: int) -> float:
        bound = roofline(export("resnet50"), Deployment(target=A10, precision="fp16", batch=batch))
        assert bound is not None
        return bound.memory_share

    assert share(1) > share(32)


def test_time_grows_with_the_batch_but_less_than_it() -> None:
    one, eight = (
        roofline(export("bert_base_uncased"), Deployment(target=A10, precision="fp16", batch=size))
        for size in (1, 8)
    )
    assert one is not None
    assert eight is not None
    assert one.seconds < eight.seconds < 8 * one.seconds
    assert one.assumed == {"sequence": 128}


def test_what_stays_on_the_chip_is_no_traffic() -> None:
    model = graph(
        "c = Conv(x, w) y = Relu(c)", "float[1,8,64,64] x, float[8,8,1,1] w", "float[1,8,64,64] y"
    )
    bound = roofline(model, Deployment(target=A10, runtime="tensorrt"))
    assert bound is not None
    image = 4 * 8 * 64 * 64
    assert bound.nbytes == 2 * image + 4 * 64


def test_without_figures_there_is_no_roof() -> None:
    model = export("resnet18")
    assert roofline(model, Deployment()) is None
    unknown = replace(A10, memory=replace(A10.memory, bandwidth=None))
    assert roofline(model, Deployment(target=unknown)) is None


def test_a_precision_without_a_rate_runs_in_a_wider_one() -> None:
    assert peak_rate(A10, "fp16") == ("fp16", 125e12)
    assert peak_rate(A10, "fp8") == ("fp16", 125e12)
