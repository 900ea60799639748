"""The hooks, run by real pre-commit on real commits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.packaging.conftest import clean_environment, git, run
from tests.support import ROOT, save

GOOD = """
<ir_version: 10, opset_import: ["" : 21]>
good (float[1, 8] x) => (float[1, 8] y) { y = Relu(x) }
"""

on_commit = pytest.mark.xdist_group("installs")
slow = pytest.mark.slow


class Project:
    """A user's repository with our hook installed in it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def commit(self, *names: str) -> tuple[bool, str]:
        """Commit these files. Says whether it was let through, and what was printed."""
        git(self.folder, "add", "--all", *names)
        done = self.run("git", "commit", "--message", "Change")
        return done.returncode == 0, done.stdout + done.stderr

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return run(*command, cwd=self.folder, env=self.environment)


@pytest.fixture(scope="module")
def environment(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables that keep what pre-commit builds: once for all tests, and apart from the user's."""
    home = tmp_path_factory.mktemp("pre-commit")
    own = {"PRE_COMMIT_HOME": str(home), "MODELLINT_CACHE_DIR": str(home / "modellint")}
    return {**clean_environment(wheels), **own}


@pytest.fixture
def project(
    request: pytest.FixtureRequest, snapshot: Path, environment: dict[str, str], tmp_path: Path
) -> Project:
    hook = getattr(request, "param", "modellint")
    project = Project(tmp_path / "project", environment)
    project.folder.mkdir()
    git(project.folder, "init", "--quiet")
    # ONNX Runtime is left out, so that all hooks share an environment: proof is by structure.
    (project.folder / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {snapshot.as_posix()}\n  rev: {git(snapshot, 'rev-parse', 'HEAD')}"
        f"  hooks:\n  - id: {hook}\n    additional_dependencies: []\n"
    )
    installed = project.run(sys.executable, "-m", "pre_commit", "install")
    assert installed.returncode == 0, installed.stderr
    return project


def save_with_external_data(path: Path, *, fixable: bool = False) -> Path:
    """A model whose one weight lies in `<name>.data`; gives the data file."""
    weight = numpy_helper.from_array(np.full((64, 64), 0.5, np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in "xy")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="project")]
    if fixable:
        nodes.append(helper.make_node("Relu", ["y"], ["unread"], name="dead"))
    graph = helper.make_graph(nodes, "g", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    location = f"{path.name}.data"
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
    return path.with_name(location)


def test_manifest_is_valid() -> None:
    manifest = str(ROOT / ".pre-commit-hooks.yaml")
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", manifest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@slow
@on_commit
def test_good_model_is_committed(project: Project) -> None:
    save(GOOD, project.folder / "models" / "good.onnx")
    committed, output = project.commit(".")
    assert committed, output
    assert "Passed" in output


@slow
@on_commit
def test_truncated_model_is_refused(project: Project) -> None:
    good = save(GOOD, project.folder / "good.onnx")
    (project.folder / "Bad.ONNX").write_bytes(good.read_bytes()[:-9])
    committed, output = project.commit(".")
    assert not committed, output
    assert "Bad.ONNX" in output


@slow
@on_commit
def test_git_lfs_pointer_is_refused(project: Project) -> None:
    """pre-commit takes a pointer for text; the hook must see it all the same."""
    (project.folder / "model.onnx").write_text(
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{'0123456789abcdef' * 4}\nsize 104857600\n"
    )
    committed, output = project.commit(".")
    assert not committed, output
    assert "LFS" in output


@slow
@on_commit
def test_commit_without_models_runs_nothing(project: Project) -> None:
    (project.folder / "notes.txt").write_text("nothing to lint\n")
    committed, output = project.commit(".")
    assert committed, output
    assert "no files to check" in output


@slow
@on_commit
def test_external_data_changed_alone_lints_its_model(project: Project) -> None:
    data = save_with_external_data(project.folder / "net.onnx")
    committed, output = project.commit(".")
    assert committed, output
    data.write_bytes(data.read_bytes()[:100])
    committed, output = project.commit(data.name)
    assert not committed, output
    assert "net.onnx" in output


@slow
@on_commit
@pytest.mark.parametrize("project", ["modellint-all"], indirect=True)
def test_whole_repository_hook_sees_what_the_commit_did_not_touch(project: Project) -> None:
    data = save_with_external_data(project.folder / "net.onnx")
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--no-verify", "--quiet", "--message", "Start")
    data.unlink()
    committed, output = project.commit(data.name)
    assert not committed, output
    assert "net.onnx" in output


@slow
@on_commit
@pytest.mark.parametrize("project", ["modellint-diff"], indirect=True)
def test_a_break_of_the_interface_is_refused(project: Project) -> None:
    model = project.folder / "models" / "net.onnx"
    save(GOOD, model)
    committed, output = project.commit(".")
    assert committed, output
    assert "added" in output
    save(GOOD.replace("Relu", "Tanh"), model)
    committed, output = project.commit(".")
    assert committed, output
    assert "Relu" in output
    save(GOOD.replace("8", "9"), model)
    committed, output = project.commit(".")
    assert not committed, output
    assert "breaking" in output


@slow
@on_commit
@pytest.mark.parametrize("project", ["modellint-fix"], indirect=True)
def test_what_can_be_fixed_is_fixed_and_committed_the_second_time(project: Project) -> None:
    model = project.folder / "net.onnx"
    data = save_with_external_data(model, fixable=True)
    weights = data.read_bytes()
    committed, output = project.commit(".")
    assert not committed, output
    assert "files were modified by this hook" in output
    assert [node.name for node in onnx.load(model).graph.node] == ["project"]
    committed, output = project.commit(".")
    assert committed, output
    assert data.read_bytes() == weights
    names = {path.name for path in project.folder.iterdir()}
    assert names == {".git", ".pre-commit-config.yaml", "net.onnx", data.name}
