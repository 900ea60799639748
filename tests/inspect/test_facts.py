"""Facts that an inspection states about real graphs and about broken ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from modellint.inspector import look
from modellint.inspector.efficiency import (
    FEWEST_REFERENCES,
    OF_TEXT,
    TASKS,
    efficiency,
    references,
    use_of,
)
from modellint.model import DTYPES, Model, Problem, Tensor
from modellint.report.inspect import render
from modellint.report.inspect_needs import precision_in_words
from modellint.report.options import Options
from modellint.results.inspection import Port, Term
from modellint.session import Session
from modellint.targets.deployment import Deployment
from tests.inspect.support import (
    ATTENTION,
    BRANCHES,
    DANGLING,
    FUNCTIONS,
    HEADER,
    NOTHING,
    deployment,
    inspect,
    inspect_export,
    inspect_json,
    inspect_text,
)
from tests.support import EXAMPLES, save


def test_resnet50_is_what_the_papers_say() -> None:
    inspected = inspect_export("resnet50")
    assert inspected.parameters == 25_557_032
    assert inspected.macs == 4_089_184_256
    assert inspected.macs_formula == [Term(4_089_184_256, {"batch": 1})]
    assert inspected.assumed == {"batch": 1}
    assert inspected.ops is not None
    assert inspected.ops["Conv"] == 53
    assert inspected.blocks is not None
    assert [(block.kind, block.count) for block in inspected.blocks] == [("residual", 16)]
    assert inspected.attention is None
    assert inspected.kv_cache is None


def test_a_decoder_s_formula_is_quadratic_in_what_is_new_and_linear_in_the_past() -> None:
    inspected = inspect_export("llama")
    assert inspected.macs_formula is not None
    powers = [sorted(term.powers.values()) for term in inspected.macs_formula]
    assert powers == [[1, 1], [1, 2], [1, 1, 1]]
    assert inspected.attention is not None
    assert (inspected.attention.variant, inspected.attention.layers) == ("GQA", 4)
    assert inspected.kv_cache is not None
    assert inspected.kv_cache.layers == 4
    assert inspected.kv_cache.kv_heads is not None
    assert inspected.kv_cache.head_size is not None
    per_layer = 2 * inspected.kv_cache.kv_heads * inspected.kv_cache.head_size * 4
    assert inspected.kv_cache.bytes_per_token == 4 * per_layer


def test_a_formula_is_exact(tmp_path: Path) -> None:
    inspected = inspect_text(ATTENTION, tmp_path)
    assert inspected.macs == 2 * 4 * 16 * 128 * (128 + 128)
    assert inspected.macs_formula is not None
    assert {(t.coefficient, *sorted(t.powers.items())) for t in inspected.macs_formula} == {
        (128, ("batch", 1), ("new", 2)),
        (128, ("batch", 1), ("new", 1), ("past", 1)),
    }
    assert inspected.kv_cache is not None
    assert inspected.kv_cache.bytes_per_token == 2 * 4 * 16 * 4


def test_work_without_the_batch_is_part_of_the_formula(tmp_path: Path) -> None:
    text = """
main (float[n, 8] x, float[8, 8] a) => (float[n, 8] y)
{ w = MatMul (a, a)  y = MatMul (x, w) }"""
    inspected = inspect_text(HEADER + text, tmp_path)
    assert inspected.macs_formula == [Term(512, {}), Term(64, {"n": 1})]


def test_what_is_rounded_has_no_formula(tmp_path: Path) -> None:
    weights = ", ".join(["0.5"] * 108)
    text = f"""
main (float[1, 3, h, w] x) => (float[1, 4, a, b] y)
<float[4, 3, 3, 3] k = {{{weights}}}>
{{ y = Conv <strides = [2, 2]> (x, k) }}"""
    inspected = inspect_text(HEADER + text, tmp_path)
    assert inspected.macs
    assert inspected.macs_formula is None


def test_stated_sizes_are_not_assumed() -> None:
    inspected = inspect_export("bert_base_uncased", deployment(batch=2, symbols={"sequence": 384}))
    assert inspected.sizes == {"batch": 2, "sequence": 384}
    assert inspected.assumed == {}
    assert inspected.macs == 2 * (589_824 + 84_934_656 * 384 + 18_432 * 384**2)


def test_a_cache_s_mask_is_as_long_as_past_and_new() -> None:
    inspected = inspect_export("gpt2")
    assert inspected.assumed is not None
    assert sorted(inspected.assumed.values()) == [1, 128, 128, 256]


def test_alike_layers_count_as_one() -> None:
    inspected = inspect_export("vit_b_16")
    assert inspected.layers is not None
    largest = inspected.layers[0]
    assert largest.count == 12
    assert largest.weight_bytes >= 12 * 768 * 3072 * 4
    assert sum(layer.macs_share or 0 for layer in inspected.layers) > 0.9
    sizes = [layer.weight_bytes for layer in inspected.layers]
    assert sizes == sorted(sizes, reverse=True)


def test_a_dequantized_weight_belongs_to_its_layer(tmp_path: Path) -> None:
    text = """
