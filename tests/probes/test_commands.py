"""`check --probe` and `modellint probe`, as a user runs them; also when the runtime dies."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from modellint.base.install import install_command
from modellint.probes import backends, installations
from tests.runtimes import ONNXRUNTIME, TENSORRT, TENSORRT_RTX
from tests.support import run_cli, run_process, save

GOOD = """
<ir_version: 10, opset_import: ["" : 21]>
good (float[n, 8] x) => (float[n, 8] y) { [act] y = Relu (x) }
"""
BAD = """
<ir_version: 10, opset_import: ["" : 21]>
bad (float[1, 3, 3] x) => (float[1] y) { [relu] a = Relu (x) [det] y = Det (a) }
"""
OPEN = """
<ir_version: 10, opset_import: ["" : 21]>
open (float[n, 3, h, w] x) => (float[n, 3, h, w] y) { [act] y = Relu (x) }
"""
TWO = """
<ir_version: 10, opset_import: ["" : 21]>
two (float[4, 4] a) => (float[4, 4] y) { [act] y = Relu (a) [left] z = Relu (a) }
"""

rtx = pytest.mark.skipif(
    TENSORRT_RTX.module is None, reason=f"TensorRT for RTX is not installed: {TENSORRT_RTX.install}"
)
ort = pytest.mark.skipif(
    ONNXRUNTIME.module is None, reason=f"ONNX Runtime is not installed: {ONNXRUNTIME.install}"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("good", GOOD), ("bad", BAD), ("open", OPEN), ("two", TWO)):
        save(text, tmp_path / f"{name}.onnx")
    return tmp_path


def findings(*args: str, cwd: Path) -> list[tuple[str, str, str | None]]:
    """Code, severity and node of all that is found."""
    found = json.loads(run_cli(*args, "-o", "json", cwd=cwd).stdout)["findings"]
    return [(each["code"], each["severity"], each["location"]["node"]) for each in found]


# A runtime that dies.

DEATHS = {
    "crashed": "import ctypes; ctypes.string_at(0)",
    "hung": "while True: pass",
    "out-of-memory": "a = [bytearray(b'x' * (8 << 20)) for _ in range(10000)]",
    "garbage": "import pathlib; pathlib.Path('answer.json').write_text('{]')",
    "failed": "raise SystemExit('libnvinfer.so.10: cannot open shared object file')",
}


@ort
@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("death", DEATHS)
def test_a_dead_runtime_is_one_finding_and_the_rest_goes_on(
    death: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installations, "OWN_CHILD", (sys.executable, "-c", DEATHS[death]))
    limits = ("--probe-timeout", "1", "--probe-memory", "100MB")
    plain = findings("two.onnx", "good.onnx", "--select", "HYG", cwd=folder)
    args = ("two.onnx", "good.onnx", "--probe", "--select", "HYG,PRB", *limits)
    found = findings(*args, cwd=folder)
    died = [each for each in found if each[0] == "PRB001"]
    assert died == [("PRB001", "error", None)] * 2  # one for each model
    assert plain
    assert [each for each in found if each[0] != "PRB001"] == plain
    result = run_cli(*args, cwd=folder)
    assert result.exit_code == 1
    assert "ONNX Runtime" in result.stdout


@ort
def test_what_a_dead_runtime_left_is_not_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("good.onnx", "--probe", "--select", "PRB")
    with monkeypatch.context() as patched:
        patched.setattr(installations, "OWN_CHILD", (sys.executable, "-c", "raise SystemExit(1)"))
        assert [code for code, _, _ in findings(*args, cwd=folder)] == ["PRB001"]
    assert findings(*args, cwd=folder) == []


# What is not installed.


@pytest.mark.skipif(TENSORRT.module is not None, reason="TensorRT is installed")
def test_a_missing_runtime_is_named_with_its_remedy(folder: Path) -> None:
    result = run_cli("good.onnx", "--probe", "tensorrt", cwd=folder)
    assert result.exit_code == 2
    assert f"TensorRT is not installed: {install_command('trt')}" in result.stderr


def test_without_any_runtime_every_way_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "is_installed", lambda module: False)
    result = run_cli("good.onnx", "--probe", cwd=folder)
    assert result.exit_code == 2
    for extra in ("ort", "trt", "trt-rtx"):
        assert f"modellint[{extra}]" in result.stderr


def test_an_unknown_runtime_is_a_mistake(folder: Path) -> None:
    result = run_cli("good.onnx", "--probe=tensort", cwd=folder)
    assert result.exit_code == 2
    assert "did you mean 'tensorrt'?" in result.stderr


# check --probe


@rtx
def test_check_with_a_probe(folder: Path) -> None:
    args = ("bad.onnx", "--probe", "--target", "a10", "--select", "TRT")
    found = findings(*args, cwd=folder)
    assert ("TRT001", "error", "det") in found
    assert ("TRT010", "warning", "det") in found  # TensorRT for RTX stands in for TensorRT


@rtx
def test_without_the_option_nothing_is_probed(folder: Path) -> None:
    args = ("bad.onnx", "--target", "a10", "--select", "TRT")
    assert findings(*args, cwd=folder) == [("TRT001", "error", "det")]


@ort
def test_auto_without_a_target_is_onnxruntime(folder: Path) -> None:
    result = run_cli("probe", "good.onnx", "--json", cwd=folder)
    (probed,) = json.loads(result.stdout)["probes"]
    assert (probed["backend"], probed["status"], probed["target"]) == (
        "onnxruntime",
        "accepted",
        None,
    )


@rtx
def test_what_the_runtime_takes_is_no_error(folder: Path) -> None:
    """A prediction that the compiler contradicts is marked, and fails nothing."""
    bias = """
    <ir_version: 10, opset_import: ["" : 21]>
    clip (int64[4] x) => (int64[4] y) { [act] y = Clip (x) }
    """
    save(bias, folder / "clip.onnx")
    rule = folder / "rules" / "own" / "OWN001-no-clips.toml"
    rule.parent.mkdir(parents=True)
    rule.write_text(
        'summary = "A Clip."\nseverity = "error"\nmessage = "TensorRT refuses Clip \'{node}\'."\n'
        'why = "It was predicted."\nfix = "None."\nrefused = true\nruntimes = ["tensorrt"]\n'
        '[match]\npattern = "y = Clip(x)"\nreport = "y"\n'
    )
    (folder / "modellint.toml").write_text('rules = ["rules"]\nselect = ["OWN", "TRT"]\n')
    plain = run_cli("clip.onnx", "--target", "a10", cwd=folder)
    assert plain.exit_code == 1
    probed = run_cli("clip.onnx", "--target", "a10", "--probe", "--probe-report", "-", cwd=folder)
    assert probed.exit_code == 0
    assert "TensorRT for RTX" in probed.stdout
    assert "accepted the model" in probed.stdout
    assert "## Contradicted" in probed.stdout
    assert "0 of 1 refusal predicted by rules confirmed" in probed.stdout


@rtx
def test_the_report_tells_what_agrees(folder: Path) -> None:
    args = ("bad.onnx", "--runtime", "tensorrt-rtx", "--probe", "--select", "TRT")
    result = run_cli(*args, "-q", "--probe-report", "agreement.md", cwd=folder)
    report = (folder / "agreement.md").read_text(encoding="utf-8")
    assert "1 of 1 refusal predicted by rules confirmed." in report
    assert "## Confirmed" in report
    assert "| bad.onnx | - | tensorrt-rtx" in report
    assert result.exit_code == 1


@rtx
def test_engines_are_kept_where_wanted(folder: Path) -> None:
    (folder / "out").mkdir()
    args = ("probe", "good.onnx", "-t", "a10,l4", "--save-engine", "out")
    for _ in range(2):  # what is remembered of a build does not bring its engine back
        assert run_cli(*args, cwd=folder).exit_code == 0
        engines = sorted((folder / "out").iterdir())
        assert [engine.name for engine in engines] == ["good.a10.engine", "good.l4.engine"]
        for engine in engines:
            assert engine.stat().st_size > 1000
            engine.unlink()


# modellint probe


@rtx
def test_the_table(folder: Path) -> None:
    result = run_process(
        "probe",
        "good.onnx",
        "bad.onnx",
        "open.onnx",
        "--target",
        "a10,h100-sxm",
        cwd=folder,
        env={"COLUMNS": "120"},
    )
    lines = [line for line in result.stdout.splitlines()[1:] if not line.startswith(" " * 6)]
    table = [" ".join(line.split()[:2] + line.split()[3:4]) for line in lines[:9]]
    assert table == [
        "good.onnx",
        "a10 tensorrt-rtx builds",
        "h100-sxm tensorrt-rtx parses",
        "bad.onnx",
        "a10 tensorrt-rtx refused",
        "h100-sxm tensorrt-rtx refused",
        "open.onnx",
        "a10 tensorrt-rtx parses",
        "h100-sxm tensorrt-rtx parses",
    ]
    assert "tensorrt-rtx 1." in result.stdout
    assert "TRT013" in result.stdout
    assert "not 9.0" in result.stdout
    assert not result.stderr


@rtx
def test_the_table_for_programs(folder: Path) -> None:
    result = run_cli("probe", "good.onnx", "-t", "a10", "--json", cwd=folder)
    said = json.loads(result.stdout)
    assert said["version"] == 1
    (probed,) = said["probes"]
    assert (probed["path"], probed["status"], probed["level"]) == ("good.onnx", "accepted", "build")
    assert probed["figures"]["engine_bytes"] > 1000


@rtx
def test_an_answer_is_remembered_by_content(folder: Path) -> None:
    args = ("probe", "-t", "a10", "--json")
    first = json.loads(run_cli(*args, "good.onnx", cwd=folder).stdout)["probes"][0]
    (folder / "copy").mkdir()
    (folder / "copy" / "same.onnx").write_bytes((folder / "good.onnx").read_bytes())
    second = json.loads(run_cli(*args, "copy/same.onnx", cwd=folder).stdout)["probes"][0]
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["figures"] == second["figures"]
    save(GOOD.replace("Relu", "Sigmoid"), folder / "copy" / "same.onnx")
    third = json.loads(run_cli(*args, "copy/same.onnx", cwd=folder).stdout)["probes"][0]
    assert not third["cached"]
    other = json.loads(run_cli("probe", "-t", "l4", "--json", "good.onnx", cwd=folder).stdout)
    assert not other["probes"][0]["cached"]


@rtx
def test_what_is_remembered_is_not_why_it_was_asked(folder: Path) -> None:
    """The parser says the same for both devices, and each is not built for its own reason."""
    for device, reason in (("h100-sxm", "not 9.0"), ("v100-16gb", "not 7.0")):
        result = run_cli("probe", "good.onnx", "-t", device, cwd=folder)
        assert reason in result.stdout


@rtx
def test_the_level_and_the_workspace_are_heeded(folder: Path) -> None:
    said = run_cli(
        "probe", "good.onnx", "-t", "a10", "--probe-level", "parse", "--json", cwd=folder
    )
    assert json.loads(said.stdout)["probes"][0]["level"] == "parse"


@rtx
def test_scratch_memory_that_is_not_enough(folder: Path) -> None:
    big = """
    <ir_version: 10, opset_import: ["" : 21]>
    big (float[1, 64, 256, 256] x) => (float[1, 64, 256, 256] y) <int64[4] s = {64, 64, 3, 3}> {
        w = ConstantOfShape (s)
        a = Conv <pads = [1, 1, 1, 1]> (x, w)
        y = Softmax <axis = 1> (a)
    }
    """
    save(big, folder / "big.onnx")
    args = ("probe", "big.onnx", "-t", "a10", "--probe-workspace")
    assert run_cli(*args, "1GiB", cwd=folder).exit_code == 0
    tight = run_cli(*args, "1MiB", cwd=folder)
    assert tight.exit_code == 1
    assert "within 1 MiB of scratch memory" in " ".join(tight.stdout.split())


@ort
def test_a_provider_that_is_not_there_is_said(folder: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("it is there")
    args = ("probe", "good.onnx", "-t", "a10", "--runtime", "onnxruntime")
    result = run_cli(*args, cwd=folder)
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert "probed on the CPU only: this ONNX Runtime has no CUDAExec" in said


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    result = run_cli("probe", "nowhere.onnx", cwd=tmp_path)
    assert result.exit_code == 2
    assert "no such file" in result.stderr


@ort
def test_a_file_that_is_no_model_is_not_shown_to_any_runtime(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x08\x12")
    result = run_cli("probe", "broken.onnx", cwd=tmp_path)
    assert result.exit_code == 1
    assert "not probed" in result.stdout
