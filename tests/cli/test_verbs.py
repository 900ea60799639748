"""The verbs besides `check`: what they print, and that it can be used."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import jsonschema
import pytest

from modellint import __version__
from modellint.cli import doctor
from modellint.config.settings import KEYS
from modellint.rules.registry import load_rules
from tests.samples import GOOD, failed, project
from tests.support import run_cli

OWN_RULE = """
summary = "A Relu."
severity = "info"
message = "There is a Relu '{node}'."
why = "Because."
fix = "None."
[match]
pattern = "y = Relu(x)"
report = "y"
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A project with a rule of its own."""
    return project(
        tmp_path,
        {
            "modellint.toml": 'rules = ["lint"]',
            "lint/own/OWN001-a-relu.toml": OWN_RULE,
            "good.onnx": GOOD,
        },
    )


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["help"], ["--help"]),
        (["help", "rule"], ["rule", "--help"]),
        (["version"], ["--version"]),
        (["explain", "FUS002"], ["rule", "FUS002"]),
        (["lint", "--show-settings"], ["check", "--show-settings"]),
    ],
)
def test_words_of_other_linters_are_understood(words: list[str], verb: list[str]) -> None:
    assert run_cli(*words).stdout == run_cli(*verb).stdout


def test_rules_lists_every_rule_once() -> None:
    lines = run_cli("rules").stdout.splitlines()
    for rule in load_rules(plugins=False).values():
        (line,) = [line for line in lines if line.split()[:1] == [rule.code]]
        assert rule.name in line
        assert rule.summary in line
        assert rule.severity in line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["FUS002"], {"FUS002"}),
        (["fus002", "dropout-left-over"], {"FUS002", "HYG005"}),
        (["--family", "internal", "--severity", "error"], {"INT001", "INT002"}),
        (["SUP", "--severity", "info"], set()),
        (["HYG005", "CMP001", "--runtime", "tensorrt"], {"HYG005", "CMP001"}),
    ],
)
def test_rules_are_filtered(options: list[str], expected: set[str]) -> None:
    entries = json.loads(run_cli("rules", *options, "--json").stdout)
    assert {entry["code"] for entry in entries} >= expected
    if options[0] != "--family":
        assert {entry["code"] for entry in entries} == expected


def test_rules_as_json_hold_the_texts_of_the_files() -> None:
    entries = json.loads(run_cli("rules", "--json").stdout)
    rules = load_rules(plugins=False)
    assert [entry["code"] for entry in entries] == list(rules)
    for entry in entries:
        rule = rules[entry["code"]]
        assert entry["why"] == rule.why.strip()
        assert entry["options"].keys() == rule.options.keys()


def test_rules_and_rule_know_the_folders_of_the_configuration(own: Path) -> None:
    assert "OWN001" in run_cli("rules", cwd=own).stdout
    assert "There is a Relu" in run_cli("rule", "OWN001", cwd=own).stdout
    assert "OWN001" not in run_cli("rules", "--isolated", cwd=own).stdout
    other = run_cli("rules", "--config", own / "modellint.toml")
    assert "OWN001" in other.stdout


@pytest.mark.parametrize("name", ["NUM001", "num001", "float64-left-over"])
def test_rule_explains_by_code_or_name(name: str) -> None:
    rule = load_rules(plugins=False)["NUM001"]
    text = " ".join(run_cli("rule", name).stdout.split())
    assert text.startswith("NUM001 float64-left-over")
    for title in ("Messages", "Why", "Fix", "Fires on", "Stays silent on"):
        assert f" {title} " in text
    assert " ".join(rule.why.split()) in text
    assert " ".join(rule.fix.split()) in text


@pytest.mark.parametrize("rule", load_rules(plugins=False).values(), ids=lambda rule: rule.code)
def test_every_rule_can_be_explained(rule: object) -> None:
    from modellint.cli.rule import explain
    from modellint.rules.rule import Rule

    assert isinstance(rule, Rule)
    text = explain(rule)
    for name, option in rule.options.items():
        assert f"{name} = {json.dumps(option.default, ensure_ascii=False)}" in text
    assert all(source in text for source in rule.sources)


def test_rule_as_markdown_is_the_page_of_the_reference() -> None:
    rule = load_rules(plugins=False)["FUS002"]
    assert run_cli("rule", "FUS002", "--markdown").stdout == rule.markdown()


def test_rule_as_json_is_one_or_several() -> None:
    assert json.loads(run_cli("rule", "FUS002", "--json").stdout)["code"] == "FUS002"
    entries = json.loads(run_cli("rule", "FUS002", "FUS003", "--json").stdout)
    assert [entry["code"] for entry in entries] == ["FUS002", "FUS003"]


def test_init_writes_every_setting_as_a_comment(tmp_path: Path) -> None:
    result = run_cli("init", cwd=tmp_path)
    assert result.exit_code == 0
    assert "Wrote modellint.toml" in result.stdout
    text = (tmp_path / "modellint.toml").read_text()
    assert all(f"\n# {key} = " in text for key in KEYS)
    assert all(line.startswith("#") or not line for line in text.splitlines())
    project(tmp_path, {"good.onnx": GOOD})
    assert run_cli("good.onnx", cwd=tmp_path).exit_code == 0


def test_what_init_writes_is_valid_once_it_is_wanted(tmp_path: Path) -> None:
    run_cli("init", cwd=tmp_path)
    file = tmp_path / "modellint.toml"
    wanted = []
    for line in file.read_text().splitlines():
        uncommented = line.removeprefix("# ")
        key = uncommented.partition(" = ")[0]
        wanted.append(uncommented if key in KEYS else line)
    file.write_text("\n".join(wanted))
    result = run_cli("check", ".", "--show-settings", cwd=tmp_path)
    assert result.exit_code == 0, result
    from_file = [line for line in result.stdout.splitlines() if line.endswith("# file")]
    assert len(from_file) == len(KEYS)


def test_init_sets_what_is_given(tmp_path: Path) -> None:
    run_cli("init", "--target", "a10,l4", cwd=tmp_path)
    shown = run_cli("check", ".", "--show-settings", cwd=tmp_path).stdout
    assert 'targets = ["a10", "l4"]  # file' in shown


def test_init_adds_to_a_pyproject(tmp_path: Path) -> None:
    project(tmp_path, {"pyproject.toml": '[project]\nname = "mine"\n'})
    assert run_cli("init", "pyproject.toml", "-t", "a10", cwd=tmp_path).exit_code == 0
    text = (tmp_path / "pyproject.toml").read_text()
    assert text.startswith('[project]\nname = "mine"\n\n[tool.modellint]\n')
    shown = run_cli("check", ".", "--show-settings", cwd=tmp_path).stdout
    assert 'targets = ["a10"]  # file' in shown


@pytest.mark.parametrize("name", ["modellint.toml", ".modellint.toml", "pyproject.toml"])
@pytest.mark.parametrize("wanted", ["modellint.toml", "pyproject.toml", "other.toml"])
def test_init_never_overwrites(tmp_path: Path, name: str, wanted: str) -> None:
    text = "[tool.modellint]\n" if name == "pyproject.toml" else "fail-on = 'never'\n"
    project(tmp_path, {name: text})
    failed(run_cli("init", wanted, cwd=tmp_path), f"{name} already contains a configuration")
    assert (tmp_path / name).read_text() == text


def test_init_leaves_other_files_alone(tmp_path: Path) -> None:
    project(tmp_path, {"other.toml": "x = 1\n"})
    failed(run_cli("init", "other.toml", cwd=tmp_path), "other.toml already exists")
    failed(run_cli("init", "missing/modellint.toml", cwd=tmp_path), "cannot write")


def test_the_schema_knows_every_key_and_judges_as_the_program_does() -> None:
    schema = json.loads(run_cli("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert set(schema["properties"]) == set(KEYS)
    assert all(schema["properties"][key]["description"] for key in KEYS)
    assert validator.is_valid({"select": ["FUS"], "budgets": {"max-params": "5M"}, "batch": 4})
    assert not validator.is_valid({"selekt": ["FUS"]})
    assert not validator.is_valid({"batch": "4"})
    assert not validator.is_valid({"suppress": [{"rule": "FUS002"}]})


def test_doctor_names_packages_machine_and_folder(tmp_path: Path, isolated: Path) -> None:
    project(tmp_path, {"modellint.toml": ""})
    result = run_cli("doctor", cwd=tmp_path)
    assert result.exit_code == 0, result
    assert f"modellint {__version__}" in result.stdout
    assert f"onnx {metadata.version('onnx')}" in result.stdout
    assert "host" in result.stdout
    assert str(isolated) in result.stdout
    assert "modellint.toml" in result.stdout


def test_doctor_says_what_can_be_probed() -> None:
    from modellint.probes.backends import available

    printed = " ".join(run_cli("doctor").stdout.split())
    for each in available():
        assert each.backend.title in printed
        assert each.detail in printed


def test_doctor_says_how_to_get_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in ("tensorrt", "onnx"):
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(metadata, "version", version)
    result = run_cli("doctor")
    assert result.exit_code == 1
    assert "missing  onnx; reinstall modellint" in result.stdout
    assert "missing  [trt] tensorrt" in result.stdout
    assert "pip install 'modellint[trt] @ git+https://" in result.stdout
    assert "ok       [ort] onnxruntime 1.2.3" in result.stdout


def test_doctor_explains_every_extra() -> None:
    assert {package.extra for package in doctor.optional()} == set(doctor.EXTRAS)


def test_doctor_needs_no_installed_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    assert run_cli("doctor").exit_code == 0


def test_doctor_tells_of_a_broken_configuration_and_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, {"modellint.toml": "selekt = []", "file": ""})
    monkeypatch.setenv("MODELLINT_CACHE_DIR", str(tmp_path / "file"))
    result = run_cli("doctor", cwd=tmp_path)
    assert result.exit_code == 1
    assert "did you mean 'select'?" in " ".join(result.stdout.split())
    assert "not writable" in result.stdout


def test_doctor_as_json() -> None:
    document = json.loads(run_cli("doctor", "--json").stdout)
    assert document["modellint"] == __version__
    assert {"name": "onnx", "version": metadata.version("onnx"), "extra": ""} in document[
        "packages"
    ]
    assert {fact["name"] for fact in document["here"]} >= {"configuration", "rules", "cache"}


def test_a_rule_says_what_its_examples_rest_on_and_who_fuses_it() -> None:
    said = run_cli("rule", "BUD001", "HYG004", "FUS002").stdout
    assert "  With max-params = " in said
    assert "  With --runtime onnxruntime:" in said
    assert "Fused by\n  onnxruntime: yes" in said
    assert "With `--runtime onnxruntime`:" in run_cli("rule", "FUS002", "--markdown").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    result = run_cli("completion", shell)
    assert result.exit_code == 0
    assert "_MODELLINT_COMPLETE" in result.stdout


def complete(*words: str, cwd: Path | None = None) -> list[str]:
    """Return the completions that a shell would offer for the last word."""
    done = subprocess.run(
        [sys.executable, "-m", "modellint"],
        env={
            **os.environ,
            "_MODELLINT_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("modellint", *words)),
            "COMP_CWORD": str(len(words)),
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ru"], ["rule", "rules"]),
        (["rule", "FUS00"], ["FUS002"]),
        (["models/", "--sel"], ["--select"]),
        (["check", "--select", "HYG001,fusi"], ["HYG001,fusion"]),
        (["models/", "--target", "a1"], ["a10"]),
        (["--output", "sa"], ["sarif"]),
        (["models/", "--precision", "f"], ["fp16", "fp8"]),
        (["models/", "--fail-on", "w"], ["warning"]),
        (["models/", "--runtime", "onnx"], ["onnxruntime"]),
        (["models/", "--color", "a"], ["auto", "always"]),
        (["probe", "--backend", "tensorrt-"], ["tensorrt-rtx"]),
        (["rules", "--family", "hyg"], ["hygiene"]),
        (["rule", "batchnorm-after"], ["batchnorm-after-conv"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_words_are_completed(words: list[str], offered: list[str]) -> None:
    assert set(offered) <= set(complete(*words))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("modellint insp", ["inspect"]),
        ("modellint mod", []),  # none of its own, so that bash offers files
        ("modellint models/ --target jetson-agx-orin-6", ["jetson-agx-orin-64gb"]),
    ],
)
def test_bash_takes_what_is_offered(line: str, offered: list[str], tmp_path: Path) -> None:
    """Through the printed script: what a shell makes of files among the words is its own affair."""
    (tmp_path / "modellint").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m modellint "$@"\n')
    (tmp_path / "modellint").chmod(0o755)
    words = line.split(" ")
    script = f"""
        compopt() {{ :; }}  # knows only completions that a key press asked for
        eval "$(modellint completion bash)"
        COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
        _modellint_completion modellint
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == offered, done.stderr


def test_completion_knows_the_configuration_and_minds_no_broken_one(own: Path) -> None:
    assert complete("rule", "OWN", cwd=own) == ["OWN001"]
    (own / "modellint.toml").write_text("selekt = []")
    assert complete("rule", "OWN", cwd=own) == []


@pytest.mark.parametrize("verb", ["rules QNT", "rule FUS002", "targets", "targets a10", "doctor"])
def test_what_is_listed_goes_to_files_too(verb: str, tmp_path: Path) -> None:
    for kind in ("text", "json"):
        written = run_cli(*verb.split(), "-o", f"{kind}:list.{kind}", cwd=tmp_path)
        assert (written.stdout, written.stderr) == ("", "")
        again = run_cli(*verb.split(), "-o", f"{kind}:list.{kind}", cwd=tmp_path)
        assert again.stderr == "", "an earlier list may be replaced"
    assert json.loads((tmp_path / "list.json").read_text(encoding="utf-8"))
