"""Errors compared with the verdicts of runtimes: few contradicted, and refusals predicted.

Verdicts on the onnx package's tests are kept in a file, by content and version of the runtime;
some are asked for again. `tools/measure_agreement.py --verdicts` writes such a file. A folder of
models that MODELLINT_MODELS names is measured as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from measure_agreement import (
    GOAL_CONTRADICTED,
    GOAL_PREDICTED,
    Corpus,
    Measured,
    Tally,
    Verdicts,
    compare,
    corpus,
    kept_exports,
    measure,
    onnx_tests,
)

from modellint.formats import read_model
from modellint.probes.backends import known_backends
from tests.runtimes import ONNXRUNTIME

pytestmark = pytest.mark.xdist_group("measured agreement")

VERDICTS = Path(__file__).parent / "verdicts.jsonl"
VERSIONS = {"onnxruntime": "1.32.0", "tensorrt-rtx": "1.7.1.116"}
"""The versions that the kept verdicts are of."""
EVERY = 8
"""The onnx package has some 2,000 tests."""
ASKED_AGAIN = 5
EXPORTS_ASKED = 4
FEWEST_KNOWN = 100
MODELS = "MODELLINT_MODELS"


def summary(found: Sequence[Measured]) -> str:
    wrong = [f"{each.file}: {each.messages}" for each in found if each.contradicted]
    missed = [f"{each.file}: {each.reason}" for each in found if each.missed]
    return "\n".join(["contradicted:", *wrong, "missed:", *missed])


def assert_good(found: Sequence[Measured]) -> None:
    tally = Tally(found)
    assert tally.share_contradicted <= GOAL_CONTRADICTED, summary(found)
    assert tally.share_predicted >= GOAL_PREDICTED, summary(found)


def size_of(path: Path) -> int:
    """Bytes of a model with its weights."""
    return sum(each.stat().st_size for each in (path, *read_model(path).external_files))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return onnx_tests(tmp_path_factory.mktemp("tests"), EVERY)


@pytest.mark.parametrize("runtime", VERSIONS)
def test_errors_on_the_tests_of_the_onnx_package(runtime: str, sample: Corpus) -> None:
    verdicts = Verdicts(VERDICTS)
    known = [(path, verdicts.known(path, runtime, VERSIONS[runtime])) for path in sample.files]
    kept = [(path, outcome) for path, outcome in known if outcome is not None]
    if len(kept) < FEWEST_KNOWN:
        pytest.skip("the installed onnx has other tests than the one of the kept verdicts")
    files, outcomes = zip(*kept, strict=True)
    found = list(compare(sample, files, outcomes, known_backends()[runtime], verdicts))
    assert Tally(found).refused > 10
    assert_good(found)


@pytest.mark.skipif(ONNXRUNTIME.module is None, reason="ONNX Runtime is not installed")
def test_errors_on_the_kept_exports(tmp_path: Path) -> None:
    every = kept_exports(tmp_path)
    small = sorted(every.files, key=size_of)[:EXPORTS_ASKED]
    found = measure([Corpus(every.name, tuple(small))], ["onnxruntime"], Verdicts(None))
    assert len(found) == EXPORTS_ASKED
    assert_good(found)


@pytest.mark.parametrize("runtime", VERSIONS)
def test_kept_verdicts_are_what_the_runtime_says(runtime: str, sample: Corpus) -> None:
    backend = known_backends()[runtime]
    if backend.module is None or backend.version != VERSIONS[runtime]:
        pytest.skip(f"{backend.title} {VERSIONS[runtime]} is not installed")
    kept, asked = Verdicts(VERDICTS), Verdicts(None)
    for path in sample.files[:: len(sample.files) // ASKED_AGAIN]:
        outcome = kept.known(path, runtime, backend.version)
        assert outcome is None or asked.of(path, backend).status == outcome.status


@pytest.mark.skipif(MODELS not in os.environ, reason=f"{MODELS} names no folder")
def test_errors_on_a_folder_of_models() -> None:
    found = measure([corpus(Path(os.environ[MODELS]))], ["onnxruntime"], Verdicts(None))
    assert_good(found)
