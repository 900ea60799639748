"""Records a new user's first minute as an animated picture, docs/images/first-minute.svg.

    python tools/record_session.py [--source git+https://…]

An empty environment is made, modellint is installed into it from git, and lints a model. The
picture says what each command took, and shortens the waiting. If all took more than a minute,
nothing is written. Commands are run as they are shown, but for the source, which can be another
copy of the repository.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generate_pictures import COLUMNS, recorder
from generated import DOCS, ROOT
from rich.text import Text

from modellint.base.install import SOURCE

PICTURE = DOCS / "images" / "first-minute.svg"
MODEL = "qat_residual.onnx"
COMMANDS = (
    "python3 -m venv .venv && . .venv/bin/activate",
    f"pip install --quiet {SOURCE}",
    f"modellint {MODEL} --target a10",
)
LONGEST = 60.0
ID = "first-minute"
TYPING = 0.8
"""Seconds in the picture that it takes to type a command."""
WAITING = 2.0
"""Seconds in the picture that a command takes at most."""
ENDS = (0, 1)
"""Exit codes of success: modellint has found something."""

Line = tuple[float, Text]
"""When a line appears, in seconds, and the line."""


def record(source: str) -> tuple[list[Line], float]:
    """Run the commands, one after the other; return what was shown, and what it took."""
    lines: list[Line] = []
    shown, taken = 0.0, 0.0
    with tempfile.TemporaryDirectory(prefix="first-minute-") as place:
        shutil.copy(ROOT / "examples" / MODEL, place)
        for at, command in enumerate(COMMANDS):
            activate = ". .venv/bin/activate; " if at else ""
            printed, seconds = _run(activate + command.replace(SOURCE, source), Path(place))
            heading = Text.assemble((f"$ {command}", "bold"), (f"  # {seconds:.1f} s", "dim"))
            lines.append((shown, heading))
            shown += TYPING
            pace = min(WAITING / seconds, 1.0)
            lines += [(shown + when * pace, Text.from_ansi(line)) for when, line in printed]
            shown, taken = shown + seconds * pace, taken + seconds
            sys.stdout.write(f"{seconds:6.1f} s  {command}\n")
        end = f"# {taken:.0f} s from nothing to the first finding"
        lines += [(shown, Text()), (shown, Text(end, "dim"))]
    return lines, taken


def _run(command: str, place: Path) -> tuple[list[tuple[float, str]], float]:
    """Run a command in a terminal; return its lines with their times, and what it took."""
    import pty

    environment = {
        **{name: os.environ[name] for name in os.environ if not name.startswith("MODELLINT_")},
        "COLUMNS": str(COLUMNS),
        "COLORTERM": "truecolor",
        "HOME": str(place),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TERM": "xterm-256color",
    }
    ours, theirs = pty.openpty()
    begin = time.monotonic()
    process = subprocess.Popen(
        ["/bin/bash", "--noprofile", "--norc", "-c", command],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    lines: list[tuple[float, str]] = []
    rest = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        *whole, rest = (rest + part).split(b"\n")
        when = time.monotonic() - begin
        lines += [(when, _last(line)) for line in whole]
    os.close(ours)
    if process.wait() not in ENDS:
        raise SystemExit("\n".join(line for _, line in lines))
    return lines, time.monotonic() - begin


def _last(line: bytes) -> str:
    """Return what a line shows in the end: progress is overwritten, and links are not drawn."""
    text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
    return re.sub(r"\x1b\[[0-9;?]*[A-HJKhl]|\x1b\]8;[^\x1b]*\x1b\\", "", text)


def draw(lines: list[Line]) -> str:
    """Return a picture whose lines appear one after the other."""
    console = recorder()
    for _, text in lines:
        console.print(text, soft_wrap=True)
    picture = console.export_svg(title="modellint", unique_id=ID)
    times = [
        f'[clip-path="url(#{ID}-line-{at})"]{{animation-delay:{when:.2f}s}}'
        for at, (when, _) in enumerate(lines)
    ]
    style = (
        "@keyframes appear{from{visibility:hidden}to{visibility:visible}}"
        f'[clip-path^="url(#{ID}-line-"]{{animation:appear 1ms both}}' + "".join(times)
    )
    # Readers who want no motion see the last moment at once.
    moving = f"<style>@media (prefers-reduced-motion:no-preference){{{style}}}</style>"
    return picture.replace("</svg>", f"{moving}</svg>")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--source", default=SOURCE, help="another copy: git+file:///…")
    lines, taken = record(parser.parse_args().source)
    sys.stdout.write(f"{taken:6.1f} s  from nothing to the first finding\n")
    if taken > LONGEST:
        sys.exit(f"that is more than {LONGEST:.0f} s")
    PICTURE.write_text(draw(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
