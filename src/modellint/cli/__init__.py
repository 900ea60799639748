"""The face: arguments in, exit code out. One module for each verb, imported when it is used."""

from modellint.cli.app import main

__all__ = ["main"]
