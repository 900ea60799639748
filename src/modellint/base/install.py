"""The installed version, and the command that installs an extra."""

from __future__ import annotations

from modellint.base.links import REPOSITORY
from modellint.base.version import __version__

SOURCE = f"git+{REPOSITORY}"
"""Source until the first release."""


def install_command(extra: str) -> str:
    """Return the command for an extra: `pip install 'modellint[ort] @ git+https://…'`."""
    return f"pip install 'modellint[{extra}] @ {SOURCE}'"


def installed_version() -> str:
    """Return `0.1.0`, or `0.1.0 (commit 8392443b12)` of an installation from git.

    Commits between two releases state the same version.
    """
    commit = _installed_commit()
    return f"{__version__} (commit {commit[:10]})" if commit else __version__


def _installed_commit() -> str:
    """Return the commit that pip installed; empty if it was not from git."""
    import json
    from pathlib import Path

    home = Path(__file__).parents[2]
    for record in home.glob(f"modellint-{__version__}.dist-info/direct_url.json"):
        try:
            return str(json.loads(record.read_bytes())["vcs_info"]["commit_id"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""
