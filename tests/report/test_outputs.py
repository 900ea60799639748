"""`--output format[:file]` through the program."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest

from modellint.report import FORMATS
from tests.support import EXAMPLES, run_cli, run_process

MODEL = EXAMPLES / "encoder_fp16_mask.onnx"
GOOD = EXAMPLES / "upscaler_8k.onnx"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_goes_to_standard_output_and_to_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "report"
    arguments = (MODEL, "--target", "a10", "--fail-on", "warning")
    shown = run_cli(*arguments, "-o", name)
    written = run_cli(*arguments, "-o", f"{name}:{file}")
    assert shown.exit_code == written.exit_code == 1, shown
    assert written.stdout == ""
    assert "NUM002" in shown.stdout
    text = file.read_text(encoding="utf-8")
    assert "NUM002" in text
    if name not in {"full", "json", "junit"}:  # these tell the time that the run took
        assert text == shown.stdout


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_does_not_change_the_exit_code(name: str) -> None:
    arguments = (MODEL, "--target", "a10", "-o", name)
    assert run_cli(*arguments).exit_code == 0
    assert run_cli(*arguments, "--fail-on", "warning").exit_code == 1
    assert run_cli(*arguments, "--fail-on", "warning", "--exit-zero").exit_code == 0


def test_several_reports_of_one_run(tmp_path: Path) -> None:
    sarif, markdown = tmp_path / "a.sarif", tmp_path / "a.md"
    files = ("-o", f"sarif:{sarif}", "-o", f"markdown:{markdown}")
    done = run_cli(MODEL, "--target", "a10", "-o", "concise", *files)
    assert "NUM002" in done.stdout
    assert json.loads(sarif.read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert markdown.read_text(encoding="utf-8").startswith("<!-- modellint -->")


def test_machine_formats_are_utf_8_whatever_the_terminal() -> None:
    env = {"PYTHONIOENCODING": "cp1252"}
    done = run_process(EXAMPLES, "-t", "a10", "--no-cache", "-o", "markdown", env=env)
    assert "1×4×6×256" in done.stdout


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (["sarfi"], "did you mean 'sarif'?"),
        (["report.sarif"], "did you mean 'sarif:report.sarif'?"),
        (["json:"], "lacks a file name"),
        (["json", "concise"], "cannot both go to standard output"),
        (["json:a", "sarif:a"], "two reports for"),
        (["json:missing/a.json"], "folder does not exist"),
        (["xyz"], "formats: full, concise"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    outputs: list[str], said: str, tmp_path: Path
) -> None:
    arguments = [part for output in outputs for part in ("-o", output)]
    done = run_cli(GOOD, *arguments, cwd=tmp_path)
    assert done.exit_code == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = run_cli(GOOD, "-o", "json:out", cwd=tmp_path)
    assert done.exit_code == 2
    assert "cannot write out" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
def test_a_link_and_a_pipe_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    run_cli(GOOD, "-o", "json:link.json", cwd=tmp_path)
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text(encoding="utf-8"))["version"] == 1

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    run_cli(GOOD, "-o", "json:pipe", cwd=tmp_path)
    reader.join(timeout=30)
    assert json.loads(heard[0])["version"] == 1


def test_what_is_suppressed_is_shown_on_demand(tmp_path: Path) -> None:
    baseline = ("--target", "a10", "--baseline", str(tmp_path / "known.json"))
    run_cli(MODEL, *baseline, "--write-baseline")
    sarif = run_cli(MODEL, *baseline, "-o", "sarif", "--show-suppressed", "--sarif-category", "x")
    (run,) = json.loads(sarif.stdout)["runs"]
    assert run["automationDetails"]["id"] == "x/"
    assert all(result["suppressions"] for result in run["results"])
    assert "hidden  NUM002" in run_cli(MODEL, *baseline, "--show-suppressed").stdout
    assert "NUM002" not in run_cli(MODEL, *baseline).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes by name there")
def test_statistics_leave_a_machine_s_report_alone() -> None:
    done = run_cli(MODEL, "--target", "a10", "--no-cache", "--statistics", "-o", "json")
    assert json.loads(done.stdout)["version"] == 1
    assert "NUM002  fp16-overflow-constant" in done.stderr
