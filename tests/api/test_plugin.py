"""The plugin of pytest."""

from __future__ import annotations

import shutil
from importlib.metadata import entry_points

import pytest

from tests.support import EXAMPLES

pytest_plugins = ["pytester"]
IS_INSTALLED = any(
    each.value == "modellint.pytest_plugin" for each in entry_points(group="pytest11")
)
"""False where modellint is only on the path, so that pytest does not find the plugin by itself."""
PLUGIN = (*(() if IS_INSTALLED else ("-p", "modellint.pytest_plugin")), "-p", "no:cacheprovider")


@pytest.fixture
def models(pytester: pytest.Pytester) -> pytest.Pytester:
    for name in ("clean_classifier.onnx", "detector_baked_batch.onnx"):
        shutil.copy(EXAMPLES / name, pytester.path)
    return pytester


def test_models_are_tests_if_asked_for(models: pytest.Pytester) -> None:
    result = models.runpytest_inprocess(*PLUGIN, "--modellint", "--modellint-target", "a10")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*DYN*"])
    assert "Traceback" not in result.stdout.str()


def test_models_are_no_tests_otherwise(models: pytest.Pytester) -> None:
    models.runpytest_inprocess(*PLUGIN).assert_outcomes()


def test_a_model_in_files_is_one_test(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("config.json").write_text("{}")
    for number in (1, 2):
        pytester.path.joinpath(f"model-0000{number}-of-00002.safetensors").touch()
    result = pytester.runpytest_inprocess(*PLUGIN, "--modellint", "--collect-only", "-q")
    assert result.stdout.str().count("::modellint") == 1


def test_a_mistake_is_shown_without_a_traceback(models: pytest.Pytester) -> None:
    result = models.runpytest_inprocess(*PLUGIN, "--modellint", "--modellint-target", "a1000")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*a1000*"])
    assert "Traceback" not in result.stdout.str()
