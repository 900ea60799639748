"""Errors that modellint raises on purpose; any other uncaught exception is a bug."""

from __future__ import annotations


class ModellintError(Exception):
    """An error with a message for the user."""


class UsageError(ModellintError):
    """Invalid command line or configuration: exit code 2."""
