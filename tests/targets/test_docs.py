"""The documentation says the same of devices as the target files."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from modellint.targets import find_target
from tests.samples import GOOD
from tests.support import ROOT, run_cli, save

GUIDE = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")


def example(start: str) -> str:
    """The TOML block of the guide that starts so."""
    blocks = re.findall(r"^ *```toml\n(.*?)^ *```", GUIDE, re.DOTALL | re.MULTILINE)
    (block,) = (text for text in map(dedent, blocks) if text.startswith(start))
    return block


def test_the_guides_target_files_load(tmp_path: Path) -> None:
    (tmp_path / "a16.toml").write_text(example("name ="), encoding="utf-8")
    (tmp_path / "half-a10.toml").write_text(example("extends ="), encoding="utf-8")
    assert find_target("NVIDIA A16", [tmp_path]).peak("int8") == 35.9e12
    half = find_target("half-a10", [tmp_path])
    assert half.memory.usable == 11 * 2**30
    assert half.rates == find_target("a10").rates


def test_the_guides_configuration_finds_them(tmp_path: Path) -> None:
    (tmp_path / "lint" / "targets").mkdir(parents=True)
    (tmp_path / "lint" / "targets" / "half-a10.toml").write_text(example("extends ="))
    (tmp_path / "modellint.toml").write_text(example("target-dirs"))
    assert "Half an A10" in run_cli("targets", "half-a10", cwd=tmp_path).stdout


def test_the_guides_commands_run(tmp_path: Path) -> None:
    save(GOOD, tmp_path / "model.onnx")
    commands = re.findall(r"^\$ modellint (targets .*?)(?: +#.*)?$", GUIDE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert run_cli(*command.split(), cwd=tmp_path).exit_code == 0
