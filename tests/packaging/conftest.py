"""A repository like ours at this moment, for what installs or clones it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "A. Tester"), ("EMAIL", "tester@example.com"))
}


def clean_environment() -> dict[str, str]:
    """This process's environment without what would reach into another repository or package."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "COVERAGE_", "COV_CORE_")) and name != "PYTHONPATH"
    }
    return {**inherited, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "PYTHONUTF8": "1"}


def git(repository: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *args],
        cwd=repository,
        env=clean_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(args)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout, uncommitted work included, as a repository with one commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    repository = tmp_path_factory.mktemp("snapshot") / "modellint"
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, repository / name)
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Snapshot")
    return repository
