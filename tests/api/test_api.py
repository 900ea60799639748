"""`import modellint`: what it offers, and that it is light."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from dataclasses import fields
from pathlib import Path

import pytest

import modellint
from modellint.api import sources
from modellint.api.given import ELSEWHERE, GivenSettings
from modellint.base.markup import marked
from modellint.config.settings import Settings
from tests.support import EXAMPLES, PATIENCE, model_from_text, run_cli, save

TINY = """
<ir_version: 10, opset_import: ["" : 21]>
tiny (float[1, 8] x) => (float[1, 8] y) { y = Relu(x) }
"""
TWICE = """
<ir_version: 10, opset_import: ["" : 21]>
twice (float[1, 8] x) => (float[1, 8] y) { a = Identity(x) y = Relu(a) }
"""
UNFIT = EXAMPLES / "detector_baked_batch.onnx"


def test_the_example_runs_in_a_clean_interpreter(tmp_path: Path) -> None:
    program = Path(__file__).with_name("example.py")
    done = subprocess.run(
        [sys.executable, program, EXAMPLES, tmp_path / "fixed.onnx"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("findings\n")


def test_importing_loads_nothing_else() -> None:
    """Neither does the plugin of pytest, which every run of pytest imports."""
    script = (
        "import sys, pytest\nbefore = set(sys.modules)\n"
        "import modellint, modellint.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.split() == ["modellint", "modellint.pytest_plugin"]


def test_every_name_is_there() -> None:
    assert sorted(modellint.__all__) == list(modellint.__all__)
    for name in modellint.__all__:
        found = getattr(modellint, name)
        assert found is not None
        assert not isinstance(found, types.ModuleType)
    assert set(modellint.__all__) <= set(dir(modellint))
    with pytest.raises(AttributeError, match="nothing"):
        modellint.nothing  # noqa: B018


def test_importing_rooms_hides_no_function() -> None:
    """A package of the same name would take a function's place when it is imported."""
    rooms = {each.stem for each in Path(modellint.__file__).parent.iterdir()}
    assert not rooms & set(modellint.__all__)


def test_arguments_are_all_settings() -> None:
    names = {each.name for each in fields(Settings)}
    assert GivenSettings.__annotations__.keys() == names - ELSEWHERE


def test_findings_are_those_of_the_command_line() -> None:
    report = modellint.check(UNFIT, targets="a10", isolated=True)
    shown = run_cli("check", UNFIT, "-t", "a10", "--isolated", "--output", "json")
    told, mine = json.loads(shown.stdout), report.to_json()
    for each in (told, mine):
        del each["summary"]["seconds"]
    assert json.loads(json.dumps(mine)) == told
    assert report.result.exit_code == shown.exit_code == 1


def test_a_model_in_memory_has_its_name() -> None:
    data = model_from_text(TWICE).SerializeToString()
    assert {each.path for each in modellint.check(data, name="net.onnx", isolated=True)} == {
        "net.onnx"
    }


@pytest.mark.parametrize("name", ["a\0b.onnx", "../up.onnx", "\ud800.onnx", ".", "x" * 5000])
def test_any_name_will_do(name: str) -> None:
    (model,) = modellint.check(model_from_text(TINY), name=name, isolated=True).models
    assert model.format == "onnx"


def test_a_model_in_memory_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MEMORY", tmp_path)
    modellint.check(model_from_text(TINY), isolated=True)
    modellint.inspect(model_from_text(TINY).SerializeToString(), isolated=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"target": "a10"}, "did you mean 'targets'"),
        ({"batch": "x"}, "batch: 'x'"),
        ({"targets": "a1000"}, "a1000"),
        ({"select": ["NOPE9"]}, "NOPE9"),
        ({"output": "json"}, "unknown setting"),
    ],
)
def test_wrong_settings_are_errors_of_the_one_class(given: dict[str, object], says: str) -> None:
    with pytest.raises(modellint.ModellintError, match=says):
        modellint.check(UNFIT, isolated=True, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", [3, "missing.onnx", [object()]])
def test_what_is_no_model_is_an_error(model: object) -> None:
    with pytest.raises(modellint.ModellintError):
        modellint.check(model)  # type: ignore[arg-type]


def test_broken_bytes_are_findings_and_problems() -> None:
    assert not modellint.check(b"PK\x03\x04 nothing", isolated=True).ok
    assert not modellint.inspect(b"\x08" * 100, isolated=True).is_readable


def test_a_data_frame_has_a_row_for_each_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType("polars")
    made.DataFrame = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", made)
    report = modellint.check(UNFIT, targets="a10", isolated=True)
    frame = report.to_dataframe()
    assert {len(column) for column in frame.values()} == {len(report)}
    assert frame["severity"][0] in ("error", "warning", "info")
    with pytest.raises(modellint.ModellintError, match="pandas"):
        report.to_dataframe("pandas")


def test_names_in_notebooks_are_no_markup() -> None:
    hostile = '<script>alert("x")</script>\u202e'
    model = model_from_text(TWICE)
    model.graph.node[0].name = hostile
    shown = modellint.check(model, name=hostile, isolated=True)._repr_html_()
    assert "<script" not in shown
    assert "\u202e" not in shown
    assert marked(hostile) == "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;"


def test_linting_lints_what_is_written(tmp_path: Path) -> None:
    with modellint.linting(isolated=True) as linted:
        save(TINY, tmp_path / "new.onnx")
        with pytest.raises(modellint.ModellintError, match="after"):
            linted.report  # noqa: B018
    assert [Path(each.path).name for each in linted.report.models] == ["new.onnx"]


def test_linting_raises_for_what_is_not_fit(tmp_path: Path) -> None:
    with (
        pytest.raises(modellint.LintingError) as raised,
        modellint.linting(targets="a10", isolated=True),
    ):
        (tmp_path / "unfit.onnx").write_bytes(UNFIT.read_bytes())
    assert raised.value.report.summary.errors


def test_linting_sees_other_programs_in_its_folders(tmp_path: Path) -> None:
    earlier = save(TINY, tmp_path / "earlier.onnx")
    with modellint.linting(tmp_path, isolated=True) as linted:
        program = "import shutil, sys; shutil.copyfile(*sys.argv[1:])"
        new = tmp_path / "new.onnx"
        subprocess.run([sys.executable, "-c", program, earlier, new], check=True, timeout=PATIENCE)
    assert [Path(each.path).name for each in linted.report.models] == ["new.onnx"]


def test_linting_needs_something_to_lint() -> None:
    with (
        pytest.raises(modellint.ModellintError, match="wrote no model"),
        modellint.linting(isolated=True),
    ):
        pass


def test_an_error_in_the_block_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError), modellint.linting(isolated=True):
        1 / 0  # noqa: B018


def test_asserting_shows_the_report() -> None:
    modellint.assert_model_ok(EXAMPLES / "clean_classifier.onnx", target="a10", isolated=True)
    with pytest.raises(AssertionError, match="DYN"):
        modellint.assert_model_ok(UNFIT, target="a10", isolated=True)
