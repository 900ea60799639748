"""Rules of one's own: folders named in the configuration, and installed plugins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modellint.rules import registry
from modellint.rules.registry import load_rules, read_rule
from modellint.rules.users import RuleFileError
from tests.samples import GOOD, codes, failed, install, lint_json, project
from tests.support import run_cli, run_process

PATTERN = """
summary = "A Relu."
severity = "info"
message = "There is a Relu '{node}'."
why = "Because."
fix = "None."
[match]
pattern = "y = Relu(x)"
report = "y"
"""
CHECKED = """
summary = "Nodes of a type."
severity = "warning"
message = "{count} × {op}."
why = "Because."
fix = "None."
check = "acme_checks:count"
[options]
op = { default = "Relu", help = "The type to count.", choices = ["Relu", "Sigmoid"] }
"""
CHECKS = """
from modellint.checks.api import Hit

def count(context):
    for node in context.nodes(context.options["op"]):
        yield Hit(node, {"count": 1})
"""
METADATA = "Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n"
POINTS = "[console_scripts]\nx = y:z\n\n[modellint.rules]\nacme = acme_rules\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "project", {"good.onnx": GOOD})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin as pip leaves it in site-packages."""
    files = {
        "acme_rules/__init__.py": "",
        "acme_rules/acme/ACM001-a-relu.toml": PATTERN,
        "acme_rules/acme/ACM002-count.toml": CHECKED,
        "acme_checks.py": CHECKS,
        "acme_rules-1.0.dist-info/METADATA": METADATA,
        "acme_rules-1.0.dist-info/entry_points.txt": POINTS,
    }
    site = project(tmp_path / "site", files)
    install(site, monkeypatch)
    return site


def test_a_folder_of_rules(folder: Path) -> None:
    project(
        folder,
        {
            "lint/own/OWN001-a-relu.toml": PATTERN,
            "lint/OWN002-other.toml": PATTERN,
            "modellint.toml": 'rules = ["lint"]',
        },
    )
    found = lint_json(".", "--select", "OWN", cwd=folder)["findings"]
    assert [(each["code"], each["family"]) for each in found] == [
        ("OWN001", "own"),
        ("OWN002", "lint"),
    ]
    assert "OWN001" in codes(".", cwd=folder)
    assert codes(".", "--select", "lint", cwd=folder) == ["OWN002"]


def test_other_files_of_the_folder_are_data(folder: Path) -> None:
    project(
        folder,
        {
            "lint/tables.toml": "x = 1",
            "lint/own/OWN001-a-relu.toml": PATTERN,
            "modellint.toml": 'rules = ["lint"]',
        },
    )
    assert codes(".", "--select", "OWN", cwd=folder) == ["OWN001"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("summary = 1", "OWN001-a-relu.toml"),
        ("summary = [", "OWN001-a-relu.toml"),
        (
            PATTERN.replace("severity", "severety"),
            "unknown key; did you mean 'severity'?",
        ),
        (PATTERN.replace("severity", "severety"), "severity is missing"),
        (
            PATTERN.replace("pattern", "patern"),
            "match.patern: unknown key; did you mean",
        ),
        (PATTERN.replace('"info"', '"bad"'), "severity: should be 'info', 'warning' or 'error'"),
        (PATTERN + "\n[extra]\nx = 1", "extra"),
        (PATTERN.partition("[match]")[0], "needs exactly one of [match], check and problem"),
        (PATTERN.replace("y = Relu(x)", "y = Relu(x"), "OWN001-a-relu.toml: match: "),
        (PATTERN.replace('report = "y"', 'report = "y"\nwhere = ["nope(y)"]'), "nope"),
        (
            PATTERN.replace('report = "y"', 'report = "y"\nvariant = "other"'),
            "OWN001-a-relu.toml: match: variant 'other' is not in [messages]",
        ),
        (
            PATTERN + '[fixes]\nother = "Do."',
            "OWN001-a-relu.toml: fixes: 'other' is not in [messages]",
        ),
        (
            PATTERN.replace('report = "y"', 'report = "y"\nstopped = ["onnxruntime"]'),
            "OWN001-a-relu.toml: match: stopped 'onnxruntime' is not in [fused_by]",
        ),
        (
            PATTERN.replace("[match]", "[[match]]") + '[[match]]\npattern = "y = "\nreport = "y"',
            "OWN001-a-relu.toml: match[1]: pattern, line 1",
        ),
        (CHECKED, "which only an installed plugin may do"),
    ],
)
def test_a_rule_file_that_cannot_be_used_is_a_mistake(folder: Path, text: str, said: str) -> None:
    project(folder, {"lint/own/OWN001-a-relu.toml": text, "modellint.toml": 'rules = ["lint"]'})
    failed(run_cli(".", cwd=folder), said)


