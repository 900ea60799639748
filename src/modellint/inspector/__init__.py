"""Looks into one model file for `modellint inspect`, and tells what it finds as plain data."""

from modellint.inspector.engine import engine_of
from modellint.inspector.look import Asked, inspect_model

__all__ = ["Asked", "engine_of", "inspect_model"]
