"""The command that installs modellint."""

from __future__ import annotations

SOURCE = "git+https://github.com/modellint/modellint"
"""Until the first release."""


def install_command(extra: str) -> str:
    """For one of modellint's extras: `pip install 'modellint[ort] @ git+https://…'`."""
    return f"pip install 'modellint[{extra}] @ {SOURCE}'"
