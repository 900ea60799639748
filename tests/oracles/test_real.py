"""Real models, asked about for real: what builds, what does not, and for which reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from modellint.formats import read_model
from modellint.probes import ProbeRequest, probe
from modellint.probes.backends import Backend
from modellint.probes.outcome import Outcome
from modellint.runtimes.versions import version_key
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from modellint.targets.shapes import parse_shape
from tests.exports import materialise
from tests.runtimes import ONNXRUNTIME, TENSORRT_RTX

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of the libraries that make the variants
    pytest.mark.usefixtures("warm"),
]


def needs(backend: Backend) -> pytest.MarkDecorator:
    reason = f"{backend.title} is not installed: {backend.install}"
    return pytest.mark.skipif(backend.module is None, reason=reason)


def ask(path: Path, target: str | None = None, runtime: str | None = None, **given: Any) -> Outcome:
    """Probe a model for a deployment."""
    device = find_target(target) if target else None
    shapes = {name: parse_shape(text) for name, text in given.pop("shapes", {}).items()}
    deployment = Deployment(
        target=device,
        runtime=runtime or (device.default_runtime if device else None),
        shapes=shapes,
        symbols=given.pop("symbols", {}),
        **given,
    )
    return probe(read_model(path), deployment, ProbeRequest())


SEQUENCE = {"sequence": 64}
BUILDS: Mapping[str, Mapping[str, int]] = {
    "squeezenet1_0": {},
    "resnet18": {},
    "mobilenet_v3_large": {},
    "shufflenet_v2_x1_0": {},
    "googlenet": {},
    "unet": {},
    "whisper_tiny_encoder": {},
    "lstm_tagger": SEQUENCE,
    "gpt2_prompt": SEQUENCE,
    "llama_prompt": SEQUENCE,
}
"""Real exports, most of them with an open batch, and the sizes of their other open dims."""


@needs(TENSORRT_RTX)
@pytest.mark.parametrize("target", ["a10", "l4"])
@pytest.mark.parametrize("name", BUILDS)
def test_real_exports_build(name: str, target: str, tmp_path: Path) -> None:
    outcome = ask(materialise(name, tmp_path), target, symbols=BUILDS[name])
    assert (outcome.status, outcome.level, outcome.detail) == ("accepted", "build", "")
    assert outcome.backend == "tensorrt-rtx"
    assert outcome.capability == {"a10": "8.6", "l4": "8.9"}[target]
    figures = outcome.figures
    assert figures.engine_bytes is not None
    assert figures.weight_bytes is not None
    assert figures.engine_bytes > figures.weight_bytes > 1 << 20
    assert figures.activation_bytes is not None
    assert figures.activation_bytes > 1 << 20
    assert figures.build_seconds is not None
    assert figures.build_seconds > 0
    assert outcome.layers
    assert not outcome.of("node-refused", "model-refused", "shape-conflict")


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With weights that are not all alike, for compilers keep equal ones once."""
    return materialise("resnet18", tmp_path_factory.mktemp("resnet"), random=True)


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return materialise("squeezenet1_0", tmp_path_factory.mktemp("squeezenet"), random=True)


@needs(TENSORRT_RTX)
def test_the_planners_weights_are_the_models(resnet: Path) -> None:
    outcome = ask(resnet, "a10")
    stored = read_model(resnet).weight_bytes
    assert outcome.figures.weight_bytes == pytest.approx(stored, rel=0.1)


@needs(TENSORRT_RTX)
def test_activations_grow_with_the_largest_shape(squeezenet: Path) -> None:
    small = ask(squeezenet, "a10", shapes={"image": "1x3x224x224"})
    large = ask(squeezenet, "a10", shapes={"image": "1x3x224x224..4x3x224x224..16x3x224x224"})
    assert small.profiles["image"] == ((1, 3, 224, 224),) * 3
    assert large.profiles["image"][2] == (16, 3, 224, 224)
    assert small.figures.activation_bytes is not None
    assert large.figures.activation_bytes is not None
    assert large.figures.activation_bytes > 4 * small.figures.activation_bytes


