"""Looks into one model file for `modellint inspect`, and tells what it finds as plain data."""

from modellint.inspector.look import Asked, inspect_model

__all__ = ["Asked", "inspect_model"]
