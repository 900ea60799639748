"""Mistakes of users, and files that no one would write, end with one sentence and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.samples import ERROR, GOOD, INFO, project
from tests.support import run_cli
from tests.system.support import linux, posix, refused, shell

LONG = "x" * 300
DEEP = "x/" * 3000
DIGITS = "9" * 5000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path, {"good.onnx": GOOD, "error.onnx": ERROR, "info.onnx": INFO})


@posix
@pytest.mark.parametrize(
    "arguments",
    [
        [LONG],
        [DEEP],
        ["inspect", LONG],
        ["inspect", DEEP],
        ["inspect", "good.onnx", "--layers", LONG],
        ["probe", LONG],
        ["good.onnx", "-o", f"json:{LONG}"],
        ["good.onnx", "-o", f"json:{DEEP}x"],
        ["good.onnx", "--config", LONG],
        ["good.onnx", "--baseline", LONG],
        ["good.onnx", "--baseline", LONG, "--write-baseline"],
        ["-", "--stdin-filename", f"{DEEP}x.onnx"],
        ["rules", "test", LONG],
        ["rules", "new", "TEAM001", "--folder", LONG],
        ["init", "--config", LONG],
    ],
)
def test_names_that_are_too_long(arguments: list[str], folder: Path) -> None:
    result = run_cli(*arguments, cwd=folder)
    assert result.exit_code == 2, result
    assert len(result.stderr) < 700 or DEEP in result.stderr, result
    assert "internal error" not in result.stderr


def test_long_names_that_do_no_harm(folder: Path) -> None:
    data = (folder / "good.onnx").read_bytes()
    assert run_cli("good.onnx", "--cache-dir", LONG, cwd=folder).exit_code == 0
    for name in (f"{LONG}.onnx", "..", ".", "a/"):
        result = run_cli("-", "--stdin-filename", name, cwd=folder, stdin=data)
        assert result.exit_code == 0, result


@pytest.mark.parametrize(
    "arguments",
    [
        ["--symbol", f"n={DIGITS}"],
        ["--shape", f"x=1x{DIGITS}"],
        ["--batch", DIGITS],
        ["--jobs", DIGITS],
        ["--batch", "9" * 400],
        ["--probe-timeout", "inf"],
        ["--probe-timeout", "nan"],
    ],
)
def test_numbers_beyond_any_machine(arguments: list[str], folder: Path) -> None:
    result = run_cli("good.onnx", *arguments, cwd=folder)
    assert result.exit_code == 2, result
    assert "internal error" not in result.stderr
    assert "set_int_max_str_digits" not in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "batch = 0x" + "f" * 5000,
        "batch = " + "9" * 400,
        "batch = " + DIGITS,
        "symbols = { n = 0x" + "f" * 50_000 + " }",
        "[budgets]\nmax-params = nan",
        "[budgets]\nmax-params = inf",
        f'[budgets]\nmax-params = "{DIGITS}M"',
        "shapes = " + "[" * 5000 + "]" * 5000,
        "shapes = " + "{a=" * 5000 + "1" + "}" * 5000,
        "shapes." + ".".join("a" * 100_000) + " = 1",
        "[" + ".".join("a" * 100_000) + "]",
        "shapes = " + "[" * 90 + "]" * 90,
        'output = ["json:a\\u0000b"]',
        'output = ["json:~nosuchuser/x"]',
        f'output = ["json:{LONG}"]',
        'baseline = "a\\u0000b"',
        'baseline = "~nosuchuser/b"',
        f'baseline = "{LONG}"',
        'rules = ["a\\u0000b"]',
        'rules = ["~nosuchuser/b"]',
        f'rules = ["{LONG}"]',
        'target-dirs = ["a\\u0000b"]',
        'target-dirs = ["~nosuchuser/b"]',
        f'target-dirs = ["{LONG}"]',
        'targets = ["a\\u0000b"]',
        'cache-dir = "~nosuchuser/b"',
        "batch = '\udcff'",
        "\0",
    ],
)
def test_configurations(text: str, folder: Path) -> None:
    (folder / "modellint.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    result = run_cli("good.onnx", cwd=folder)
    assert result.exit_code == 2, result
    assert "modellint.toml" in result.stderr or "File name too long" in result.stderr, result
    assert "internal error" not in result.stderr
    assert "\0" not in result.stderr
    assert len(result.stderr) < 2000, result


ENTRY = {"path": "good.onnx", "code": "HYG005", "fingerprint": "0", "count": 1}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000 + "]" * 200_000,
        '{"version": 1, "findings": ' + "[" * 200_000 + "]" * 200_000 + "}",
        *(
            '{"version": 1, "findings": [' + json.dumps(ENTRY).replace("1}", f"{count}}}") + "]}"
            for count in ("1e400", "-1e400", "NaN", DIGITS, '"x"', "[]", "null")
        ),
        '{"version": 1, "findings": 5}',
        '{"version": 1, "findings": {"a": 1}}',
        '{"version": 1, "findings": ["abc"]}',
        '{"version": 1e400}',
        "5",
        "",
    ],
)
@pytest.mark.parametrize("options", [[], ["--write-baseline"]])
def test_baselines(text: str, options: list[str], folder: Path) -> None:
    (folder / "b.json").write_text(text)
    refused(run_cli("good.onnx", "--baseline", "b.json", *options, cwd=folder), "b.json")
    assert (folder / "b.json").read_text() == text


@pytest.mark.parametrize("name", ["a\\u0000", LONG, "\\ud800"])
def test_names_in_baselines(name: str, folder: Path) -> None:
    entry = json.dumps(ENTRY).replace("good.onnx", name)
    (folder / "b.json").write_text(f'{{"version": 1, "findings": [{entry}]}}')
    options = ("good.onnx", "--baseline", "b.json", "--write-baseline")
    assert run_cli(*options, cwd=folder).exit_code == 0


def test_layers_nested_deep(folder: Path) -> None:
    (folder / "l.json").write_text("[" * 200_000 + "]" * 200_000)
    refused(run_cli("inspect", "good.onnx", "--layers", "l.json", cwd=folder), "l.json")


GONE = "cd gone && rmdir ../gone && "


@linux
@pytest.mark.parametrize(
    "arguments", [".", "check", "inspect .", "rules", "targets", "doctor", "check --show-settings"]
)
def test_a_deleted_working_folder(arguments: str, folder: Path) -> None:
    (folder / "gone").mkdir()
    refused(shell(f"{GONE} modellint {arguments}", folder), "the working folder no longer exists")


@linux
@pytest.mark.parametrize("arguments", ["--version", "--help", "schema", "check --help"])
def test_what_needs_no_working_folder(arguments: str, folder: Path) -> None:
    (folder / "gone").mkdir()
    assert shell(f"{GONE} modellint {arguments}", folder).exit_code == 0
