"""The command that installs modellint."""

from __future__ import annotations

SOURCE = "git+https://github.com/modellint/modellint"
"""Source until the first release."""


def install_command(extra: str) -> str:
    """Return the command for an extra: `pip install 'modellint[ort] @ git+https://…'`."""
    return f"pip install 'modellint[{extra}] @ {SOURCE}'"