@needs(TENSORRT_RTX)
def test_a_batch_that_is_stated_is_the_one_built_for(squeezenet: Path) -> None:
    assert ask(squeezenet, "a10", batch=4).profiles["image"] == ((4, 3, 224, 224),) * 3


# Other precisions of the same network.


@pytest.fixture(scope="module")
def half(squeezenet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxruntime")
    from onnxruntime.transformers.float16 import convert_float_to_float16

    path = tmp_path_factory.mktemp("half") / "half.onnx"
    onnx.save(convert_float_to_float16(onnx.load(squeezenet), keep_io_types=True), path)
    return path


Quantize = Callable[..., Path]


@pytest.fixture(scope="module")
def quantize(squeezenet: Path, tmp_path_factory: pytest.TempPathFactory) -> Quantize:
    """The network with quantize and dequantize nodes, as ONNX Runtime's tool puts them."""
    pytest.importorskip("onnxruntime")
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class OneImage(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            image = np.random.default_rng(0).standard_normal((1, 3, 224, 224))
            self.left = iter([{"image": image.astype(np.float32)}])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.left, None)

    made: dict[str, Path] = {}

    def make(name: str, *, unsigned: bool = False, bias: bool = False) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / f"{name}.onnx"
            options = {"ActivationSymmetric": not unsigned, "QuantizeBias": bias}
            quantize_static(
                squeezenet,
                made[name],
                OneImage(),
                per_channel=True,
                activation_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
                weight_type=QuantType.QInt8,
                extra_options={**options, "WeightSymmetric": True},
            )
        return made[name]

    return make


@needs(TENSORRT_RTX)
@pytest.mark.parametrize("target", ["t4", "a10"])
def test_half_precision_builds(half: Path, target: str) -> None:
    outcome = ask(half, target)
    assert outcome.built
    assert outcome.figures.weight_bytes is not None
    assert outcome.figures.weight_bytes == pytest.approx(read_model(half).weight_bytes, rel=0.3)


@needs(TENSORRT_RTX)
@pytest.mark.parametrize("target", ["a10", "l4"])
def test_symmetric_int8_builds(quantize: Quantize, target: str) -> None:
    path = quantize("symmetric")
    outcome = ask(path, target)
    assert outcome.built, outcome.remarks
    assert outcome.figures.weight_bytes is not None
    assert outcome.figures.weight_bytes < 2 * read_model(path).weight_bytes


@needs(TENSORRT_RTX)
def test_an_unsigned_zero_point_is_refused_at_its_node(quantize: Quantize) -> None:
    outcome = ask(quantize("unsigned", unsigned=True), "a10")
    assert outcome.status == "refused"
    first = outcome.of("node-refused")[0]
    assert first.op in ("QuantizeLinear", "DequantizeLinear")
    assert first.node


@needs(TENSORRT_RTX)
def test_a_quantized_bias_is_refused_at_its_node(quantize: Quantize) -> None:
    outcome = ask(quantize("bias", bias=True), "a10")
    assert outcome.status == "refused"
    first = outcome.of("node-refused")[0]
    assert first.op == "DequantizeLinear"
    assert "bias" in first.node
    assert "Int32" in first.text


# Models that are meant to be refused.


@needs(TENSORRT_RTX)
def test_a_real_export_with_one_bad_node(squeezenet: Path, tmp_path: Path) -> None:
    model = onnx.load(squeezenet)
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.name = "Erfc", "the_bad_one"
    onnx.save(model, tmp_path / "bad.onnx")
    outcome = ask(tmp_path / "bad.onnx", "a10")
    assert outcome.status == "refused"
    assert [(each.kind, each.node) for each in outcome.remarks] == [("no-plugin", "the_bad_one")]
    assert outcome.figures.nodes_taken == len(model.graph.node) - 1


@needs(TENSORRT_RTX)
def test_open_shapes_are_parsed_and_not_guessed(tmp_path: Path) -> None:
    outcome = ask(materialise("lstm_tagger", tmp_path), "a10")
    assert (outcome.status, outcome.level) == ("accepted", "parse")
    assert [(each.kind, each.value) for each in outcome.remarks] == [("profile-missing", "tokens")]
    assert "its input shapes are open" in outcome.detail


@needs(TENSORRT_RTX)
def test_a_device_that_nothing_builds_for_is_parsed_for(tmp_path: Path) -> None:
    outcome = ask(materialise("squeezenet1_0", tmp_path), "h100-sxm")
    assert (outcome.status, outcome.level) == ("accepted", "parse")
    assert "not 9.0" in outcome.detail


@needs(TENSORRT_RTX)
def test_fp32_products_are_not_for_turing(tmp_path: Path) -> None:
    outcome = ask(materialise("gpt2_prompt", tmp_path), "t4", symbols=SEQUENCE)
    assert outcome.status == "refused"
    (remark,) = outcome.of("build-failed")
    assert "FP32 GEMM is not supported" in remark.text


@needs(TENSORRT_RTX)
def test_weights_are_found_next_to_the_model_and_never_elsewhere(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = materialise("squeezenet1_0", inner)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = f"../{entry.value}"
    path.write_bytes(model.SerializeToString())
    outcome = ask(path, "a10")
    assert outcome.status == "unanswered"
    assert "outside its folder" in outcome.detail


# Models that the onnx package brings.


def wheel_models() -> Iterator[Path]:
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    yield data / "light" / "light_squeezenet.onnx"
    yield data / "light" / "light_shufflenet.onnx"
    yield from sorted(data.glob("pytorch-operator/*/model.onnx"))[::6]
    yield from sorted(data.glob("simple/*/model.onnx"))[::6]


@needs(TENSORRT_RTX)
@needs(ONNXRUNTIME)
def test_models_of_the_onnx_package() -> None:
    """Both runtimes answer for every one of them, and neither dies of any."""
    asked = list(wheel_models())[:14]
    assert len(asked) >= 10
    outcomes = [ask(path, target) for path in asked for target in ("a10", None)]
    assert not [outcome for outcome in outcomes if outcome.died or not outcome.asked]
    taken = [outcome for outcome in outcomes if outcome.status == "accepted"]
    assert len(taken) > len(outcomes) / 2
    for outcome in outcomes:
        if outcome.status == "refused":
            assert any(each.text or each.op for each in outcome.remarks), outcome


@needs(ONNXRUNTIME)
@pytest.mark.parametrize("name", ["squeezenet1_0", "lstm_tagger", "whisper_tiny_encoder"])
def test_onnxruntime_makes_sessions(name: str, tmp_path: Path) -> None:
    path = materialise(name, tmp_path)
    outcome = ask(path, runtime="onnxruntime")
    assert (outcome.status, outcome.backend) == ("accepted", "onnxruntime")
    nodes = len(onnx.load(path, load_external_data=False).graph.node)
    assert outcome.figures.nodes_optimized is not None
    assert 0 < outcome.figures.nodes_optimized < nodes
    tells_placement = version_key(ONNXRUNTIME.version) >= (1, 24)
    assert outcome.placement.keys() == ({"CPUExecutionProvider"} if tells_placement else set())


@needs(ONNXRUNTIME)
def test_onnxruntime_takes_what_tensorrt_refuses(quantize: Quantize) -> None:
    outcome = ask(quantize("unsigned", unsigned=True), runtime="onnxruntime")
    assert outcome.status == "accepted"
    assert any(layer.startswith("QLinear") for layer in outcome.layers)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_no_probe_leaves_anything_running() -> None:
    mine = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            if f"PPid:\t{os.getpid()}\n" in status.read_text():
                mine.append(status.with_name("cmdline").read_text())
    assert not [line for line in mine if "modellint.probes.child" in line]
