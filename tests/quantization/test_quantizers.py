"""Real exports after ONNX Runtime's quantizers, and the exact findings in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import pytest

from modellint.analysis.quantization import Moves, QuantizationMap, quantization_summary
from modellint.engine import lint_file
from modellint.formats import read_model
from modellint.plan import Plan
from modellint.probes import ProbeRequest, probe
from modellint.results.finding import Finding, Severity
from modellint.rules.registry import load_rules
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.quantization import real
from tests.quantization.apply_move import applied
from tests.quantization.builders import (
    RENAMED,
    RTX,
    integer_in_onnxruntime,
    integer_in_tensorrt,
    optimized,
)
from tests.quantization.test_onnxruntime import IS_X86, predicted
from tests.runtimes import TENSORRT_RTX

pytest.importorskip("onnxruntime")

RULES = tuple(
    rule
    for rule in load_rules(plugins=False).values()
    if rule.default and rule.family == "quantization"
)
CPU = Deployment(runtime="onnxruntime")
GPU = Deployment(find_target("a10"), runtime="tensorrt")
INTEGER_PRODUCTS = ("QLinearConv", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat")
CONVOLUTIONS = ("resnet18", "mobilenet_v2")
BERT = "distilbert_base"
ALL = (*CONVOLUTIONS, BERT)


@dataclass(frozen=True)
class Recipe:
    """One way to quantize, and the codes expected of it, each with the reason."""

    quantize: Callable[[Path, Path], None]
    anywhere: dict[str, str]
    tensorrt: dict[str, str]
    """In addition."""
    host: dict[str, str] = field(default_factory=dict)
    """In addition, for ONNX Runtime on the processor."""
    models: tuple[str, ...] = ALL


# What the same choice gives whatever the model.
INT32_BIAS = {"QNT007": "biases are int32 behind a DQ, which TensorRT refuses"}
UNSIGNED = {"QNT002": "activations are uint8 around 128", **INT32_BIAS}
OUTPUT = {"QNT110": "the output is rounded, which TensorRT's kernels do not need"}
CLIPPED = {"QNT107": "symmetric calibration leaves the Relu or Clip behind the pair"}
ADDED = {"QNT126": "the result of a layer is rounded before its residual addition"}
SIGNED = {"QNT124": "int8 activations that branch, which x86 processors have no kernels for"}
BARE = {"QNT123": "no pair behind convolutions, without which ONNX Runtime has no kernel"}

# What only one of the models has.
OF_MODEL: dict[tuple[str, str], dict[str, str]] = {
    ("mobilenet_v2", "one scale"): {
        "QNT120": "depthwise weights share one scale",
        "QNT122": "folded BatchNormalization makes channels of very different sizes",
    },
    (BERT, "everything"): {
        "QNT116": "all ops are quantized, LayerNormalization and Softmax among them",
        "QNT119": "embedding tables share one scale",
        "QNT121": "the IsNaN guard of scaled dot-product attention has no integer kernel",
    },
    (BERT, "dynamic"): {"QNT119": "embedding tables share one scale"},
}
RECIPES = {
    "qdq int8 per channel": Recipe(
        real.static(per_channel=True), {}, {**INT32_BIAS, **OUTPUT, **CLIPPED, **ADDED}, SIGNED
    ),
    "qdq int8 per tensor": Recipe(
        real.static(), {}, {**INT32_BIAS, **OUTPUT, **CLIPPED, **ADDED}, SIGNED
    ),
    "qdq uint8 and int8": Recipe(
        real.static(activation="QUInt8", symmetric=False), {}, {**UNSIGNED, **OUTPUT}
    ),
    "qdq uint8": Recipe(
        real.static(activation="QUInt8", weight="QUInt8", symmetric=False),
        {},
        {**UNSIGNED, **OUTPUT, "QNT003": "weights are uint8"},
    ),
    "qoperator": Recipe(
        real.static(activation="QUInt8", symmetric=False, qdq=False),
        {},
        {"QNT002": "input and output are uint8", "QNT005": "QLinearConv and its like"},
    ),
    "dynamic": Recipe(
        real.dynamic,
        {},
        {"QNT005": "ConvInteger, MatMulInteger and DynamicQuantizeLinear"},
        {"QNT125": "ConvInteger has no vectorized kernel for int8 weights"},
    ),
    "for tensorrt, convolutions": Recipe(
        real.for_tensorrt("Conv", "Add"), {}, ADDED, {**BARE, **SIGNED}, models=CONVOLUTIONS
    ),
    "for tensorrt, products": Recipe(
        real.for_tensorrt("MatMul"),
        {"QNT115": "the residual stream takes the rounded numbers"},
        {},
        SIGNED,
        models=(BERT,),
    ),
    "4 bits packed": Recipe(
        real.four_bits(qdq=False), {}, {"QNT006": "MatMulNBits"}, models=(BERT,)
    ),
    "4 bits qdq": Recipe(real.four_bits(qdq=True), {}, {"QNT017": "blocks of 32"}, models=(BERT,)),
}
CASES = [(model, name) for name, recipe in RECIPES.items() for model in recipe.models]


def each(cases: Iterable[tuple[str, str]]) -> pytest.MarkDecorator:
    """Parametrize with cases, so that one process quantizes the model for all tests of a case."""
    grouped = [
        pytest.param(*case, marks=pytest.mark.xdist_group("quantized " + " ".join(case)))
        for case in cases
    ]
    return pytest.mark.parametrize(("model", "name"), grouped, ids=str)


each_case = each(CASES)


def expected(model: str, name: str, *, tensorrt: bool) -> set[str]:
    """The codes to be said of a case."""
    recipe = RECIPES[name]
    codes = {**recipe.anywhere, **(recipe.tensorrt if tensorrt else recipe.host)}
    is_static = name.startswith("q")
    has_one_scale = (is_static and name != "qdq int8 per channel") or name == "dynamic"
    if model == "mobilenet_v2" and has_one_scale:
        codes |= OF_MODEL[model, "one scale"]
    if model == BERT:
        codes.pop("QNT107", None)  # it has neither Relu nor Clip
        codes.pop("QNT125", None)  # nor a convolution
        codes.pop("QNT126", None)  # and a bias between each layer and its residual addition
        codes |= OF_MODEL[BERT, "everything"] if is_static else {}
        codes |= OF_MODEL[BERT, "dynamic"] if name == "dynamic" else {}
        if tensorrt and name in ("qdq uint8 and int8", "qoperator", "dynamic"):
            codes["QNT003"] = "what is not a layer's weight is quantized as an activation: uint8"
    return set(codes)


class Workshop:
    """Quantized models by export and recipe, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Path] = {}
        self._found: dict[tuple[str, str, str | None], list[Finding]] = {}

    def original(self, model: str) -> Path:
        if model not in self._made:
            self._made[model] = real.float_model(model, self._folder)
        return self._made[model]

    def quantized(self, model: str, name: str) -> Path:
        key = f"{model}.{name}"
        if key not in self._made:
            path = self._folder / f"{key.replace(' ', '_')}.onnx"
            RECIPES[name].quantize(self.original(model), path)
            self._made[key] = path
        return self._made[key]

    def found(self, model: str, name: str, deployment: Deployment) -> list[Finding]:
        key = (model, name, deployment.runtime)
        if key not in self._found:
            self._found[key] = lint(self.quantized(model, name), deployment)
        return self._found[key]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("quantized"))


