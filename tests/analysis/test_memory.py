"""The memory estimate: its parts, its laws, and what it says would fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellint.analysis.memory import memory
from modellint.analysis.memory.scaling import largest_size
from modellint.formats.gguf import notation
from modellint.formats.gguf.reader import read
from modellint.model import Model
from modellint.targets import find_target, load_targets
from modellint.targets.deployment import Deployment
from modellint.targets.target import DeviceMemory
from tests.analysis.kept import export, graph

MODELS = ["resnet18", "mobilenet_v2", "bert_base_uncased", "gpt2", "unet", "lstm_tagger"]
A10 = find_target("a10")


def test_parts_add_up() -> None:
    estimate = memory(export("resnet50"), Deployment(target=A10, precision="fp16"))
    assert estimate.total.low == sum(part.low for part in estimate.parts)
    assert estimate.total.high == sum(part.high for part in estimate.parts)
    assert estimate.weights.expected == pytest.approx(2 * 25.5e6, rel=0.01)
    assert estimate.inputs_outputs.expected == 2 * (3 * 224 * 224 + 1000)
    assert estimate.overhead.low == 180 << 20  # as the target's file says
    assert estimate.verdict == "fits"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("runtime", ["tensorrt", "onnxruntime", None])
def test_the_ceiling_is_above_the_estimate(name: str, runtime: str | None) -> None:
    """A model is said to fit by its ceiling alone, so that must never be below the estimate."""
    estimate = memory(export(name), Deployment(target=A10, runtime=runtime))
    assert estimate.footprint.ceiling >= estimate.expected


def test_a_batch_norm_leaves_nothing_behind() -> None:
    """It merges into the convolution before it: its four vectors are gone."""
    body = "c = Conv(x, w, b) y = BatchNormalization(c, s, o, m, v)"
    vectors = ", ".join(f"float[2] {name} = {{1.0, 1.0}}" for name in "bsomv")
    model = graph(
        body,
        "float[1,2,4,4] x",
        "float[1,2,4,4] y",
        weights=f"float[2,2,1,1] w = {{1.0, 2.0, 3.0, 4.0}}, {vectors}",
    )
    assert memory(model, Deployment()).weights.expected == 4 * 4 + 2 * 4


def test_a_tied_weight_counts_once() -> None:
    weights = "float[2,2] w = {1.0, 2.0, 3.0, 4.0}"
    model = graph(
        "a = MatMul(x, w) y = MatMul(a, w)", "float[1,2] x", "float[1,2] y", weights=weights
    )
    assert memory(model, Deployment()).weights.expected == 16


def test_what_is_quantized_stays_so_with_its_scales() -> None:
    weights = "int8[2,2] w = {1, 2, 3, 4}, float[2] s = {0.5, 0.5}"
    model = graph(
        "d = DequantizeLinear<axis=0>(w, s) y = MatMul(x, d)",
        "float[1,2] x",
        "float[1,2] y",
        weights=weights,
    )
    estimate = memory(model, Deployment(precision="fp16"))
    assert estimate.weights_by_dtype == {"int8": 4, "float16": 4}


def test_quantized_activations_take_a_byte_and_unpacked_weights_nothing() -> None:
    scale = "float s = {0.5}"
    weights = ", ".join(["int8[4,4] w = {" + ", ".join(["1"] * 16) + "}", scale])
    model = graph(
        """
        a = Relu(x)
        q = QuantizeLinear(a, s)
        d = DequantizeLinear(q, s)
        v = DequantizeLinear(w, s)
        y = MatMul(d, v)
        """,
        "float[100,4] x",
        "float[100,4] y",
        weights=weights,
    )
    estimate = memory(model, Deployment(runtime="onnxruntime"))
    assert estimate.activations.low == 100 * 4 * (4 + 1)  # a, and q written from it
    fused = memory(model, Deployment(runtime="tensorrt"))
    assert fused.activations.low == 100 * 4  # q alone: a stays in the kernel


@pytest.mark.parametrize(
    ("name", "batch", "block"),
    [
        ("densenet121", 8, 89_915_392),  # BatchNormalizations between convolutions
        ("regnet_y_400mf", 8, 36_929_536),  # products of images and single pixels, in rows
        ("shufflenet_v2_x1_0", 8, 18_464_768),  # channels that are filled up, and converted twice
        ("squeezenet1_0", 7, 53_561_088),  # memory kept for the next tensor of the same shape
        ("unet", 8, 402_653_184),  # images in blocks for one reader, in rows for another
    ],
)
def test_onnx_runtimes_block_is_known_to_the_byte(name: str, batch: int, block: int) -> None:
    # Requested by ONNX Runtime 1.32.0 on a CPU with AVX2: see docs/accuracy.md.
    deployment = Deployment(runtime="onnxruntime", precision="fp32", batch=batch)
    assert memory(export(name), deployment).activations.expected == block


def test_a_transposed_output_is_no_part_of_a_conversion() -> None:
    """Its source stays until then, in whatever order it is written."""
    weights = "float[8,8,1,1] w = {" + ", ".join(["1.0"] * 64) + "}"
    expected = set()
    for perm in ("0, 3, 1, 2", "0, 2, 3, 1"):
        body = f"a = Softmax(x) c = Conv(x, w) z = Softmax(c) y = Transpose<perm = [{perm}]>(a)"
        shape = "float[1,8,8,8]"
        model = graph(body, f"{shape} x", f"{shape} y, {shape} z", weights=weights)
        estimate = memory(model, Deployment(runtime="onnxruntime"))
        expected.add(estimate.activations.expected)
    assert len(expected) == 1


def test_a_part_does_not_depend_on_what_was_asked_before() -> None:
    table = "float[8,8] w = {" + ", ".join(["1.0"] * 64) + "}"
    weights = f"{table}, float[8] s = {{1, 1, 1, 1, 1, 1, 1, 1}}"
    body = "a = MatMul(x, w) n = LayerNormalization(a, s) y = MatMul(n, w)"
    models = (graph(body, "float[64,8] x", "float[64,8] y", weights=weights) for _ in range(2))
    one, other = (memory(each, Deployment(runtime="onnxruntime")) for each in models)
    workspace, activations = one.workspace, one.activations
    assert (other.activations, other.workspace) == (activations, workspace)


@pytest.mark.parametrize(
    ("precision", "share"), [("fp32", 1.0), ("fp16", 0.5), ("int8", 0.25), ("int4", 0.125)]
)
def test_weights_narrow_to_the_precision(precision: str, share: float) -> None:
    wide = memory(export("vit_b_16"), Deployment(precision="fp32")).weights.expected
    found = memory(export("vit_b_16"), Deployment(precision=precision)).weights.expected
    assert found == pytest.approx(wide * share, rel=0.02)


def test_embeddings_stay_at_16_bits_where_products_go_below() -> None:
    found = memory(export("gpt2"), Deployment(precision="int4")).weights_by_dtype
    tokens, positions = 50257 * 768, 1024 * 768  # the tokens' table is a product's weight, too
    assert found["float16"] == pytest.approx(2 * tokens, rel=0.01)
    assert found["int4"] == pytest.approx((124.4e6 - positions) / 2, rel=0.01)


def test_the_cache_is_a_part_of_its_own() -> None:
    sizes = {"batch": 2, "past": 100, "sequence": 1, "s22": 101}
    estimate = memory(export("gpt2"), Deployment(precision="fp16", symbols=sizes))
    per_token = 12 * 2 * 12 * 64 * 2
    assert estimate.cache is not None
    assert estimate.kv_cache.low == 2 * 101 * per_token
    assert estimate.kv_cache.high == 2 * (100 + 101) * per_token


def test_attention_at_16_bits_keeps_its_scores_on_the_chip() -> None:
    model = export("whisper_tiny_encoder")
    scores = 6 * 1500 * 1500
    wide = memory(model, Deployment(precision="fp32", runtime="tensorrt"))
    narrow = memory(model, Deployment(precision="fp16", runtime="tensorrt"))
    assert wide.activations.expected > 2 * scores * 4
    assert narrow.activations.expected < scores * 2


@pytest.mark.parametrize(("bias", "workspaces"), [("o", 1), ("p", 2)])
def test_a_shortcut_runs_beside_if_a_bias_is_a_copy(bias: str, workspaces: int) -> None:
    """As TensorRT for RTX plans ResNet-18 at batch 1 with, and without, an Identity of a bias."""
    copy = "p = Identity(o) " if bias == "p" else ""
    main = f"a = Conv(x, w, {bias}) r = Relu(a) b = Conv(r, w, {bias})"
    model = graph(
        f"{copy}{main} c = Conv(x, w, {bias}) y = Add(b, c)",
        "float[1,2,4,4] x",
        "float[1,2,4,4] y",
        weights="float[2,2,1,1] w = {1.0, 1.0, 1.0, 1.0}, float[2] o = {1.0, 1.0}",
    )
    workspace = memory(model, Deployment(runtime="tensorrt-rtx")).workspace
    assert workspace.expected == workspaces * 8_192_000


def test_the_peak_is_named() -> None:
    estimate = memory(export("vgg16"), Deployment())
    assert estimate.peak_node is not None
    assert estimate.at_peak[0].nbytes == 64 * 224 * 224 * 4


# What would fit


def small(gigabytes: float) -> Deployment:
    size = int(gigabytes * (1 << 30))
    return Deployment(
        target=replace(A10, memory=DeviceMemory(size, size)), precision="fp16", runtime="tensorrt"
    )


@pytest.mark.parametrize("name", ["resnet50", "bert_base_uncased", "gpt2", "unet"])
def test_the_largest_batch_fits_and_the_next_does_not(name: str) -> None:
    estimate = memory(export(name), small(4))
    largest = estimate.largest_batch
    symbol = estimate.batch_symbol
    assert largest is not None
    assert symbol is not None
    assert estimate.usable is not None
    assert estimate.with_size(symbol, largest).total.expected <= estimate.usable
    assert estimate.with_size(symbol, largest + 1).total.expected > estimate.usable


def test_the_longest_sequence_that_fits() -> None:
    estimate = memory(export("bert_base_uncased"), small(1))
    longest = estimate.largest("sequence")
    assert longest == 512, "there is room for more, but no position for it"
    assert estimate.with_size("sequence", longest).verdict != "does not fit"
    assert estimate.largest("nothing of the kind") is None


def test_a_fixed_batch_has_no_largest() -> None:
    assert memory(export("detr"), small(8)).largest_batch is None


def test_verdicts() -> None:
    model = export("vgg16")
    assert memory(model, small(0.3)).verdict == "does not fit"
    assert memory(model, small(0.3)).largest_batch == 0
    assert memory(model, small(24)).verdict == "fits"
    needed = memory(model, small(24)).total.expected / (1 << 30)
    assert memory(model, small(needed * 1.02)).verdict == "tight"
    assert memory(model, Deployment()).verdict is None


def test_the_smallest_target_is_of_the_same_kind() -> None:
    targets = load_targets()
    estimate = memory(export("gpt2"), small(0.5))
    found = estimate.smallest_target(targets)
    assert found is not None
    assert found.vendor == "nvidia"
    assert estimate.on(found).verdict == "fits"
    smaller = [t for t in targets if t.vendor == "nvidia" and set(t.groups) & set(A10.groups)]
    assert found.memory.usable == min(
        t.memory.usable for t in smaller if estimate.on(t).verdict == "fits"
    )


def test_many_targets_share_what_no_device_changes() -> None:
    model = export("resnet18")
    estimates = [memory(model, Deployment(target=target)) for target in load_targets()]
    assert len({id(estimate.footprint) for estimate in estimates}) <= 3  # by runtime


# Laws


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("runtime", ["tensorrt", "onnxruntime"])
def test_low_expected_high(name: str, runtime: str) -> None:
    for precision in ("fp32", "fp16", "int8"):
        estimate = memory(export(name), Deployment(runtime=runtime, precision=precision))
        for part in (*estimate.parts, estimate.total):
            assert part.low <= part.expected <= part.high


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.sampled_from(MODELS), st.integers(1, 64), st.integers(1, 64))
def test_a_larger_batch_never_takes_less(name: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    first, second = (memory(export(name), Deployment(batch=size)).total for size in (low, high))
    assert first.low <= second.low
    assert first.expected <= second.expected
    assert first.high <= second.high


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.sampled_from(MODELS), st.sampled_from([("fp32", "fp16"), ("fp16", "int8")]))
def test_a_narrower_precision_never_takes_more(name: str, pair: tuple[str, str]) -> None:
    wide, narrow = (memory(export(name), Deployment(precision=each)) for each in pair)
    assert narrow.weights.expected <= wide.weights.expected
    assert narrow.activations.expected <= wide.activations.expected


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 1000), st.integers(1, 10**9), st.integers(0, 3))
def test_the_search_finds_the_largest_size(base: int, slope: int, room: int, square: int) -> None:
    class Fake:
        def __init__(self, size: int) -> None:
            self.expected = base + slope * size + square * size * size

    found = largest_size(lambda size: Fake(size).expected, room, {})
    assert found == 0 or Fake(found).expected <= room
    assert found >= 1 << 20 or Fake(found + 1).expected > room


def test_an_unknown_model_has_an_estimate_without_activations() -> None:
    model = Model(export("resnet18").path, "gguf")
    assert memory(model, Deployment(target=A10)).activations.high == 0


def test_nothing_is_said_to_fit_where_much_is_not_counted() -> None:
    body = """
    n = NonZero(x)
    a = Cast<to=1>(n)
    b = Exp(a)
    c = Softmax(b)
    y = Softmax(c)
    """
    model = graph(body, "float[batch,4] x", "float[2,n] y")
    estimate = memory(model, Deployment(target=A10))
    assert estimate.is_partial
    assert (estimate.verdict, estimate.largest_batch) == (None, None)
    tiny = replace(A10, memory=DeviceMemory(1, 1))
    assert estimate.on(tiny).verdict == "does not fit"


QUANTIZED = """
q = QuantizeLinear(x, s)
d = DequantizeLinear(q, s)
v = DequantizeLinear(w, s)
c = Conv(d, v)
r = Relu(c)
e = QuantizeLinear(r, s)
f = DequantizeLinear(e, s)
y = GlobalAveragePool(f)
"""


def quantized(channels: int) -> Model:
    numbers = ", ".join(["1"] * 64 * channels)
    weights = f"int8[64,{channels},1,1] w = {{{numbers}}}, float s = {{0.5}}"
    shape = f"float[1,{channels},64,64] x"
    return graph(QUANTIZED, shape, "float[1,64,1,1] y", weights=weights)


def test_a_product_of_integers_writes_floats_where_the_runtime_does_not_narrow_them() -> None:
    widened = memory(quantized(4), Deployment(runtime="tensorrt-rtx")).activations.expected
    narrowed = memory(quantized(4), Deployment(runtime="tensorrt")).activations.expected
    integers, result = 4 * 64 * 64, 64 * 64 * 64
    assert widened == integers + 4 * result + 4 * result  # c, and r as floats for the pool
    assert narrowed == integers + result


def test_the_channels_of_integers_are_filled_up_with_stored_zeros() -> None:
    full = memory(quantized(4), Deployment(runtime="tensorrt-rtx"))
    filled = memory(quantized(3), Deployment(runtime="tensorrt-rtx"))
    assert filled.activations.expected == full.activations.expected
    assert filled.weights.expected - full.weights.expected == 64 * 64 - 64


@pytest.mark.parametrize(
    ("body", "outputs", "branches"),
    [
        ("q = MatMul(x, w) k = MatMul(x, v) y = Concat<axis = 0>(q, k)", "float[32,8] y", 1),
        (
            "s = Softmax(x) q = MatMul(x, w) k = MatMul(s, v) y = Concat<axis = 0>(q, k)",
            "float[32,8] y",
            2,
        ),
        (
            "s = Softmax(x) q = MatMul(x, w) k = MatMul(s, v) t = Concat<axis = 0>(x, x)",
            "float[16,8] q, float[16,8] k, float[32,8] t",
            1,
        ),
    ],
)
def test_products_of_different_tensors_run_at_once(body: str, outputs: str, branches: int) -> None:
    """If they meet later; those of the same tensor are one kernel."""
    ones = "{" + ", ".join(["1.0"] * 64) + "}"
    weights = f"float[8,8] w = {ones}, float[8,8] v = {ones}"
    model = graph(body, "float[16,8] x", outputs, weights=weights)
    workspace = memory(model, Deployment(runtime="tensorrt-rtx")).workspace
    assert workspace.expected == pytest.approx(branches * 8_192_000, rel=0.01)


def test_weights_alone_may_not_fit_where_a_cache_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "later.gguf"
    path.write_bytes(notation.encode("small llama\n").replace(b"llama", b"lxama"))
    model = read(path)
    estimate = memory(model, small(1))
    assert "'lxama'" in estimate.unknown_cache
    assert estimate.verdict is None
    assert memory(model, small(1e-6)).verdict == "does not fit"


@pytest.mark.parametrize(
    ("channels", "results", "planned", "stored"),
    [(400, 250, 8_358_400, 400_256), (256, 391, 8_758_272, 132), (512, 402, 9_249_280, 132)],
)
def test_equal_elements_are_stored_up_to_a_number(
    channels: int, results: int, planned: int, stored: int
) -> None:
    """As TensorRT for RTX 1.7.1 plans them: up to 100,000."""
    model = graph(
        "w = ConstantOfShape<value = float[1] {0.5}>(s) y = Conv(x, w)",
        f"float[1,{channels},8,8] x",
        f"float[1,{results},8,8] y",
        weights=f"int64[4] s = {{{results}, {channels}, 1, 1}}",
    )
    estimate = memory(model, Deployment(runtime="tensorrt-rtx"))
    tensors = estimate.activations.expected + estimate.workspace.expected
    assert tensors == pytest.approx(planned, rel=0.03)
    assert estimate.weights.expected == pytest.approx(stored, abs=300)


def test_many_equal_elements_are_computed_beside_everything() -> None:
    """Nothing before their use can have their memory: TensorRT for RTX 1.7.1 plans so from 2^20."""
    wide = _computed_at_the_end(512)
    assert wide - _computed_at_the_end(511) >= 4 << 20


def _computed_at_the_end(channels: int) -> int:
    """Return the activations of a large tensor, and a constant that is only read after it."""
    model = graph(
        "w = ConstantOfShape<value = float[1] {0.5}>(s) a = Softmax(x) b = Softmax(a) "
        "p = MaxPool<kernel_shape = [64, 64], strides = [64, 64]>(b) y = Conv(p, w)",
        "float[1,2048,64,64] x",
        f"float[1,{channels},1,1] y",
        weights=f"int64[4] s = {{{channels}, 2048, 1, 1}}",
    )
    return memory(model, Deployment(runtime="tensorrt-rtx")).activations.expected


def test_what_is_inside_a_node_is_planned_as_the_graph_is() -> None:
    """The body of a Loop copies into blocks of channels, too, as ONNX Runtime 1.32's does."""
    image = "float[1,32,64,64]"
    conv = "Conv<pads = [1, 1, 1, 1]>"
    body = f"b = {conv}(a, w) c = Relu(b) d = {conv}(c, w) e = Relu(d) k2 = Identity(k)"
    inner = f"then (int64 i, bool k, {image} a) => (bool k2, {image} e) {{{body}}}"
    model = graph(
        f"w = ConstantOfShape(s) l = Loop<body = {inner}>(m, t, x) y = Relu(l)",
        f"{image} x, bool t",
        f"{image} y",
        weights="int64 m = {5}, int64[4] s = {32, 32, 3, 3}",
    )
    planned = memory(model, Deployment(runtime="onnxruntime")).activations.expected
    assert planned == 1_048_576  # the block that it requests from the second round on
