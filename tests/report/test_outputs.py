"""`--output format[:file]` through the program."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest

from modellint.report import FORMATS
from modellint.report.earlier import HEAD, is_report
from tests.support import EXAMPLES, PATIENCE, run_cli, run_process

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


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop.json").symlink_to("loop.json")
    done = run_cli(GOOD, "-o", "json:loop.json", cwd=tmp_path)
    assert done.exit_code == 2
    assert "cannot write loop.json" in done.stderr


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
    reader.join(timeout=PATIENCE)
    assert json.loads(heard[0])["version"] == 1


EARLIER = [
    *(("check", name) for name in FORMATS),
    *((verb, name) for verb in ("inspect", "probe") for name in ("text", "json")),
]


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(("verb", "name"), EARLIER)
@pytest.mark.parametrize("model", [MODEL, GOOD])
def test_a_report_replaces_an_earlier_one(
    verb: str, name: str, model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report"
    options = (model, "-o", f"{name}:{file}", "--no-cache" if verb == "check" else "--isolated")
    for _ in range(2):
        assert run_cli(verb, *options).exit_code in (0, 1)
    assert is_report(file.read_bytes()[:HEAD])


FOREIGN = {
    "notes.txt": b"Mine.\n",
    "weights.bin": bytes(range(256)),
    "known.json": b'{"version": 1, "findings": []}',
    "config.json": b'{"name": "modellint"}',
    "list.json": b"[1, 2]",
    "page.html": b"<html>",
    "other.sarif": b'{"runs": [{"tool": {"driver": {"name": "other"}}}], "version": "2.1.0"}',
}


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "-o", "json:{}"),
        ("check", "-o", "concise:{}"),
        ("check", "--probe-report", "{}"),
        ("check", "--write-baseline", "--baseline", "{}"),
        ("inspect", "-o", "text:{}"),
        ("probe", "-o", "json:{}"),
        ("probe", "--probe-report", "{}"),
    ],
    ids=" ".join,
)
def test_an_output_destroys_nothing_else(
    arguments: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(FOREIGN[name])
    given = [each.format(file) for each in arguments]
    if "--write-baseline" in given and name == "known.json":
        return
    refused = run_cli(*given, GOOD)
    assert refused.exit_code == 2, refused
    assert "--force" in refused.stderr
    assert file.read_bytes() == FOREIGN[name]
    assert run_cli(*given, GOOD, "--force").exit_code in (0, 1)
    assert file.read_bytes() != FOREIGN[name]


@pytest.mark.parametrize("option", ["-o=json:", "-o=sarif:", "--probe-report=", "--baseline="])
def test_no_output_replaces_a_model(option: str, tmp_path: Path) -> None:
    copy = tmp_path / "net.onnx"
    copy.write_bytes(GOOD.read_bytes())
    name, _, start = option.partition("=")
    for model in (copy, tmp_path):
        refused = run_cli(model, name, f"{start}{copy}", "--write-baseline")
        assert refused.exit_code == 2, refused
        assert copy.read_bytes() == GOOD.read_bytes()


def test_a_report_is_not_a_baseline(tmp_path: Path) -> None:
    report, known = tmp_path / "rep.json", tmp_path / "known.json"
    run_cli(MODEL, "-t", "a10", "-o", f"json:{report}")
    before = report.read_bytes()
    refused = run_cli(MODEL, "-t", "a10", "--baseline", report, "--write-baseline")
    assert refused.exit_code == 2
    assert "not a baseline" in refused.stderr
    assert report.read_bytes() == before
    run_cli(MODEL, "-t", "a10", "--baseline", known, "--write-baseline")
    assert run_cli(MODEL, "-t", "a10", "-o", f"json:{known}").exit_code == 2


def test_one_file_is_not_two_reports(tmp_path: Path) -> None:
    file = tmp_path / "both"
    assert run_cli(GOOD, "-o", f"json:{file}", "--probe-report", file).exit_code == 2
    assert not file.exists()


@pytest.mark.skipif(os.name == "nt", reason="no permissions there")
def test_a_report_keeps_permissions_and_other_names(tmp_path: Path) -> None:
    file, other = tmp_path / "report.json", tmp_path / "other"
    run_cli(GOOD, "-o", f"json:{file}")
    file.chmod(0o600)
    os.link(file, other)
    before = other.read_bytes()
    run_cli(MODEL, "-o", f"json:{file}")
    assert file.stat().st_mode & 0o777 == 0o600
    assert other.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "other"}


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/null"])
def test_special_files_are_written_as_ever(place: str) -> None:
    done = run_process(GOOD, "-o", f"json:{place}")
    assert done.exit_code == 0, done
    assert (done.stdout == "") == (place == "/dev/null")


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
