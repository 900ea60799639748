"""Layers of a run, found again in a model."""

from __future__ import annotations

from modellint.profiles.profiled import ProfiledModel
from modellint.results.measured import MeasuredRun, RunLayer, RunModel, RunRuntime
from tests.analysis.kept import graph


def test_what_only_renames_has_no_part_in_a_layer_that_computes() -> None:
    model = graph(
        "b = Identity(c) y = Conv(x, w, b)",
        "float[1,8,16,16] x, float[8,8,1,1] w, float[8] c",
        "float[1,8,16,16] y",
    )
    layers = (RunLayer("conv", "Conv", 1e-3, nodes=tuple(n.label for n in model.graph.nodes)),)
    run = MeasuredRun(RunModel("m.onnx"), RunRuntime("onnxruntime"), "bench", layers=layers)
    profiled = ProfiledModel(run, model)
    renames, computes = model.graph.nodes
    assert profiled.layer_of(renames) is not None
    assert profiled.seconds_of([renames]) is None
    assert profiled.seconds_of([renames, computes]) == 1e-3


def trace(*layers: tuple[str, tuple[int, ...], float]) -> MeasuredRun:
    """A run of PyTorch's profiler: operators, dims of a weight, and calls in an inference."""
    found = tuple(
        RunLayer(f"aten::{op}", op, 1e-3, calls=calls, inputs=((1, 8, 16, 16), dims))
        for op, dims, calls in layers
    )
    return MeasuredRun(RunModel("m"), RunRuntime("pytorch"), "pytorch-trace", layers=found)


def test_layers_without_names_are_found_by_as_many_weights_of_their_shape() -> None:
    model = graph(
        "a = Conv(x, v) b = Relu(a) c = Conv(b, w) d = Conv(c, w)",
        "float[1,8,16,16] x, float[8,8,3,3] v, float[8,8,1,1] w",
        "float[1,8,14,14] d",
    )
    once, twice = ("convolution", (8, 8, 3, 3), 1), ("convolution", (8, 8, 1, 1), 2)
    relu = ("relu", (), 1)
    layers = ProfiledModel(trace(once, relu, twice), model).layers
    assert [[node.op_type for node in each.nodes] for each in layers] == [
        ["Conv"],
        [],
        ["Conv", "Conv"],
    ]
    for more in (("addmm", (8, 10), 1), *[once] * 3), (("convolution", (4, 8, 1, 1), 1e18),):
        other = ProfiledModel(trace(once, relu, twice, *more), model)
        assert not any(each.nodes for each in other.layers)
