"""Expected time on the cores of a CPU: layouts, weights, loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from modellint.analysis.latency import TimeEstimate, latency
from modellint.analysis.latency.processor import Coefficients
from modellint.benching.suites import Builder
from modellint.formats import read_model
from modellint.targets.deployment import Deployment
from modellint.targets.target import DeviceMemory, Target
from tests.support import save

CORE = Target(
    id="core",
    name="A core",
    vendor="cpu",
    memory=DeviceMemory(4 << 30, 4 << 30, unified=True, bandwidth=20e9),
    default_runtime="onnxruntime",
    vector_precisions=("fp32",),
    rates={"fp32": 100e9},
    units=1,
    l2_bytes=1 << 20,
)
IMAGE = 4 * 64 * 28 * 28

Timed = Callable[..., TimeEstimate]


@pytest.fixture
def timed(tmp_path: Path) -> Timed:
    """Expected time of what a builder made."""

    def run(b: Builder, result: str, target: Target = CORE) -> TimeEstimate:
        b.result(result)
        model = read_model(save(b.model(), tmp_path / "net.onnx"))
        found = latency(model, Deployment(target=target, runtime="onnxruntime"))
        assert found is not None
        return found

    return run


def convolutions(b: Builder, between: str, channels: int = 64, **attributes: int) -> str:
    x = b.given((1, channels, 28, 28))
    x = b.add(between, b.conv(x, (channels, channels)), **attributes)
    return b.conv(x, (channels, channels))


def converted(found: TimeEstimate) -> list[int]:
    return [layer.launch.converted_bytes for layer in found.layers]


def test_values_are_converted_around_what_does_not_compute_in_blocks(timed: Timed) -> None:
    b = Builder("inside")
    inside = timed(b, convolutions(b, "Relu"))
    assert converted(inside) == [2 * IMAGE, 2 * IMAGE]  # the input and the output
    b = Builder("around")
    around = timed(b, convolutions(b, "Softmax", axis=-1))
    assert converted(around) == [2 * IMAGE, 2 * IMAGE, 4 * IMAGE]
    assert around.memory > inside.memory


def test_few_or_odd_channels_are_not_converted(timed: Timed) -> None:
    b = Builder("odd")
    odd = timed(b, convolutions(b, "Relu", channels=30))
    assert converted(odd) == [0, 0]
    assert not any(p.is_blocked for layer in odd.layers for p in layer.launch.products)
    b = Builder("few")
    few = timed(b, b.conv(b.given((1, 3, 28, 28)), (3, 64)))
    assert converted(few) == [2 * IMAGE]
    assert all(p.is_blocked for layer in few.layers for p in layer.launch.products)


def test_a_single_block_of_channels_is_slow_for_its_work(timed: Timed) -> None:
    def speed(made: int) -> float:
        b = Builder("conv")
        return made / timed(b, b.conv(b.given((1, 64, 28, 28)), (64, made))).compute

    assert speed(32) == pytest.approx(speed(64), rel=0.01)
    assert speed(8) < 0.6 * speed(32)
    assert speed(36) < 0.9 * speed(32)


def test_a_product_of_few_rows_waits_for_its_weights(timed: Timed) -> None:
    one, many = (timed(*product(rows)) for rows in (1, 512))
    weights = 4 * 1024 * 1024 / (Coefficients().weights * 20e9)
    assert one.memory > 0.8 * weights
    assert one.memory > one.compute
    assert many.compute > 10 * many.memory
    assert one.expected < many.expected < 512 * one.expected


def product(rows: int) -> tuple[Builder, str]:
    b = Builder("product")
    return b, b.add("MatMul", b.given((rows, 1024)), b.weight(1024, 1024))


def test_loops_cost_what_their_operators_do(timed: Timed) -> None:
    def loop(op: str, **attributes: object) -> float:
        b = Builder("loop")
        return timed(b, b.add(op, b.given((1, 1000, 512)), **attributes)).compute

    assert loop("Erf") > loop("Tanh") > loop("Relu")
    assert loop("Softmax", axis=-1) > loop("Exp")
    assert loop("Transpose", perm=[0, 2, 1]) > loop("Transpose", perm=[1, 0, 2])
    assert loop("ReduceMean", axes=[1]) > loop("ReduceMean", axes=[2])


def test_cores_share_the_memory_but_not_the_work(timed: Timed) -> None:
    four = replace(CORE, units=4, rates={"fp32": 400e9})
    alone, together = timed(*product(512)), timed(*product(512), four)
    assert together.compute == pytest.approx(alone.compute / 4)
    assert together.memory == pytest.approx(alone.memory)
