"""Sets up all environments that probes can have, in the folder of the tests.

    python -m tests.oracles.prepare [NAME...]

What cannot be installed on this system is named, and its tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from modellint.probes.setup import (
    EnvironmentSetup,
    SetupFailed,
    base_python,
    make,
    setup_of,
    setups,
)
from tests.oracles.support import ENVIRONMENTS

SYSTEM = {"npm": ("nodejs", "npm", "libnss3")}
"""Packages of Debian and Ubuntu that an installer needs."""
AXE = "axe-core@4.14.1"
"""Checks pages for accessibility, in a browser; MPL-2.0, and no part of what is released."""


def main() -> None:
    os.environ["MODELLINT_ENVIRONMENTS"] = str(ENVIRONMENTS)
    wanted = [setup_of(name) for name in sys.argv[1:]] or list(setups().values())
    failed = [each.name for each in wanted if not each.is_current and not _made(each)]
    if not sys.argv[1:] and not _axe():
        failed.append("axe")
    sys.exit(f"not set up: {', '.join(failed)}" if failed else 0)


def _made(wanted: EnvironmentSetup) -> bool:
    """Return False if it could not be installed although it should work on this system."""
    installer = wanted.environment.installer
    if installer in SYSTEM and shutil.which(installer) is None and not _install(installer):
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
    """Install axe-core, unless it is there; return False if that fails."""
    folder = ENVIRONMENTS / "axe"
    npm = shutil.which("npm") or (_install("npm") and shutil.which("npm"))
    if (folder / "node_modules").is_dir() or not npm:
        return True
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--silent")
    command = [npm, "install", *options, "--prefix", str(folder), AXE]
    return subprocess.run(command, check=False).returncode == 0


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
