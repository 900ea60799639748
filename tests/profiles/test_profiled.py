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
