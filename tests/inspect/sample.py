"""The pages that docs/inspect.md shows. `python -m tests.inspect.sample` writes them again."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from tests.exports import materialise
from tests.support import ROOT, run_process

DOCS = ROOT / "docs" / "inspect.md"
BLOCK = re.compile(r"```console\n\$ modellint (inspect .*)\n((?:.*\n)*?)```\n")


def run(command: str, folder: Path) -> str:
    """Return the output of a command of the page, in a folder with the models that it names."""
    arguments = command.split()
    for name in ("resnet50", "gpt2"):
        if f"{name}.onnx" in arguments and not (folder / f"{name}.onnx").exists():
            materialise(name, folder)
    result = run_process(*arguments, "--isolated", cwd=folder, env={**os.environ, "COLUMNS": "100"})
    assert result.exit_code == 0, result
    return result.stdout.rstrip() + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = BLOCK.sub(
            lambda found: f"```console\n$ modellint {found[1]}\n{run(found[1], Path(folder))}```\n",
            DOCS.read_text(encoding="utf-8"),
        )
    DOCS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
