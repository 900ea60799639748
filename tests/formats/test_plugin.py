"""A format from an installed package, through every verb."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.samples import GOOD, project
from tests.support import run_process

DESCRIPTION = """
from modellint.capability import Capability
from modellint.formats.format import Format

TOY = Format("plug", "Plug", (".plug",), tells=frozenset({Capability.METADATA}),
             companions=("{stem}.toybin",), reader="toy_format.reader")
BAG = Format("toy-bag", "Toy bag", (".toybag",), is_folder=True,
             tells=frozenset({Capability.METADATA}), reader="toy_format.bag")
"""
READER = """
from modellint.formats.problems import broken
from modellint.model import Model
from toy_format import TOY

def sniff(head, path):
    return head.startswith(b"PLUG")

def read(path):
    content = path.read_bytes()
    if len(content) < 8:
        return broken(path, TOY.name, "truncated", detail="no header", expected=8, size=4)
    model = Model(path, TOY.name)
    model.capabilities = TOY.tells
    model.metadata = {"author": content[4:].decode().strip()}
    return model
"""
BAG = """
from modellint.model import Model
from toy_format import BAG

def sniff(head, path):
    return (path / "toy.txt").is_file()

def read(path):
    model = Model(path, BAG.name)
    model.capabilities = BAG.tells
    return model
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models, and the plugin as pip leaves it."""
    site = project(
        tmp_path / "site",
        {
            "toy_format/__init__.py": DESCRIPTION,
            "toy_format/reader.py": READER,
            "toy_format/bag.py": BAG,
            "toy_format-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
            "toy_format-1.0.dist-info/entry_points.txt": (
                "[modellint.formats]\ntoy = toy_format:TOY\nbag = toy_format:BAG\n"
            ),
        },
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    folder = project(tmp_path / "models", {"good.onnx": GOOD})
    (folder / "net.plug").write_text("PLUG Ada\n")
    (folder / "short.plug").write_text("PLUG")
    (folder / "renamed.bin").write_text("PLUG Grace\n")
    (folder / "sack.toybag").mkdir()
    (folder / "sack.toybag/toy.txt").write_text("inside")
    (folder / "sack.toybag/inner.onnx").write_bytes((folder / "good.onnx").read_bytes())
    (folder / "notes.txt").write_text("PLUG is a format")
    return folder


def models(folder: Path, *arguments: str) -> dict[str, str]:
    """The format of each file that a run lints."""
    done = run_process("check", *arguments, "-o", "json", cwd=folder)
    return {each["path"]: each["format"] for each in json.loads(done.stdout)["models"]}


def test_a_walk_finds_files_and_folders_of_the_format(folder: Path) -> None:
    assert models(folder, ".") == {
        "good.onnx": "onnx",
        "net.plug": "plug",
        "sack.toybag": "toy-bag",
        "short.plug": "plug",
    }


def test_a_file_under_another_name_is_known_by_its_content(folder: Path) -> None:
    assert models(folder, "renamed.bin") == {"renamed.bin": "plug"}


def test_a_companion_stands_for_its_model(folder: Path) -> None:
    (folder / "net.toybin").write_bytes(b"weights")
    assert models(folder, "net.toybin") == {"net.plug": "plug"}


def test_a_problem_of_the_reader_is_a_finding(folder: Path) -> None:
    done = run_process("check", "short.plug", "-o", "json", cwd=folder)
    assert [each["code"] for each in json.loads(done.stdout)["findings"]] == ["FIL003"]


def test_inspect_and_doctor_know_the_format(folder: Path) -> None:
    assert "plug" in run_process("inspect", "net.plug", cwd=folder).stdout
    assert "Toy bag" in run_process("doctor", cwd=folder).stdout


def lint(folder: Path, *arguments: str) -> tuple[list[str], str]:
    """Findings as ``path: message``, and what stands on stderr."""
    done = run_process("check", *arguments, "-o", "json", cwd=folder)
    findings = json.loads(done.stdout)["findings"]
    return [f"{each['path']}: {each['message']}" for each in findings], done.stderr


def test_a_file_with_a_misleading_name_is_not_what_that_name_promises(folder: Path) -> None:
    (folder / "other.plug").write_bytes(b"\x93NUMPY" + bytes(60))
    findings, _ = lint(folder, "other.plug")
    (finding,) = findings
    assert "is not the Plug model that its name suggests: its format is NumPy array" in finding


@pytest.mark.parametrize("inner", ["toy.txt", "deep/weights"])
def test_a_changed_file_inside_a_model_folder_is_linted_again(folder: Path, inner: str) -> None:
    weights = folder / "sack.toybag" / inner
    weights.parent.mkdir(exist_ok=True)
    weights.write_bytes(bytes(2000))
    for path in (*weights.parents[: 2 + inner.count("/")], weights):
        os.utime(path, (1e9, 1e9))  # long ago, so that results are kept
    (folder / "modellint.toml").write_text("[budgets]\nmax-file-size = 3000\n")
    assert lint(folder, "sack.toybag")[0] == []
    weights.write_bytes(bytes(4000))
    os.utime(weights, (1e9, 1e9))
    assert len(lint(folder, "sack.toybag")[0]) == 1


def test_a_plugin_that_cannot_be_imported_is_reported_once(folder: Path) -> None:
    (folder.parent / "site/toy_format/__init__.py").write_text("import missing_package")
    _, errors = lint(folder, ".")
    assert errors.count("No module named 'missing_package'") == 2, "one for each of its formats"
    assert models(folder, ".") == {"good.onnx": "onnx", "sack.toybag/inner.onnx": "onnx"}
    assert "missing_package" in run_process("doctor", cwd=folder).stdout


@pytest.mark.parametrize("reader", ["import missing_package", "def sniff(head, path): 1 / 0"])
def test_a_reader_that_fails_concerns_its_own_files_alone(folder: Path, reader: str) -> None:
    (folder.parent / "site/toy_format/reader.py").write_text(reader)
    (folder / "model.gguf").write_bytes(b"GGUF" + bytes(60))
    findings, _ = lint(folder, ".")
    named = [each for each in findings if "the reader for Plug fails" in each]
    assert [each.partition(":")[0] for each in named] == ["net.plug", "short.plug"]
    assert models(folder, ".")["model.gguf"] == "gguf"


def test_without_the_plugin_nothing_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    assert models(folder, ".") == {"good.onnx": "onnx", "sack.toybag/inner.onnx": "onnx"}
