"""A folder of npm packages that the user names, instead of one set up."""

from __future__ import annotations

import os
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.runtimes.probe import NamedFolder

ENVIRONMENT = "MODELLINT_WEBNN"
"""Environment variable that names a folder with ONNX Runtime Web in its `node_modules`."""
PACKAGE = Path("node_modules", "onnxruntime-web")


def named_folder() -> NamedFolder | None:
    """Return the folder that the environment names; raise if ONNX Runtime Web is not in it."""
    named = os.environ.get(ENVIRONMENT)
    if not named:
        return None
    version = version_in(Path(named))
    if version is None:
        raise UsageError(f"{ENVIRONMENT}: {Path(named) / PACKAGE} is not ONNX Runtime Web")
    return NamedFolder(str(Path(named).absolute()), version)


def version_in(folder: Path) -> str | None:
    """Return the version of ONNX Runtime Web in a folder; None if it is not there."""
    import json

    try:
        said = json.loads((folder / PACKAGE / "package.json").read_text(encoding="utf-8"))
        return str(said["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