def lint(path: Path, deployment: Deployment) -> list[Finding]:
    return list(lint_file(path, path.name, Plan(rules=RULES, deployments=(deployment,))).findings)


def shown(found: list[Finding]) -> str:
    return "\n".join(f"{one.code} {one.location.label}: {one.message}" for one in found)


@each_case
@pytest.mark.parametrize("deployment", [CPU, GPU], ids=["onnxruntime", "tensorrt"])
def test_what_is_said(model: str, name: str, deployment: Deployment, workshop: Workshop) -> None:
    found = workshop.found(model, name, deployment)
    is_tensorrt = deployment is GPU
    assert {one.code for one in found} == expected(model, name, tensorrt=is_tensorrt), shown(found)


@each_case
def test_nothing_is_an_error_where_it_was_made_for(
    model: str, name: str, workshop: Workshop
) -> None:
    """ONNX Runtime runs whatever its own quantizer writes; TensorRT what was made for it."""
    deployments = [CPU, GPU] if name.startswith("for tensorrt") else [CPU]
    for deployment in deployments:
        found = workshop.found(model, name, deployment)
        assert not [one for one in found if one.severity is Severity.ERROR], shown(found)


@pytest.mark.parametrize("model", ALL)
def test_float_models_are_left_alone(model: str, workshop: Workshop) -> None:
    for deployment in (CPU, GPU):
        found = lint(workshop.original(model), deployment)
        assert not found, shown(found)


