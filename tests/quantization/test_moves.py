"""Moves against the builders: each is applied to the model, and makes integer what it promises."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest

from modellint.analysis.quantization import Move, Moves, QuantizationMap
from modellint.formats import read_model
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.quantization import defects
from tests.quantization.apply_move import applied
from tests.quantization.builders import RTX, integer_in_onnxruntime, integer_in_tensorrt
from tests.quantization.clean import Graph, clean, clean_for_onnxruntime
from tests.runtimes import TENSORRT_RTX

pytest.importorskip("onnxruntime")

IS_X86 = platform.machine() in ("x86_64", "AMD64")
HOST = Deployment(runtime="onnxruntime")
needs_rtx = pytest.mark.skipif(
    TENSORRT_RTX.module is None, reason=f"needs TensorRT for RTX: {TENSORRT_RTX.install}"
)


@dataclass(frozen=True)
class Case:
    """A pair that is missing or misplaced, and the move that corrects it."""

    plant: Callable[[Graph], object]
    what: str
    gain: str
    layers: tuple[str, ...] = ()
    """The layers that become integer."""


def _skip_of_its_own(graph: Graph) -> None:
    """The other branch of the addition is float."""
    source = "pooled_dq" if graph.unsigned else "pool"
    graph.add("Elu", [source], "copy")
    graph.insert(1, source)
    graph.feed("add", 1, "copy")


def _skip_lacks_what_the_layer_has(graph: Graph) -> None:
    """The pair is on the layer's own branch, and the other is float."""
    _skip_of_its_own(graph)
    graph.pair("second", "second_out", 0.05)
    graph.insert(2, "second")
    graph.feed("add", 0, "second_out_dq")


def _float_branch_reads_the_pair(graph: Graph) -> None:
    graph.add("Softmax", ["in_dq"], "weights", axis=1)
    graph.outputs.append("weights")


def _pair_after_activation_at_output(graph: Graph) -> None:
    value = graph.add("Elu", [graph.add("Elu", graph.outputs, "elu")], "last")
    graph.outputs = [graph.pair(value, "end", 0.1)]


SURPLUS = [
    Case(
        defects._pair_at_output,
        "Remove the pair between Gemm 'logits' and output 'end_dq'",
        "1 conversion fewer",
    ),
    Case(
        _pair_after_activation_at_output,
        "Remove the pair between Elu 'last' and output 'end_dq'",
        "2 conversions fewer",
    ),
    Case(
        defects._pair_for_nobody,
        "Remove the pair between Gemm 'logits' and Softmax 'probabilities'",
        "1 conversion fewer",
    ),
    Case(
        defects._quantized_twice,
        "Remove the pair between DequantizeLinear 'middle_dq' and Conv 'second'",
        "numbers are rounded once less",
    ),
    Case(
        _float_branch_reads_the_pair,
        "Let Softmax 'weights' read 'x' from before the pair",
        "1 conversion fewer",
    ),
]
SECOND = "147 k MACs (35.5%) become int8"
FOR_TENSORRT = [
    Case(
        defects._float_weight,
        "Quantize the weight of Conv 'second'",
        f"{SECOND}, 1 conversion fewer",
        ("second",),
    ),
    Case(defects._float_activation, "Insert a pair after Relu 'first_relu'", SECOND, ("second",)),
    Case(
        defects._float_layer,
        "Insert a pair after Relu 'first_relu', quantize the weight of Conv 'second'",
        SECOND,
        ("second",),
    ),
    Case(
        defects._pair_moved_before_relu,
        "Move the pair from before Relu 'first_relu' to after it",
        f"{SECOND}, 1 conversion fewer",
        ("second",),
    ),
    Case(
        defects._pair_before_activation,
        "Remove the pair between Conv 'first' and Relu 'first_relu'",
        "2 conversions fewer",
    ),
    Case(
        defects._pair_before_addition,
        "Remove the pair between Conv 'second' and Add 'add'",
        "2 conversions fewer",
    ),
    Case(
        defects._float_skip,
        "Let Add 'add' read the pair after MaxPool 'pool'",
        "both branches become int8",
    ),
    Case(
        _skip_lacks_what_the_layer_has,
        "Move the pair from before Add 'add' to the skip branch of Conv 'second'",
        "2 conversions fewer",
    ),
]
FOR_ONNXRUNTIME = [
    Case(
        defects._float_activation,
        "Insert a pair after Relu 'first_relu', as uint8 from zero",
        "295 k MACs (71.1%) become int8, 2 conversions fewer",
        ("first", "second"),
    ),
    Case(
        defects._pair_moved_before_relu,
        "Move the pair from before Relu 'first_relu' to after it, as uint8 from zero",
        f"{SECOND}, 1 conversion fewer",
        ("second",),
    ),
    Case(
        _skip_of_its_own,
        "Insert a pair after Elu 'copy'",
        "1 conversion fewer",
        ("add",),
    ),
    Case(defects._no_pair_behind, "Insert a pair after Conv 'second'", SECOND, ("second",)),
    Case(
        defects._middle_behind_relu,
        "Replace the pair after Relu 'first_relu' by uint8 from zero",
        f"{SECOND}, 2 conversions fewer",
        ("first",),
    ),
    Case(
        defects._flatten,
        "Insert a pair after Flatten 'reshape' like that of 'features_dq'",
        "256 MACs (0.1%) become int8, 1 conversion fewer",
        ("logits",),
    ),
    Case(
        defects._signed_pool,
        "Replace the pair after MaxPool 'pool' by uint8 from zero",
        f"{SECOND}, 2 conversions fewer",
        ("first",),
    ),
]


