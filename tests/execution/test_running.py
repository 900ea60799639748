"""Models run in their runtime, on random inputs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from modellint.execution import NoInputsError, Way, compare, made_up, run
from modellint.execution.given import InputReader
from modellint.formats import read_model
from tests.support import save

MODEL = """
< ir_version: 10, opset_import: ["" : 21] >
g (int64[batch, length] ids, float[batch, 3] x, int64[batch, length] attention_mask)
  => (float[batch, length, 2] looked, bfloat16[batch, 3] narrow, int64[batch, length] same)
<float[5, 2] table = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, int64 two = {2}>
{
  moved = Add(ids, two)
  looked = Gather(table, moved)
  positive = Relu(x)
  narrow = Cast<to = 16>(positive)
  same = Identity(attention_mask)
}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(MODEL, tmp_path_factory.mktemp("run") / "model.onnx")


def test_inputs_fit_what_reads_them(path: Path) -> None:
    model = read_model(path)
    feeds = [made_up(model, seed=7, number=number) for number in range(3)]
    assert {feed["ids"].shape[0] for feed in feeds} == {1, 2, 3}
    for feed in feeds:
        assert feed["ids"].shape == feed["attention_mask"].shape
        assert feed["ids"].max() <= 2, "indices past the table, with what is added to them"
        assert set(np.unique(feed["attention_mask"])) <= {0, 1}
        assert feed["attention_mask"][:, 0].all(), "a mask that hides everything"
    again = made_up(model, seed=7, number=1)
    assert all(np.array_equal(again[name], array) for name, array in feeds[1].items())


def test_every_input_is_run_and_values_in_the_middle_are_captured(path: Path) -> None:
    model = read_model(path)
    good = made_up(model)
    bad = {**good, "ids": good["ids"] + 100}
    done = run(path, model.format, [good, bad, good], Way(captured=("positive",)))
    first, failed, third = done.runs
    assert done.runtime.startswith("ONNX Runtime 1.")
    assert not done.refusal
    assert "out of" in failed.error
    assert not failed.outputs
    assert np.array_equal(first.outputs["positive"], np.maximum(good["x"], 0))
    assert first.outputs["narrow"].dtype.name == "bfloat16"
    assert list(first.outputs) == list(third.outputs)
    assert all(compare(first.outputs[n], third.outputs[n]).bitwise for n in first.outputs)


def test_a_model_that_does_not_load_says_why(path: Path, tmp_path: Path) -> None:
    broken = save(MODEL.replace("Relu(x)", "Gather(x, x)"), tmp_path / "broken.onnx")
    done = run(broken, "onnx", [made_up(read_model(path))])
    assert done.refusal
    assert done.error == done.runs[0].error == done.refusal


def test_an_input_that_is_a_sequence_cannot_be_made_up(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    g (seq(float[2]) s) => (float[n] y) { y = ConcatFromSequence<axis = 0>(s) }"""
    with pytest.raises(NoInputsError, match="sequence"):
        made_up(read_model(save(text, tmp_path / "s.onnx")))


def test_tokens_of_texts_go_to_what_looks_them_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_model(
        save(
            """<ir_version: 8, opset_import: ["" : 17]>
            g (int32[B,4] words, int64[B,4] attention_mask) => (float[B,4,2] y)
            <float[9,2] table = {0,0,1,1,2,2,3,3,4,4,5,5,6,6,7,7,8,8}>
            {
                e = Gather (table, words)
                m = Cast <to = 1> (attention_mask)
                axis = Constant <value_ints = [2]> ()
                u = Unsqueeze (m, axis)
                y = Mul (e, u)
            }""",
            tmp_path / "m.onnx",
        )
    )

    def lengths(line: str) -> list[int]:
        return [len(word) for word in line.split()]

    monkeypatch.setattr(InputReader, "_encoder", lambda reader, path: lengths)
    texts = tmp_path / "texts.txt"
    texts.write_text("one three\n\na bb ccc dddd eeeee\n")
    first, second = InputReader(model).read(texts)
    assert first["words"].dtype == np.int32
    assert first["words"].tolist() == [[3, 5, 0, 0]]
    assert first["attention_mask"].tolist() == [[1, 1, 0, 0]]
    assert second["words"].tolist() == [[1, 2, 3, 4]]


def test_figures_of_a_comparison() -> None:
    old = np.array([[3.0, 4.0, 0.0], [1.0, 2.0, 8.0]], np.float32)
    new = old + np.array([[0, 0.5, 0], [0, 0, -7]], np.float32)
    figures = compare(old, new)
    assert (figures.differing, figures.max_abs, figures.top1) == (2, 7.0, 0.5)
    assert figures.sqnr == pytest.approx(10 * math.log10(94 / 49.25))
    assert figures.to_range == pytest.approx(7 / 8)
    assert compare(old, old.copy()).bitwise
    assert not compare(np.array([0.0]), np.array([-0.0])).bitwise
    odd = np.array([[np.nan, 4.0, 0.0], [1.0, 2.0, np.inf]], np.float32)
    assert compare(odd, odd.copy()).bitwise
    assert not compare(old, odd).same_nonfinite
    assert not compare(old, old[:1]).comparable
