"""Other places where modellint runs: CI systems, images, agents, other command lines.

Their files and the commands of their pages are run, or compared with what they name.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from modellint.base.data import read_toml
from modellint.base.install import SOURCE
from modellint.browser.browser import CONTAINED
from modellint.probes.setup import setups
from tests.support import EXAMPLES, ROOT, run_cli

DOCS = ROOT / "docs"
SKILL = ROOT / ".agents" / "skills" / "modellint" / "SKILL.md"
PROGRAMS = Path(sys.executable).parent
DOCKER = ROOT / "packaging" / "docker" / "Dockerfile"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with the models that pages speak of."""
    (tmp_path / "models").mkdir()
    shutil.copy(EXAMPLES / "not_pulled.onnx", tmp_path / "models" / "bad.onnx")
    for name in ("model", "old", "new"):
        shutil.copy(EXAMPLES / "clean_classifier.onnx", tmp_path / f"{name}.onnx")
    return tmp_path


def test_commands_of_ci_systems_fail_the_job_and_write_their_reports(workspace: Path) -> None:
    page = re.sub(r"\n +(?=--)", " ", (DOCS / "ci.md").read_text(encoding="utf-8"))
    jobs = re.findall(r"\bmodellint (models/ [^'\n]*)", page)
    assert len(jobs) == 4
    for job in map(shlex.split, jobs):
        result = run_cli(*job, cwd=workspace)
        assert result.exit_code == 1, result
        assert "FIL005" in result.stdout
        for report in (each for each in job if ":" in each):
            path = workspace / report.partition(":")[2]
            assert "FIL005" in path.read_text(encoding="utf-8")
            path.unlink()


def test_the_first_steps_work(workspace: Path) -> None:
    shutil.copy(EXAMPLES / "qat_residual.onnx", workspace)
    page = (DOCS / "getting-started.md").read_text(encoding="utf-8")
    steps = re.findall(r"^ *\$ modellint (.*)$", page, re.MULTILINE)
    codes = [run_cli(*shlex.split(step, comments=True), cwd=workspace).exit_code for step in steps]
    assert codes == [1, 1, 0, 0, 0]
    for written in ("fixed.onnx", "modellint.toml", "modellint-baseline.json"):
        assert (workspace / written).is_file()


@pytest.mark.skipif(os.name == "nt", reason="bash may be another system's there")
def test_the_component_of_gitlab(workspace: Path) -> None:
    head, job = (ROOT / "templates" / "modellint.yml").read_text(encoding="utf-8").split("\n---\n")
    inputs = yaml.safe_load(head)["spec"]["inputs"]
    assert inputs["package"]["default"] == SOURCE

    def run(**given: str) -> tuple[int, str, set[str]]:
        """Run the job as GitLab fills it in: its exit code, errors and reports."""
        values = {**{name: each["default"] for name, each in inputs.items()}, **given}
        filled = re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda each: values[each[1]], job)
        steps = yaml.safe_load(filled)["modellint"]
        done = subprocess.run(
            ["bash", "-e", "-c", "\n".join(steps["script"])],
            cwd=workspace,
            env={**os.environ, **steps["variables"], "PATH": f"{PROGRAMS}:{os.defpath}"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr, set(steps["artifacts"]["reports"].values())

    code, said, reports = run(paths="models", target="a10,l4", args="--exit-zero")
    assert (code, {"FIL005" in (workspace / each).read_text() for each in reports}) == (0, {True})
    code, said, _ = run(paths="models $(touch injected)")
    assert (code, "$(touch" in said, (workspace / "injected").exists()) == (2, True, False)


def test_the_skill_is_as_its_format_requires_and_its_commands_run(workspace: Path) -> None:
    _, front, body = SKILL.read_text(encoding="utf-8").split("---\n", 2)
    facts = yaml.safe_load(front)
    assert facts["name"] == SKILL.parent.name
    assert len(facts["description"]) <= 1024
    assert len(facts["compatibility"]) <= 500
    blocks = "".join(re.findall(r"```bash\n(.*?)```", body, re.DOTALL))
    found = re.findall(r"^modellint (.*)$", blocks, re.MULTILINE)
    assert {"check", "diff", "inspect", "optimize", "rule"} <= {each.split()[0] for each in found}
    for command in (each for each in found if not each.startswith("probe ")):
        result = run_cli(*shlex.split(command, comments=True), cwd=workspace)
        assert result.exit_code in (0, 1), result
    written = {path.name for path in workspace.iterdir()}
    assert written == {"models", "model.onnx", "old.onnx", "new.onnx", "fixed.onnx"}
    assert (workspace / "model.onnx").read_bytes() == (workspace / "old.onnx").read_bytes()


def test_images_carry_only_compilers_that_may_be_passed_on() -> None:
    recipe = DOCKER.read_text(encoding="utf-8")
    (names,) = re.findall(r"for name in ([^;]+);", recipe)
    free = {name for name, each in setups().items() if not each.environment.agreement}
    assert set(names.split()) == free - {"executorch", "iree", "mnn"}, (
        "for docs/docker.md's reasons"
    )
    page = (DOCS / "docker.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in setups())
    assert f"ENV {CONTAINED}=1" in recipe


def test_what_images_copy_is_in_their_context() -> None:
    ignore = DOCKER.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8")
    context = set(re.findall(r"^!(.+)$", ignore, re.MULTILINE))
    recipe = DOCKER.read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", recipe, re.MULTILINE)
    assert {name for line in copied for name in line.split()} == context
    assert all((ROOT / name).exists() for name in context)


def test_the_extension_of_hugging_face_is_this_program() -> None:
    extension = read_toml(ROOT / "packaging" / "hf-modellint" / "pyproject.toml")["project"]
    own = read_toml(ROOT / "pyproject.toml")["project"]
    assert extension["dependencies"] == [f"modellint @ {SOURCE}"]
    assert extension["scripts"] == {"hf-modellint": own["scripts"]["modellint"]}


def test_the_dev_container_names_what_the_makefile_has() -> None:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    facts = json.loads(text.partition("\n")[2])
    target = facts["postCreateCommand"].removeprefix("make ").replace(".venv", "$(VENV)")
    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
