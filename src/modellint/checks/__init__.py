"""Checks of rules: one module per family, with small functions from a Context to hits."""

from modellint.checks.api import Check, Context, Hit, Place

__all__ = ["Check", "Context", "Hit", "Place"]