main (float[2, 4] x) => (float[2, 2] y)
<int8[4, 2] w = {1,2, 1,2, 1,2, 1,2}, float s = {0.5}>
{ d = DequantizeLinear (w, s)  y = MatMul (x, d) }"""
    (layer,) = inspect_text(HEADER + text, tmp_path).layers or []
    assert (layer.op_type, layer.parameters, layer.macs) == ("MatMul", 8, 16)
    assert layer.weight_bytes == 8 + 4  # with the scale


def test_a_weight_that_is_quantized_in_the_graph_belongs_to_its_layer(tmp_path: Path) -> None:
    text = """
main (float[2, 4] x) => (float[2, 2] y)
<float[4, 2] w = {1,2, 1,2, 1,2, 1,2}, float s = {0.5}, int8 z = {0}>
{ q = QuantizeLinear (w, s, z)  d = DequantizeLinear (q, s, z)  y = MatMul (x, d) }"""
    (layer,) = inspect_text(HEADER + text, tmp_path).layers or []
    assert (layer.op_type, layer.shape, layer.parameters) == ("MatMul", [4, 2], 8)


def test_a_shared_weight_counts_once(tmp_path: Path) -> None:
    text = """
main (float[2, 4] x) => (float[2, 4] y)
<float[4, 4] w = {1,2,3,4, 1,2,3,4, 1,2,3,4, 1,2,3,4}>
{ a = MatMul (x, w)  y = MatMul (a, w) }"""
    inspected = inspect_text(HEADER + text, tmp_path)
    assert inspected.layers is not None
    assert (inspected.layers[0].count, inspected.layers[0].parameters) == (2, 16)
    assert inspected.layers[0].weight_bytes == 64
    assert inspected.parameters == 16


def test_memory_has_its_parts() -> None:
    inspected = inspect_export("resnet50", deployment("a10", precision="fp16", batch=8))
    assert inspected.anywhere is None
    assert inspected.memory is not None
    needs = inspected.memory["a10"]
    assert needs.verdict == "fits"
    assert needs.precision == "fp16"
    assert needs.weight_bytes["float16"] > 0.95 * needs.weights
    parts = (needs.activations, needs.workspace, needs.inputs_outputs, needs.kv_cache)
    expected = needs.weights + needs.overhead.expected + sum(part.expected for part in parts)
    assert needs.total.expected == expected
    assert needs.total.low <= needs.total.expected <= needs.total.high
    assert needs.largest_batch is not None
    assert needs.largest_batch > 500
    assert needs.smallest_target is not None
    assert needs.peak is not None
    assert 0 < sum(tensor.bytes for tensor in needs.peak.tensors) <= needs.peak.bytes
    assert needs.roofline is not None
    assert needs.roofline.seconds >= 8 * 2 * 4.0e9 / needs.roofline.peak
    assert len(needs.roofline.slowest) == 3


def test_the_table_grows_with_the_batch_and_shrinks_with_the_precision() -> None:
    inspected = inspect_export("unet", deployment("jetson-orin-nano-4gb"))
    assert inspected.memory is not None
    table = inspected.memory["jetson-orin-nano-4gb"].table
    assert table is not None
    assert [row.precision for row in table][:2] == ["fp32", "fp16"]
    assert [row.chosen for row in table][:2] == [True, False]
    rows = [[cell.expected or 1 << 60 for cell in row.cells] for row in table]
    assert all(row == sorted(row) for row in rows)
    assert all(wide >= narrow for wide, narrow in zip(rows[0], rows[1], strict=True))
    verdicts = [cell.verdict for row in table for cell in row.cells]
    assert {"fits", "does not fit"} <= set(verdicts)
    unknown = [cell for row in table for cell in row.cells if cell.expected is None]
    assert all(cell.verdict == "does not fit" for cell in unknown)


def test_without_a_target_nothing_is_judged() -> None:
    inspected = inspect_export("resnet18")
    assert inspected.memory is None
    assert inspected.anywhere is not None
    assert inspected.anywhere.verdict is None
    assert inspected.anywhere.table is None
    assert inspected.anywhere.roofline is None
    assert inspected.estimates == [inspected.anywhere]


def test_several_targets_agree_with_each_alone() -> None:
    both = inspect_export("mobilenet_v2", deployment("a10"), deployment("t4"))
    alone = inspect_export("mobilenet_v2", deployment("t4"))
    assert both.memory is not None
    assert alone.memory is not None
    one, other = both.memory["t4"], alone.memory["t4"]
    assert one.table is None
    assert (one.total, one.largest_batch) == (other.total, other.largest_batch)


def test_a_fixed_batch_has_one_column(tmp_path: Path) -> None:
    inspected = inspect_text(
        HEADER + "m (float[3, 4] x) => (float[3, 4] y) { y = Relu (x) }", tmp_path, deployment("t4")
    )
    assert inspected.memory is not None
    needs = inspected.memory["t4"]
    assert needs.largest_batch is None
    assert needs.table is not None
    assert [cell.batch for cell in needs.table[0].cells] == [3]


def test_quantization_and_profiles_only_when_asked() -> None:
    plain = inspect_export("resnet18")
    assert (plain.quantization, plain.profile, plain.profile_open) == (None, None, None)
    asked = inspect_export("resnet18", quantization=True, profile=True)
    assert asked.quantization is not None
    assert asked.quantization["method"] == "none"
    assert asked.profile == {}
    assert asked.profile_open is not None
    assert list(asked.profile_open.values()) == [["batch"]]
    known = inspect_export("resnet18", deployment(batch=4), profile=True)
    assert known.profile is not None
    assert next(iter(known.profile.values()))["max"] == [4, 3, 224, 224]


@pytest.mark.parametrize(
    ("text", "nodes", "subgraphs", "functions"),
    [(BRANCHES, 3, 2, 0), (FUNCTIONS, 1, 0, 1), (NOTHING, 0, 0, 0), (DANGLING, 1, 0, 0)],
    ids=["branches", "functions", "nothing", "dangling"],
)
def test_odd_graphs_are_shown(
    text: str, nodes: int, subgraphs: int, functions: int, tmp_path: Path
) -> None:
    inspected = inspect_text(text, tmp_path, deployment("a10"), quantization=True, profile=True)
    assert (inspected.nodes, inspected.subgraphs, inspected.functions) == (
        nodes,
        subgraphs,
        functions,
    )
    assert inspected.memory is not None
    assert not [problem for problem in inspected.problems if problem.kind == "internal"]


def test_a_broken_file_is_named_in_the_words_of_its_rule() -> None:
    inspected = inspect(EXAMPLES / "not_pulled.onnx")
    assert not inspected.is_readable
    assert inspected.problems[0].code == "FIL005"
    assert "Git LFS" in inspected.problems[0].message
    assert inspected.identity is None
    assert inspected.memory is None


def test_missing_weights_are_a_problem_along_with_the_facts() -> None:
    inspected = inspect(EXAMPLES / "weights_left_behind.onnx")
    assert inspected.is_readable
    assert inspected.problems[0].code == "FIL013"
    assert inspected.identity is not None
    assert (inspected.identity.external_files, inspected.identity.external_missing) == (1, 1)
    assert inspected.parameters == 5616


def test_every_kind_of_problem_has_words(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    for name in ("empty-file", "truncated"):
        path = tmp_path / "model.onnx"
        if name == "truncated":
            save(NOTHING, path)
            path.write_bytes(path.read_bytes()[:-3])
        inspected = inspect(path)
        assert not inspected.is_readable
        assert inspected.problems[0].code
        assert inspected.problems[0].message.endswith(".")


def test_a_format_without_a_graph_still_tells_its_weights(tmp_path: Path) -> None:
    model = Model(tmp_path / "m.gguf", "gguf")
    model.tensors.append(Tensor("w", DTYPES["float16"], (4, 8), 64))
    with patch("modellint.session.read_model", lambda path: model):
        inspected = inspect(tmp_path / "m.gguf", deployment("a10"), quantization=True, profile=True)
    assert inspected.weight_bytes == {"float16": 64}
    assert inspected.parameters == 32
    assert (inspected.nodes, inspected.inputs, inspected.macs, inspected.ops) == (
        None,
        None,
        None,
        None,
    )
    assert inspected.memory is not None
    assert inspected.memory["a10"].weights == 64
    assert inspected.memory["a10"].table is None


def test_a_look_that_fails_leaves_the_others(tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    path = save(BRANCHES, tmp_path / "model.onnx")
    with patch.object(look, "Blocks", fail):
        inspected = inspect(path)
    assert inspected.anywhere is not None
    assert inspected.blocks is None
    assert [problem.kind for problem in inspected.problems] == ["internal"]
    assert "blocks: ZeroDivisionError" in inspected.problems[0].message


def test_an_unknown_problem_is_still_shown(tmp_path: Path) -> None:
    opened = Session().open(save(NOTHING, tmp_path / "model.onnx"), "model.onnx")
    inspected = look._trouble(Problem("new-kind", {}), opened, {})
    assert (inspected.code, inspected.message) == (None, "new-kind.")


def test_an_engine_tells_who_wrote_it(tmp_path: Path) -> None:
    notes = b'{"task": "detect", "stride": 32}'
    header = b"ftrt" + bytes(20) + bytes([10, 3, 0, 26]) + bytes(100)
    path = tmp_path / "model.engine"
    path.write_bytes(len(notes).to_bytes(4, "little") + notes + header)
    inspected = inspect(path, deployment("a10"), quantization=True, profile=True)
    assert inspected.is_readable
    assert inspected.identity is not None
    assert inspected.identity.producer == "TensorRT 10.3.0"
    assert inspected.identity.metadata == {"task": "detect", "stride": "32"}
    assert (inspected.memory, inspected.parameters, inspected.weight_bytes) == (None, None, None)
    text = render(inspected, Options(color="never", width=100))
    assert "metadata    task: detect · stride: 32" in text
    assert "parameters" not in text
    assert "weights" not in text


@pytest.mark.parametrize("limit", [300, 77])
def test_a_sequence_is_no_longer_than_the_table_of_positions(limit: int, tmp_path: Path) -> None:
    numbers = ", ".join(["0.5"] * limit * 4)
    text = f"""
