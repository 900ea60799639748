"""Mistakes on the command line are named, with what was probably meant; exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.samples import GOOD, failed, project
from tests.support import run_cli


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return project(tmp_path, {"good.onnx": GOOD}) / "good.onnx"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--select", "HYGOO5"], ["select", "'HYGOO5'", "did you mean 'HYG0"]),
        (["--select", "hygeine"], ["did you mean 'hygiene'?"]),
        (["--select", "zzzzzz"], ["see 'modellint rules'"]),
        (["--extend-select", "FUSS02"], ["extend-select", "did you mean 'FUS"]),
        (["--target", "a1O"], ["unknown target 'a1O'", "did you mean", "'a10'"]),
        (["--runtime", "tensorr"], ["unknown runtime 'tensorr'", "did you mean 'tensorrt'?"]),
        (["--runtime", "zzz"], ["unknown runtime 'zzz'", "known:"]),
        (["--precision", "in8"], ["did you mean 'int8'?"]),
        (["--precision", "double"], ["one of fp64, fp32"]),
        (["--batch", "0"], ["--batch", "x>=1"]),
        (["--batch", "many"], ["--batch", "not a valid integer"]),
        (["--shape", "input"], ["expected INPUT=SHAPE, found 'input'"]),
        (["--shape", "x=1xN"], ["invalid shape '1xN'"]),
        (["--shape", "x=4x8..1x8"], ["must not decrease"]),
        (["--symbol", "N"], ["expected NAME=N, found 'N'"]),
        (["--symbol", "N=four"], ["N=four: not an integer"]),
        (["--severity", "HYG"], ["expected RULE=LEVEL"]),
        (["--severity", "HYG=warn"], ["HYG=warn: unknown severity", "did you mean 'warning'?"]),
        (["--severity", "HYG=x"], ["one of error, warning, info, off"]),
        (["--fail-on", "errors"], ["did you mean 'error'?"]),
        (["--output", "sarf"], ["unknown output format 'sarf'", "did you mean 'sarif'?"]),
        (["--output", "out.sarif"], ["did you mean 'sarif:out.sarif'?"]),
        (["--output", "zzz"], ["formats: full, concise"]),
        (["--output", "json:"], ["'json:' lacks a file name"]),
        (["--output", "json:missing/out.json"], ["folder does not exist"]),
        (["-o", "json", "-o", "sarif"], ["json and sarif cannot both go to standard output"]),
        (["--color", "blue"], ["--color", "'auto', 'always', 'never'"]),
        (["--jobs", "0"], ["--jobs", "x>=1"]),
        (["--config", "missing.toml"], ["configuration file missing.toml does not exist"]),
        (
            ["--baseline", "missing.json"],
            ["baseline missing.json does not exist", "--baseline missing.json --write-baseline"],
        ),
        (["--selec", "HYG"], ["No such option", "--select"]),
        (["--traget", "a10"], ["No such option", "--target"]),
    ],
)
def test_options(
    model: Path,
    options: list[str],
    parts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed(run_cli(model, *options, cwd=tmp_path), *parts)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["missing.onnx"], ["missing.onnx: no such file or folder"]),
        (["rul", "FUS002"], ["did you mean 'modellint rule'?"]),
        (["target", "show", "a10"], ["did you mean 'modellint targets'?"]),
        (["--traget", "a10"], ["No such option", "--target"]),
        (["rule", "FUS0O2"], ["did you mean 'FUS0"]),
        (["rule", "batchnorm-after-con"], ["did you mean 'batchnorm-after-conv'?"]),
        (["rule", "FUS"], ["matches", "modellint rules FUS"]),
        (["rule"], ["Missing argument"]),
        (["rules", "FUSS"], ["did you mean 'FUS"]),
        (["rules", "--family", "fusin"], ["did you mean 'fusion'?"]),
        (["rules", "--family", "zzz"], ["choose from", "fusion"]),
        (["rules", "--runtime", "tensorr"], ["did you mean 'tensorrt'?"]),
        (["rules", "--severity", "eror"], ["did you mean 'error'?"]),
        (["completion", "bsh"], ["did you mean 'bash'?"]),
        (["completion", "powershell"], ["one of bash, zsh, fish"]),
        (["init", "--target", "a1O"], ["unknown target", "a10"]),
        (["schema", "--jsn"], ["No such option"]),
    ],
)
def test_verbs(tmp_path: Path, arguments: list[str], parts: list[str]) -> None:
    failed(run_cli(*arguments, cwd=tmp_path), *parts)


def test_names_are_said_without_control_characters(tmp_path: Path) -> None:
    result = run_cli("\x1b[31mred.onnx", cwd=tmp_path)
    failed(result, "\\x1b[31mred.onnx: no such file")
    assert "\x1b" not in result.stderr


def test_sizes_for_what_no_model_has(model: Path, tmp_path: Path) -> None:
    sizes = ("--shape", "xx=1x8", "--symbol", "N=4", "--shape", "x=1x8")
    for _ in range(2):  # the second time from the cache
        result = run_cli(model, *sizes, "--cache-dir", tmp_path / "cache")
        assert result.exit_code == 0
        assert "note: no input named 'xx'; did you mean 'x'?" in result.stderr
        assert "note: no dim named 'N'\n" in result.stderr
        assert result.stderr.count("named") == 2


def test_a_selector_that_names_nothing_does_no_harm_in_ignore(model: Path) -> None:
    result = run_cli(model, "--ignore", "HYG9", "--severity", "FUS9=off")
    assert result.exit_code == 0
    assert "ignore: no rule, prefix or family is called 'HYG9'" in result.stderr
    assert "severity.FUS9: no rule, prefix or family is called 'FUS9'" in result.stderr


@pytest.mark.parametrize(
    ("verb", "output"), [("check", "json"), ("inspect", "json"), ("probe", "text")]
)
def test_a_report_never_overwrites_a_model(verb: str, output: str, tmp_path: Path) -> None:
    project(tmp_path, {"good.onnx": GOOD})
    before = (tmp_path / "good.onnx").read_bytes()
    result = run_cli(verb, "good.onnx", "--output", f"{output}:good.onnx", cwd=tmp_path)
    assert result.exit_code == 2
    assert "good.onnx is a model; to overwrite it, name it" in result.stderr
    assert (tmp_path / "good.onnx").read_bytes() == before


def test_inspect_writes_several_reports(tmp_path: Path) -> None:
    project(tmp_path, {"good.onnx": GOOD})
    options = ("--output", "text", "--output", "json:report.json")
    result = run_cli("inspect", "good.onnx", *options, cwd=tmp_path)
    assert result.exit_code == 0
    assert result.stdout == run_cli("inspect", "good.onnx", cwd=tmp_path).stdout
    short = run_cli("inspect", "good.onnx", "--json", cwd=tmp_path).stdout
    assert (tmp_path / "report.json").read_text() == short