@each_case
def test_map_says_what_was_done(model: str, name: str, workshop: Workshop) -> None:
    """Every layer that the recipe quantizes is found to be, in the precision it asked for."""
    deployment = GPU if name.startswith("for tensorrt") else CPU
    summary = quantization_summary(read_model(workshop.quantized(model, name)), deployment)
    methods = {"qoperator": "QOperator", "dynamic": "dynamic"}
    is_packed = name.startswith("4 bits")
    method = "weight-only" if is_packed else methods.get(name, "QDQ")
    assert summary.method == method
    if name == "qoperator":
        kinds = {layer.weight_scheme for layer in summary.layers}
        assert "int8, per-tensor, symmetric" in kinds
    by_weight = {layer.weight_precision for layer in summary.layers if layer.macs != 0}
    assert ("int4" if is_packed else "int8") in by_weight
    if is_packed:
        assert set(summary.coverage) == {"fp32", "int4"}
        assert summary.coverage["int4"].weight_bytes > 0
    elif name == "dynamic" and model == BERT:
        assert summary.coverage["fp32"].ops == 2, "products of two activations stay in float"
    elif name.startswith("for tensorrt"):
        assert summary.coverage["int8"].ops_share == 1
    elif name != "qoperator":
        assert summary.coverage["int8"].ops_share == 1
        assert not any(island.products for island in summary.islands)


@pytest.mark.skipif(not IS_X86, reason="integer kernels differ by processor")
@each(case for case in CASES if case[1] != "dynamic")
def test_onnxruntime_agrees(model: str, name: str, workshop: Workshop) -> None:
    """As many layers become integer as the map says."""
    path = workshop.quantized(model, name)
    integer = [node for node in optimized(path) if node.op_type in INTEGER_PRODUCTS]
    assert len(integer) == len(predicted(path))


@pytest.mark.skipif(not IS_X86, reason="integer kernels differ by processor")
@each(case for case in CASES if case[1] in ("for tensorrt, convolutions", "qdq int8 per channel"))
def test_optimizer_confirms_moves(
    model: str, name: str, workshop: Workshop, tmp_path: Path
) -> None:
    """The move with the largest gain and that with the smallest make integer what they promise."""
    path = workshop.quantized(model, name)
    proto = onnx.load(path)
    before, left = integer_in_onnxruntime(proto, tmp_path)
    moves = Moves(QuantizationMap(read_model(path), CPU)).of_layers
    for move in [*moves[:1], *moves[-1:]]:
        changed = applied(proto, move, unsigned=True)
        after, left_after = integer_in_onnxruntime(changed, tmp_path)
        named = {op.node.label.removesuffix(RENAMED) for op in move.ops}
        assert named <= after - before, move.what
        assert before <= after, move.what
        assert left - left_after >= move.conversions, move.what


needs_rtx = pytest.mark.skipif(
    TENSORRT_RTX.module is None, reason=f"needs TensorRT for RTX: {TENSORRT_RTX.install}"
)


@needs_rtx
@pytest.mark.usefixtures("warm")
@each((model, "for tensorrt, convolutions") for model in CONVOLUTIONS)
def test_builder_confirms_moves(model: str, name: str, workshop: Workshop, tmp_path: Path) -> None:
    """Every second pair of activations is dropped: each layer that needs one is found."""
    proto = without_pairs(onnx.load(workshop.quantized(model, name)))
    before, _ = integer_in_tensorrt(proto, tmp_path)
    moves = Moves(QuantizationMap(read_model(tmp_path / "asked.onnx"), RTX))
    labels = {op.node.label for op in moves.map.ops}
    found = moves.of_layers
    assert before | {op.node.label for move in found for op in move.ops} == labels
    for move in [*found[:1], *moves.misplaced[:1]]:
        after, _ = integer_in_tensorrt(applied(proto, move, unsigned=False), tmp_path)
        assert after - before == {op.node.label for op in move.ops}, move.what
        assert before <= after, move.what


def without_pairs(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without every second pair of an activation; who read it reads the float value."""
    stored = {tensor.name for tensor in model.graph.initializer}
    pairs = [
        (node.output[0], node.input[0])
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] not in stored
    ]
    dropped = dict(pairs[1::2])
    float_values = {
        node.output[0]: dropped[node.input[0]]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in dropped
    }
    for node in model.graph.node:
        for at, name in enumerate(node.input):
            node.input[at] = float_values.get(name, name)
    kept = [node for node in model.graph.node if not {*node.output} & {*float_values, *dropped}]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


@needs_rtx
@pytest.mark.usefixtures("warm")
@each(case for case in CASES if case[0] != "mobilenet_v2")
def test_builder_agrees(model: str, name: str, workshop: Workshop, tmp_path: Path) -> None:
    path = workshop.quantized(model, name)
    errors = [one for one in lint(path, RTX) if one.severity is Severity.ERROR]
    proto = onnx.load(path)
    for value in proto.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_value = 8 if dim.dim_param == "sequence" else 1
    fixed = tmp_path / "fixed.onnx"
    onnx.save(proto, fixed)
    outcome = probe(read_model(fixed), RTX, ProbeRequest(backend="tensorrt-rtx"))
    said = "; ".join(remark.text for remark in outcome.remarks)
    assert outcome.built is not bool(errors), f"{outcome.detail} {said}\n{shown(errors)}"
