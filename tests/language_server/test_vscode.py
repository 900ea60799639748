"""The extension of VS Code agrees with the server and its page; its own tests run in VS Code."""

from __future__ import annotations

import json
import re
from typing import Any

from modellint.formats.registry import formats
from modellint.lsp.server import INSPECT, LINT
from tests.support import ROOT

FOLDER = ROOT / "editors" / "vscode"
DOCS = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
MANIFEST: dict[str, Any] = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
CONTRIBUTED = MANIFEST["contributes"]


def test_tabs_are_for_models() -> None:
    known = {suffix for format in formats() for suffix in format.suffixes}
    for editor in CONTRIBUTED["customEditors"]:
        for selector in editor["selector"]:
            suffix = selector["filenamePattern"].removeprefix("*")
            assert suffix in known
            assert f"`{suffix}`" in DOCS


def test_the_servers_commands_are_the_ones_that_it_asks_for() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in (FOLDER / "src").glob("*.ts"))
    asked = set(re.findall(r'const SERVER_\w+ = "([\w.]+)"', source))
    assert asked == {LINT, INSPECT}
    own = {command["command"] for command in CONTRIBUTED["commands"]}
    assert not own & asked  # clients register the commands of a server by themselves
    assert all(f'registerCommand("{command}"' in source for command in own)


def test_settings_are_documented_and_a_folder_names_no_program() -> None:
    settings = CONTRIBUTED["configuration"]["properties"]
    assert set(re.findall(r"`(modellint\.\w+)` \|", DOCS)) == settings.keys()
    assert settings["modellint.path"]["scope"] == "machine"
    trust = MANIFEST["capabilities"]["untrustedWorkspaces"]
    assert trust["restrictedConfigurations"] == ["modellint.path"]


def test_everything_that_it_is_built_from_is_locked() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert all(each.get("integrity", "").startswith("sha512-") for each in packages.values())
    stated = {**MANIFEST["dependencies"], **MANIFEST["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in stated.values())
