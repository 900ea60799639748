"""The roofline: a lower bound on time, and which roof each node stands under."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modellint.analysis.roofline import peak_rate, roofline
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export, graph

A10 = find_target("a10")


def numbers(count: int) -> str:
    return "{" + ", ".join(["1"] * count) + "}"


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


def test_a_view_hides_no_traffic() -> None:
    """The same bytes under another shape are written and read all the same."""
    shapes = "float[1,8,64,64] x, float[8,8,1,1] w", "float[1,8,64,64] y"
    plain = graph("a = Conv(x, w) r = Relu(a) y = Conv(r, w)", *shapes)
    dropped = graph("a = Conv(x, w) r = Relu(a) d = Dropout(r) y = Conv(d, w)", *shapes)
    one, other = (roofline(model, Deployment(target=A10)) for model in (plain, dropped))
    assert one is not None
    assert other is not None
    assert one.nbytes == other.nbytes == 4 * (4 * 8 * 64 * 64 + 2 * 64)
    assert one.seconds == other.seconds


@pytest.mark.parametrize(
    ("runtime", "floats"), [("tensorrt", 0), ("tensorrt-rtx", 4 * 8 * 64 * 64), ("onnxruntime", 0)]
)
def test_quantization_is_fused_into_the_kernels_around_it(runtime: str, floats: int) -> None:
    """But TensorRT for RTX has a product of integers write floats, which the next kernel scales."""
    model = graph(
        """
        p = DequantizeLinear(x, s)
        v = DequantizeLinear(w, s)
        a = Conv(p, v)
        r = Relu(a)
        q = QuantizeLinear(r, s, z)
        d = DequantizeLinear(q, s)
        y = Conv(d, v)
        """,
        "int8[1,8,64,64] x",
        "float[1,8,64,64] y",
        weights=f"int8[8,8,1,1] w = {numbers(64)}, float s = {{0.5}}, int8 z = {{0}}",
    )
    bound = roofline(model, Deployment(target=A10, runtime=runtime))
    assert bound is not None
    image, weights = 8 * 64 * 64, 64
    assert [(node.node.op_type, node.nbytes) for node in bound.nodes] == [
        ("Conv", image + weights + floats),
        ("Relu", floats),
        ("QuantizeLinear", 4 + 1 + image),
        ("Conv", image + weights + 4 * image),
    ]


def test_a_dequantized_result_is_written() -> None:
    model = graph(
        "y = DequantizeLinear(x, s)", "int8[1024] x", "float[1024] y", weights="float s = {0.5}"
    )
    bound = roofline(model, Deployment(target=A10))
    assert bound is not None
    assert bound.nbytes == 1024 + 4 + 4 * 1024


def test_weights_transposed_after_their_dequantization_are_stored_so() -> None:
    model = graph(
        "d = DequantizeLinear(w, s) t = Transpose(d) y = MatMul(x, t)",
        "float[16,8] x",
        "float[16,4] y",
        weights=f"int8[4,8] w = {numbers(32)}, float s = {{0.5}}",
    )
    bound = roofline(model, Deployment(target=A10))
    assert bound is not None
    assert bound.nbytes == 4 * 16 * 8 + 32 + 4 * 16 * 4


def test_without_figures_there_is_no_roof() -> None:
    model = export("resnet18")
    assert roofline(model, Deployment()) is None
    unknown = replace(A10, memory=replace(A10.memory, bandwidth=None))
    assert roofline(model, Deployment(target=unknown)) is None


def test_a_precision_without_a_rate_runs_in_a_wider_one() -> None:
    assert peak_rate(A10, "fp16") == ("fp16", 125e12)
    assert peak_rate(A10, "fp8") == ("fp16", 125e12)
