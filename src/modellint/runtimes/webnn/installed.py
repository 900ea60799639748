"""Finding of ONNX Runtime Web and of a browser that has WebNN."""

from __future__ import annotations

import os
from pathlib import Path

from modellint.base.data import environments_dir
from modellint.base.errors import ModellintError
from modellint.base.records import dataclass
from modellint.browser import find_browser
from modellint.runtimes.webnn.named import ENVIRONMENT, PACKAGE, version_in

ADVICE = "modellint probe --setup webnn"
_PACKED = "@sparticuz/chromium"


class NotInstalledError(ModellintError):
    """Something that a probe in a browser needs is missing."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The programs of a probe."""

    package: Path
    """The npm package `onnxruntime-web`."""
    version: str
    program: Path
    """The browser."""


def installed(folder: Path | None = None) -> Installed:
    """Return what is installed in a folder, by default the one set up; raise if it is not."""
    root = folder or Path(os.environ.get(ENVIRONMENT) or environments_dir() / "webnn")
    version = version_in(root)
    if version is None:
        raise NotInstalledError(f"ONNX Runtime Web is not installed: {ADVICE}")
    program = find_browser([_unpacked(root)])
    if program is None:
        raise NotInstalledError(f"no browser is installed: {ADVICE}")
    return Installed(root / PACKAGE, version, program)


def _unpacked(root: Path) -> Path:
    """Return the browser of an npm package, which packs it, unpacked next to it by Node.js."""
    import shutil
    import subprocess

    program = root / "browser" / "chromium"
    node = shutil.which("node")
    if program.is_file() or node is None or not (root / "node_modules" / _PACKED).is_dir():
        return program
    draft = root / f"browser-{os.getpid()}"
    draft.mkdir(mode=0o700)
    script = f"import('{_PACKED}').then(found => found.default.executablePath())"
    environment = {**os.environ, "TMPDIR": str(draft)}
    subprocess.run(
        [node, "--eval", script], cwd=root, env=environment, check=False, capture_output=True
    )
    if (draft / "chromium").is_file() and not program.parent.exists():
        draft.rename(program.parent)
    else:
        shutil.rmtree(draft, ignore_errors=True)
    return program
