"""Every mistake in a configuration is named: the file and line, the key, and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.config.settings import KEYS
from tests.samples import GOOD, failed, project
from tests.support import run_cli

WRONG_TYPES = {
    "select": ('"HYG"', 'expected a list, found "HYG"'),
    "extend-select": ("3", "expected a list, found 3"),
    "ignore": ("true", "expected a list, found true"),
    "per-file-ignores": ("[]", "expected a table, found a list"),
    "severity": ('"error"', 'expected a table, found "error"'),
    "rule-options": ("1", "expected a table, found 1"),
    "rules": ('"lint"', "expected a list"),
    "targets": ('"a10"', 'expected a list, found "a10"'),
    "profile": ('"run.json"', "expected a list"),
    "target-dirs": ("{}", "expected a list, found a table"),
    "runtime": ('["tensorrt"]', "expected a string, found a list"),
    "runtime-version": ("10.15", "expected a string, found 10.15"),
    "precision": ('"half"', "'half' is not one of fp64, fp32"),
    "batch": ('"4"', 'expected an integer, found "4"'),
    "shapes": ('"1x3"', "expected a table"),
    "per-file-shapes": ("[]", "expected a table"),
    "symbols": ("[1]", "expected a table"),
    "dla": ('"yes"', 'expected true or false, found "yes"'),
    "contexts": ('"8k"', 'expected a list, found "8k"'),
    "kv-precision": ('"half"', "'half' is not one of fp32, fp16"),
    "flash-attention": ('"yes"', 'expected true or false, found "yes"'),
    "devices": ('"4"', 'expected an integer, found "4"'),
    "parallel": ('"data"', "'data' is not one of tensor, pipeline, expert"),
    "budgets": ("5", "expected a table, found 5"),
    "per-file-budgets": ("[]", "expected a table"),
    "suppress": ('"HYG001"', "expected a list"),
    "baseline": ("true", "expected a string, found true"),
    "inline-suppressions": ("0", "expected true or false, found 0"),
    "fail-on": ('"warn"', "did you mean 'warning'?"),
    "fixable": ('"HYG"', 'expected a list, found "HYG"'),
    "unfixable": ("1", "expected a list, found 1"),
    "unsafe-fixes": ('"yes"', 'expected true or false, found "yes"'),
    "diff-budgets": ('"+1%"', "expected a table"),
    "fix-dims": ('"batch"', "expected a table"),
    "fix-choices": ("[1]", "expected a table"),
    "include": ('"*.bin"', "expected a list"),
    "exclude": ("1.5", "expected a list"),
    "force-exclude": ('"no"', "expected true or false"),
    "max-fetch": ("[]", "expected"),
    "fetch-timeout": ('"long"', "expected a number"),
    "respect-gitignore": ("1", "expected true or false"),
    "weights": ('"off"', "expected true or false"),
    "weights-budget": ("[]", "expected"),
    "verify": ('"trt"', "'trt' is not one of ort"),
    "probe": ('"tensort"', "did you mean 'tensorrt'?"),
    "probes": ('"qnn"', "expected a table"),
    "probe-level": ('"run"', "'run' is not one of parse, build"),
    "probe-timeout": ('"long"', "expected a number"),
    "probe-memory": ("[]", "expected"),
    "probe-workspace": ("[]", "expected"),
    "save-engine": ("1", "expected a string, found 1"),
    "output": ('"json"', 'expected a list, found "json"'),
    "max-findings-per-rule": ('"all"', "expected an integer"),
    "jobs": ("2.5", "expected an integer"),
    "cache": ('"never"', "expected true or false"),
    "cache-dir": ("1", "expected a string, found 1"),
}
"""A value of the wrong kind for each key, and what is said of it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path, {"good.onnx": GOOD})


