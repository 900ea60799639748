"""Language models timed in llama.cpp: what is asked of it, and what it answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modellint.base.errors import UsageError
from modellint.benching.backends import TimedGeneration, backend_for
from modellint.benching.backends.llama_cpp import LlamaCppModel
from modellint.benching.inputs import GENERATED, PROMPT, bench_inputs
from modellint.benching.statistics import speed
from modellint.formats import read_model
from modellint.formats.gguf.notation import encode
from modellint.model import Model
from modellint.targets.deployment import Deployment, ShapeProfile
from tests.support import run_cli


@pytest.fixture
def tiny(tmp_path: Path) -> Model:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(encode("small llama\nllama.context_length = 512"))
    return read_model(path)


def prompt_of(length: int) -> Deployment:
    shape = (1, length)
    return Deployment(shapes={"tokens": ShapeProfile(shape, shape, shape)})


def test_a_prompt_is_made_of_the_vocabulary(tiny: Model) -> None:
    feed, batch = bench_inputs(tiny, Deployment())
    assert batch == 1
    assert feed["tokens"].shape == (1, PROMPT)
    assert tiny.architecture is not None
    assert feed["tokens"].max() < (tiny.architecture.vocabulary or 0)
    assert bench_inputs(tiny, prompt_of(300))[0]["tokens"].size == 300


@pytest.mark.parametrize(
    "deployment", [prompt_of(512 - GENERATED + 1), prompt_of(0), Deployment(batch=2)]
)
def test_a_prompt_that_llama_cpp_could_not_take_is_refused(
    tiny: Model, deployment: Deployment
) -> None:
    with pytest.raises(UsageError):
        bench_inputs(tiny, deployment)


class Server:
    def __init__(self, **answer: Any) -> None:
        self.asked: list[Any] = []
        self._answer = answer

    def handle_completions(self, request: Any, answered: Any) -> None:
        self.asked.append(request)
        answered(self._answer)


def test_speeds_are_those_that_llama_cpp_states() -> None:
    server = Server(timings={"prompt_per_second": 900.0, "predicted_per_second": 30.0})
    model = LlamaCppModel(server, [3, 1, 4], "cpu")
    assert isinstance(model, TimedGeneration)
    model.run()
    model.run()
    assert model.speeds() == [(900.0, 30.0)] * 2
    assert model.speeds() == []
    assert server.asked[0]["prompt"] == [3, 1, 4]
    assert server.asked[0]["cache_prompt"] is False
    with pytest.raises(RuntimeError, match="context"):
        LlamaCppModel(Server(error={"message": "context"}), [1], "cpu").run()


def test_speeds_of_rounds_have_a_spread() -> None:
    found = speed(32, [[10.0, 12.0, 11.0], [20.0, 21.0, 19.0], [15.0, 15.0, 15.0]])
    assert (found.tokens, found.per_second, found.low, found.high) == (32, 15.0, 11.0, 20.0)
    assert found.slowest is not None
    assert found.slowest < found.per_second


def test_what_is_missing_is_named(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modellint.benching.backends.is_installed", lambda module: False)
    with pytest.raises(UsageError, match="pip install xllamacpp"):
        backend_for("gguf")


def test_a_run_of_llama_cpp(tmp_path: Path) -> None:
    """A file that llama.cpp loads, if it is installed."""
    pytest.importorskip("xllamacpp")
    path = tmp_path / "tiny.gguf"
    path.write_bytes(encode("small llama"))
    options = ("--threads", "1", "--seconds", "0.05", "--rounds", "1", "--json")
    done = run_cli("bench", path, *options, "--shape", "tokens=1x16")
    assert done.exit_code == 0, done
    run = json.loads(done.stdout)
    assert run["generation"]["prompt"]["tokens"] == 16
    assert run["generation"]["generated"]["per_second"] > 0
