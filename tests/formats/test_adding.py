"""`docs/adding-a-format.md`, followed word for word: in modellint, and in another package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

PAGE = (ROOT / "docs/adding-a-format.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


DESCRIPTION, READER = blocks("python")
(ENTRY_POINT,) = blocks("toml")
(COMMANDS,) = blocks("console")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of modellint, with the format in it."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tools", copy / "tools")
    (copy / "docs").mkdir()
    for name in ("docs/formats.md", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, copy / name)
    for name in ("rules", "hardware_targets"):
        (copy / name).symlink_to(ROOT / name)
    package = copy / "src/modellint/formats/toy"
    package.mkdir(exist_ok=True)  # it is there already where the page is being tried
    (package / "__init__.py").write_text(DESCRIPTION)
    (package / "reader.py").write_text(READER)
    registry = package.parent / "registry.py"
    text = registry.read_text(encoding="utf-8").replace("    TOY,\n", "")
    text = text.replace(
        '\n"""Formats with a reader', '\nREAD = (*READ, TOY)\n"""Formats with a reader'
    )
    imported = "from modellint.formats.toy import TOY\n"
    registry.write_text(text.replace("\nGROUP =", f"{imported}\nGROUP ="), encoding="utf-8")
    return copy


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The format in a package of its own, as pip leaves it."""
    package, info = tmp_path / "site/toy_format", tmp_path / "site/toy_format-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    for name, text in (("__init__.py", DESCRIPTION), ("reader.py", READER)):
        (package / name).write_text(text.replace("modellint.formats.toy", package.name))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (section,) = re.findall(r'entry-points."(.*)"', ENTRY_POINT)
    name, target = re.findall(r'^(\w+) = "(.*)"', ENTRY_POINT, re.MULTILINE)[0]
    (info / "entry_points.txt").write_text(f"[{section}]\n{name} = {target}\n")
    return package.parent


def try_it(folder: Path, monkeypatch: pytest.MonkeyPatch, path: Path) -> list[str]:
    """Return the output of each of the page's commands."""
    monkeypatch.setenv("PYTHONPATH", str(path))
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    folder.mkdir()
    program = f'"{sys.executable}" -m modellint'
    return [
        subprocess.run(
            line.removeprefix("$ ").replace("modellint", program, 1),
            shell=True,
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        ).stdout
        for line in COMMANDS.splitlines()
    ]


def assert_known(answers: list[str]) -> None:
    _, found, shown, facts = answers
    assert "HYG004" in found
    assert "3 nodes" in shown
    assert "author: Ada" in shown
    assert ", Toy" in facts


def test_in_modellint(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkout.parent / "models"
    assert_known(try_it(folder, monkeypatch, checkout / "src"))
    generator = str(checkout / "tools/generate_formats.py")
    subprocess.run([sys.executable, generator], check=True, capture_output=True)
    assert "| Toy | `.toy` |" in (checkout / "docs/formats.md").read_text(encoding="utf-8")
    assert "|toy" in (checkout / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")


def test_in_another_package(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_known(try_it(site.parent / "models", monkeypatch, site))


def test_the_toy_reader_reports_a_truncated_file(
    site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "short.toy").write_text("TOY1")
    command = [sys.executable, "-m", "modellint", "check", "short.toy"]
    monkeypatch.setenv("PYTHONPATH", str(site))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "FIL003" in done.stdout
