"""Draws what the program prints as pictures for the README."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

from generated import DOCS, ROOT, Contents, bring_up_to_date
from rich.console import Console
from rich.text import Text

COLUMNS = 96

PICTURES = {
    "check": ["examples/qat_residual.onnx", "--target", "a10", "--shape", "8x16x32x32"],
}
"""The arguments of the command that each picture shows."""

PLAINLY = ("--color", "always", "--isolated", "--no-cache")
"""Additional options for the pictures, which readers do not need."""


def draw(name: str) -> str:
    """The picture of one command and what it prints, as SVG."""
    arguments = PICTURES[name]
    environment = {
        **os.environ,
        "COLUMNS": str(COLUMNS),
        "FORCE_COLOR": "1",
        "COLORTERM": "truecolor",
    }
    shown = subprocess.run(
        [sys.executable, "-m", "modellint", *arguments, *PLAINLY],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if shown.returncode not in (0, 1):
        raise SystemExit(shown.stderr)
    console = recorder()
    console.print(Text(f"$ modellint {' '.join(arguments)}\n", "bold"))
    console.print(Text.from_ansi(steady(shown.stdout)), soft_wrap=True)
    return console.export_svg(title="modellint", unique_id=f"modellint-{name}")


def recorder() -> Console:
    """Return a terminal that keeps what it shows, to draw it."""
    return Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )


def steady(output: str) -> str:
    """The output with the one number in it that no two runs share."""
    return re.sub(r"in \d[\d.]* m?s", "in 0.31 s", output)


def contents() -> Contents:
    return {DOCS / "images" / f"{name}.svg": draw(name) for name in PICTURES}


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
