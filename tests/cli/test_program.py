"""The program as a whole: help, exit codes, streams that break, and its own failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modellint import __version__
from modellint.cli.app import VERBS
from tests.samples import ERROR, GOOD, INFO, RULES, failed, lint_json, project
from tests.support import PATIENCE, ROOT, run_cli, run_process, save


def test_without_arguments_the_help_is_shown() -> None:
    result = run_cli()
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: modellint")
    assert "\nCommands:\n" in result.stderr
    assert not result.stdout


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_verbs_and_exit_codes(option: str) -> None:
    result = run_cli(option)
    assert result.exit_code == 0
    assert all(f"  {verb} " in result.stdout for verb in VERBS)
    assert "130  interrupted" in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    result = run_cli(verb, "--help")
    assert result.exit_code == 0
    assert f"modellint {verb}" in result.stdout


def test_version() -> None:
    assert run_cli("--version").stdout == f"modellint {__version__}\n"
    assert run_process("--version").stdout == f"modellint {__version__}\n"


def test_standard_input_is_a_model(tmp_path: Path) -> None:
    data = save(INFO, tmp_path / "info.onnx").read_bytes()
    result = run_cli("-", *RULES, "-o", "concise", stdin=data)
    assert result.exit_code == 0
    assert result.stdout.startswith("<stdin>:")
    named = run_cli("-", *RULES, "-o", "concise", "--stdin-filename", "a/b.onnx", stdin=data)
    assert named.stdout.startswith("a/b.onnx:")


def test_standard_input_has_the_configuration_of_its_name(tmp_path: Path) -> None:
    configurations = {
        "modellint.toml": "severity = { HYG005 = 'error' }",
        "a/modellint.toml": "per-file-ignores = { 'b.*' = ['HYG'] }",
    }
    project(tmp_path, {"info.onnx": INFO, **configurations})
    data = (tmp_path / "info.onnx").read_bytes()

    def said(*options: str) -> str:
        return run_cli("-", *RULES, "-o", "concise", *options, stdin=data, cwd=tmp_path).stdout

    assert said().startswith("<stdin>:info/drop: error HYG005")
    assert said("--stdin-filename", "c.onnx").startswith("c.onnx:info/drop: error HYG005")
    assert said("--stdin-filename", "gone/b.onnx").startswith("gone/b.onnx:info/drop: error")
    assert said("--stdin-filename", "a/b.onnx") == ""
    assert said("--stdin-filename", "a/c.onnx").startswith("a/c.onnx:info/drop: info HYG005")


def test_standard_input_may_be_text_empty_or_next_to_files(tmp_path: Path) -> None:
    good = save(GOOD, tmp_path / "good.onnx")
    text = run_cli("-", good, *RULES, "-o", "concise", stdin=INFO.encode())
    assert "HYG005" in text.stdout
    assert run_cli("-", *RULES, stdin=b"").exit_code == 1


def test_a_folder_with_every_kind_of_broken_file_and_a_good_one(tmp_path: Path) -> None:
    good = save(GOOD, tmp_path / "good.onnx")
    broken = {
        "truncated.onnx": good.read_bytes()[:-9],
        "empty.onnx": b"",
        "text.onnx": b"this is no model\n" * 9,
        "zeros.onnx": bytes(4096),
        "lfs.onnx": b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 9\n"
        % (b"0123456789abcdef" * 4),
        "pickle.onnx": b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00\x8c\x05torch\x94.",
        "zip.onnx": b"PK\x03\x04" + bytes(60),
        "gzip.onnx": b"\x1f\x8b\x08" + bytes(60),
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    document = lint_json(".", "--select", "file,internal", cwd=tmp_path)
    assert document["exit"] == 1
    assert sorted(each["path"] for each in document["findings"]) == sorted(broken)
    assert {each["severity"] for each in document["findings"]} == {"error"}
    assert document["summary"]["models"] == len(broken) + 1


def test_links_that_lead_nowhere_are_found_and_said(tmp_path: Path) -> None:
    (tmp_path / "loop.onnx").symlink_to("loop.onnx")
    (tmp_path / "dangling.onnx").symlink_to("nowhere.onnx")
    (tmp_path / "other.txt").symlink_to("nowhere.txt")
    save(GOOD, tmp_path / "good.onnx")
    document = lint_json(".", *RULES, cwd=tmp_path)
    assert [(each["code"], each["path"]) for each in document["findings"]] == [
        ("FIL011", "dangling.onnx"),
        ("FIL011", "loop.onnx"),
    ]
    failed(run_cli("dangling.onnx", cwd=tmp_path), "dangling.onnx: no such file")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions that hold")
def test_an_unreadable_folder_is_passed_over(tmp_path: Path) -> None:
    locked = project(tmp_path, {"locked/error.onnx": ERROR, "good.onnx": GOOD}) / "locked"
    locked.chmod(0)
    try:
        assert run_cli(".", *RULES, cwd=tmp_path).exit_code == 0
    finally:
        locked.chmod(0o700)


def test_unicode_and_spaces_in_paths(tmp_path: Path) -> None:
    name = "модель é 模型.onnx"
    save(INFO, tmp_path / "a folder" / name)
    (found,) = lint_json(".", *RULES, cwd=tmp_path)["findings"]
    assert found["path"] == f"a folder/{name}"


def test_a_file_is_linted_once_however_often_it_is_named(tmp_path: Path) -> None:
    save(INFO, tmp_path / "info.onnx")
    (tmp_path / "link.onnx").symlink_to("info.onnx")
    document = lint_json(".", "info.onnx", "./info.onnx", *RULES, cwd=tmp_path)
    assert document["summary"]["models"] == 1


def test_an_internal_error_is_exit_code_3_and_the_rest_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modellint.checks import hygiene

    def crash(context: object) -> None:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr(hygiene, "dead_node", crash)
    save(INFO, tmp_path / "info.onnx")
    document = lint_json(".", *RULES, cwd=tmp_path)
    assert document["exit"] == 3
    assert {each["code"] for each in document["findings"]} == {"INT001", "HYG005"}
    assert lint_json(".", *RULES, "--exit-zero", cwd=tmp_path)["exit"] == 3


def test_a_failure_of_the_program_itself_is_ready_to_be_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a \x1b[31mbug")

    monkeypatch.setattr("modellint.lint.lint", crash)
    save(GOOD, tmp_path / "good.onnx")
    result = run_cli("good.onnx", cwd=tmp_path)
    assert result.exit_code == 3
    assert "report this bug" in result.stderr
    assert "RuntimeError: a \\x1b[31mbug" in result.stderr
    assert "good.onnx" in result.stderr
    assert "/issues" in result.stderr


def test_interrupting_is_exit_code_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("modellint.lint.lint", interrupt)
    save(GOOD, tmp_path / "good.onnx")
    result = run_cli("good.onnx", cwd=tmp_path)
    assert result.exit_code == 130
    assert result.stderr.strip() == "interrupted"


INTERRUPTED_AT = """
import os, signal, sys

