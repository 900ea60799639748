"""Versions in a git repository and models of folders, compared by the program."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from shutil import which

import pytest

from tests.revisions.test_revisions import git
from tests.support import CliResult, model_from_text, run_cli, save

NETWORK = """<ir_version: 9, opset_import: ["" : 18]>
main (float[1,{width}] x) => (float[1,{width}] y) <float[{width},{width}] w = {{{numbers}}}>
{{ a = MatMul (x, w)
   y = {op} (a) }}"""


def network(path: Path, width: int, op: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = ",".join(["0.5"] * width**2)
    text = NETWORK.format(width=width, op=op, numbers=numbers)
    return save(model_from_text(text), path)


def diff(*arguments: str | Path, cwd: Path | None = None) -> CliResult:
    return run_cli("diff", *arguments, "--isolated", "--fail-on", "never", cwd=cwd)


def rows(shown: CliResult) -> dict[str, tuple[str | None, str]]:
    overview = json.loads(shown.stdout.splitlines()[-1])["overview"]
    return {row["name"]: (row["was"], row["status"]) for row in overview["models"]}


def test_two_folders(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, name, width, op in (
        (old, "same.onnx", 2, "Relu"),
        (new, "same.onnx", 2, "Relu"),
        (old, "changed.onnx", 3, "Relu"),
        (new, "changed.onnx", 3, "Tanh"),
        (old, "a/first.onnx", 4, "Abs"),
        (new, "b/second.onnx", 4, "Abs"),
        (old, "wider.onnx", 5, "Neg"),
        (new, "wider.onnx", 6, "Neg"),
        (new, "extra.onnx", 7, "Sqrt"),
    ):
        network(folder / name, width, op)
    shown = diff(old, new, "--output", "json")
    assert rows(shown) == {
        "b/second.onnx": ("a/first.onnx", "same"),
        "changed.onnx": (None, "changed"),
        "extra.onnx": (None, "added"),
        "same.onnx": (None, "same"),
        "wider.onnx": (None, "breaking"),
    }
    assert shown.exit_code == 1
    page = diff(old, new).stdout
    assert page.index("1 added") < page.index("1 operation unchanged")
    assert "a/first.onnx" in diff(old, new, "--output", "concise").stdout


@pytest.mark.skipif(which("git") is None, reason="needs git")
def test_versions_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top, temporary = tmp_path / "top", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    model = network(top / "models/a.onnx", 3, "Relu")
    network(top / "models/b.onnx", 4, "Relu")
    git(top, "init", "-q", "-b", "main")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    network(model, 3, "Tanh")
    one = diff("--git", "main", "models/a.onnx", "--output", "concise", cwd=top)
    assert one.stdout.startswith("main:models/a.onnx -> models/a.onnx: ")
    assert "Relu -> Tanh" in one.stdout
    assert rows(diff("--git", "HEAD", "--output", "json", cwd=top)) == {
        "models/a.onnx": (None, "changed")
    }
    assert rows(diff("--staged", "--output", "json", cwd=top)) == {}
    git(top, "add", ".")
    assert rows(diff("--staged", "--output", "json", cwd=top)) == {
        "models/a.onnx": (None, "changed")
    }
    assert diff("--git", "mian", "models", cwd=top).exit_code == 2
    assert list(temporary.iterdir()) == []


def test_too_few_models(tmp_path: Path) -> None:
    assert "give an old and a new one" in diff(network(tmp_path / "a.onnx", 2, "Abs")).stderr


def test_each_model_has_the_configuration_of_its_folder(tmp_path: Path) -> None:
    old = network(tmp_path / "a.onnx", 2, "Abs")
    text = NETWORK.format(width=2, op="Abs", numbers="1,2,3,4").replace("Abs (a)", "Abs (b)")
    new = save(model_from_text(text.replace("y =", "b = Identity (a)\n y =")), tmp_path / "b.onnx")
    (tmp_path / "modellint.toml").write_text('fail-on = "info"\nselect = ["HYG"]\n')
    assert run_cli("diff", old, new).exit_code == 1
    (tmp_path / "modellint.toml").write_text('fail-on = "never"\n')
    assert run_cli("diff", old, new).exit_code == 0
