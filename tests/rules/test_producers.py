"""Every known defect is found in its own examples, and the runtimes it names refuse them."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.checks.producers import defects, severity_for
from modellint.examples import FIRES, Case, run_example
from modellint.results.finding import Severity
from modellint.rules.registry import load_rules
from modellint.rules.rule import Example
from tests.runtimes import parsed
from tests.support import model_from_text

RULE = load_rules(plugins=False)["CMP008"]
DEFECTS = defects()
INVALID = [
    pytest.param(name, example, id=f"{name}-{number}")
    for name, defect in DEFECTS.items()
    for number, example in enumerate(defect.examples.invalid)
]
VALID = [
    pytest.param(example, id=f"{name}-{number}")
    for name, defect in DEFECTS.items()
    for number, example in enumerate(defect.examples.valid)
]


@pytest.mark.parametrize(("name", "example"), INVALID)
def test_a_defect_is_found(name: str, example: Example, tmp_path: Path) -> None:
    (finding,) = run_example(RULE, example, tmp_path)
    assert DEFECTS[name].what in finding.message
    assert str(finding.severity) == DEFECTS[name].severity
    assert DEFECTS[name].sources[0] in finding.why


@pytest.mark.parametrize(("name", "example"), INVALID)
def test_a_repair_makes_what_the_example_says(name: str, example: Example) -> None:
    assert bool(example.fixed) == bool(DEFECTS[name].autofix)
    assert Case(RULE, FIRES, 0, example).failure() == ""


@pytest.mark.parametrize("example", VALID)
def test_a_near_miss_is_not(example: Example, tmp_path: Path) -> None:
    assert run_example(RULE, example, tmp_path) == []


@pytest.mark.parametrize(("name", "example"), INVALID)
def test_the_runtime_refuses_it(name: str, example: Example) -> None:
    if "onnxruntime" not in DEFECTS[name].refused_by:
        pytest.skip("it loads, or the runtime is not at hand")
    runtime = pytest.importorskip("onnxruntime")
    runtime.set_default_logger_severity(4)
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        runtime.InferenceSession(
            model_from_text(example.model).SerializeToString(), providers=["CPUExecutionProvider"]
        )


@pytest.fixture(scope="module")
def taken_by_tensorrt(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    folder = tmp_path_factory.mktemp("defects")
    files = {}
    for name, defect in DEFECTS.items():
        if defect.refused_by:
            files[name] = folder / f"{name}.onnx"
            model = model_from_text(defect.examples.invalid[0].model)
            files[name].write_bytes(model.SerializeToString())
    return dict(zip(files, parsed(files.values()), strict=True))


@pytest.mark.parametrize("name", [name for name, defect in DEFECTS.items() if defect.refused_by])
def test_tensorrt_refuses_what_it_is_said_to(name: str, taken_by_tensorrt: dict[str, bool]) -> None:
    assert taken_by_tensorrt[name] == ("tensorrt" not in DEFECTS[name].refused_by)


def test_what_tensorrt_takes_is_no_error() -> None:
    taken = {name: severity_for(defect, "tensorrt") for name, defect in DEFECTS.items()}
    assert taken["resize-half-scales"] is Severity.WARNING
    assert taken["layer-norm-float-scale"] is Severity.ERROR
    assert taken["aten-fallback"] is Severity.WARNING


@pytest.mark.parametrize("example", VALID)
def test_a_near_miss_loads(example: Example) -> None:
    if example.runtime is not None:
        pytest.skip("about another runtime")
    runtime = pytest.importorskip("onnxruntime")
    runtime.set_default_logger_severity(4)
    runtime.InferenceSession(
        model_from_text(example.model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