@pytest.mark.parametrize("case", SURPLUS, ids=lambda case: case.plant.__name__)
def test_surplus_pair_is_named(case: Case, tmp_path: Path) -> None:
    graph = clean()
    case.plant(graph)
    moves = moves_of(graph.model(), tmp_path, RTX)
    assert [(move.what, moves.gain(move)) for move in moves.all] == [(case.what, case.gain)]


@pytest.mark.skipif(not IS_X86, reason="integer kernels differ by processor")
@pytest.mark.parametrize("case", SURPLUS, ids=lambda case: case.plant.__name__)
def test_optimizer_confirms_that_a_pair_is_surplus(case: Case, tmp_path: Path) -> None:
    graph = clean_for_onnxruntime()
    case.plant(graph)
    model = graph.model()
    (move,) = moves_of(model, tmp_path, HOST).all
    before, left = integer_in_onnxruntime(model, tmp_path)
    after, left_after = integer_in_onnxruntime(applied(model, move, unsigned=True), tmp_path)
    assert before <= after
    assert left - left_after >= move.conversions


def moves_of(model: onnx.ModelProto, folder: Path, deployment: Deployment) -> Moves:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return Moves(QuantizationMap(read_model(path), deployment))


def names(move: Move) -> set[str]:
    return {op.node.label for op in move.ops}


@pytest.mark.parametrize("case", FOR_TENSORRT, ids=lambda case: case.plant.__name__)
def test_move_for_tensorrt_is_named(case: Case, tmp_path: Path) -> None:
    graph = clean()
    case.plant(graph)
    moves = moves_of(graph.model(), tmp_path, RTX)
    assert [(move.what, moves.gain(move)) for move in moves.all] == [(case.what, case.gain)]
    assert names(moves.all[0]) == set(case.layers)


@needs_rtx
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("case", FOR_TENSORRT, ids=lambda case: case.plant.__name__)
def test_builder_confirms_it(case: Case, tmp_path: Path) -> None:
    graph = clean()
    case.plant(graph)
    model = graph.model()
    (move,) = moves_of(model, tmp_path, RTX).all
    before, rounded = integer_in_tensorrt(model, tmp_path)
    after, rounded_after = integer_in_tensorrt(applied(model, move, unsigned=False), tmp_path)
    assert after - before == set(case.layers)
    assert before <= after
    if move.what.startswith("Remove"):
        assert rounded - rounded_after == 1


@pytest.mark.parametrize("case", FOR_ONNXRUNTIME, ids=lambda case: case.plant.__name__)
def test_move_for_onnxruntime_is_named(case: Case, tmp_path: Path) -> None:
    graph = clean_for_onnxruntime()
    case.plant(graph)
    moves = moves_of(graph.model(), tmp_path, HOST)
    assert [(move.what, moves.gain(move)) for move in moves.all] == [(case.what, case.gain)]
    (move,) = moves.all
    assert (names(move) or {move.node.label}) == set(case.layers)


@pytest.mark.skipif(not IS_X86, reason="integer kernels differ by processor")
@pytest.mark.parametrize("case", FOR_ONNXRUNTIME, ids=lambda case: case.plant.__name__)
def test_optimizer_confirms_it(case: Case, tmp_path: Path) -> None:
    graph = clean_for_onnxruntime()
    case.plant(graph)
    model = graph.model()
    moves = moves_of(model, tmp_path, HOST)
    (move,) = moves.all
    layers = {*case.layers, *(op.node.label for op in moves.map.ops)}
    before, left = integer_in_onnxruntime(model, tmp_path)
    after, left_after = integer_in_onnxruntime(applied(model, move, unsigned=True), tmp_path)
    assert (after - before) & layers == set(case.layers), "additions may become integer too"
    assert before <= after
    assert left - left_after >= move.conversions


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("t4", "TensorRT for RTX computes convolutions of int8 in float on Turing"),
        ("b300", "int8 is slower there than 16 bits"),
    ],
)
def test_no_move_gains_where_int8_does_not(target: str, why: str, tmp_path: Path) -> None:
    graph = clean()
    defects._float_activation(graph)
    deployment = Deployment(find_target(target), runtime="tensorrt-rtx")
    assert not moves_of(graph.model(), tmp_path, deployment).of_layers, why


@pytest.mark.parametrize("build", [clean, clean_for_onnxruntime])
def test_clean_network_needs_none(build: Callable[[], Graph], tmp_path: Path) -> None:
    deployment = RTX if build is clean else HOST
    assert not moves_of(build().model(), tmp_path, deployment).all
    assert not moves_of(build().model(), tmp_path, Deployment()).all, "no runtime, no move"