main (int64[batch, length] tokens, float[batch, mask] m) => (float[batch, length, 4] y)
<float[{limit}, 4] embedding = {{{numbers}}}, float[{limit}, 4] positions = {{{numbers}}},
 int64[1] zero = {{0}}, int64[1] first = {{1}}, int64[1] second = {{2}}>
{{
    x = Gather (embedding, tokens)
    shape = Shape (tokens)
    end = Slice (shape, first, second)
    places = Slice (positions, zero, end, zero)
    sum = Add (x, places)
    y = Tanh (sum)
}}"""
    inspected = inspect_text(HEADER + text, tmp_path, deployment("t4"))
    assert inspected.memory is not None
    needs = inspected.memory["t4"]
    assert (needs.sequence, needs.largest_sequence) == ("length", limit)
    assert inspected.assumed is not None
    assert inspected.assumed["length"] == min(limit, 128)
    assert needs.largest_batch is not None
    assert needs.largest_batch > 1000


def test_the_deployment_is_told_part_by_part() -> None:
    model = EXAMPLES / "qat_residual.onnx"
    (assumed,) = inspect_json("-t", "a10", "--precision", "fp32", model)["assumptions"]
    assert assumed["parts"]["device"] == {"value": "a10", "origin": "given", "option": "--target"}
    assert assumed["parts"]["precision"]["origin"] == "given"
    assert assumed["parts"]["version"]["origin"] == "assumed"
    assert assumed["deployment"].startswith("a10 (tensorrt ")


WHOLE = """
<ir_version: 10, opset_import: ["" : 21]>
quantized (float[1, 8] x) => (float[1, 8] y)
<float s = {0.1}, int8 z = {0}, int8[8, 8] w = {WEIGHTS}>
{
    q = QuantizeLinear (x, s, z)
    a = DequantizeLinear (q, s, z)
    d = DequantizeLinear (w, s, z)
    p = MatMul (a, d)
    o = QuantizeLinear (p, s, z)
    y = DequantizeLinear (o, s, z)
}
""".replace("WEIGHTS", ", ".join(str(n % 100) for n in range(64)))
"""A product in int8."""
WEIGHTS_ONLY = WHOLE.replace("MatMul (a, d)", "MatMul (x, d)")


@pytest.mark.parametrize(
    ("text", "computed", "said"),
    [
        (WHOLE, ["int8"], "int8"),
        (WEIGHTS_ONLY, ["fp32"], "fp32 with int8 weights"),
    ],
    ids=["products", "weights only"],
)
def test_what_a_quantized_model_is_computed_in(
    text: str, computed: list[str], said: str, tmp_path: Path
) -> None:
    (needs,) = inspect_text(text, tmp_path, deployment("a10")).estimates
    assert (needs.precision, needs.computed, needs.narrow_weights) == ("fp32", computed, "int8")
    assert precision_in_words(needs) == said


def test_images_to_classes_are_compared_with_architectures_of_the_same_task() -> None:
    found = inspect_export("alexnet").efficiency
    assert found is not None
    assert found.references > 100
    small = inspect_export("mobilenet_v2", deployment(batch=8)).efficiency
    alone = inspect_export("mobilenet_v2", deployment(batch=1)).efficiency
    assert small == alone, "of one image, whatever the batch"
    assert alone is not None
    assert 0 < found.percentile < alone.percentile < 1, "most weights of the former are in products"
    assert "% of" in render(inspect_export("resnet50"), Options())
    for other in ("unet", "segformer_b0", "gpt2", "llama", "whisper_tiny_encoder", "wav2vec2_base"):
        told = inspect_export(other)
        assert told.efficiency is None, other
        is_map = other in ("unet", "segformer_b0")
        assert (
            "not ranked: the output map may hold classes" in render(told, Options(width=200))
        ) == is_map


@pytest.mark.parametrize(
    ("name", "task"),
    [("yolos_tiny", "object detection"), ("bert_base_uncased", "text feature extraction")],
)
def test_other_tasks_are_compared_with_architectures_of_theirs(name: str, task: str) -> None:
    found = inspect_export(name).efficiency
    assert found is not None
    assert found.task == task
    assert 0 <= found.percentile <= 1
    assert found.references >= FEWEST_REFERENCES


def test_the_length_of_a_text_does_not_decide_its_efficiency() -> None:
    short, long = (
        inspect_export("bert_base_uncased", Deployment(symbols={"sequence": tokens})).efficiency
        for tokens in (16, 512)
    )
    assert short is not None
    assert long is not None
    assert (short.tokens, long.tokens) == (16, 512)
    assert short.macs_per_parameter < long.macs_per_parameter, "attention grows"
    assert short.percentile == long.percentile
    assert 0 < short.percentile < 1


IDS = Port("input_ids", "int64", ["batch", "tokens"], "tensor")
IMAGE = Port("image", "float32", [1, 3, 64, 64], "tensor")


def result(name: str, *shape: int | str) -> Port:
    return Port(name, "float32", list(shape), "tensor")


@pytest.mark.parametrize(
    ("given", "results", "task"),
    [
        ([IDS], [result("logits", "batch", "tokens", 6000)], "language modeling"),
        ([IDS], [result("scores", "batch", "tokens", 6000)], None),
        ([IDS], [result("logits", "batch", "tokens", 9)], None),
        ([IDS], [result("logits", "batch", 1, 6000)], None),
        (
            [IDS, replace(IDS, name="past_key_values.0.key")],
            [result("logits", "batch", "tokens", 6000)],
            None,
        ),
        ([IMAGE], [result("boxes", 1, 9, 4), result("scores", 1, 9, 2)], "object detection"),
        ([IMAGE], [result("scores", 1, 9, 4), result("pred_boxes", 1, 9, 4)], "object detection"),
        ([IMAGE], [result("points", 1, 9, 4), result("scores", 1, 9, 2)], None),
        ([IMAGE], [result("boxes", 1, 9, 4), result("scores", 1, 8, 2)], None),
        ([IMAGE], [result("boxes", 1, 9, 4)], None),
        (
            [replace(IMAGE, shape=[1, 3, "height", 64])],
            [result("boxes", 1, 9, 4), result("scores", 1, 9, 2)],
            None,
        ),
        ([IMAGE], [result("features", 1, 802_816)], None),
        ([replace(IMAGE, shape=[])], [result("boxes", 1, 9, 4), result("s", 1, 9, 2)], None),
        ([replace(IDS, shape=None)], [result("logits", "batch", "tokens", 6000)], None),
    ],
)
def test_a_task_is_said_only_where_the_interface_leaves_no_doubt(
    given: list[Port], results: list[Port], task: str | None
) -> None:
    told = inspect_export("alexnet")
    sizes = {"batch": 2, "tokens": 8, "height": 64}
    told = replace(told, inputs=given, outputs=results, sizes=sizes, assumed=sizes)
    use = use_of(told)
    assert (use.task if use is not None else None) == task


def test_each_task_has_architectures_enough_to_compare_with() -> None:
    for task in TASKS:
        tokens = 128 if task in OF_TEXT else None
        assert len(references(task, tokens)) >= FEWEST_REFERENCES, task


def test_few_architectures_are_not_compared_with() -> None:
    told = inspect_export("alexnet")
    with patch("modellint.inspector.efficiency.references", return_value=[1.0] * 7):
        assert efficiency(told) is None
    with patch("modellint.inspector.efficiency.references", return_value=[1.0] * 8):
        assert efficiency(told) is not None