def test_a_rule_under_another_name_is_not_passed_over(folder: Path) -> None:
    project(folder, {"lint/own/relu.toml": PATTERN, "modellint.toml": 'rules = ["lint"]'})
    failed(run_cli(".", cwd=folder), "relu.toml: invalid file name (example: FUS002-dead-end.toml)")
    project(folder, {"lint/own/relu.toml": "figures = [1, 2]"})
    assert run_cli(".", cwd=folder).exit_code == 0


def test_a_code_that_is_taken_is_a_mistake(folder: Path) -> None:
    project(folder, {"lint/own/HYG005-mine.toml": PATTERN, "modellint.toml": 'rules = ["lint"]'})
    failed(run_cli(".", cwd=folder), "code HYG005 is already used by 'dropout-left-over'")


def test_a_plugin_is_found_and_its_checks_run(folder: Path, site: Path) -> None:
    assert codes(".", "--select", "ACM", cwd=folder) == ["ACM002", "ACM001"]
    assert "ACM001" in run_cli("rules", cwd=folder).stdout
    (found,) = lint_json(".", "--select", "ACM002", cwd=folder)["findings"]
    assert (found["message"], found["family"]) == ("1 × Relu.", "acme")


def test_a_plugin_in_a_process_of_its_own(folder: Path, site: Path) -> None:
    project(folder, {"more.onnx": GOOD})
    options = ("--select", "ACM002", "--jobs", "2", "-o", "concise")
    result = run_process(".", *options, cwd=folder)
    assert result.stdout.count("ACM002") == 2, result


def test_options_of_a_plugin_are_checked(folder: Path, site: Path) -> None:
    project(folder, {"modellint.toml": "rule-options = { ACM002 = { op = 'Relu6' } }"})
    failed(run_cli(".", cwd=folder), "'Relu6' is not one of Relu, Sigmoid; did you mean 'Relu'?")
    project(folder, {"modellint.toml": "rule-options = { ACM002 = { op = 'Sigmoid' } }"})
    assert codes(".", "--select", "ACM002", cwd=folder) == []


def test_an_edited_plugin_is_another_result(folder: Path, site: Path) -> None:
    options = (".", "--select", "ACM002", "-o", "concise")
    assert "ACM002" in run_process(*options, cwd=folder).stdout
    (site / "acme_checks.py").write_text("def count(context):\n    return []\n")
    assert run_process(*options, cwd=folder).stdout == ""


def test_a_plugin_that_crashes_is_a_finding(folder: Path, site: Path) -> None:
    (site / "acme_checks.py").write_text("def count(context):\n    raise KeyError('x')\n")
    document = lint_json(".", "--select", "ACM", cwd=folder)
    assert [each["code"] for each in document["findings"]] == ["INT001", "ACM001"]
    assert "ACM002" in document["findings"][0]["message"]


def test_a_plugin_without_its_check_is_a_finding(folder: Path, site: Path) -> None:
    (site / "acme_checks.py").write_text("")
    (found,) = lint_json(".", "--select", "ACM002", cwd=folder)["findings"]
    assert "no check named 'acme_checks:count'" in found["message"]


def test_without_plugins_their_machinery_is_not_imported() -> None:
    load = "import sys; from modellint.rules.registry import load_rules; load_rules()"
    check = "assert 'importlib.metadata' not in sys.modules and 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", load], check=True)  # writes the index
    subprocess.run([sys.executable, "-c", f"{load}; {check}"], check=True)


def test_the_index_of_rules_is_what_the_files_say(empty_cache: Path) -> None:
    registry._built_in.cache_clear()
    fresh = load_rules(plugins=False)
    assert list(empty_cache.glob("rules-*.json"))
    registry._built_in.cache_clear()
    kept = load_rules(plugins=False)
    assert kept == fresh
    assert [repr(rule) for rule in kept.values()] == [repr(rule) for rule in fresh.values()]
    bare = load_rules(plugins=False, examples=False)
    assert {code: registry.with_examples(rule) for code, rule in bare.items()} == fresh


@pytest.mark.parametrize("content", ["", "[]", "{", "[{}]", "5"])
def test_a_damaged_index_is_read_again(isolated: Path, content: str) -> None:
    registry._built_in.cache_clear()
    expected = load_rules(plugins=False)
    (index,) = isolated.glob("rules-*.json")
    index.write_text(content)
    registry._built_in.cache_clear()
    assert load_rules(plugins=False).keys() >= ({} if content == "[]" else expected).keys()
    registry._built_in.cache_clear()


def test_a_badly_named_file_is_refused(tmp_path: Path) -> None:
    project(tmp_path, {"mine.toml": PATTERN})
    with pytest.raises(RuleFileError, match="invalid file name"):
        read_rule(tmp_path / "mine.toml")
