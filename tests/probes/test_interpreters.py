"""A probe may run in another Python, which the user names, and never a repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from modellint.probes.backends import known_backends
from modellint.probes.installations import RECORD, Installation, set_up, variable_of
from modellint.probes.runner import Limits, run_child
from modellint.probes.setup import setup_of, setups
from tests.samples import INFO
from tests.support import PATIENCE, CliResult, run_cli, save

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a script stands for an interpreter")
SCRIPT = """#!/bin/sh
echo "$0" >> "{log}"
exec "{python}" {options} "$@"
"""
TOY = """
def answer(request, tell):
    import sys
    tell({"status": "accepted", "version": "1", "detail": " ".join(sys.path)})
"""


def python(path: Path, options: str = "") -> Path:
    """Write a program that notes that it ran, and is this interpreter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    log = path.parent / "ran"
    path.write_text(SCRIPT.format(log=log, python=sys.executable, options=options))
    path.chmod(0o755)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose configuration names a program in it."""
    repository = tmp_path / "cloned"
    python(repository / "bin" / "python")
    save(INFO, repository / "m.onnx")
    (repository / "modellint.toml").write_text(
        'probe = "onnxruntime"\n[probes.onnxruntime]\npython = "bin/python"\n'
    )
    return repository


VERBS = [
    ("check", "m.onnx"),
    ("check", "m.onnx", "--probe"),
    ("check", "m.onnx", "--fix"),
    ("probe", "m.onnx"),
    ("probe", "m.onnx", "--backend", "onnxruntime"),
    ("probe", "--list"),
    ("inspect", "m.onnx"),
    ("doctor",),
]


@pytest.mark.parametrize("args", VERBS, ids=" ".join)
def test_a_program_of_a_repository_is_not_run(args: tuple[str, ...], repository: Path) -> None:
    said = run_cli(*args, cwd=repository)
    assert not (repository / "bin" / "ran").exists()
    if args[0] in ("check", "probe") and "--list" not in args:
        assert said.exit_code == 2
        assert "modellint.toml:3: probes.onnxruntime.python: a program that a repo" in said.stderr
        assert "--probe-python onnxruntime=bin/python" in said.stderr


def probed(said: CliResult, ran: Path) -> bool:
    """Return True if the probe succeeded, in the interpreter."""
    assert said.exit_code == 0, said
    return ran.exists()


def test_it_runs_when_the_user_names_the_file(repository: Path) -> None:
    said = run_cli("probe", "m.onnx", "--config", "modellint.toml", cwd=repository)
    assert probed(said, repository / "bin" / "ran")


def test_it_runs_when_the_user_names_it(repository: Path) -> None:
    said = run_cli("probe", "m.onnx", "--probe-python", "onnxruntime=bin/python", cwd=repository)
    assert probed(said, repository / "bin" / "ran")


def test_another_that_the_user_names_runs_instead(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python(tmp_path / "mine" / "python")
    monkeypatch.setenv(variable_of("onnxruntime"), "../mine/python")
    said = run_cli("probe", "m.onnx", cwd=repository)
    assert probed(said, tmp_path / "mine" / "ran")
    assert not (repository / "bin" / "ran").exists()


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("onnxruntime=/nowhere/python", "'/nowhere/python' is not a program"),
        ("onnxruntime=/bin/true", "/bin/true is not a working Python interpreter"),
        ("tensorrt={python}", "has no module tensorrt"),
        ("onnxruntim={python}", "did you mean 'onnxruntime'?"),
        ("onnxruntime", "expected NAME=PYTHON"),
    ],
)
def test_mistakes(named: str, why: str, tmp_path: Path) -> None:
    save(INFO, tmp_path / "m.onnx")
    bare = python(tmp_path / "python", "-S")
    said = run_cli("probe", tmp_path / "m.onnx", "--probe-python", named.format(python=bare))
    assert said.exit_code == 2
    assert why in said.stderr


def test_the_child_sees_no_package_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ours" / "toy"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "probe.py").write_text(TOY)
    (package.parent / "other.py").touch()
    monkeypatch.syspath_prepend(str(package.parent))
    bare = Installation(str(python(tmp_path / "python", "-S")), "toy", "1")
    ended = run_child(bare.command("toy.probe"), {"code": "toy.probe"}, Limits(PATIENCE))
    assert ended.death is None, ended.detail
    assert ended.answer is not None
    assert str(package.parent) not in ended.answer["detail"]
    assert "site-packages" not in ended.answer["detail"]


def test_children_need_no_dependency_of_modellint() -> None:
    """Those of runtimes that can be set up, where only the runtime's own packages are."""
    codes = [each.probe.code for each in known_backends().values() if each.probe.environment]
    source = Path(sys.modules["modellint"].__file__ or "").parents[1]
    script = (
        f"import sys; sys.path.append({str(source)!r})\n"
        "from importlib import import_module\n"
        f"for code in ['modellint.probes.child', *{codes!r}]: import_module(code)\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Environments that were set up.


@pytest.fixture
def environment(isolated: Path) -> Path:
    """An environment for ONNX Runtime, as `probe --setup` leaves it."""
    folder = isolated / "environments" / "onnxruntime"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    python(folder / "bin" / "python")
    record = {"pins": "x", "module": "onnxruntime", "version": "1.32.0", "installer": "pip"}
    (folder / RECORD).write_text(json.dumps(record))
    return folder


def test_an_environment_is_found(environment: Path) -> None:
    found = set_up("onnxruntime")
    assert found is not None
    assert found.python == str(environment / "bin" / "python")
    assert found.version == "1.32.0"


def test_one_that_others_can_write_to_is_none(environment: Path) -> None:
    environment.chmod(0o777)
    assert set_up("onnxruntime") is None


@pytest.mark.parametrize("record", ["", "[]", '{"pins": 1}', "{" * 100_000])
def test_one_with_a_broken_record_is_none(record: str, environment: Path) -> None:
    (environment / RECORD).write_text(record)
    assert set_up("onnxruntime") is None


def test_an_installed_runtime_goes_first(environment: Path) -> None:
    found = known_backends()["onnxruntime"].installation
    assert found is not None
    assert found.python == sys.executable


def test_a_folder_of_npm_packages_goes_before_one_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELLINT_WEBNN", str(tmp_path))
    said = run_cli("probe", save(INFO, tmp_path / "m.onnx"), "--backend", "webgpu")
    assert said.exit_code == 2
    assert "onnxruntime-web is not ONNX Runtime Web" in said.stderr
    package = tmp_path / "node_modules" / "onnxruntime-web"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"version": "1.30.0"}')
    for name in ("webgpu", "webnn"):
        found = known_backends()[name].installation
        assert found == Installation(sys.executable, "", "1.30.0", str(tmp_path))


