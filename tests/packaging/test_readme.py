"""The statements of the README are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modellint.base.data import read_toml
from modellint.base.install import SOURCE, install_command
from modellint.rules.registry import load_rules
from modellint.targets import load_targets
from tests.support import run_cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The fenced block of a language that holds a text."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(each for each in blocks if containing in each)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_install_commands_are_those_that_doctor_gives() -> None:
    assert f"$ pip install {SOURCE}\n" in README
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for command, extra in re.findall(r"(pip install '?modellint\[(.*?)\][^`\n]*)", text):
            assert command == install_command(extra), page.name


def test_number_of_devices() -> None:
    """The exact number is generated, in docs/devices.md, so that a new device changes no prose."""
    (least,) = re.findall(r"[Mm]ore than (\d+) devices", README)
    assert len(load_targets()) > int(least)


def test_families_are_those_of_the_rules() -> None:
    named = {
        name
        for row in re.findall(r"^\| ([a-z, ]+) \|", README, re.MULTILINE)
        for name in row.split(", ")
    }
    ours = {rule.family for rule in load_rules(plugins=False).values()}
    beside = {"internal", "suppression", "verify", "probe", "tensorrt", "onnxruntime"}
    assert ours - beside == named - {"family", "code"}


def test_configuration_is_valid(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(block("toml", "[tool.modellint]"), encoding="utf-8")
    model = tmp_path / "m.onnxtxt"
    model.write_text(MODEL, encoding="utf-8")
    result = run_cli(str(model))
    assert result.exit_code == 0, result


def test_own_rule_works(tmp_path: Path) -> None:
    rule = block("toml", "[match]")
    path = tmp_path / re.findall(r"^# (\S+\.toml)", rule)[0]
    path.parent.mkdir(parents=True)
    path.write_text(rule, encoding="utf-8")
    assert read_toml(path)["severity"] == "warning"
    (tmp_path / "modellint.toml").write_text('rules = ["model-rules"]', encoding="utf-8")
    model = tmp_path / "m.onnxtxt"
    model.write_text(MODEL, encoding="utf-8")
    result = run_cli(str(model), "--output", "concise", "--select", "TEAM001")
    assert "warning TEAM001 'e' computes GELU with erf." in result.stdout


MODEL = """<ir_version: 8, opset_import: ["" : 17]>
main (float[1,4] x) => (float[1,4] e) <float root = {1.4142135}> { d = Div (x, root) e = Erf (d) }
"""