def refused(folder: Path, text: str, *parts: str, name: str = "modellint.toml") -> None:
    (folder / name).write_text(text, encoding="utf-8")
    failed(run_cli("good.onnx", cwd=folder), *parts)


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_the_wrong_kind(key: str, folder: Path) -> None:
    value, said = WRONG_TYPES[key]
    refused(folder, f"\n# a comment\n{key} = {value}\n", f"modellint.toml:3: {key}: ", said)


@pytest.mark.parametrize("key", KEYS)
def test_a_misspelt_key(key: str, folder: Path) -> None:
    misspelt = key[:-1] if len(key) > 4 else key + "x"
    if misspelt in KEYS:
        misspelt = key + "x"
    refused(folder, f"{misspelt} = 1\n", f"modellint.toml:1: {misspelt}: unknown key; did you mean")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("target = ['a10']", [":1: target: unknown key; did you mean 'targets'?"]),
        ("no-cache = true", ["did you mean 'cache'?"]),
        ("extend_select = []", ["did you mean 'extend-select'?"]),
        ("zzzz = 1", ["unknown key; known keys: select, extend-select"]),
        ("select = ['HYG', 5]", [":1: select[1]: expected a string, found 5"]),
        (
            "severity = { HYG = 'warn' }",
            [":1: severity.HYG: 'warn' is not one of", "did you mean 'warning'?"],
        ),
        ("[severity]\nHYG = 'error'\nFUS = 2", [":3: severity.FUS: 2 is not one of error"]),
        (
            "[budgets]\nmax-parms = '5M'",
            [":2: budgets.max-parms: unknown key", "did you mean 'max-params'?"],
        ),
        ("[budgets]\nmax-parameters = '5M'", ["did you mean 'max-params'?"]),
        ("[budgets]\nmax-params = 'many'", [":2: budgets.max-params: invalid number 'many'"]),
        ("[budgets]\nmax-file-size = 'big'", [":2: budgets.max-file-size: ", "'big'"]),
        (
            "[budgets]\nmin-share-on-accelerator = '0.9x'",
            [":2: budgets.min-share-on-accelerator: invalid share '0.9x' (examples: '95%', 0.95)"],
        ),
        (
            "[budgets]\nmin-share-on-accelerator = 95",
            [":2: budgets.min-share-on-accelerator: invalid share 95 (examples: '95%', 0.95)"],
        ),
        (
            "[budgets]\nmax-latency-bound = '5'",
            [":2: budgets.max-latency-bound: invalid duration '5' (example: 5ms)"],
        ),
        (
            "[budgets]\nmax-nodes = []",
            [":2: budgets.max-nodes: expected a number or a string, found a list"],
        ),
        ("per-file-budgets = { '*' = { max-mac = 1 } }", ["did you mean 'max-macs'?"]),
        (
            "per-file-budgets = { 'good.onnx' = { max-params = 'x' } }",
            [":1: per-file-budgets.\"good.onnx\".max-params: invalid number 'x'"],
        ),
        (
            "[[suppress]]\nrule = 'HYG001'",
            [":1: suppress[0]: 'reason' is missing", "an entry needs rule and reason"],
        ),
        (
            "[[suppress]]\nrule='A'\nreason='b'\n[[suppress]]\nreason='c'",
            [":4: suppress[1]: 'rule' is missing"],
        ),
        (
            "[[suppress]]\nrule='A'\nreason='b'\nfile='c'",
            [":4: suppress[0].file: unknown key; did you mean 'path'?"],
        ),
        (
            "[[suppress]]\nrule='A'\nreason='b'\nexpires='soon'",
            [":4: suppress[0].expires: expected a date (example: 2027-01-31)"],
        ),
        ("shapes = { x = { min = '1x3' } }", [":1: shapes.x: 'max' is missing"]),
        ("shapes = { x = '1xN' }", [":1: shapes.x: invalid shape '1xN' (example: 1x3x224x224"]),
        ("shapes = { x = { min = '1', max = '2', best = '1' } }", ["shapes.x", "unknown key"]),
        ("[shapes]\nx = [1, 3]", [":2: shapes.x: expected"]),
        ("symbols = { N = 'four' }", [':1: symbols.N: expected an integer, found "four"']),
        ("[symbols]\nN = 0", [":2: symbols.N: 0 is less than 1"]),
        ("batch = 0", [":1: batch: 0 is less than 1"]),
        ("jobs = 0", [":1: jobs: 0 is less than 1"]),
        ("runtime = 'tensorr'", [":1: runtime: unknown runtime 'tensorr'; did you mean"]),
        ("targets = ['a1O']", [":1: targets: unknown target 'a1O'", "'a10'"]),
        ("target-dirs = ['missing']", [":1: target-dirs[0]: no such folder"]),
        ("rules = ['missing']", [":1: rules[0]: no such folder"]),
        ("select = ['HYG0O1']", [":1: select: no rule", "did you mean 'HYG0"]),
        ("extend-select = ['FUSE']", [":1: extend-select: no rule"]),
        (
            "rule-options = { HYG01 = { x = 1 } }",
            [":1: rule-options.HYG01: unknown rule", "did you mean 'HYG0"],
        ),
        (
            "[rule-options.HYG001]\nheavy-byte = 1",
            [":2: rule-options.HYG001.heavy-byte: unknown option; did you mean 'heavy-bytes'?"],
        ),
        (
            "[rule-options.HYG001]\nheavy-bytes = 'x'",
            [":2: rule-options.HYG001.heavy-bytes: expected an integer"],
        ),
        ("rule-options = { HYG005 = { x = 1 } }", ["options of HYG005: none"]),
        ("output = ['jsn']", [":1: output: unknown output format 'jsn'; did you mean 'json'?"]),
        ("baseline = 'missing.json'", ["missing.json does not exist", "--write-baseline"]),
        ("[tool.modellint]\nbatch = 1", ["tool: write keys at the top level", "pyproject"]),
        ("select = [", ["modellint.toml: invalid TOML"]),
        ("a = 1\na = 2", ["invalid TOML"]),
    ],
)
def test_mistake(folder: Path, text: str, parts: list[str]) -> None:
    refused(folder, text, *parts)


