"""Weights are read within a budget; what lies beyond is sampled, and said to be."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec

import pytest

from modellint.analysis.duplicates import EqualTensors, equal_tensors
from modellint.base.watching import Watcher, watch
from modellint.formats import read_model
from modellint.model import Model
from modellint.model.reading import Reading
from tests.support import run_cli

MIB = 1 << 20
SIZE = 16 * MIB


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    """A model with three tensors in a file of holes, the last with one number that is not alike."""
    names = "abc"
    weights = ", ".join(
        f'float[2048,2048] {name} = ["location": "w", "offset": "{at * SIZE}", "length": "{SIZE}"]'
        for at, name in enumerate(names)
    )
    body = "s = MatMul(x, a) t = MatMul(s, b) y = MatMul(t, c)"
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    path = tmp_path / "twins.onnxtxt"
    path.write_text(f"{header} g (float[1,2048] x) => (float[1,2048] y) <{weights}> {{ {body} }}")
    with (tmp_path / "w").open("wb") as file:
        file.truncate(3 * SIZE)
        for at in range(3):  # they are not constants
            file.seek(at * SIZE)
            file.write(b"\1")
        file.seek(3 * SIZE - 4 * 1000)
        file.write(b"\1")
    return path


def within(path: Path, limit: int) -> tuple[Model, list[EqualTensors]]:
    model = read_model(path)
    model.reading = Reading(path.name, limit)
    return model, list(equal_tensors(model, 1024))


def names(equal: EqualTensors) -> list[str]:
    return [tensor.name for tensor in equal.tensors]


def test_within_the_budget_every_element_is_compared(twins: Path) -> None:
    _, (equal,) = within(twins, 3 * SIZE)
    assert (names(equal), equal.read) == (["a", "b"], 1.0)


def test_beyond_the_budget_samples_are_compared(twins: Path) -> None:
    _, (equal,) = within(twins, 3 * MIB)
    assert set(names(equal)) >= {"a", "b"}
    assert equal.read == pytest.approx(1 / 16, rel=0.1)  # of what the budget says


def test_a_question_spends_nothing_of_another_nor_twice(twins: Path) -> None:
    model = read_model(twins)
    reading, (first, second, _) = Reading("twins", SIZE), model.tensors
    assert reading.affords("one", first)
    assert reading.affords("one", first)
    assert not reading.affords("one", second)
    assert reading.affords("another", second)


def test_the_finding_says_that_it_is_a_sample(twins: Path) -> None:
    arguments = ("check", "--isolated", "--no-cache", "--select", "FUS034", "--output", "concise")
    whole = run_cli(*arguments, twins).stdout
    sampled = run_cli(*arguments, "--weights-budget", "3MiB", twins).stdout
    assert "2 stored tensors are identical, 'a' and 'b'" in whole
    assert "of them that was read" in sampled


def test_who_watches_learns_which_file_and_how_much(twins: Path) -> None:
    watcher = create_autospec(Watcher, instance=True)
    watch(watcher)
    try:
        within(twins, 3 * SIZE)
    finally:
        watch(None)
    watcher.read.assert_called_once_with("twins.onnxtxt", 3 * SIZE)
