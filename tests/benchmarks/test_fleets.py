"""A fleet next to one process that lints the same models: throughput per core."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.models import embedded_weights, long_chain
from tests.benchmarks.race import NOISE, Contender, lint_for_device, modellint, race

pytest.importorskip("pytest_benchmark", reason="install the dev group: pytest-benchmark")

SMALL, LARGE = 200, 40


class Fleet(Contender):
    """A fleet, whose results are new ones in each run."""

    def run(self, environment: Mapping[str, str]) -> None:
        shutil.rmtree(self.results, ignore_errors=True)
        super().run(environment)

    @property
    def results(self) -> Path:
        return Path(self.command[-1])


def fleet(models: Path, results: Path, processes: int, *options: str) -> Fleet:
    ours = modellint("fleet", models, "--select", "ALL", "--isolated", "--target", "a10", "--quiet")
    command = [*ours.command, *options, "--jobs", str(processes), "--results", results]
    return Fleet(f"modellint fleet --jobs {processes}", command)


def one_process(models: Path, *options: str) -> Contender:
    ours = lint_for_device(models)
    output = f"jsonl:{models.with_name('findings.jsonl')}"
    command = [*ours.command, *options, "--jobs", "1", "--output", output]
    return Contender("modellint check", command)


def test_small_models(benchmark: Any, tmp_path: Path) -> None:
    """Overhead of a fleet for each file, far below what linting thirty nodes takes.

    Starting another two processes is in the figures, and nearly all of the difference.
    """
    (tmp_path / "models").mkdir()
    for at in range(SMALL):
        long_chain(tmp_path / "models" / f"{at}.onnx", 4 + at % 60)
    ours = fleet(tmp_path / "models", tmp_path / "results", 2)
    one = one_process(tmp_path / "models")
    race(benchmark, ours, one, rounds=1)
    assert ours.processor < NOISE * 1.6 * one.processor


def test_large_sparse_models(benchmark: Any, tmp_path: Path) -> None:
    """Models of a gigabyte each, whose weights nothing reads: no part of them travels."""
    (tmp_path / "models").mkdir()
    for at in range(LARGE):
        path = tmp_path / "models" / f"{at}.onnx"
        embedded_weights(path, tensors=8 + at % 15, side=4096 + at // 15, filled=False)
    ours = fleet(tmp_path / "models", tmp_path / "results", 2, "--no-weights")
    one = one_process(tmp_path / "models", "--no-weights")
    race(benchmark, ours, one, rounds=1)
    assert ours.processor < NOISE * 2.5 * one.processor