def test_every_mistake_is_named_at_once(folder: Path) -> None:
    text = "batch = '4'\n\nselekt = []\njobs = 'x'\n"
    refused(folder, text, ":1: batch:", ":3: selekt:", ":4: jobs:")


def test_in_a_pyproject_lines_and_keys_are_its_own(folder: Path) -> None:
    text = "[project]\nname = 'x'\nselect = 1\n\n[tool.modellint]\nselect = 1\n"
    refused(folder, text, "pyproject.toml:6: select: expected a list", name="pyproject.toml")


def test_a_table_of_its_own_is_found(folder: Path) -> None:
    text = "[tool.modellint.severity]\nHYG = 'x'\n"
    refused(folder, text, "pyproject.toml:2: severity.HYG", name="pyproject.toml")


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "modellint.toml").write_bytes(b"\xff\xfe\x00")
    failed(run_cli("good.onnx", cwd=folder), "modellint.toml: invalid TOML")


def test_a_folder_of_that_name_is_no_configuration(folder: Path) -> None:
    (folder / "modellint.toml").mkdir()
    assert run_cli("good.onnx", cwd=folder).exit_code == 0
    said = run_cli("good.onnx", "--config", "modellint.toml", cwd=folder)
    failed(said, "is a folder")


def test_what_was_given_on_the_command_line_is_not_blamed_on_the_file(folder: Path) -> None:
    (folder / "modellint.toml").write_text("runtime = 'tensorrt'")
    result = run_cli("good.onnx", "--runtime", "tensorr", cwd=folder)
    failed(result, "unknown runtime 'tensorr'")
    assert "modellint.toml" not in result.stderr
