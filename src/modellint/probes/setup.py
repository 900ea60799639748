"""Environments for probes: made apart from everything else, and moved into place when complete."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from modellint.base.data import environments_dir
from modellint.base.errors import UsageError
from modellint.base.files import is_private, replace_file
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.probes.backends import known_backends
from modellint.probes.installations import RECORD, interpreter_in, read_record, set_up
from modellint.runtimes.environment import Pinned, ProbeEnvironment, read_environment

Say = Callable[[str], None]
DRAFT = ".draft-"
"""Start of the names of folders in which environments are made."""
BEGUN = "begun"
"""File in a draft that records its purpose, once packages can be installed in it."""
OLD = ".old-"
"""Start of the names of folders that are about to be removed."""
_REDIRECTS = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONHOME", "PYTHONPATH")
"""Variables that would make pip install elsewhere, or see other packages."""


class SetupFailed(UsageError):  # noqa: N818 - a name fit to be read in `except`
    """An environment could not be made."""


@dataclass(frozen=True, slots=True)
class EnvironmentSetup:
    """A runtime that can be set up, and what that installs."""

    name: str
    title: str
    environment: ProbeEnvironment

    @property
    def folder(self) -> Path:
        return environments_dir() / self.name

    @property
    def draft(self) -> Path:
        return environments_dir() / f"{DRAFT}{self.name}"

    @property
    def pins(self) -> str:
        """Return a digest of everything that is to be installed."""
        stated = [[each.name, each.version] for each in self.environment.packages]
        return hashlib.sha256(json.dumps(stated).encode()).hexdigest()

    @property
    def is_current(self) -> bool:
        """Return True if it is set up, with the very packages that are stated."""
        record = read_record(self.folder)
        return record is not None and record["pins"] == self.pins and bool(set_up(self.name))


def setups() -> dict[str, EnvironmentSetup]:
    """Return all runtimes that can be set up, by name."""
    return {
        name: EnvironmentSetup(name, each.title, read_environment(each.probe.environment))
        for name, each in known_backends().items()
        if each.probe.environment is not None
    }


def setup_of(name: str) -> EnvironmentSetup:
    known = setups()
    backend = known_backends().get(name)
    if backend is not None and backend.probe.shares:
        name = backend.probe.shares
    if name not in known:
        hint = did_you_mean(name, known, f"choose from {', '.join(known)}")
        raise UsageError(f"no setup for {name!r}; {hint}")
    return known[name]


def make(setup: EnvironmentSetup, say: Say) -> None:
    """Install everything in a draft, which then replaces an earlier environment.

    What a run that was interrupted has installed is used again.
    """
    with _alone(setup):
        if _begun(setup.draft) != setup.pins:
            _begin(setup, say)
        install = _with_pip if setup.environment.installer == "pip" else _with_npm
        install(setup, say)
        _finish(setup)


def remove(setup: EnvironmentSetup) -> bool:
    """Remove an environment and any draft of it; return False if there is none."""
    found = [each for each in (setup.folder, setup.draft) if each.is_dir()]
    if found:
        with _alone(setup):
            for each in found:
                shutil.rmtree(each, ignore_errors=True)
    return bool(found)


def bytes_of(folder: Path) -> int:
    """Return the size of all files in a folder, without following links."""
    return sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_dir())


def _begun(draft: Path) -> str:
    """Return the purpose of a draft; empty if there is none that can be resumed."""
    try:
        return (draft / BEGUN).read_text(encoding="utf-8")
    except OSError:
        return ""


def _begin(setup: EnvironmentSetup, say: Say) -> None:
    shutil.rmtree(setup.draft, ignore_errors=True)
    setup.draft.mkdir(mode=0o700)
    if setup.environment.installer == "pip":
        base = base_python(setup)
        if base is None:
            versions = ", ".join(setup.environment.pythons)
            raise SetupFailed(f"{setup.title} needs one of Python {versions}, but none is on PATH")
        say("making a virtual environment")
        _run([base, "-I", "-m", "venv", str(setup.draft)], setup)
    replace_file(setup.draft / BEGUN, setup.pins.encode())


@contextmanager
def _alone(setup: EnvironmentSetup) -> Iterator[None]:
    """Keep other runs from making the same environment at the same time."""
    root = environments_dir()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(root.stat()):
            raise SetupFailed(f"other users can write to {root}, so nothing in it is run")
        lock = os.open(root / f"{setup.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SetupFailed(f"cannot write to {root}: {error.strerror}") from None
    try:
        with suppress(ImportError):  # Windows has none
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def base_python(setup: EnvironmentSetup) -> str | None:
    """Return an interpreter that the packages exist for: this one, or one in PATH."""
    wanted = setup.environment.pythons
    if not wanted or f"{sys.version_info[0]}.{sys.version_info[1]}" in wanted:
        return sys.executable
    found = (shutil.which(f"python{version}") for version in reversed(wanted))
    return next((each for each in found if each is not None), None)


def _with_pip(setup: EnvironmentSetup, say: Say) -> None:
    python = interpreter_in(setup.draft)
    pinned = [f"{each.name}=={each.version}" for each in setup.environment.packages]
    say(f"installing {', '.join(map(_named, setup.environment.packages))}")
    # Of a package that was half installed, pip would think that it is there.
    options = ("--no-input", "--no-user", "--no-deps", "--only-binary=:all:", "--ignore-installed")
    pip = [str(python), "-I", "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    index = setup.environment.index
    _run([*pip, *options, *(("--extra-index-url", index) if index else ()), *pinned], setup)
    if setup.environment.module:
        _run([str(python), "-I", "-c", f"import {setup.environment.module}"], setup)


def _with_npm(setup: EnvironmentSetup, say: Say) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SetupFailed("it needs Node.js with npm: install those first")
    wanted = {each.name: each.version for each in setup.environment.packages}
    package = {"name": "modellint-environment", "private": True, "dependencies": wanted}
    replace_file(setup.draft / "package.json", json.dumps(package, indent=2).encode())
    say(f"installing {', '.join(map(_named, setup.environment.packages))}")
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    _run([npm, "install", "--prefix", str(setup.draft), *options], setup)


def _named(package: Pinned) -> str:
    return f"{package.name} {package.version}"


def _run(command: Sequence[str], setup: EnvironmentSetup) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _REDIRECTS}
    done = subprocess.run(
        command,
        cwd=setup.draft,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        why = "".join(f"\n  {line[:200]}" for line in lines[-5:])
        raise SetupFailed(f"{setup.title} could not be installed:{why}")


def _finish(setup: EnvironmentSetup) -> None:
    """Move the draft to where it belongs; an earlier environment is there until then."""
    draft, place = setup.draft, setup.folder
    _point_scripts_to(draft, place)
    stated = setup.environment
    record = {
        "pins": setup.pins,
        "module": stated.module,
        "version": stated.version,
        "installer": stated.installer,
    }
    replace_file(draft / RECORD, json.dumps(record, indent=2).encode(), 0o600)
    earlier = place.with_name(f"{OLD}{place.name}")
    shutil.rmtree(earlier, ignore_errors=True)
    if place.exists():
        place.rename(earlier)
    draft.rename(place)
    shutil.rmtree(earlier, ignore_errors=True)


def _point_scripts_to(draft: Path, place: Path) -> None:
    """Have the environment's commands name the interpreter where it will be."""
    before, after = str(draft).encode(), str(place).encode()
    for script in draft.glob("bin/*"):
        if script.is_file() and not script.is_symlink():
            content = script.read_bytes()
            if content.startswith(b"#!" + before):
                script.write_bytes(content.replace(before, after, 1))


__all__ = [
    "EnvironmentSetup",
    "SetupFailed",
    "base_python",
    "bytes_of",
    "make",
    "remove",
    "setup_of",
    "setups",
]
