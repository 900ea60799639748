"""The errors modellint raises on purpose; anything else that escapes is a bug."""

from __future__ import annotations


class ModellintError(Exception):
    """A failure with a message fit for the user."""


class UsageError(ModellintError):
    """The command line or the configuration is wrong: exit code 2."""
