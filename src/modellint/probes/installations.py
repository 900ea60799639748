"""Places of a runtime: this interpreter, one that the user names, or one that was set up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modellint.base.data import environments_dir
from modellint.base.errors import UsageError
from modellint.base.files import is_private, read_regular
from modellint.base.records import dataclass
from modellint.runtimes.probe import Probe

VARIABLE = "MODELLINT_PROBE_PYTHON_"
"""Start of the environment variables that name an interpreter."""
RECORD = "environment.json"
"""File that makes a folder an environment: it is written last."""
OWN_CHILD = (sys.executable, "-m", "modellint.probes.child")
"""Command of a child in this interpreter."""
PATIENCE = 60
_MOST_RECORD = 1 << 20
_ASK = """
import importlib.metadata, importlib.util, json, sys
modules, packages = map(json.loads, sys.argv[1:])
module = next((name for name in modules if importlib.util.find_spec(name)), "")
version = ""
for name in packages:
    try:
        version = version or importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps([module, version]))
"""
_BEGIN = """
import importlib.util, json, sys
for name, folder in json.loads(sys.argv[1]).items():
    spec = importlib.util.spec_from_file_location(
        name, folder + "/__init__.py", submodule_search_locations=[folder]
    )
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
from modellint.probes.child import main
main()
"""
"""Starts a child in another interpreter, which sees of this one only the packages it is to run."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A runtime in the interpreter that its child runs in."""

    python: str
    module: str
    version: str
    folder: str = ""
    """Folder of the environment that was set up for it, if any."""

    @property
    def is_own(self) -> bool:
        """Return True for this interpreter."""
        return self.python == sys.executable

    def command(self, code: str) -> tuple[str, ...]:
        """Return the command that runs a child with a module of a runtime's package."""
        if self.is_own:
            return OWN_CHILD
        packages = {name: _folder_of(name) for name in ("modellint", code.partition(".")[0])}
        return (self.python, "-I", "-B", "-c", _BEGIN, json.dumps(packages))


def _folder_of(package: str) -> str:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent)


def variable_of(name: str) -> str:
    """Return the environment variable that names the interpreter of a runtime."""
    return VARIABLE + name.upper().replace("-", "_").replace(".", "_")


def named_by_environment(name: str) -> str:
    """Return the interpreter that an environment variable names; empty for none."""
    text = os.environ.get(variable_of(name), "")
    return program(text) or text


def program(text: str) -> str | None:
    """Return the path of a program that a user typed: a path, or a name in PATH."""
    from shutil import which

    found = which(text) if text else None
    return str(Path(found).absolute()) if found is not None else None


@cache
def installed_in(python: str, probe: Probe, says: str) -> Installation:
    """Return the installation in an interpreter that the user named; raise if there is none."""
    found = _asked(python, probe.modules, probe.packages, says)
    if not found.module:
        wanted = " or ".join(probe.modules)
        raise UsageError(f"{says}: {python} has no module {wanted}")
    return found


def _asked(python: str, modules: Sequence[str], packages: Sequence[str], says: str) -> Installation:
    command = [python, "-I", "-c", _ASK, json.dumps(list(modules)), json.dumps(list(packages))]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        module, version = json.loads(done.stdout)
    except OSError as error:
        raise UsageError(f"{says}: cannot run {python}: {error.strerror}") from None
    except (ValueError, TypeError, subprocess.TimeoutExpired):
        raise UsageError(f"{says}: {python} is not a working Python interpreter") from None
    return Installation(python, str(module), str(version))


def set_up(name: str) -> Installation | None:
    """Return the environment that was set up for a runtime, if it is complete and only ours."""
    folder = environments_dir() / name
    record = read_record(folder)
    if record is None:
        return None
    python = interpreter_in(folder) if record.get("installer") == "pip" else Path(sys.executable)
    if not python.exists():
        return None
    return Installation(str(python), record["module"], record["version"], str(folder))


def interpreter_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return what an environment's record says; None if others than this user could write there."""
    try:
        if not all(is_private(each.lstat()) for each in (folder.parent, folder)):
            return None
        record = json.loads(read_regular(folder / RECORD, _MOST_RECORD, private=True))
    except (OSError, ValueError, RecursionError):
        return None
    texts = ("module", "version", "installer", "pins")
    if not isinstance(record, dict) or not all(isinstance(record.get(each), str) for each in texts):
        return None
    return record