def test_a_runtime_is_set_up_with_the_one_that_it_shares_packages_with() -> None:
    assert setup_of("webgpu").name == "webnn"


# What is asked before anything is installed.


def test_nothing_is_installed_without_consent(isolated: Path) -> None:
    said = run_cli("probe", "--setup", "qnn")
    assert said.exit_code == 2
    assert "onnxruntime-qnn" in said.stdout
    assert "Qualcomm AI Stack License" in said.stdout
    assert "nothing was installed: give --yes to install this and agree" in said.stderr
    assert not (isolated / "environments").exists()


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--setup", "qn", "--yes"), "did you mean 'qnn'?"),
        (("--remove", "nothing"), "choose from"),
        (("--list", "m.onnx"), "take no model"),
        ((), "Missing argument 'MODEL...'"),
    ],
)
def test_mistaken_setups(args: tuple[str, ...], why: str) -> None:
    said = run_cli("probe", *args)
    assert said.exit_code == 2
    assert why in said.stderr


def test_what_can_be_set_up_is_listed() -> None:
    rows = run_cli("probe", "--list").stdout.splitlines()
    assert any(row.startswith("qnn ") and row.endswith("to download") for row in rows)
    entries = {
        each["name"]: each for each in json.loads(run_cli("probe", "--list", "--json").stdout)
    }
    assert entries["qnn"]["state"] == "not set up"
    assert entries["qnn"]["packages"][0]["name"] == "onnxruntime-qnn"


@pytest.mark.parametrize("name", setups())
def test_facts_of_environments(name: str) -> None:
    stated = setup_of(name).environment
    assert stated.source.startswith("https://")
    assert date.fromisoformat(stated.date) >= date(2026, 1, 1)
    assert all(each.version and each.license and each.megabytes for each in stated.packages)