def interrupt(event, arguments):
    if event == "import" and arguments[0] == name:
        os.kill(os.getpid(), signal.SIGINT)

name = sys.argv.pop(1)
sys.addaudithook(interrupt)
from modellint.__main__ import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
@pytest.mark.parametrize("module", ["modellint.cli", "click", "modellint.session", "numpy"])
def test_ctrl_c_during_imports(module: str, tmp_path: Path) -> None:
    model = str(ROOT / "examples" / "qat_residual.onnx")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT, module, "inspect", model],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted"
    assert not done.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_ctrl_c_in_a_finalizer_is_not_lost(tmp_path: Path) -> None:
    code = """
import os, signal, time
from modellint.base import interrupts

class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

interrupts.catch()
try:
    Thing()
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_ctrl_c_ends_a_run_that_waits(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "modellint", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    time.sleep(1.0)  # it reads standard input, which never ends
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"Traceback" not in stderr


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "modellint", "rules", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, stderr = process.communicate(timeout=PATIENCE)
    assert stderr == b""
    assert process.returncode == 0


def test_python_m_is_the_program(tmp_path: Path) -> None:
    save(ERROR, tmp_path / "error.onnx")
    result = run_process("error.onnx", *RULES, "-o", "concise", cwd=tmp_path)
    assert result.exit_code == 1
    assert result.stdout.startswith("error.onnx")
