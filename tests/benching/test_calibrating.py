"""Target files from runs, and estimates compared with measurements."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modellint.analysis.latency import latency
from modellint.analysis.latency.processor import Coefficients
from modellint.benching.calibrating import (
    FITTED,
    SOURCE,
    CalibratedTarget,
    launch_seconds,
    observe,
    profiler_seconds,
    target_file,
    usual_ratio,
)
from modellint.benching.suites import MICRO, WORKLOADS, Builder
from modellint.benching.validating import measured_seconds
from modellint.formats import read_model
from modellint.profiles import write_json
from modellint.results.measured import (
    MeasuredRun,
    RunConditions,
    RunEnvironment,
    RunLayer,
    RunModel,
    RunRuntime,
    RunTimes,
)
from modellint.targets.deployment import Deployment
from modellint.targets.loader import target_in
from modellint.targets.target import Calibration, DeviceMemory, Provenance, Target
from tests.support import run_cli, save

ORIGIN = Provenance(SOURCE, "calibrated")
TARGET = Target(
    id="board",
    name='My "board"',
    vendor="cpu",
    memory=DeviceMemory(4 << 30, 4 << 30, unified=True, bandwidth=10e9),
    default_runtime="onnxruntime",
    vector_precisions=("fp32",),
    rates={"fp32": 100e9},
    units=1,
    l2_bytes=1 << 20,
    calibrations={
        "onnxruntime": Calibration(
            {name: getattr(Coefficients(), name) or 1e-6 for name in FITTED}, 1.2, 30, ORIGIN
        )
    },
)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    text = target_file(CalibratedTarget(TARGET, 30, 0.1, 1.0), "onnxruntime", ["A CPU\n[x]"])
    path = tmp_path / "board.toml"
    path.write_text(text)
    return path


def network(folder: Path) -> Path:
    b = Builder("net")
    x = b.conv(b.given((1, 8, 32, 32), name="x"), (8, 16), 3, activation="Relu")
    b.result(b.linear(b.pooled(x), 16, 4))
    return save(b.model(), folder / "net.onnx")


def run_of(path: Path, seconds: float) -> MeasuredRun:
    return MeasuredRun(
        RunModel(path.name),
        RunRuntime("onnxruntime"),
        "bench",
        conditions=RunConditions(1, {"x": (1, 8, 32, 32)}, "fp32", 1),
        times=RunTimes(10, seconds),
    )


def test_a_target_file_is_read_as_it_was_fitted(board: Path) -> None:
    target = target_in(board)
    assert target.name == TARGET.name
    assert target.memory.bandwidth == pytest.approx(10e9)
    assert target.peak("fp32") == pytest.approx(100e9)
    assert target.calibrations["onnxruntime"].coefficients == pytest.approx(
        TARGET.calibrations["onnxruntime"].coefficients, rel=1e-3
    )
    assert target.confidence("peak") == "calibrated"


def test_estimates_are_held_against_runs(tmp_path: Path, board: Path) -> None:
    path = network(tmp_path)
    deployment = Deployment(target=target_in(board), runtime="onnxruntime", precision="fp32")
    estimate = latency(read_model(path), deployment)
    assert estimate is not None
    file = tmp_path / "runs.jsonl"
    file.write_text(
        write_json([run_of(path, estimate.expected), run_of(path, 1.25 * estimate.expected)])
    )
    options = ("validate", file, "-t", board, "--models", path)
    found = json.loads(run_cli(*options, "--json").stdout)
    assert [row["error"] for row in found["rows"]] == pytest.approx([0, -0.2])
    assert found["mape"] == pytest.approx(0.1)
    assert run_cli(*options, "--max-mape", "15").exit_code == 0
    wrong = run_cli(*options, "--max-mape", "5%")
    assert wrong.exit_code == 1
    assert "-20.0%" in wrong.stdout
    assert run_cli("validate", file, "-t", board, "--max-mape", "5").exit_code == 2


@pytest.mark.parametrize("disturbed", [1.0, 3.0])
def test_errors_are_told_by_operator_where_layers_were_measured(
    tmp_path: Path, board: Path, disturbed: float
) -> None:
    """Layers that others slowed down alike count with their share of the inference."""
    path = network(tmp_path)
    model = read_model(path)
    whole = latency(model, Deployment(target=target_in(board), precision="fp32"))
    assert whole is not None
    factors = {"Conv": 2.0, "MatMul": 0.5}
    layers = tuple(
        RunLayer(node.label, node.op_type, each.seconds * factors.get(node.op_type, 1.0))
        for each in whole.layers
        for node in (each.launch.main,)
    )
    inference = sum(layer.seconds for layer in layers)
    layers = tuple(replace(layer, seconds=disturbed * layer.seconds) for layer in layers)
    run = replace(run_of(path, inference), layers=layers)
    file = tmp_path / "runs.jsonl"
    file.write_text(write_json([run]))
    options = ("validate", file, "-t", board, "--models", path)
    found = json.loads(run_cli(*options, "--json").stdout)["by_operator"]
    assert next(iter(found)) == "Conv"
    assert [found[op]["bias"] for op in factors] == pytest.approx([-0.5, 1.0])
    assert [found[op]["mape"] for op in factors] == pytest.approx([0.5, 1.0])
    assert "+100%" in run_cli(*options).stdout


def test_what_was_disturbed_is_not_believed() -> None:
    quiet = run_of(Path("a.onnx"), 2.0)
    assert measured_seconds(quiet) == 2.0
    times = RunTimes(10, 8.0, minimum=3.0, processor=2.5)
    busy = replace(quiet, times=times, environment=RunEnvironment(waiting=0.7))
    assert measured_seconds(busy) == 2.5
    layers = (RunLayer("a", "Conv", 4.0, fastest=1e-3), RunLayer("b", "Conv", 4.0, fastest=1e-3))
    calm = replace(quiet, times=RunTimes(10, 3e-3), layers=layers)
    assert usual_ratio([calm]) == pytest.approx(1.5)


def test_what_the_profiler_adds_is_told_by_the_shortest_layers() -> None:
    brief = tuple(RunLayer(f"r{at}", "Relu", 3e-6, fastest=3e-6) for at in range(100))
    chain = replace(run_of(Path("chain.onnx"), 1e-4), layers=brief)
    long = replace(run_of(Path("long.onnx"), 1.0), layers=(RunLayer("c", "Conv", 1.0),))
    assert profiler_seconds([long, chain]) == pytest.approx(2e-6)
    assert launch_seconds([long, chain]) == pytest.approx(1e-6)
    assert profiler_seconds([long]) == 0
    assert usual_ratio([chain], profiler_seconds([chain])) == pytest.approx(1)


def test_layers_are_observed_with_their_kernels(tmp_path: Path) -> None:
    path = network(tmp_path)
    model = read_model(path)
    names = [node.label for node in model.graph.nodes]
    run = replace(
        run_of(path, 1.0),
        layers=(
            RunLayer("first", "Conv", 2e-3, fastest=1e-3, nodes=tuple(names[:2])),
            RunLayer("product", "Gemm", 2e-5, fastest=1e-5, nodes=tuple(names[-2:])),
        ),
    )
    found = observe(run, model, "onnxruntime")
    assert [each.seconds for each in found] == [1e-3, 1e-5]
    assert [each.launches[0].kind for each in found] == ["convolution", "product"]


def test_few_layers_are_not_fitted(tmp_path: Path) -> None:
    path = network(tmp_path)
    file = tmp_path / "run.json"
    run = replace(run_of(path, 1.0), layers=(RunLayer("conv_1", "Conv", 1e-3),))
    file.write_text(write_json([run]))
    options = ("calibrate", file, "--target", "board", "--models", path)
    done = run_cli(*options, "-o", tmp_path / "out.toml")
    assert done.exit_code == 2
    assert "only 1 layers" in done.stderr or "lack" in done.stderr
    assert not (tmp_path / "out.toml").exists()
    assert run_cli("calibrate", file, "--target", "My Board").exit_code == 2


def test_what_cannot_be_fitted_by_itself_is_refused(tmp_path: Path, board: Path) -> None:
    path, file = network(tmp_path), tmp_path / "run.json"
    file.write_text(write_json([replace(run_of(path, 1.0), layers=(RunLayer("x", "Conv", 1e-3),))]))

    def refusal(*options: str | Path) -> str:
        out = ("--models", path, "-o", tmp_path / "out.toml")
        done = run_cli("calibrate", file, "--target", "next", *out, *options)
        assert done.exit_code == 2
        return done.stderr

    assert "--only needs --from" in refusal("--only", "memory")
    assert "did you mean 'memory'?" in refusal("--from", board, "--only", "memroy")
    named = refusal("--from", "a10", "--only", "memory")
    assert "NVIDIA A10 is not a CPU with coefficients for onnxruntime" in named


@pytest.mark.parametrize("name", ["rows", "pools"])
def test_suites_are_the_same_each_time(name: str) -> None:
    assert MICRO[name]().SerializeToString() == MICRO[name]().SerializeToString()
    assert "decoder" in WORKLOADS
