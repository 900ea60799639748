"""Runs compared: a slowed layer is found, whatever it is called; noise is not a regression."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from modellint.benching.comparing import compare_runs
from modellint.benching.fingerprints import fingerprint
from modellint.profiles import write_json
from modellint.results.measured import (
    MeasuredRun,
    RunConditions,
    RunLayer,
    RunModel,
    RunRuntime,
    RunTimes,
)
from tests.support import run_cli


def layer(name: str, seconds: float, width: int, op: str = "Conv") -> RunLayer:
    return RunLayer(
        name,
        op,
        seconds,
        fastest=0.9 * seconds,
        precision="fp32",
        operators=(op,),
        outputs=((1, width, 28, 28),),
        flops=width * 1_000_000,
        nbytes=width * 10_000,
    )


def network(
    prefix: str = "", *, slowed: int | None = None, noise: int | None = None
) -> MeasuredRun:
    source = random.Random(noise)
    layers = []
    for at in range(30):
        op = ("Conv", "Relu", "MaxPool")[at % 3]
        seconds = 1e-3 * (1 + at % 4) * (1 if noise is None else source.uniform(0.98, 1.02))
        layers.append(layer(f"{prefix}{op}_{at}", seconds, 16 * (1 + at // 6), op))
    if slowed is not None:
        slow = layers[slowed]
        layers[slowed] = replace(
            slow, seconds=4 * slow.seconds, fastest=3.6 * slow.seconds, kernel="a slow kernel"
        )
        layers = [each if each is layers[slowed] else replace(each, kernel="") for each in layers]
    return of(layers)


def of(layers: Sequence[RunLayer], runtime: str = "onnxruntime") -> MeasuredRun:
    total = sum(each.seconds for each in layers)
    return MeasuredRun(
        RunModel("net.onnx"),
        RunRuntime(runtime),
        "bench",
        conditions=RunConditions(1),
        times=RunTimes(10, total, low=0.97 * total, high=1.03 * total),
        layers=tuple(layers),
    )


def test_a_slowed_layer_is_found_under_another_name() -> None:
    found = compare_runs(network(), network("renamed/", slowed=12, noise=1))
    worst = found.pairs[0]
    assert (worst.old, worst.new) == ("Conv_12", "renamed/Conv_12")
    assert worst.new_seconds == pytest.approx(4 * worst.old_seconds, rel=0.05)
    assert any("GFLOP/s" in reason for reason in worst.reasons)
    assert found.same_structure
    assert not found.lost
    assert not found.added
    assert all(pair.old == pair.new.removeprefix("renamed/") for pair in found.pairs)


def test_fingerprints_do_not_depend_on_names() -> None:
    one, other = fingerprint(network()), fingerprint(network("model/renamed/"))
    assert one == other
    assert one.digest == other.digest
    assert sum(each.share for each in one.layers) == pytest.approx(1)
    assert max(each.compute or 0 for each in one.layers) == 1
    wider = of([replace(each, outputs=((1, 7, 7, 7),)) for each in network().layers])
    assert fingerprint(wider).digest != one.digest


def test_noise_is_not_a_regression() -> None:
    found = compare_runs(network(noise=2), network(noise=3))
    assert not found.certain
    assert abs(found.regression() or 1.0) < 0.02
    assert found.similarity == pytest.approx(1, abs=0.03)


def test_new_and_lost_layers() -> None:
    layers = list(network().layers)
    extra = layer("cast", 5e-3, 3, "Cast")
    found = compare_runs(network(), of([*layers[:7], extra, *layers[7:20], *layers[21:]]))
    assert [each.name for each in found.added] == ["cast"]
    assert [each.name for each in found.lost] == [layers[20].name]


def test_a_run_without_layers_has_lost_none() -> None:
    found = compare_runs(network(), replace(network(), layers=()))
    assert not found.pairs
    assert not found.lost
    assert found.notes == ("the second run has no layers to compare",)
    bare = replace(network(), layers=())
    assert compare_runs(bare, bare).notes == ("the runs have no layers to compare",)


def test_between_runtimes() -> None:
    """Kinds of operators have common names."""
    kinds = {"Conv": "Convolution", "Relu": "Activation", "MaxPool": "Pooling"}
    other = [
        replace(each, op=kinds[each.op or ""], operators=(), name=f"trt{at}", fastest=None)
        for at, each in enumerate(network().layers)
    ]
    found = compare_runs(network(), of(other, runtime="tensorrt"))
    assert len(found.pairs) == 30
    assert "different runtimes: onnxruntime and tensorrt" in found.notes


def test_exit_codes(tmp_path: Path) -> None:
    files = {}
    for name, run in (("old", network()), ("slow", network(slowed=3)), ("two", network(noise=4))):
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text(write_json([run]))
    slow = run_cli("compare", files["old"], files["slow"], "--max-regression", "5%")
    assert slow.exit_code == 1, slow
    assert "Conv_3" in slow.stdout
    assert run_cli("compare", files["old"], files["two"], "--max-regression", "5%").exit_code == 0
    assert run_cli("compare", files["old"], files["slow"]).exit_code == 0
    found = json.loads(run_cli("compare", files["old"], files["slow"], "--json").stdout)
    assert found["pairs"][0]["old"] == "Conv_3"
    assert run_cli("compare", files["old"], files["slow"], "--max-regression", "x").exit_code == 2
    both = tmp_path / "both.jsonl"
    both.write_text(write_json([network(), network()]))
    assert run_cli("compare", files["old"], both).exit_code == 2
    printed = json.loads(run_cli("fingerprint", files["old"]).stdout)
    assert len(printed["layers"]) == 30


def test_pages(tmp_path: Path) -> None:
    """Names in a run are text on its pages, and each page says what the terminal says."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(write_json([network()]))
    new.write_text(write_json([network("<script>alert(1)</script>", slowed=12)]))
    compared, printed = tmp_path / "compared.html", tmp_path / "fingerprint.html"
    assert run_cli("compare", old, new, "-o", f"html:{compared}").exit_code == 0
    page = compared.read_text(encoding="utf-8")
    assert "Slower by " in page
    assert "GFLOP/s" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;Conv_12" in page
    assert run_cli("fingerprint", new, "-o", f"html:{printed}").exit_code == 0
    page = printed.read_text(encoding="utf-8")
    assert fingerprint(network()).digest in page
    assert "<script>alert" not in page


def test_the_page_of_the_same_run_twice_has_no_changes(tmp_path: Path) -> None:
    run = tmp_path / "run.json"
    run.write_text(write_json([network()]))
    assert run_cli("compare", run, run, "-o", f"html:{tmp_path / 'same.html'}").exit_code == 0
    page = (tmp_path / "same.html").read_text(encoding="utf-8")
    assert "As fast as before" in page
    assert "Where the time changed" not in page
