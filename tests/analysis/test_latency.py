"""Expected time: what it consists of, and what it grows with."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pytest

from modellint.analysis.latency import TimeEstimate, latency
from modellint.analysis.latency.kernels import launches
from modellint.analysis.latency.processor import Coefficients
from modellint.analysis.latency.windows import window_of
from modellint.analysis.roofline import peak_rate, roofline
from modellint.formats import read_model
from modellint.formats.tflite.notation import encode
from modellint.model import Model, Node
from modellint.targets import find_target, load_targets
from modellint.targets.deployment import Deployment
from modellint.targets.target import Calibration, Coefficient
from tests.analysis.kept import export, graph

T4 = find_target("t4")


def timed(model: Model, precision: str = "fp16", **given: object) -> TimeEstimate:
    deployment = Deployment(target=T4, runtime="tensorrt", precision=precision)
    found = latency(model, replace(deployment, **given))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_target_files_can_state_every_coefficient() -> None:
    assert {item.name for item in fields(Coefficients)} == set(get_args(Coefficient))


def test_the_parts_add_up() -> None:
    found = timed(export("resnet50"), batch=4)
    assert found.compute + found.memory + found.overhead == pytest.approx(found.expected)
    assert found.call + sum(layer.seconds for layer in found.layers) == found.expected
    assert found.low < found.expected < found.high
    assert found.per_second == pytest.approx(4 / found.expected)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "bert_base_uncased"])
def test_no_time_is_below_the_roofline(name: str) -> None:
    deployment = Deployment(target=T4, runtime="tensorrt", precision="fp16", batch=8)
    bound = roofline(export(name), deployment)
    assert bound is not None
    assert timed(export(name), batch=8).expected > 0.9 * bound.seconds


def test_time_grows_with_the_batch_but_not_faster() -> None:
    times = [timed(export("resnet50"), batch=batch).expected for batch in (1, 8, 64)]
    assert times[0] < times[1] < 8 * times[0]
    assert times[1] < times[2] < 8.8 * times[1]


def test_a_layer_is_one_kernel_with_what_follows_it() -> None:
    found = timed(export("resnet50"))
    convolutions = [each for each in found.layers if each.launch.kind == "convolution"]
    assert len(convolutions) == 53
    assert len(found.layers) == 56  # two poolings and a product


def test_products_of_one_input_are_one_kernel() -> None:
    found = timed(export("bert_base_uncased"))
    widest = max(
        (each for layer in found.layers for each in layer.launch.products if each.depth == 768),
        key=lambda each: (each.columns != 3072, each.columns),
    )
    assert widest.columns == 3 * 768  # queries, keys and values


def test_units_are_left_idle_by_a_small_product() -> None:
    def share(rows: int) -> float:
        inputs = f"float[{rows},1024] x, float[1024,1024] w"
        model = graph("y = MatMul(x, w)", inputs, f"float[{rows},1024] y")
        (layer,) = timed(model).layers
        return 2 * rows * 1024 * 1024 / 65e12 / layer.time.compute

    assert share(16) < share(256) < share(4096) < 1


def test_a_device_without_measurements_is_derived_from_others() -> None:
    model = export("resnet50")
    found = latency(model, Deployment(find_target("a10"), "tensorrt", precision="fp16"))
    assert found is not None
    assert found.confidence == "derived"
    assert found.high / found.expected > 1.2


def test_every_device_with_rates_has_a_time() -> None:
    model = export("resnet50")
    for target in load_targets():
        found = latency(model, Deployment(target, target.default_runtime, precision="fp16"))
        if target.compute_capability and peak_rate(target, "fp16") is not None:
            assert found is not None, target.id
            assert 0 < found.low < found.high < 60, target.id


def test_an_npu_without_published_rates_has_fitted_ones() -> None:
    deployment = Deployment(find_target("snapdragon-8-gen-3"), "qnn", precision="fp16")
    wide = latency(export("resnet50"), deployment)
    narrow = latency(export("resnet50"), replace(deployment, precision="int8"))
    assert wide is not None
    assert narrow is not None
    assert wide.confidence == "calibrated"
    assert narrow.expected < wide.expected


def test_an_npu_without_measurements_has_the_rates_of_its_generation() -> None:
    model = export("resnet50")
    names = ("snapdragon-8-gen-2", "snapdragon-8-gen-3", "snapdragon-8-elite")
    bare = [replace(find_target(name), calibrations={}) for name in names]
    told = [latency(model, Deployment(each, "qnn", precision="fp16")) for each in bare]
    assert [each.confidence for each in told if each] == ["derived"] * 3
    times = [each.expected for each in told if each]
    assert times == sorted(times, reverse=True)
    newest = Deployment(find_target("snapdragon-8-elite-gen-5"), "qnn", precision="fp16")
    beyond = latency(model, newest)
    assert beyond is not None
    assert beyond.expected < times[-1]
    assert beyond.fitted.error > told[-1].fitted.error if told[-1] else False
    other = latency(model, replace(newest, runtime="onnxruntime"))
    assert other is not None
    assert other.confidence == "theoretical"


def test_a_chip_that_holds_a_whole_network_gains_nothing_from_batches() -> None:
    model = export("resnet50")

    def seconds(chip: str, batch: int) -> float:
        deployment = Deployment(find_target(chip), "hailort", precision="int8", batch=batch)
        found = latency(model, deployment)
        assert found is not None
        return found.expected

    assert seconds("hailo-8", 8) == pytest.approx(8 * seconds("hailo-8", 1), rel=0.05)
    assert seconds("hailo-10h", 8) < 4 * seconds("hailo-10h", 1)  # which loads parts once a batch


def test_an_edge_tpu_loads_the_weights_that_it_has_no_room_for() -> None:
    target = find_target("coral-dev-board")
    own = target.calibrations["edgetpu"]
    larger = replace(own, coefficients={**own.coefficients, "room": 3e7})

    def loading(calibration: Calibration) -> float:
        chip = replace(target, calibrations={"edgetpu": calibration})
        found = latency(export("resnet50"), Deployment(chip, "edgetpu", precision="int8"))
        assert found is not None
        return found.memory

    loaded = 25.5e6 - own.coefficients["room"]
    assert loading(own) - loading(larger) == pytest.approx(
        loaded / own.coefficients["load"], rel=0.02
    )


def test_a_chip_has_what_other_chips_of_its_vendor_tell() -> None:
    model = export("resnet50")
    chips = ("rk3568", "rk3588", "rk3576")
    told = [
        latency(model, Deployment(find_target(chip), "rknn", precision="int8")) for chip in chips
    ]
    assert [each.confidence for each in told if each] == ["calibrated", "derived", "calibrated"]
    times = [each.expected for each in told if each]
    assert times == sorted(times, reverse=True)


def test_a_wider_window_does_not_take_as_much_longer() -> None:
    def of(size: int) -> float:
        pads = size // 2
        text = f"y = Conv <group=64, pads=[{pads},{pads},{pads},{pads}]> (x, w)"
        inputs = f"float[1,64,112,112] x, float[64,1,{size},{size}] w"
        (layer,) = timed(graph(text, inputs, "float[1,64,112,112] y")).layers
        return layer.time.compute

    assert 1.2 < of(5) / of(3) < 25 / 9


def test_what_was_fitted_to_one_runtime_says_less_of_another() -> None:
    model = export("resnet50")
    told = [
        latency(model, Deployment(find_target("a10"), runtime, precision="fp16"))
        for runtime in ("tensorrt", "onnxruntime")
    ]
    assert [each.confidence for each in told if each] == ["derived", "theoretical"]


def test_a_convolution_pads_by_itself() -> None:
    inputs = "float[1,16,64,64] x, int64[8] p, float[16,16,3,3] w"
    padded = graph("y = Pad(x, p) z = Conv(y, w)", inputs, "float[1,16,64,64] z")
    (layer,) = timed(padded).layers
    assert layer.launch.kind == "convolution"


@pytest.mark.parametrize(
    ("operator", "shape", "onnx", "kind"),
    [
        ("CONV_2D", "16,3,3,8", "float[16,8,3,3] w", "convolution"),
        ("CONV_2D", "16,3,3,2", "float[16,2,3,3] w", "convolution"),
        ("DEPTHWISE_CONV_2D", "1,3,3,8", "float[8,1,3,3] w", "depthwise"),
    ],
)
def test_a_convolution_with_channels_last_is_the_same_kernel(
    tmp_path: Path, operator: str, shape: str, onnx: str, kind: str
) -> None:
    columns = 8 if kind == "depthwise" else 16
    path = tmp_path / "model.tflite"
    path.write_bytes(
        encode(
            f"main (x) => (y)\nx float32[1,12,12,8]\nw float32[{shape}] = 0\n"
            f"y float32[1,10,10,{columns}]\n{operator} (x,w) => (y)"
        )
    )
    groups = {"16,3,3,8": 1, "16,3,3,2": 4}.get(shape, 8)
    text = f"y = Conv <group = {groups}> (x, w)"
    same = graph(text, f"float[1,8,12,12] x, {onnx}", f"float[1,{columns},10,10] y")
    deployment = Deployment(find_target("snapdragon-8-gen-3"), precision="int8")
    (found,), (expected,) = (
        launches(model, deployment).kernels for model in (read_model(path), same)
    )
    assert found.kind == expected.kind == kind
    assert [replace(each, is_dense_3x3=False) for each in found.products] == [
        replace(each, is_dense_3x3=False) for each in expected.products
    ]


def test_a_chip_for_integers_only_has_times_of_quantized_models(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(
        encode(
            "main (x) => (y)\nx int8[1,32,32,16] *0.5\nw int8[32,3,3,16] *0.1 = 0\n"
            "y int8[1,30,30,32] *0.25\nCONV_2D (x,w) => (y)"
        )
    )
    target = find_target("imx93")
    found = latency(read_model(path), Deployment(target, target.default_runtime))
    assert found is not None
    assert (found.precision, found.confidence) == ("int8", "derived")
    assert latency(export("resnet50"), Deployment(target, target.default_runtime)) is None


def test_a_convolution_whose_weight_has_no_known_dims_is_in_one_group() -> None:
    node = Node(export("resnet50").graph, 0, "GroupConvolution", "openvino", "g")
    assert window_of(node, (), ()) == ((), 1)
