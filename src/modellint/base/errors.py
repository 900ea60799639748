"""Errors that modellint raises on purpose; any other uncaught exception is a bug."""

from __future__ import annotations


class ModellintError(Exception):
    """An error with a message for the user."""


class UsageError(ModellintError):
    """Invalid command line or configuration: exit code 2."""


def reason_of(error: Exception) -> str:
    """Return the message of an error, without the number of one of the system's."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def lacks_memory(error: BaseException) -> bool:
    """Return True if an error means that there is no memory left, a library's included."""
    return isinstance(error, MemoryError) or (
        isinstance(error, ImportError) and "failed to map segment" in str(error)
    )
